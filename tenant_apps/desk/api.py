"""Requests to the API from within a page: the API's own views, called with the page's user.

    students = ask(page, "students", query={"search": "mika"})
    created = send(page, "POST", "students", {"first_name": "Mika"})

A refusal is raised as `Refused`, with the envelope that a client would have got. Each request is a transaction of its
own, as it is for a client; only the reads of a page run together in the transaction of the page.
"""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from http import HTTPStatus
from secrets import token_hex
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, resolve, reverse
from rest_framework.response import Response
from rest_framework.status import is_client_error, is_server_error

from tatami.api.renderers import JSON
from tatami.errors import DomainError, NotFound
from tenant_apps.desk.error_pages import fault_sentences

_COPIED: Final = (
    "REMOTE_ADDR",
    "HTTP_HOST",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "SERVER_NAME",
    "SERVER_PORT",
)
"""What the API reads of a request besides its body: the address of the client, for throttles and the audit."""


class SignedInPage(Protocol):
    """What of a page its requests to the API need."""

    request: HttpRequest
    user: Any
    reads_together: bool
    """Whether the page has a transaction of its own for its reads."""

    @property
    def token(self) -> Any:
        """The session: it has `session_id`."""


class Refused(DomainError):
    """The API refused a request of a page. It has the code, message, details and status of the API's response."""

    def __init__(self, status: int, envelope: Mapping[str, Any]) -> None:
        error = envelope.get("error", {})
        super().__init__(error.get("message", ""), details=error.get("details"))
        self.status = status  # type: ignore[misc]
        self.code = error.get("code", "server_error")  # type: ignore[misc]

    @property
    def sentence(self) -> str:
        """What happened, with the messages about fields, for a page that has no form with these fields."""
        return " ".join([self.message, *fault_sentences(self)])

    @property
    def fields(self) -> dict[str, list[str]]:
        """Messages by dotted path (`guardians.0.email`), if the API named fields. Conflicts name other things."""
        found = (self.details or {}) if self.status == HTTPStatus.BAD_REQUEST else {}
        return {
            path: messages
            for path, messages in found.items()
            if isinstance(messages, list) and all(isinstance(one, str) for one in messages)
        }


def ask(page: SignedInPage, route: str, *, query: Mapping[str, Any] | None = None, **keys: UUID | str) -> Any:
    """Return the body of a GET. Values of `query` that are `None` or empty are left out. Raises `Refused`."""
    return _body(_call(page, "GET", route, query=query, keys=keys))


def fetch(
    page: SignedInPage,
    route: str,
    *,
    query: Mapping[str, Any] | None = None,
    accept: str = "*/*",
    **keys: UUID | str,
) -> HttpResponseBase:
    """Return the response to a GET as it is: a file for the browser (CSV, XLSX, PDF). Raises `Refused`."""
    response = _call(page, "GET", route, query=query, keys=keys, accept=accept)
    if is_error(response.status_code):
        _body(response)
    return response


def send(
    page: SignedInPage,
    method: str,
    route: str,
    body: Any = None,
    *,
    query: Mapping[str, Any] | None = None,
    **keys: UUID | str,
) -> Any:
    """Send a POST, PUT, PATCH or DELETE with a JSON body (bytes: as they are); return the body of the response.

    Raises `Refused`.

    Call it outside a transaction, as a page's `submit` runs: the write commits when this returns.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else _json(body)
    return _body(_call(page, method, route, query=query, content=content, keys=keys))


def send_file(
    page: SignedInPage,
    route: str,
    content: bytes,
    *,
    query: Mapping[str, Any] | None = None,
    **keys: UUID | str,
) -> Any:
    """POST a file as the part `file` of a multipart body; return the body of the response. Raises `Refused`."""
    boundary = token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'
    body = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    media_type = f"multipart/form-data; boundary={boundary}"
    return _body(_call(page, "POST", route, query=query, content=body, media_type=media_type, keys=keys))


def _call(
    page: SignedInPage,
    method: str,
    route: str,
    *,
    query: Mapping[str, Any] | None,
    keys: Mapping[str, Any],
    content: bytes = b"",
    media_type: str = JSON,
    accept: str = JSON,
) -> HttpResponseBase:
    try:
        path = reverse(route, kwargs={name: str(value) for name, value in keys.items()})
    except NoReverseMatch:
        if not keys:
            raise
        # A key that a browser sent is no id: a client would have asked for an address that there is not.
        raise Refused(NotFound.status, NotFound().envelope()) from None
    match = resolve(path)
    view: Any = match.func
    request = HttpRequest()
    request.method, request.path, request.path_info = method, path, path
    request.META = {name: page.request.META[name] for name in _COPIED if name in page.request.META}
    request.META |= {"REQUEST_METHOD": method, "HTTP_ACCEPT": accept}
    request.GET = _query(query or {})  # type: ignore[assignment]
    request.META |= {"CONTENT_TYPE": media_type, "CONTENT_LENGTH": str(len(content))} if content else {}
    request._body, request._read_started = content, True  # type: ignore[attr-defined]
    request.resolver_match = match
    for name in ("scope", "tenant"):
        setattr(request, name, getattr(page.request, name))
    request._force_auth_user = page.user  # type: ignore[attr-defined]
    request._force_auth_token = page.token  # type: ignore[attr-defined]
    is_own_transaction = getattr(view.cls, "atomic", True) and not page.reads_together
    with transaction.atomic() if is_own_transaction else nullcontext():
        response: HttpResponseBase = view(request, *match.args, **match.kwargs)
    return response


def _json(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # a number of more than 64 bits, which the API refuses in its own words
        return json.dumps(body).encode()


def _query(values: Mapping[str, Any]) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in values.items():
        if value not in (None, ""):
            query[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return query


def _body(response: HttpResponseBase) -> Any:
    content = getattr(response, "content", b"")
    data = response.data if isinstance(response, Response) else None
    if is_error(response.status_code):
        raise Refused(response.status_code, orjson.loads(content))
    # Rendered JSON, so that a page sees ids and instants as every other client does.
    return (
        orjson.loads(content)
        if content and (data is not None or "json" in response["Content-Type"])
        else None
    )


def cursor_of(address: str | None) -> str:
    """Return the cursor in the address of a list's next page (`next`); empty without one."""
    return parse_qs(urlsplit(address).query)["cursor"][0] if address else ""


def is_error(status: int) -> bool:
    """Return whether a response with this status is a refusal or a failure."""
    return is_client_error(status) or is_server_error(status)
