"""The second factor of a sign-in: codes of an authenticator app (TOTP, RFC 6238), and recovery codes.

Sign-in has two steps where a user has an authenticator, or their role needs one: the password gives a challenge, which
is valid for five minutes, and the challenge with a code gives the tokens. If the role needs an authenticator that the
user has not set up, the challenge lets them do so.

A code works once: the time step of the last accepted code is stored, and only a later one is accepted, by a conditional
UPDATE, so of concurrent requests with one code exactly one succeeds. Attempts are counted per user and per address.
Secrets are stored encrypted, because they must be read to compare; recovery codes as hashes.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final, TypeVar
from uuid import UUID

import pyotp
from django.contrib.auth.hashers import check_password
from django.core.signing import BadSignature
from django.db import transaction

from shared_apps.accounts.models import RecoveryCode, SecondFactor, SignInPolicy, User
from shared_apps.accounts.sessions import Tokens, end_sessions, open_session, verify_password
from shared_apps.accounts.throttling import OWN_PASSWORD, PER_ADDRESS, Limit, clear_attempts, count_attempt
from tatami.api.audit import add_audit_entry
from tatami.encryption import current_prefix, decrypt, encrypt
from tatami.errors import DomainError, InvalidCredentials, TokenExpired, TokenInvalid
from tatami.keys import secret_hash, tenant_signer
from tatami.qr_images import qr_data_uri
from tatami.tenancy.scope import TenantScope, current_tenant_id, required_scope

T = TypeVar("T")

CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""A clock may be half a minute wrong, in both directions."""
RECOVERY_CODES: Final = 10
MAX_FACTORS: Final = 5
CODE_ATTEMPTS: Final = Limit("second factor", attempts=10, window=timedelta(minutes=15))
_PURPOSE: Final = "second factor"
_CHALLENGE: Final = "second factor challenge"
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without characters that are easily confused."""


class SecondFactorRequired(DomainError):
    """A code is needed to sign in. Send it with `challenge` to `/auth/second-factor`."""

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
    """There are too many authenticators. Delete one first."""

    code = "too_many_second_factors"


class AlreadyConfirmed(DomainError):
    """This authenticator is confirmed already."""

    code = "already_confirmed"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An authenticator that is being set up: what the app needs, shown once."""

    factor: SecondFactor
    secret: str
    uri: str

    @property
    def image(self) -> str:
        """The URI as a QR symbol, an SVG as a data URI."""
        return qr_data_uri(self.uri, "svg")


# --- signing in -----------------------------------------------------------------------------------------------


def sign_in(*, email: str, password: str, address: str, now: datetime) -> tuple[User, Tokens]:
    """Open a session with a password alone. Call it outside a transaction.

    Raises what `sessions.verify_password` raises; `SecondFactorRequired`, whose details have the challenge, if the user
    has an authenticator or needs one.
    """
    verified = verify_password(email=email, password=password, address=address, now=now)
    require_no_second_factor(verified, now=now)
    with transaction.atomic():
        user = _lock(verified.pk, verified.password)
        return user, open_session(user, now=now)


def require_no_second_factor(user: User, *, now: datetime) -> None:
    """Raise `SecondFactorRequired` with a challenge if the user has an authenticator, or needs one."""
    is_set_up = has_factor(user)
    if is_set_up or is_needed(user):
        details = {
            "challenge": challenge_of(user, now=now),
            "expires_in": int(CHALLENGE_LIFETIME.total_seconds()),
            "enrolment_needed": not is_set_up,
        }
        raise SecondFactorRequired(details=details)


def complete_sign_in(
    *, challenge: str, code: str, address: str, now: datetime
) -> tuple[User, Tokens, list[str]]:
    """Open a session with a challenge and a code. Call it outside a transaction.

    The first code of a new authenticator confirms it; then the result has the recovery codes. Raises `TokenInvalid` and
    `TokenExpired` for the challenge, `SecondFactorInvalid`, `Throttled`.
    """
    return verify_challenge(
        lambda user: open_session(user, now=now), challenge=challenge, code=code, address=address, now=now
    )


