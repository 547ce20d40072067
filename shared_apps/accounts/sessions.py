"""Sign-in, token renewal, sign-out and impersonation.

Call sign-in, renewal and sign-out outside a transaction, because each of their steps commits by itself and passwords
are hashed while no transaction is open. A refresh token is rotated by one conditional UPDATE. Only its hash is stored,
and using a rotated token again ends its whole session.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import check_password

from shared_apps.accounts.models import Session, User
from shared_apps.accounts.throttling import clear_sign_in_attempts, count_sign_in_attempt
from tatami.api.request import Client
from tatami.errors import InvalidCredentials, TokenExpired, TokenInvalid
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tatami.text import email_key
from tatami.tokens import (
    AccessToken,
    Actor,
    ExpiredTokenError,
    ImpersonationToken,
    RefreshToken,
    TokenError,
    expires_at,
    issue,
    issue_impersonation,
)

UNUSABLE_PASSWORD: Final = "!"  # noqa: S105
"""What Django stores for no password. Comparing with it takes as long as comparing with a real hash."""

UNKNOWN_CLIENT: Final = Client()
REPLAY_TOLERANCE: Final = timedelta(seconds=10)
"""A repeated refresh within this time after the rotation comes from a second tab, not from a thief."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session. Lifetimes in seconds."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_in: int
    token_type: str = "Bearer"  # noqa: S105


def verify_password(*, email: str, password: str, address: str, now: datetime) -> User:
    """Return the user in scope with this e-mail address and password.

    Raises `InvalidCredentials` for an unknown address, a wrong password and an inactive user, with the same response
    and the same amount of work. Raises `Throttled` after too many attempts on the account or from the network
    `address`. Lock the user with `lock_verified_user` before opening a session: the password may have been changed
    while it was compared.
    """
    key = email_key(email)
    count_sign_in_attempt(key, address, now=now)
    user = User.objects.not_archived().filter(email_key=key).first()
    # Without a usable password Django hashes once as well, so that the response takes as long.
    matches = check_password(password, user.password if user else UNUSABLE_PASSWORD)
    if user is None or not matches or not user.is_active:
        raise InvalidCredentials
    clear_sign_in_attempts(key, address)
    return user


def lock_verified_user(verified: User) -> User:
    """Return the user from `verify_password` as they are now, locked until the transaction ends.

    Raises `InvalidCredentials` if the user is not active any more, or has another password.
    """
    user = User.objects.active_for_update().filter(pk=verified.pk, password=verified.password).first()
    if user is None:
        raise InvalidCredentials
    return user


def open_session(user: User, *, now: datetime, client: Client = UNKNOWN_CLIENT) -> Tokens:
    """Open a session for a user who has already been authenticated. `client` is what the user recognises it by."""
    session_id = uuid7()
    refresh, tokens = _issue_both(user.pk, session_id)
    Session.objects.create(
        id=session_id,
        user=user,
        token_hash=secret_hash(tokens.refresh),
        rotated_at=now,
        expires_at=expires_at(refresh),
        **stored_client(client),
    )
    return tokens


def open_impersonation(*, user: User, actor: Actor, now: datetime) -> ImpersonationToken:
    """Open a session in which `actor`, a superadmin, acts as a user of the tenant in scope.

    It cannot be renewed and ends after fifteen minutes. It ends earlier when the user's sessions end, or when the
    superadmin's own session ends.
    """
    session_id = uuid7()
    token = issue_impersonation(user_id=user.pk, session_id=session_id, actor=actor)
    Session.objects.create(
        id=session_id,
        user=user,
        token_hash=secret_hash(str(token)),
        rotated_at=now,
        expires_at=expires_at(token),
        impersonator=actor.user_id,
    )
    return token


def renew(*, refresh: str, now: datetime) -> Tokens:
    """Exchange a refresh token, which works once, for new tokens.

    Raises `TokenExpired` if it has expired, and `TokenInvalid` for anything else. If the token was used before, more
    than ten seconds ago, its session ends. Of concurrent calls with one token exactly one succeeds.
    """
    token = read_refresh(refresh)
    if User.objects.signed_in(user_id=token.user_id, session_id=token.session_id, now=now) is None:
        raise TokenInvalid
    presented = secret_hash(refresh)
    successor, tokens = _issue_both(token.user_id, token.session_id)
    current = Session.objects.not_ended().filter(pk=token.session_id, token_hash=presented)
    rotated = current.update(
        token_hash=secret_hash(tokens.refresh),
        previous_hash=presented,
        rotated_at=now,
        expires_at=expires_at(successor),
        updated_at=now,
    )
    if not rotated:
        _end_replayed(token.session_id, presented, now)
        raise TokenInvalid
    return tokens


def sign_out(*, refresh: str, now: datetime) -> None:
    """End the session of this refresh token. An ended or expired session stays ended. Raises `TokenInvalid`."""
    try:
        token = read_refresh(refresh)
    except TokenExpired:
        return
    end_sessions(token.user_id, now=now, only=token.session_id)


def end_sessions(user_id: UUID, *, now: datetime, only: UUID | None = None, keep: UUID | None = None) -> None:
    """End a user's sessions: all, `only` one, or all but the one to `keep`. Their access tokens end with them."""
    sessions = Session.objects.not_ended().filter(user_id=user_id)
    if only:
        sessions = sessions.filter(pk=only)
    if keep:
        sessions = sessions.exclude(pk=keep)
    sessions.update(ended_at=now, updated_at=now)


def stored_client(client: Client) -> dict[str, str]:
    """Return the columns of a session that say from where it was opened."""
    return {"address": client.address[:64], "user_agent": client.user_agent}


def read_refresh(refresh: str) -> RefreshToken:
    """Return the refresh token if this host issued it. Raises `TokenExpired` or `TokenInvalid`."""
    try:
        return RefreshToken(refresh)
    except ExpiredTokenError:
        raise TokenExpired from None
    except TokenError:
        raise TokenInvalid from None


def _end_replayed(session_id: UUID, presented: bytes, now: datetime) -> None:
    session = Session.objects.filter(pk=session_id).first()
    if session is None:
        return
    is_second_tab = session.previous_hash == presented and now - session.rotated_at <= REPLAY_TOLERANCE
    if not is_second_tab:
        end_sessions(session.user_id, now=now, only=session_id)


def _issue_both(user_id: UUID, session_id: UUID) -> tuple[RefreshToken, Tokens]:
    access = issue(AccessToken, user_id=user_id, session_id=session_id)
    refresh = issue(RefreshToken, user_id=user_id, session_id=session_id)
    return refresh, Tokens(
        access=str(access),
        refresh=str(refresh),
        expires_in=access["exp"] - access["iat"],
        refresh_expires_in=refresh["exp"] - refresh["iat"],
    )
