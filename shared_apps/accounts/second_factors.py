"""The second factor of a sign-in: an authenticator app, a passkey, or a recovery code; required by role if wanted.

Sign-in has two steps where a user has a second factor, or their role needs one: the password gives a challenge, which
is valid for five minutes, and the challenge with a code, or signed by a passkey, gives the tokens. If the role needs a
second factor that the user has not set up, the challenge lets them do so. A passkey verifies its user, so it also signs
a user in by itself, without a password.

Attempts are counted per user and per address.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts import challenges, passkeys, totp
from shared_apps.accounts.challenges import CHALLENGE_LIFETIME
from shared_apps.accounts.models import Passkey, RecoveryCode, SecondFactor, SignInPolicy, User
from shared_apps.accounts.passkeys import PasskeyCopied, PasskeyInvalid
from shared_apps.accounts.sessions import (
    Tokens,
    end_sessions,
    lock_verified_user,
    open_session,
    verify_password,
)
from shared_apps.accounts.throttling import OWN_PASSWORD, PER_ADDRESS, Limit, clear_attempts, count_attempt
from tatami.api.audit import add_audit_entry
from tatami.errors import DomainError, InvalidCredentials, TokenExpired, TokenInvalid
from tatami.qr_images import qr_data_uri

MAX_FACTORS: Final = 5
CODE_ATTEMPTS: Final = Limit("second factor", attempts=10, window=timedelta(minutes=15))
_PASSKEY_SIGN_IN: Final = "passkey sign-in"

Kind = SecondFactor.Kind


class SecondFactorRequired(DomainError):
    """A second factor is needed to sign in. Send it with `challenge` to `/auth/second-factor`."""

    code = "second_factor_required"
    status = 401


class SecondFactorInvalid(DomainError):
    """The code is wrong, or was used already."""

    code = "second_factor_invalid"
    status = 401


class SecondFactorNeeded(DomainError):
    """Your role needs a second factor. Set up another one first."""

    code = "second_factor_needed"


class TooManySecondFactors(DomainError):
    """There are too many second factors. Delete one first."""

    code = "too_many_second_factors"


class AlreadyConfirmed(DomainError):
    """This second factor is confirmed already."""

    code = "already_confirmed"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a user shows as second factor: a code, or what a passkey has signed; and where.

    `host` is the requested host without port, `address` the network address.
    """

    host: str
    address: str
    code: str = ""
    passkey: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A second factor that is being set up: what the app or the browser needs, shown once."""

    factor: SecondFactor
    secret: str = ""
    uri: str = ""
    options: dict[str, Any] | None = None

    @property
    def image(self) -> str:
        """The URI as a QR symbol, an SVG as a data URI. Empty for a passkey."""
        return qr_data_uri(self.uri, "svg") if self.uri else ""


@dataclass(frozen=True, slots=True)
class PasskeyRequest:
    """What a browser needs to sign in with a passkey alone."""

    challenge: str
    options: dict[str, Any]
    expires_in: int = field(default=int(CHALLENGE_LIFETIME.total_seconds()))


# --- signing in -----------------------------------------------------------------------------------------------


def sign_in(*, email: str, password: str, address: str, host: str, now: datetime) -> tuple[User, Tokens]:
    """Open a session with a password alone. Call it outside a transaction.

    Raises what `sessions.verify_password` raises; `SecondFactorRequired`, whose details have the challenge, if the user
    has a second factor or needs one.
    """
    verified = verify_password(email=email, password=password, address=address, now=now)
    require_no_second_factor(verified, host=host, now=now)
    with transaction.atomic():
        user = lock_verified_user(verified)
        return user, open_session(user, now=now)


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
    stated, content = challenges.read_second_step(challenge, now=now)
    count_proof(stated, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        user = lock_verified_user(stated)
        new_codes: list[str] = []
        if not has_factor(user):
            factor = SecondFactor.objects.filter(user=user).order_by("-created_at").first()
            if factor is None:
                raise SecondFactorInvalid
            new_codes = _confirm(factor, proof, now=now)
        elif proof.passkey is not None:
            challenges.use_up(challenge, content)
            _use_passkey(user, proof, challenge=challenge, now=now)
        else:
            use_code(user, proof.code, address=proof.address, now=now)
        tokens = open_session(user, now=now)
    clear_attempts(CODE_ATTEMPTS, str(user.pk))
    return user, tokens, new_codes


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
    _use_passkey(user, proof, challenge=challenge, now=now)
    return user


def sign_in_with_passkey(*, challenge: str, proof: Proof, now: datetime) -> tuple[User, Tokens]:
    """Open a session with a passkey alone. Call it outside a transaction.

    Raises `TokenInvalid` and `TokenExpired` for the challenge, `PasskeyInvalid`, `PasskeyCopied`, `Throttled`.
    """
    count_attempt(PER_ADDRESS, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        user = verify_passkey(challenge=challenge, proof=proof, now=now)
        return user, open_session(user, now=now)


def enrol_by_challenge(*, challenge: str, kind: str, host: str, now: datetime) -> Enrolment:
    """Begin to set up the second factor that the role needs, during the sign-in. Call it in a transaction.

    Raises `TokenInvalid`, also if the user has a second factor; `TokenExpired`.
    """
    stated, _ = challenges.read_second_step(challenge, now=now)
    user = lock_verified_user(stated)
    if has_factor(user):
        raise TokenInvalid
    return _begin(user, name="", kind=kind, host=host)


def use_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """Use up a code of an authenticator app, or a recovery code. Raises `SecondFactorInvalid`."""
    apps = SecondFactor.objects.filter(user=user, kind=Kind.TOTP, confirmed_at__isnull=False)
    if any(totp.use_code(factor, code, now=now) for factor in apps.order_by("pk")):
        return
    if not totp.use_recovery_code(user, code, now=now):
        raise SecondFactorInvalid
    _audit(user, "recovery-code.use", address=address, now=now)


def has_factor(user: User) -> bool:
    """Return whether the user has a confirmed second factor. One statement."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def is_needed(user: User) -> bool:
    """Return whether the role of the user needs a second factor. One statement."""
    return user.role in SignInPolicy.current().second_factor_roles


