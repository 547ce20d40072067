"""Django's WSGI application, with a request class that accepts any `Content-Type` header.

A `Content-Type` that Django cannot parse raises while the request object is built, outside every middleware, and the
server would return its own error page. Here it becomes a media type that no parser reads, so the response is 415.
"""

from threading import Lock
from typing import Any, Final

import django
from cachetools import LRUCache
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, set_urlconf
from django.utils.http import parse_header_parameters

ROUTES: Final = 1_000
"""How many paths without parameters a process remembers."""
UNREADABLE: Final = "unreadable/unreadable"


_routes: LRUCache[tuple[str, str], ResolverMatch] = LRUCache(ROUTES)
_routes_lock: Final = Lock()
_atomic_views: Final[dict[Any, Any]] = {}
"""The views of the routes, as `Application.make_view_atomic` returns them."""


class TolerantRequest(WSGIRequest):
    """A request that accepts any Content-Type, and whose charset applies to the body only."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        # Django's version also decodes the query string with that charset, which may be rot13.
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError, TypeError):
            meta["CONTENT_TYPE"] = self.content_type = UNREADABLE
            self.content_params = {}


class Application(WSGIHandler):
    """The WSGI handler that builds `TolerantRequest`s, and remembers the routes of paths without parameters.

    Django compares a path with one pattern after the other, a hundred in a dojo's table, at each request.
    """

    request_class = TolerantRequest

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Return the body as a list, which the server sends as it is, or as an iterator if it is streamed."""
        response = super().__call__(environ, start_response)
        if not isinstance(response, HttpResponse):
            return response
        response.close()
        return [response.content]

    def make_view_atomic(self, view: Any) -> Any:
        """Return the view in a transaction (ATOMIC_REQUESTS). Django wraps it anew for each request."""
        found = _atomic_views.get(view)
        if found is None:
            found = _atomic_views[view] = super().make_view_atomic(view)
        return found

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Return the route of the request, and set `request.resolver_match`. Raises `Resolver404`."""
        urlconf = getattr(request, "urlconf", None) or settings.ROOT_URLCONF
        key = urlconf, request.path_info
        with _routes_lock:
            match = _routes.get(key)
        if match is None:
            match = super().resolve_request(request)
            if not match.args and not match.kwargs:
                with _routes_lock:
                    _routes[key] = match
            return match
        set_urlconf(getattr(request, "urlconf", None))
        request.resolver_match = match
        return match


def get_wsgi_application() -> Application:
    """Return the application. Replaces Django's function of the same name."""
    django.setup(set_prefix=False)
    return Application()
