"""Signing in, renewing, signing out. Each step commits by itself: call these outside a transaction.

A password is hashed while no transaction is open. A refresh token is rotated by one conditional UPDATE; what is
stored is its hash, and a replay ends the whole family.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.db import transaction

from shared_apps.accounts.models import Session, User
from shared_apps.accounts.throttling import count_sign_in, forget_sign_ins
from tatami.errors import InvalidCredentials, TokenExpired, TokenInvalid
from tatami.ids import uuid7
from tatami.keys import secret_hash
from tatami.text import email_key
from tatami.tokens import AccessToken, ExpiredTokenError, RefreshToken, TokenError, expires_at, issue

UNUSABLE: Final = "!"
"""What Django stores for no password; comparing with it costs as much as with a real one."""

TWO_TABS: Final = timedelta(seconds=10)
"""A repeat this soon after the rotation is taken for a second tab, not for a thief."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a session hands out. Life times in whole seconds."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_in: int


def sign_in(*, email: str, password: str, address: str, now: datetime) -> tuple[User, Tokens]:
    """Open a session for the user of this host with that password. Raises what `prove` does."""
    proven = prove(email=email, password=password, address=address, now=now)
    with transaction.atomic():
        user = hold(proven)
        return user, open_session(user, now=now)


def prove(*, email: str, password: str, address: str, now: datetime) -> User:
    """Return the user of this host with that password.

    Raises `InvalidCredentials` alike, in answer and in work done, for an unknown address, a wrong password and an
    inactive user; `Throttled` after too many attempts on the account or from the network `address`. Before a session
    is opened he is to be held (`hold`): while the password was compared he may have been given another one.
    """
    key = email_key(email)
    count_sign_in(key, address, now=now)
    user = User.objects.live().filter(email_key=key).first()
    # Without a usable password Django hashes once all the same: the answer takes as long.
    matches = check_password(password, user.password if user else UNUSABLE)
    if user is None or not matches or not user.is_active:
        raise InvalidCredentials
    forget_sign_ins(key, address)
    return user


def hold(proven: User) -> User:
    """Return the user whom `prove` returned as he is now, held until the transaction ends that opens his session.

    Raises `InvalidCredentials` if he has left meanwhile, or has another password.
    """
    user = User.objects.held().filter(pk=proven.pk, password=proven.password).first()
    if user is None:
        raise InvalidCredentials
    return user


def open_session(user: User, *, now: datetime) -> Tokens:
    """Open a session for a user who has proven who he is."""
    session_id = uuid7()
    refresh, tokens = _issue_both(user.pk, session_id)
    Session.objects.create(
        id=session_id,
        user=user,
        token_hash=secret_hash(tokens.refresh),
        rotated_at=now,
        expires_at=expires_at(refresh),
    )
    return tokens


def renew(*, refresh: str, now: datetime) -> Tokens:
    """Exchange a refresh token, which works once, for new tokens.

    Raises `TokenExpired`; `TokenInvalid` for anything else, and then ends the session if the token was used before
    (unless that was within ten seconds). Of parallel calls with one token exactly one succeeds.
    """
    token = read_refresh(refresh)
    if User.objects.signed_in(user_id=token.user_id, session_id=token.session_id, now=now) is None:
        raise TokenInvalid
    presented = secret_hash(refresh)
    successor, tokens = _issue_both(token.user_id, token.session_id)
    rotated = Session.objects.filter(pk=token.session_id, token_hash=presented, ended_at__isnull=True).update(
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
    """End the session of this refresh token; an ended or expired one stays ended. Raises `TokenInvalid`."""
    try:
        token = read_refresh(refresh)
    except TokenExpired:
        return
    end_sessions(token.user_id, now=now, only=token.session_id)


def end_sessions(user_id: UUID, *, now: datetime, only: UUID | None = None, keep: UUID | None = None) -> None:
    """End a user's sessions: all, `only` one, or all but the one to `keep`. Their access tokens end with them."""
    sessions = Session.objects.filter(user_id=user_id, ended_at__isnull=True)
    if only:
        sessions = sessions.filter(pk=only)
    if keep:
        sessions = sessions.exclude(pk=keep)
    sessions.update(ended_at=now, updated_at=now)


def read_refresh(refresh: str) -> RefreshToken:
    """Return the refresh token if it is one of this host. Raises `TokenExpired` or `TokenInvalid`."""
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
    is_second_tab = session.previous_hash == presented and now - session.rotated_at <= TWO_TABS
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