# --- one's own second factors ---------------------------------------------------------------------------------


def check_own_password(user: User, password: str, *, now: datetime) -> None:
    """Raise `InvalidCredentials` unless this is the caller's password; `Throttled`. Call it outside a transaction.

    So a stolen access token cannot set up a second factor and lock the owner out.
    """
    count_attempt(OWN_PASSWORD, str(user.pk), now=now)
    if not check_password(password, user.password):
        raise InvalidCredentials(gettext("The password is wrong."))
    clear_attempts(OWN_PASSWORD, str(user.pk))


@transaction.atomic
def enrol(*, user: User, name: str, kind: str, host: str) -> Enrolment:
    """Begin to set up a second factor: it counts when it is confirmed. Raises `TooManySecondFactors`.

    Second factors that were begun before and not confirmed are removed.
    """
    return _begin(lock_verified_user(user), name=name, kind=kind, host=host)


@transaction.atomic
def confirm(*, factor: SecondFactor, proof: Proof, now: datetime) -> list[str]:
    """Confirm a second factor with its first code or passkey; return recovery codes if it is the first one.

    Raises `SecondFactorInvalid`, `PasskeyInvalid`, `PasskeyTaken`, `TokenExpired` if a passkey took longer than five
    minutes, `AlreadyConfirmed`. Count the attempt before (`count_proof`).
    """
    factor = SecondFactor.objects.select_for_update(of=("self",)).select_related("user").get(pk=factor.pk)
    if factor.confirmed_at is not None:
        raise AlreadyConfirmed
    return _confirm(factor, proof, now=now)


def count_proof(user: User, address: str, *, now: datetime) -> None:
    """Count an attempt to show a second factor. Raises `Throttled`. Call it outside a transaction."""
    count_attempt(PER_ADDRESS, address, now=now)
    count_attempt(CODE_ATTEMPTS, str(user.pk), now=now)


