"""Sessions of the console: checked like `/auth/login`, stored like its sessions, carried by a cookie.

The cookie holds a secret of its own, whose hash the session stores. It is not a token: the API accepts no cookies, and
the console accepts nothing else.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import Role, Session, User
from shared_apps.accounts.second_factors import has_factor, require_no_second_factor, verify_code
from shared_apps.accounts.sessions import end_sessions, lock_verified_user, verify_password
from tatami.errors import InvalidCredentials
from tatami.ids import uuid7
from tatami.keys import secret_hash

SESSION_LIFETIME: Final = timedelta(hours=12)
"""Counted from the sign-in. Activity does not extend it."""


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """The session of a superadmin in the console."""

    user: User
    session_id: UUID


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
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        user = lock_verified_user(verified)
        if user.role != Role.ADMIN:
            raise InvalidCredentials
        session = Session.objects.create(
            id=uuid7(), user=user, token_hash=_hash(secret), rotated_at=now, expires_at=now + SESSION_LIFETIME
        )
    return f"{session.pk}.{secret}"


def find_session(cookie: str, *, now: datetime) -> ConsoleSession | None:
    """Return the session that belongs to this cookie, or None if it has ended. One statement."""
    name, _, secret = cookie.partition(".")
    try:
        session_id = UUID(name)
    except ValueError:
        return None
    sessions = Session.objects.open_at(now).filter(user__in=User.objects.active_admins())
    session = sessions.select_related("user").filter(pk=session_id, token_hash=_hash(secret)).first()
    return ConsoleSession(session.user, session.pk) if session else None


def sign_out(session: ConsoleSession, *, now: datetime) -> None:
    """End the session and every impersonation that was started in it."""
    end_sessions(session.user.pk, now=now, only=session.session_id)


def _hash(secret: str) -> bytes:
    # The prefix keeps console secrets apart from refresh tokens, whose hashes are in the same column.
    return secret_hash(f"console\0{secret}")
