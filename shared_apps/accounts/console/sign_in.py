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
from shared_apps.accounts.second_factors import Proof, has_factor
from shared_apps.accounts.second_step import (
    audited_copies,
    require_no_second_factor,
    verify_code,
    verify_passkey,
)
from shared_apps.accounts.sessions import end_sessions, lock_verified_user, verify_password
from shared_apps.accounts.throttling import PER_ADDRESS, count_attempt
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


def sign_in(*, email: str, password: str, proof: Proof, now: datetime) -> str:
    """Open a session for a superadmin and return the value of the cookie. Call it outside a transaction.

    Raises `InvalidCredentials` and `Throttled` as `/auth/login` does; `SecondFactorRequired` without a code, and
    `SecondFactorInvalid`. A second factor that the platform demands is set up through the API.
    """
    verified = verify_password(email=email, password=password, address=proof.address, now=now)
    if proof.code and has_factor(verified):
        verify_code(verified, proof.code, address=proof.address, now=now)
    else:
        require_no_second_factor(verified, host=proof.host, now=now)
    with transaction.atomic():
        return _open_session(lock_verified_user(verified), now=now)


def sign_in_with_passkey(*, challenge: str, proof: Proof, now: datetime) -> str:
    """Open a session for a superadmin with a passkey alone; return the value of the cookie.

    Call it outside a transaction. Raises what `second_step.sign_in_with_passkey` raises, and `InvalidCredentials`.
    """
    count_attempt(PER_ADDRESS, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        return _open_session(verify_passkey(challenge=challenge, proof=proof, now=now), now=now)


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


def _open_session(user: User, *, now: datetime) -> str:
    if user.role != Role.ADMIN:
        raise InvalidCredentials
    secret = secrets.token_urlsafe(32)
    session = Session.objects.create(
        id=uuid7(), user=user, token_hash=_hash(secret), rotated_at=now, expires_at=now + SESSION_LIFETIME
    )
    return f"{session.pk}.{secret}"


def _hash(secret: str) -> bytes:
    # The prefix keeps console secrets apart from refresh tokens, whose hashes are in the same column.
    return secret_hash(f"console\0{secret}")
