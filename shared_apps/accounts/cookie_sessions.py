"""Sessions that a cookie carries: those of pages and of the console. They are rows of `Session`, as those of tokens.

The cookie holds the session's id and a secret, whose hash the session stores. It is not a token: the API accepts no
cookies, and pages accept nothing else. What the cookie is for is part of the hash, so a cookie of the console opens no
page of a dojo, and no cookie is a refresh token.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared_apps.accounts.models import USER_COLUMNS, Session, User, user_from_row
from shared_apps.accounts.sessions import UNKNOWN_CLIENT, end_sessions, stored_client
from tatami.api.request import Client
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tatami.postgresql.statements import Statement

MAX_COOKIE_LENGTH: Final = 200

# The rules of `SIGNED_IN_USER`. Such a cookie never carries an impersonation.
COOKIE_USER: Final = Statement(
    "user of a cookie",
    "SELECT s.rotated_at, "
    + ", ".join(f"u.{column}" for column in USER_COLUMNS)
    + """
FROM accounts_user u JOIN accounts_session s ON s.user_id = u.id
WHERE s.id = $1 AND s.token_hash = $2 AND s.impersonator IS NULL
  AND s.ended_at IS NULL AND s.expires_at > $3 AND u.is_active AND u.archived_at IS NULL
""",
)
LAST_USED_PRECISION: Final = timedelta(minutes=5)
"""As often as clients with tokens renew them. So not every page writes."""


@dataclass(frozen=True, slots=True)
class CookieSession:
    """The session that a cookie carries, and its user."""

    user: User
    session_id: UUID


def open_cookie_session(
    user: User, *, purpose: str, lifetime: timedelta, now: datetime, client: Client = UNKNOWN_CLIENT
) -> str:
    """Open a session for a user who has already been authenticated. Return the value of the cookie."""
    secret = secrets.token_urlsafe(32)
    session = Session.objects.create(
        id=uuid7(),
        user=user,
        token_hash=_hash(purpose, secret),
        rotated_at=now,
        expires_at=now + lifetime,
        **stored_client(client),
    )
    return f"{session.pk}.{secret}"


def find_cookie_session(cookie: str, *, purpose: str, now: datetime) -> CookieSession | None:
    """Return the session of this cookie, or `None` if there is none or it has ended. Call it outside a transaction.

    At most one statement, and every five minutes another, which writes when the session was used.
    """
    name, _, secret = cookie.partition(".")
    if len(cookie) > MAX_COOKIE_LENGTH:
        return None
    try:
        session_id = UUID(name)
    except ValueError:
        return None
    row = COOKIE_USER.row(session_id, _hash(purpose, secret), now)
    if row is None:
        return None
    last_used_at, *columns = row
    if last_used_at <= now - LAST_USED_PRECISION:
        Session.objects.not_ended().filter(pk=session_id).update(rotated_at=now, updated_at=now)
    return CookieSession(user_from_row(columns), session_id)


def end_cookie_session(session: CookieSession, *, now: datetime) -> None:
    """End the session, and every impersonation that was started in it."""
    end_sessions(session.user.pk, now=now, only=session.session_id)


def _hash(purpose: str, secret: str) -> bytes:
    # The prefix keeps these secrets apart from refresh tokens, whose hashes are in the same column.
    return secret_hash(f"{purpose}\0{secret}")