def verify_challenge(
    open_session_of: Callable[[User], T], *, challenge: str, code: str, address: str, now: datetime
) -> tuple[User, T, list[str]]:
    """Check the code of a challenge, and open a session of any kind in the same transaction."""
    user = _user_of(challenge, now=now)
    _count(user, address, now=now)
    with transaction.atomic():
        user = _lock(user.pk, user.password)
        new_codes: list[str] = []
        if has_factor(user):
            use_code(user, code, address=address, now=now)
        else:
            factor = SecondFactor.objects.filter(user=user).order_by("-created_at").first()
            if factor is None or not _use_totp(factor, code, now=now):
                raise SecondFactorInvalid
            new_codes = _confirm(factor, address=address, now=now)
        opened = open_session_of(user)
    clear_attempts(CODE_ATTEMPTS, str(user.pk))
    return user, opened, new_codes


def verify_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """Check a code of a user whose password was verified (the console). Call it outside a transaction.

    Raises `SecondFactorInvalid` and `Throttled`.
    """
    _count(user, address, now=now)
    with transaction.atomic():
        use_code(user, code, address=address, now=now)
    clear_attempts(CODE_ATTEMPTS, str(user.pk))


def enrol_by_challenge(*, challenge: str, now: datetime) -> Enrolment:
    """Begin to set up an authenticator that the role needs, during the sign-in. Call it in a transaction.

    Raises `TokenInvalid`, also if the user has an authenticator; `TokenExpired`.
    """
    user = _user_of(challenge, now=now)
    user = _lock(user.pk, user.password)
    if has_factor(user):
        raise TokenInvalid
    return _begin(user, name="")


def use_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """Use up a code of an authenticator, or a recovery code. Raises `SecondFactorInvalid`."""
    for factor in SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).order_by("pk"):
        if _use_totp(factor, code, now=now):
            return
    unused = RecoveryCode.objects.filter(user=user, used_at__isnull=True, code_hash=_recovery_hash(code))
    if not unused.update(used_at=now, updated_at=now):
        raise SecondFactorInvalid
    _audit(user, "recovery-code.use", address=address, now=now)


def has_factor(user: User) -> bool:
    """Return whether the user has a confirmed authenticator. One statement."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def is_needed(user: User) -> bool:
    """Return whether the role of the user needs a second factor. One statement."""
    return user.role in SignInPolicy.current().second_factor_roles


# --- one's own authenticators ---------------------------------------------------------------------------------


def check_own_password(user: User, password: str, *, now: datetime) -> None:
    """Raise `InvalidCredentials` unless this is the caller's password; `Throttled`. Call it outside a transaction.

    So a stolen access token cannot set up an authenticator and lock the owner out.
    """
    count_attempt(OWN_PASSWORD, str(user.pk), now=now)
    if not check_password(password, user.password):
        raise InvalidCredentials("The password is wrong.")
    clear_attempts(OWN_PASSWORD, str(user.pk))


@transaction.atomic
def enrol(*, user: User, name: str) -> Enrolment:
    """Begin to set up an authenticator: it counts when it is confirmed with a code. Raises `TooManySecondFactors`.

    Authenticators that were begun before and not confirmed are removed.
    """
    return _begin(_lock(user.pk, user.password), name=name)


@transaction.atomic
def confirm(*, factor: SecondFactor, code: str, address: str, now: datetime) -> list[str]:
    """Confirm an authenticator with its first code; return recovery codes if it is the first one.

    Raises `SecondFactorInvalid`, `AlreadyConfirmed`. Count the attempt before (`count_code`).
    """
    factor = SecondFactor.objects.select_for_update(of=("self",)).select_related("user").get(pk=factor.pk)
    if factor.confirmed_at is not None:
        raise AlreadyConfirmed
    if not _use_totp(factor, code, now=now):
        raise SecondFactorInvalid
    return _confirm(factor, address=address, now=now)


def count_code(user: User, address: str, *, now: datetime) -> None:
    """Count an attempt to enter a code. Raises `Throttled`. Call it outside a transaction."""
    _count(user, address, now=now)


@transaction.atomic
def remove(*, factor: SecondFactor) -> None:
    """Remove an authenticator; with the last one, the recovery codes. Raises `SecondFactorNeeded`."""
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
    an authenticator."""
    user = _lock(user.pk)
    if not has_factor(user):
        raise SecondFactorInvalid("Set up an authenticator first.")
    return _new_recovery_codes(user)


@transaction.atomic
def reset(*, user: User, now: datetime) -> None:
    """Remove all authenticators and recovery codes of a user who lost them, and end their sessions.

    Repeating changes nothing more.
    """
    delete_of([user.pk])
    end_sessions(user.pk, now=now)


