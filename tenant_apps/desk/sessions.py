"""Who looks at a page: the session that the cookie of a dojo's host carries, or a superadmin's impersonation.

Two cookies, both `HttpOnly` and `SameSite=Lax`, on this host alone; with https they have the prefix `__Host-`, so no
other host of the domain can set them. The first one carries a session of its own (`cookie_sessions`), the second one
the access token of an impersonation, which is valid for fifteen minutes and only while the superadmin's session is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from shared_apps.accounts.cookie_sessions import (
    CookieSession,
    end_cookie_session,
    find_cookie_session,
    open_cookie_session,
)
from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import end_sessions
from tatami.api.authentication import find_impersonator
from tatami.api.request import Client
from tatami.tokens import AccessToken, TokenError, read_access_token

SESSION_LIFETIME: Final = timedelta(days=14)
"""Counted from the sign-in; activity does not extend it. As long as a refresh token is valid."""

COOKIE_PREFIX: Final = "__Host-" if settings.SESSION_COOKIE_SECURE else ""
SESSION_COOKIE: Final = f"{COOKIE_PREFIX}tatami"
IMPERSONATION_COOKIE: Final = f"{COOKIE_PREFIX}tatami_impersonation"
_PURPOSE: Final = "page"


@dataclass(frozen=True, slots=True)
class PageSession:
    """The user who looks at a page, and their session."""

    user: User
    session_id: UUID
    token: AccessToken | None = None
    """The token of an impersonation."""


def find_page_session(request: HttpRequest, *, now: datetime) -> PageSession | None:
    """Return the session of the request, or `None`. Call it outside a transaction. One or two statements."""
    text = request.COOKIES.get(IMPERSONATION_COOKIE, "")
    impersonated = impersonation(text, now=now) if text else None
    if impersonated:
        return impersonated
    found = find_cookie_session(request.COOKIES.get(SESSION_COOKIE, ""), purpose=_PURPOSE, now=now)
    return PageSession(found.user, found.session_id) if found else None


def impersonation(text: str, *, now: datetime) -> PageSession | None:
    """Return the session of an impersonation token, or `None` if it is not valid here, or not any more."""
    try:
        token = read_access_token(text)
    except TokenError:
        return None
    impersonator = find_impersonator(token.actor) if token.actor else None
    if impersonator is None:
        return None
    users: Any = User.objects
    user = users.signed_in(
        user_id=token.user_id, session_id=token.session_id, now=now, impersonator=impersonator.pk
    )
    if user is None:
        return None
    user.impersonator = impersonator
    return PageSession(user, token.session_id, token)


def open_page_session(user: User, response: HttpResponseBase, *, client: Client, now: datetime) -> None:
    """Open a session for a user who has been authenticated, and set its cookie."""
    value = open_cookie_session(user, purpose=_PURPOSE, lifetime=SESSION_LIFETIME, now=now, client=client)
    set_cookie(response, SESSION_COOKIE, value, SESSION_LIFETIME)


def begin_impersonation(text: str, response: HttpResponseBase) -> None:
    """Set the cookie of an impersonation. `find_page_session` checks the token at every request."""
    set_cookie(response, IMPERSONATION_COOKIE, text, timedelta(minutes=15))


def end_page_session(session: PageSession | None, response: HttpResponseBase, *, now: datetime) -> None:
    """End the session of the request and remove its cookie. Ending an impersonation leaves one's own session."""
    if session is not None and session.token is not None:
        end_sessions(session.user.pk, now=now, only=session.session_id)
        response.delete_cookie(IMPERSONATION_COOKIE, samesite="Lax")
        return
    if session is not None:
        end_cookie_session(CookieSession(session.user, session.session_id), now=now)
    response.delete_cookie(SESSION_COOKIE, samesite="Lax")


def set_cookie(response: HttpResponseBase, name: str, value: str, lifetime: timedelta) -> None:
    """Set a cookie of this host alone, which no script can read."""
    response.set_cookie(
        name,
        value,
        max_age=lifetime,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
