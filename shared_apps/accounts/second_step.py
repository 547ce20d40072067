"""Signing in with a second factor.

Sign-in has two steps where a user has a second factor, or their role needs one: the password gives a challenge, which
is valid for five minutes, and the challenge with a code, or signed by a passkey, gives the tokens. If the role needs a
second factor that the user has not set up, the challenge lets them do so. A passkey verifies its user, so it also signs
a user in by itself, without a password.

Attempts are counted per user and per address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import transaction

from shared_apps.accounts import challenges, passkeys
from shared_apps.accounts.challenges import CHALLENGE_LIFETIME
from shared_apps.accounts.models import SecondFactor, User
from shared_apps.accounts.passkeys import PasskeyCopied, PasskeyInvalid
from shared_apps.accounts.second_factors import (
    CODE_ATTEMPTS,
    Enrolment,
    Proof,
    SecondFactorInvalid,
    audit_sign_in,
    begin,
    confirm_first,
    count_proof,
    has_factor,
    is_needed,
    use_code,
    use_passkey,
)
from shared_apps.accounts.sessions import Tokens, lock_verified_user, open_session, verify_password
from shared_apps.accounts.throttling import PER_ADDRESS, clear_attempts, count_attempt
from tatami.api.request import Client
from tatami.errors import DomainError, TokenInvalid

T = TypeVar("T")

_PASSKEY_SIGN_IN: Final = "passkey sign-in"


class SecondFactorRequired(DomainError):
    """A second factor is needed to sign in. Send it with `challenge` to `/auth/second-factor`."""

    code = "second_factor_required"
    status = 401


@dataclass(frozen=True, slots=True)
class PasskeyRequest:
    """What a browser needs to sign in with a passkey alone."""

    challenge: str
    options: dict[str, Any]
    expires_in: int = field(default=int(CHALLENGE_LIFETIME.total_seconds()))


def sign_in(*, email: str, password: str, client: Client, host: str, now: datetime) -> tuple[User, Tokens]:
    """Open a session with a password alone. Call it outside a transaction.

    Raises what `sessions.verify_password` raises; `SecondFactorRequired`, whose details have the challenge, if the user
    has a second factor or needs one.
    """
    verified = verify_password(email=email, password=password, address=client.address, now=now)
    require_no_second_factor(verified, host=host, now=now)
    with transaction.atomic():
        user = lock_verified_user(verified)
        return user, open_session(user, now=now, client=client)


def require_no_second_factor(user: User, *, host: str, now: datetime) -> None:
    """Raise `SecondFactorRequired` with a challenge if the user has a second factor, or needs one."""
    is_set_up = has_factor(user)
    if not is_set_up and not is_needed(user):
        return
    challenge = challenges.second_step_challenge(user, now=now)
    known = passkeys.credentials_of(user, host=host) if is_set_up else []
    options = passkeys.request_options(host=host, challenge=challenge, known=known) if known else None
    raise SecondFactorRequired(
        details={
            "challenge": challenge,
            "expires_in": int(CHALLENGE_LIFETIME.total_seconds()),
            "enrolment_needed": not is_set_up,
            "passkey": options,
        }
    )


def complete_sign_in(*, challenge: str, proof: Proof, now: datetime) -> tuple[User, Tokens, list[str]]:
    """Open a session with a challenge and a second factor. Call it outside a transaction.

    The first code or passkey of a new factor confirms it; then the result has the recovery codes. Raises `TokenInvalid`
    and `TokenExpired` for the challenge, `SecondFactorInvalid`, `PasskeyInvalid`, `PasskeyCopied`, `Throttled`.
    """
    return verify_second_step(
        lambda user: open_session(user, now=now, client=proof.client),
        challenge=challenge,
        proof=proof,
        now=now,
    )


def verify_second_step(
    open_session_of: Callable[[User], T], *, challenge: str, proof: Proof, now: datetime
) -> tuple[User, T, list[str]]:
    """Check the second factor of a challenge, and open a session of any kind in the same transaction.

    See `complete_sign_in`.
    """
    stated, content = challenges.read_second_step(challenge, now=now)
    count_proof(stated, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        user = lock_verified_user(stated)
        new_codes: list[str] = []
        if not has_factor(user):
            factor = SecondFactor.objects.filter(user=user).order_by("-created_at").first()
            if factor is None:
                raise SecondFactorInvalid
            new_codes = confirm_first(factor, proof, now=now)
        elif proof.passkey is not None:
            challenges.use_up(challenge, content)
            use_passkey(user, proof, challenge=challenge, now=now)
        else:
            use_code(user, proof.code, address=proof.address, now=now)
        opened = open_session_of(user)
    clear_attempts(CODE_ATTEMPTS, str(user.pk))
    return user, opened, new_codes


def verify_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """Check a code of a user whose password was verified (the console). Call it outside a transaction.

    Raises `SecondFactorInvalid` and `Throttled`.
    """
    count_proof(user, address, now=now)
    with transaction.atomic():
        use_code(user, code, address=address, now=now)
    clear_attempts(CODE_ATTEMPTS, str(user.pk))


def request_passkey(*, host: str, now: datetime) -> PasskeyRequest:
    """Return a challenge for a sign-in with a passkey alone, at the requested host. It needs no statement."""
    challenge = challenges.issue_challenge(_PASSKEY_SIGN_IN, {"host": host}, now=now)
    return PasskeyRequest(challenge, passkeys.request_options(host=host, challenge=challenge))


def verify_passkey(*, challenge: str, proof: Proof, now: datetime) -> User:
    """Return the active user who has signed this challenge with a passkey, locked. Call it in a transaction.

    It needs no other factor, because the passkey has verified its user. Count the attempt before, and put
    `audited_copies` around the transaction. Raises `TokenInvalid` and `TokenExpired` for the challenge,
    `PasskeyInvalid`, `PasskeyCopied`.
    """
    content = challenges.read_challenge(_PASSKEY_SIGN_IN, challenge, now=now)
    challenges.use_up(challenge, content)
    user_id = passkeys.user_id_of(proof.passkey or {})
    user = User.objects.active_for_update().filter(pk=user_id).first()
    if user is None:
        raise PasskeyInvalid
    use_passkey(user, proof, challenge=challenge, now=now)
    return user


def sign_in_with_passkey(*, challenge: str, proof: Proof, now: datetime) -> tuple[User, Tokens]:
    """Open a session with a passkey alone. Call it outside a transaction.

    Raises `TokenInvalid` and `TokenExpired` for the challenge, `PasskeyInvalid`, `PasskeyCopied`, `Throttled`.
    """
    count_attempt(PER_ADDRESS, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        user = verify_passkey(challenge=challenge, proof=proof, now=now)
        return user, open_session(user, now=now, client=proof.client)


def enrol_by_challenge(*, challenge: str, kind: str, host: str, now: datetime) -> Enrolment:
    """Begin to set up the second factor that the role needs, during the sign-in. Call it in a transaction.

    Raises `TokenInvalid`, also if the user has a second factor; `TokenExpired`.
    """
    stated, _ = challenges.read_second_step(challenge, now=now)
    user = lock_verified_user(stated)
    if has_factor(user):
        raise TokenInvalid
    return begin(user, name="", kind=kind, host=host)


@contextmanager
def audited_copies(address: str, *, now: datetime) -> Iterator[None]:
    """Audit a passkey whose counter went back, when the transaction within has been rolled back."""
    try:
        yield
    except PasskeyCopied as refused:
        audit_sign_in(refused.user, "passkey.refuse", address=address, now=now)
        raise
