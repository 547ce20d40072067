"""The second factors of users: authenticator apps, passkeys and recovery codes; required by role if wanted.

A user sets one up with the password, and it counts when it is confirmed with a first code or with what the browser has
made. The first one comes with recovery codes. `second_step` signs users in with them.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts import passkeys, totp
from shared_apps.accounts.challenges import CHALLENGE_LIFETIME
from shared_apps.accounts.models import Passkey, RecoveryCode, SecondFactor, SignInPolicy, User
from shared_apps.accounts.sessions import end_sessions, lock_verified_user
from shared_apps.accounts.throttling import OWN_PASSWORD, PER_ADDRESS, Limit, clear_attempts, count_attempt
from tatami.api.audit import add_audit_entry
from tatami.api.request import Client
from tatami.errors import DomainError, InvalidCredentials, TokenExpired
from tatami.qr_images import qr_data_uri

MAX_FACTORS: Final = 5
CODE_ATTEMPTS: Final = Limit("second factor", attempts=10, window=timedelta(minutes=15))

Kind = SecondFactor.Kind


class SecondFactorInvalid(DomainError):
    """The code is wrong, or has already been used."""

    code = "second_factor_invalid"
    status = 401


class SecondFactorNeeded(DomainError):
    """Your role needs a second factor. Set up another one first."""

    code = "second_factor_needed"


class TooManySecondFactors(DomainError):
    """There are too many second factors. Delete one first."""

    code = "too_many_second_factors"


class AlreadyConfirmed(DomainError):
    """This second factor is already confirmed."""

    code = "already_confirmed"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a user shows as second factor: a code, or what a passkey has signed; and where.

    `host` is the requested host without port, `address` the network address, `user_agent` the program.
    """

    host: str
    address: str
    code: str = ""
    passkey: Mapping[str, Any] | None = None
    user_agent: str = ""

    @property
    def client(self) -> Client:
        """The client, as a session that is opened stores it."""
        return Client(self.address, self.user_agent)


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


# --- which roles need one -------------------------------------------------------------------------------------


def change_policy(roles: list[str]) -> None:
    """Set the roles that need a second factor, of the dojo or of the platform. Sessions that are open stay."""
    SignInPolicy.objects.update_or_create(
        pk=SignInPolicy.current().pk, defaults={"second_factor_roles": roles}
    )


# --- using them -----------------------------------------------------------------------------------------------


def has_factor(user: User) -> bool:
    """Return whether the user has a confirmed second factor. One statement."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def is_needed(user: User) -> bool:
    """Return whether the role of the user needs a second factor. One statement."""
    return user.role in SignInPolicy.current().second_factor_roles


def use_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """Use up a code of an authenticator app, or a recovery code. Raises `SecondFactorInvalid`."""
    apps = SecondFactor.objects.filter(user=user, kind=Kind.TOTP, confirmed_at__isnull=False)
    if any(totp.use_code(factor, code, now=now) for factor in apps.order_by("pk")):
        return
    if not totp.use_recovery_code(user, code, now=now):
        raise SecondFactorInvalid
    audit_sign_in(user, "recovery-code.use", address=address, now=now)


def use_passkey(user: User, proof: Proof, *, challenge: str, now: datetime) -> None:
    """Use a passkey that has signed the challenge. Raises `PasskeyInvalid` and `PasskeyCopied` (see `passkeys.use`)."""
    used = passkeys.use(user, proof.passkey or {}, challenge=challenge, host=proof.host)
    SecondFactor.objects.filter(pk=used.pk).update(last_used_at=now, updated_at=now)


# --- setting up and removing ---------------------------------------------------------------------------------


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
    return begin(lock_verified_user(user), name=name, kind=kind, host=host)


@transaction.atomic
def confirm(*, factor: SecondFactor, proof: Proof, now: datetime) -> list[str]:
    """Confirm a second factor with its first code or passkey; return recovery codes if it is the first one.

    Raises `SecondFactorInvalid`, `PasskeyInvalid`, `PasskeyTaken`, `TokenExpired` if a passkey took longer than five
    minutes, `AlreadyConfirmed`. Count the attempt before (`count_proof`).
    """
    factor = SecondFactor.objects.select_for_update(of=("self",)).select_related("user").get(pk=factor.pk)
    if factor.confirmed_at is not None:
        raise AlreadyConfirmed
    return confirm_first(factor, proof, now=now)


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


def begin(user: User, *, name: str, kind: str, host: str) -> Enrolment:
    """Begin to set up a second factor of a user who is locked. Raises `TooManySecondFactors`."""
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


def confirm_first(factor: SecondFactor, proof: Proof, *, now: datetime) -> list[str]:
    """Confirm a second factor with its first code or passkey; return recovery codes if the user had none.

    Call it in a transaction. Raises what `confirm` does, except `AlreadyConfirmed`.
    """
    if factor.kind == Kind.PASSKEY:
        if now >= factor.created_at + CHALLENGE_LIFETIME:
            raise TokenExpired
        passkeys.register(factor.passkey, proof.passkey or {}, host=proof.host)
    elif not totp.use_code(factor, proof.code, now=now):
        raise SecondFactorInvalid
    is_first = not has_factor(factor.user)
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=now, updated_at=now)
    audit_sign_in(factor.user, "second-factor.confirm", address=proof.address, now=now)
    return totp.new_recovery_codes(factor.user) if is_first else []


def audit_sign_in(user: User, action: str, *, address: str, now: datetime) -> None:
    """Audit what a user did with a second factor while they signed in or set it up."""
    add_audit_entry(actor=user, action=action, object_id=user.pk, address=address, now=now)


def _lock(user_id: UUID) -> User:
    user = User.objects.active_for_update().filter(pk=user_id).first()
    if user is None:
        raise InvalidCredentials
    return user
