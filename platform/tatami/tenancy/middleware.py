"""From the host name to a scope that holds for the whole request, streamed bodies included."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django_tenants.middleware.main import TenantMainMiddleware

from tatami.api.exception_mapping import error_response
from tatami.errors import DomainError, TenantNotFound
from tatami.tenancy.directory import directory
from tatami.tenancy.hosts import HostResolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope

T = TypeVar("T")


@cache
def host_resolver() -> HostResolver:
    """Return the process's resolver."""
    return HostResolver(
        base_domain=settings.TATAMI_BASE_DOMAIN,
        find_tenant=directory().find_tenant,
        read_epoch=directory().read_epoch,
    )


class TenantMiddleware(TenantMainMiddleware):  # type: ignore[misc]
    """django-tenants' routing by host name, with our resolver and our scopes in place of its connection state."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            scope = host_resolver().resolve(hostname(request))
        except DomainError as refusal:
            return error_response(refusal, request)
        request.scope = scope  # type: ignore[attr-defined]
        request.tenant = scope  # type: ignore[attr-defined]
        self.setup_url_routing(request)
        with tenant_scope(scope) if isinstance(scope, TenantScope) else platform_scope():
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse):
                # The body is made after this block has been left: let it run in a copy of today's context.
                response.streaming_content = _in_this_context(
                    cast("Iterable[bytes]", response.streaming_content)
                )
        return response


def hostname(request: HttpRequest) -> str:
    """Return the host the client asked for. Raises `TenantNotFound` where it is not a host name at all."""
    try:
        return request.get_host()
    except DisallowedHost:
        raise TenantNotFound from None


def _in_this_context(parts: Iterable[T]) -> Iterator[T]:
    context = copy_context()
    iterator = iter(parts)
    end: Any = object()

    def carried() -> Iterator[T]:
        while (part := context.run(next, iterator, end)) is not end:
            yield part

    return carried()
