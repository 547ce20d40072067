"""Addresses that are mailed and printed: they name what is stored, never what a request claimed to be."""

from django.conf import settings

from tatami.tenancy.scope import TenantScope, required_scope


def origin() -> str:
    """Return scheme and authority of the scope in force: the dojo's own stored domain, never the request's header."""
    scope = required_scope()
    host = scope.primary_domain if isinstance(scope, TenantScope) else settings.TATAMI_BASE_DOMAIN
    port = settings.TATAMI_PUBLIC_PORT
    is_default = (settings.TATAMI_PUBLIC_SCHEME, port) in {("http", 80), ("https", 443)}
    return f"{settings.TATAMI_PUBLIC_SCHEME}://{host}" + ("" if is_default else f":{port}")
