"""Challenges: signed texts of this dojo, valid for minutes and for one purpose; and a record of those that were used.

A challenge needs no row, so asking for one costs no space. What must work once, such as a challenge that a passkey has
signed, is recorded when it is used, in the transaction of its effect. So of concurrent requests with one challenge
exactly one succeeds.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.signing import BadSignature
from django.db import IntegrityError, transaction

from shared_apps.accounts.models import UsedChallenge, User
from tatami.errors import TokenExpired, TokenInvalid
from tatami.keys import secret_hash, tenant_signer
from tatami.tenancy.scope import current_tenant_id

CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
_SECOND_STEP: Final = "second factor challenge"


def issue_challenge(
    purpose: str, content: Mapping[str, Any], *, now: datetime, lifetime: timedelta = CHALLENGE_LIFETIME
) -> str:
    """Return a new challenge with `content`, which the client can read but not change. No two are equal."""
    until = int((now + lifetime).timestamp())
    stated = {**content, "until": until, "unique": secrets.token_urlsafe(12)}
    return str(tenant_signer(purpose, current_tenant_id()).sign_object(stated))


def read_challenge(purpose: str, challenge: str, *, now: datetime) -> Mapping[str, Any]:
    """Return the content of a challenge for this purpose. Raises `TokenInvalid` and `TokenExpired`."""
    try:
        stated: Mapping[str, Any] = tenant_signer(purpose, current_tenant_id()).unsign_object(challenge)
    except (BadSignature, ValueError):
        raise TokenInvalid from None
    if now.timestamp() >= stated["until"]:
        raise TokenExpired
    return stated


def use_up(challenge: str, content: Mapping[str, Any]) -> None:
    """Record that a challenge, with what `read_challenge` returned, is used. Call it in a transaction.

    Raises `TokenInvalid` if it has been used before.
    """
    try:
        with transaction.atomic():
            UsedChallenge.objects.create(
                id=UUID(bytes=secret_hash(challenge)[:16]),
                expires_at=datetime.fromtimestamp(content["until"], tz=UTC),
            )
    except IntegrityError as violation:
        if "accounts_usedchallenge_pkey" in str(violation):
            raise TokenInvalid from None
        raise


def second_step_challenge(user: User, *, now: datetime) -> str:
    """Return the challenge for a user whose password, or whose account at an identity provider, was verified."""
    return issue_challenge(_SECOND_STEP, user_content(user), now=now)


def read_second_step(challenge: str, *, now: datetime) -> tuple[User, Mapping[str, Any]]:
    """Return the active user of such a challenge, and its content. Raises `TokenInvalid`, `TokenExpired`."""
    content = read_challenge(_SECOND_STEP, challenge, now=now)
    return user_of(content), content


def user_content(user: User) -> dict[str, str]:
    """Return what a challenge states about its user: the id, and a mark that changes with the password."""
    return {"user": str(user.pk), "password": _mark(user)}


def user_of(content: Mapping[str, Any]) -> User:
    """Return the active user of the content of a challenge, if the password is the same. Raises `TokenInvalid`."""
    user = User.objects.active().filter(pk=content["user"]).first()
    if user is None or not secrets.compare_digest(_mark(user), content["password"]):
        raise TokenInvalid
    return user


def _mark(user: User) -> str:
    """Return what changes with the password, and reveals nothing about its hash."""
    return secret_hash(f"challenge\0{user.password}").hex()[:16]
