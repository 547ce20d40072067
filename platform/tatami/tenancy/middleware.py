"""Set the scope of a request from its host name, also for the streamed part of the response."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django_tenants.middleware.main import TenantMainMiddleware

from tatami.api.exception_mapping import error_response
from tatami.errors import DomainError, TenantNotFound
from tatami.tenancy.hosts import HostResolver, normalised_host, origin
from tatami.tenancy.scope import Scope, TenantScope, platform_scope, tenant_scope
from tatami.tenancy.tenant_registry import tenant_registry

T = TypeVar("T")


@cache
def host_resolver() -> HostResolver:
    """Return the resolver of this process."""
    return HostResolver(
        base_domain=settings.TATAMI_BASE_DOMAIN,
        find_tenant=tenant_registry().find_tenant,
        read_epoch=tenant_registry().read_epoch,
    )


class TenantMiddleware(TenantMainMiddleware):  # type: ignore[misc]
    """django-tenants' routing by host name, with our resolver and our scopes in place of its connection state."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            scope = host_resolver().resolve(hostname(request))
        except DomainError as error:
            return error_response(error, request)
        request.scope = scope  # type: ignore[attr-defined]
        request.tenant = scope  # type: ignore[attr-defined]
        self.setup_url_routing(request)
        address = present_address(request, scope)
        if address is not None:
            return HttpResponseRedirect(address)
        with tenant_scope(scope) if isinstance(scope, TenantScope) else platform_scope():
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse):
                # The body is produced after this block has ended, so run it in a copy of the current context.
                response.streaming_content = _in_this_context(
                    cast("Iterable[bytes]", response.streaming_content)
                )
        return response


def present_address(request: HttpRequest, scope: Scope) -> str | None:
    """Return the address of a page at the dojo's present host, if a browser asks for it at a former subdomain.

    Programs (kiosks, calendars, API clients) are served there instead: many of them do not follow a redirect with their
    method, body and token.
    """
    if not isinstance(scope, TenantScope) or request.method not in {"GET", "HEAD"}:
        return None
    if "text/html" not in request.META.get("HTTP_ACCEPT", ""):
        return None
    subdomain, _, base = normalised_host(hostname(request)).partition(".")
    if base != settings.TATAMI_BASE_DOMAIN.lower() or subdomain == scope.slug:
        return None
    with tenant_scope(scope):
        return origin() + request.get_full_path()


def hostname(request: HttpRequest) -> str:
    """Return the requested host. Raises `TenantNotFound` if the Host header is not a host name."""
    try:
        return request.get_host()
    except DisallowedHost:
        raise TenantNotFound from None


def _in_this_context(parts: Iterable[T]) -> Iterator[T]:
    context = copy_context()
    iterator = iter(parts)
    end: Any = object()

    def in_context() -> Iterator[T]:
        while (part := context.run(next, iterator, end)) is not end:
            yield part

    return in_context()