@transaction.atomic
def remove(*, factor: SecondFactor) -> None:
    """Remove a second factor; with the last one, the recovery codes. Raises `SecondFactorNeeded`."""
    user = _lock(factor.user_id)
    others = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exclude(pk=factor.pk)
    if not others.exists():
        if factor.confirmed_at is not None and is_needed(user):
            raise SecondFactorNeeded
        RecoveryCode.objects.filter(user=user).delete()
    SecondFactor.objects.filter(pk=factor.pk).delete()


@transaction.atomic
def renew_recovery_codes(*, user: User) -> list[str]:
    """Replace the recovery codes; return the new ones, which are shown once. Raises `SecondFactorInvalid` without
    a second factor."""
    user = _lock(user.pk)
    if not has_factor(user):
        raise SecondFactorInvalid(gettext("Set up a second factor first."))
    return totp.new_recovery_codes(user)


@transaction.atomic
def reset(*, user: User, now: datetime) -> None:
    """Remove all second factors and recovery codes of a user who lost them, and end their sessions.

    Repeating changes nothing more.
    """
    delete_of([user.pk])
    end_sessions(user.pk, now=now)


def delete_of(users: list[UUID]) -> None:
    """Delete the second factors and recovery codes of users."""
    SecondFactor.objects.filter(user__in=users).delete()
    RecoveryCode.objects.filter(user__in=users).delete()


# --- parts ----------------------------------------------------------------------------------------------------


@contextmanager
def audited_copies(address: str, *, now: datetime) -> Iterator[None]:
    """Audit a passkey whose counter went back, when the transaction within has been rolled back."""
    try:
        yield
    except PasskeyCopied as refused:
        _audit(refused.user, "passkey.refuse", address=address, now=now)
        raise


def _begin(user: User, *, name: str, kind: str, host: str) -> Enrolment:
    SecondFactor.objects.filter(user=user, confirmed_at__isnull=True).delete()
    if SecondFactor.objects.filter(user=user).count() >= MAX_FACTORS:
        raise TooManySecondFactors
    if kind == Kind.PASSKEY:
        factor = SecondFactor.objects.create(user=user, kind=kind, name=name)
        made = Passkey.objects.create(factor=factor, host=host, challenge=secrets.token_bytes(32))
        known = passkeys.credentials_of(user, host=host)
        options = passkeys.creation_options(user, host=host, challenge=bytes(made.challenge), known=known)
        return Enrolment(factor, options=options)
    secret, encrypted = totp.new_secret()
    factor = SecondFactor.objects.create(user=user, name=name, secret=encrypted)
    return Enrolment(factor, secret=secret, uri=totp.provisioning_uri(user, secret))


def _confirm(factor: SecondFactor, proof: Proof, *, now: datetime) -> list[str]:
    if factor.kind == Kind.PASSKEY:
        if now >= factor.created_at + CHALLENGE_LIFETIME:
            raise TokenExpired
        passkeys.register(factor.passkey, proof.passkey or {}, host=proof.host)
    elif not totp.use_code(factor, proof.code, now=now):
        raise SecondFactorInvalid
    is_first = not has_factor(factor.user)
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=now, updated_at=now)
    _audit(factor.user, "second-factor.confirm", address=proof.address, now=now)
    return totp.new_recovery_codes(factor.user) if is_first else []


def _use_passkey(user: User, proof: Proof, *, challenge: str, now: datetime) -> None:
    used = passkeys.use(user, proof.passkey or {}, challenge=challenge, host=proof.host)
    SecondFactor.objects.filter(pk=used.pk).update(last_used_at=now, updated_at=now)


def _lock(user_id: UUID) -> User:
    user = User.objects.active_for_update().filter(pk=user_id).first()
    if user is None:
        raise InvalidCredentials
    return user


def _audit(user: User, action: str, *, address: str, now: datetime) -> None:
    add_audit_entry(actor=user, action=action, object_id=user.pk, address=address, now=now)
