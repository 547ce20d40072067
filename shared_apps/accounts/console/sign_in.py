"""Sessions of the console: checked like `/auth/login`, carried by a cookie (`cookie_sessions`)."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from shared_apps.accounts.cookie_sessions import (
    CookieSession,
    end_cookie_session,
    find_cookie_session,
    open_cookie_session,
)
from shared_apps.accounts.models import Role
from shared_apps.accounts.second_factors import has_factor, require_no_second_factor, verify_code
from shared_apps.accounts.sessions import lock_verified_user, verify_password
from tatami.errors import InvalidCredentials

SESSION_LIFETIME: Final = timedelta(hours=12)
"""Counted from the sign-in. Activity does not extend it."""
_PURPOSE: Final = "console"

ConsoleSession = CookieSession


def sign_in(*, email: str, password: str, address: str, now: datetime, code: str = "") -> str:
    """Open a session for a superadmin and return the value of the cookie. Call it outside a transaction.

    Raises `InvalidCredentials` and `Throttled` as `/auth/login` does; `SecondFactorRequired` without a code, and
    `SecondFactorInvalid`. An authenticator that the platform demands is set up through the API.
    """
    verified = verify_password(email=email, password=password, address=address, now=now)
    if code and has_factor(verified):
        verify_code(verified, code, address=address, now=now)
    else:
        require_no_second_factor(verified, now=now)
    with transaction.atomic():
        user = lock_verified_user(verified)
        if user.role != Role.ADMIN:
            raise InvalidCredentials
        return open_cookie_session(user, purpose=_PURPOSE, lifetime=SESSION_LIFETIME, now=now)


def find_session(cookie: str, *, now: datetime) -> ConsoleSession | None:
    """Return the session that belongs to this cookie, or None if it has ended or is not a superadmin's."""
    found = find_cookie_session(cookie, purpose=_PURPOSE, now=now)
    return found if found and found.user.role == Role.ADMIN else None


def sign_out(session: ConsoleSession, *, now: datetime) -> None:
    """End the session and every impersonation that was started in it."""
    end_cookie_session(session, now=now)
