"""Signing in to the console: by the same checks as `/auth/login`, kept as the same sessions, carried by a cookie.

The cookie holds a secret of its own, of which the session keeps the hash. It is no token: the API takes no cookies,
and the console takes nothing else.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import Role, Session, User
from shared_apps.accounts.sessions import end_sessions, hold, prove
from tatami.errors import InvalidCredentials
from tatami.ids import uuid7
from tatami.keys import secret_hash

LIVES: Final = timedelta(hours=12)
"""How long one stays signed in, whatever one does."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A superadmin who is signed in to the console."""

    user: User
    session_id: UUID


def sign_in(*, email: str, password: str, address: str, now: datetime) -> str:
    """Open a session for a superadmin; return the cookie's value. Call it outside a transaction.

    Raises `InvalidCredentials` and `Throttled` as `/auth/login` does.
    """
    proven = prove(email=email, password=password, address=address, now=now)
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        user = hold(proven)
        if user.role != Role.ADMIN:
            raise InvalidCredentials
        session = Session.objects.create(
            id=uuid7(), user=user, token_hash=_hash(secret), rotated_at=now, expires_at=now + LIVES
        )
    return f"{session.pk}.{secret}"


def find_visit(cookie: str, *, now: datetime) -> Visit | None:
    """Return who is signed in by this cookie, in one statement; None if nobody is."""
    name, _, secret = cookie.partition(".")
    try:
        session_id = UUID(name)
    except ValueError:
        return None
    session = (
        Session.objects.select_related("user")
        .filter(pk=session_id, token_hash=_hash(secret), ended_at__isnull=True, expires_at__gt=now)
        .filter(user__is_active=True, user__archived_at__isnull=True, user__role=Role.ADMIN)
        .first()
    )
    return Visit(session.user, session.pk) if session else None


def sign_out(visit: Visit, *, now: datetime) -> None:
    """End the session, and with it every impersonation that began in it."""
    end_sessions(visit.user.pk, now=now, only=visit.session_id)


def _hash(secret: str) -> bytes:
    # Apart from the refresh tokens, whose hashes stand in the same column.
    return secret_hash(f"console\0{secret}")
