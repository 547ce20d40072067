"""What the pages of the console share: their session, its cookie, CSRF protection, and the audit of what they change.

Cookies, CSRF and messages are handled by a decorator on the console's views, not by middleware, so that requests to the
API never use them.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.views.decorators.csrf import csrf_protect

from shared_apps.accounts.console.sign_in import SESSION_LIFETIME, ConsoleSession, find_session
from shared_apps.accounts.second_factors import Proof
from tatami import clock
from tatami.api.audit import add_audit_entry
from tatami.api.request import AnonymousCaller, client_address, client_of, requested_host
from tatami.errors import PermissionDenied
from tatami.observability import bind_user

COOKIE: Final = "tatami_console"
PATH: Final = "/console/"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}

View = Callable[..., HttpResponseBase]


def console_view(view: View) -> View:
    """Return the view with the console's session, messages and CSRF protection, and without a transaction."""

    @csrf_protect
    @wraps(view)
    def inner(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.console_session = find_session(request.COOKIES.get(COOKIE, ""), now=clock.now())
        request.user = request.console_session.user if request.console_session else AnonymousCaller()
        if request.console_session:
            bind_user(request, request.user.pk)
        messages = request._messages = CookieStorage(request)
        response = view(request, *args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response = response.render()
        messages.update(response)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    return transaction.non_atomic_requests(using="default")(inner)


def console_session(request: HttpRequest) -> ConsoleSession:
    """Return the session of the request. Raises `PermissionDenied` if there is none."""
    session = getattr(request, "console_session", None)
    if session is None:
        raise PermissionDenied
    found: ConsoleSession = session
    return found


def add_session_cookie(response: HttpResponse, cookie: str) -> None:
    """Give the browser the cookie of a session that was opened."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_LIFETIME,
        path=PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def delete_session_cookie(response: HttpResponse) -> None:
    """Take the cookie of a session that has ended from the browser."""
    response.delete_cookie(COOKIE, path=PATH, samesite="Lax")


def proof_of(request: HttpRequest, **shown: Any) -> Proof:
    """Return a second factor (`code`, `passkey`, or neither) with the place where it is shown."""
    client = client_of(request)
    return Proof(host=requested_host(request), address=client.address, user_agent=client.user_agent, **shown)


def audit_page(
    request: HttpRequest,
    action: str,
    object_id: UUID | None,
    *,
    now: datetime,
    fields: tuple[str, ...] = (),
    reason: str = "",
) -> None:
    """Audit what a page changed, with the action of the API's route that changes the same."""
    add_audit_entry(
        actor=console_session(request).user,
        action=action,
        object_id=object_id,
        fields=fields,
        reason=reason,
        address=client_address(request),
        now=now,
    )
