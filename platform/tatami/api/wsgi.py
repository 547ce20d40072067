"""Django's WSGI application, with a request class that accepts any `Content-Type` header.

A `Content-Type` that Django cannot parse raises while the request object is built, outside every middleware, and the
server would return its own error page. Here it becomes a media type that no parser reads, so the response is 415.
"""

from typing import Any, Final

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

UNREADABLE: Final = "unreadable/unreadable"


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
    """The WSGI handler that builds `TolerantRequest`s."""

    request_class = TolerantRequest


def get_wsgi_application() -> Application:
    """Return the application. Replaces Django's function of the same name."""
    django.setup(set_prefix=False)
    return Application()