def delete_of(users: list[UUID]) -> None:
    """Delete the authenticators and recovery codes of users. Two statements."""
    SecondFactor.objects.filter(user__in=users).delete()
    RecoveryCode.objects.filter(user__in=users).delete()


def encrypt_anew() -> None:
    """Encrypt the secrets that were encrypted with the previous JWT_SECRET with the present one."""
    for factor in SecondFactor.objects.exclude(secret__startswith=current_prefix()):
        SecondFactor.objects.filter(pk=factor.pk, secret=factor.secret).update(
            secret=encrypt(decrypt(factor.secret, purpose=_PURPOSE), purpose=_PURPOSE)
        )


# --- parts ----------------------------------------------------------------------------------------------------


def _begin(user: User, *, name: str) -> Enrolment:
    SecondFactor.objects.filter(user=user, confirmed_at__isnull=True).delete()
    if SecondFactor.objects.filter(user=user).count() >= MAX_FACTORS:
        raise TooManySecondFactors
    secret = pyotp.random_base32()
    factor = SecondFactor.objects.create(user=user, name=name, secret=encrypt(secret, purpose=_PURPOSE))
    scope = required_scope()
    issuer = scope.name if isinstance(scope, TenantScope) else "Tatami"
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer)
    return Enrolment(factor, secret, uri)


def _use_totp(factor: SecondFactor, code: str, *, now: datetime) -> bool:
    """Return whether this is a code of the authenticator that was not used; use it up."""
    totp = pyotp.TOTP(decrypt(factor.secret, purpose=_PURPOSE), interval=STEP_SECONDS)
    typed = "".join(code.split())
    present = int(now.timestamp()) // STEP_SECONDS
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if typed.isascii() and compare_digest(totp.generate_otp(step), typed):
            unused = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step)
            return bool(unused.update(last_step=step, last_used_at=now, updated_at=now))
    return False


def _confirm(factor: SecondFactor, *, address: str, now: datetime) -> list[str]:
    is_first = not has_factor(factor.user)
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=now, updated_at=now)
    _audit(factor.user, "second-factor.confirm", address=address, now=now)
    return _new_recovery_codes(factor.user) if is_first else []


def _new_recovery_codes(user: User) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code_hash=_recovery_hash(code)) for code in codes
    )
    return [f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}" for code in codes]


def _recovery_hash(code: str) -> bytes:
    return secret_hash("recovery\0" + "".join(letter for letter in code.lower() if letter.isalnum()))


def challenge_of(user: User, *, now: datetime) -> str:
    """Return the challenge of a user whose password was verified."""
    until = int((now + CHALLENGE_LIFETIME).timestamp())
    return str(_signer().sign_object({"user": str(user.pk), "password": _mark(user), "until": until}))


def _user_of(challenge: str, *, now: datetime) -> User:
    """Return the active user of a challenge whose password is the same. Raises `TokenInvalid`, `TokenExpired`."""
    try:
        stated: Mapping[str, Any] = _signer().unsign_object(challenge)
    except (BadSignature, ValueError):
        raise TokenInvalid from None
    if now.timestamp() >= stated["until"]:
        raise TokenExpired
    user = User.objects.active().filter(pk=stated["user"]).first()
    if user is None or not compare_digest(_mark(user), stated["password"]):
        raise TokenInvalid
    return user


def _mark(user: User) -> str:
    """Return what changes with the password, and reveals nothing about its hash."""
    return secret_hash(f"challenge\0{user.password}").hex()[:16]


def _signer() -> Any:
    return tenant_signer(_CHALLENGE, current_tenant_id())


def _lock(user_id: UUID, password: str | None = None) -> User:
    rows = User.objects.active_for_update().filter(pk=user_id)
    user = (rows if password is None else rows.filter(password=password)).first()
    if user is None:
        raise InvalidCredentials
    return user


def _count(user: User, address: str, *, now: datetime) -> None:
    count_attempt(PER_ADDRESS, address, now=now)
    count_attempt(CODE_ATTEMPTS, str(user.pk), now=now)


def _audit(user: User, action: str, *, address: str, now: datetime) -> None:
    add_audit_entry(actor=user, action=action, object_id=user.pk, address=address, now=now)
