"""Django's WSGI application, with a request that survives any header.

A Content-Type that Django cannot parse raises while the request is being made, outside every middleware,
and the server would answer a page of its own. Here it becomes a media type that nothing reads: 415.
"""

from typing import Any, Final

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

UNREADABLE: Final = "unreadable/unreadable"


class TolerantRequest(WSGIRequest):
    """A request whose Content-Type may be anything, and whose charset decodes nothing but the body."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        # Django's goes on to decode the query string with that charset, which may be rot13.
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError, TypeError):
            meta["CONTENT_TYPE"] = self.content_type = UNREADABLE
            self.content_params = {}


class Application(WSGIHandler):
    """The handler that makes such requests."""

    request_class = TolerantRequest


def get_wsgi_application() -> Application:
    """Return the application, in place of Django's function of that name."""
    django.setup(set_prefix=False)
    return Application()
