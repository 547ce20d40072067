"""Sessions of the console: checked like `/auth/login`, carried by a cookie (`cookie_sessions`)."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from shared_apps.accounts.cookie_sessions import (
    CookieSession,
    end_cookie_session,
    find_cookie_session,
    open_cookie_session,
)
from shared_apps.accounts.models import Role, User
from shared_apps.accounts.second_factors import Proof, has_factor
from shared_apps.accounts.second_step import (
    audited_copies,
    require_no_second_factor,
    verify_code,
    verify_passkey,
    verify_second_step,
)
from shared_apps.accounts.sessions import lock_verified_user, verify_password
from shared_apps.accounts.throttling import PER_ADDRESS, count_attempt
from tatami.api.request import Client
from tatami.errors import InvalidCredentials

SESSION_LIFETIME: Final = timedelta(hours=12)
"""Counted from the sign-in. Activity does not extend it."""
_PURPOSE: Final = "console"

ConsoleSession = CookieSession


def sign_in(*, email: str, password: str, proof: Proof, now: datetime) -> str:
    """Open a session for a superadmin and return the value of the cookie. Call it outside a transaction.

    Raises `InvalidCredentials` and `Throttled` as `/auth/login` does; `SecondFactorRequired` without a code, and
    `SecondFactorInvalid`. If its details say `enrolment_needed`, continue with `complete_enrolment`.
    """
    verified = verify_password(email=email, password=password, address=proof.address, now=now)
    if proof.code and has_factor(verified):
        verify_code(verified, proof.code, address=proof.address, now=now)
    else:
        require_no_second_factor(verified, host=proof.host, now=now)
    with transaction.atomic():
        return _open_session(lock_verified_user(verified), proof.client, now=now)


def complete_enrolment(*, challenge: str, proof: Proof, now: datetime) -> tuple[str, list[str]]:
    """Open a session with the first code or passkey of a factor that was set up while signing in.

    Return the value of the cookie, and the recovery codes, which are shown once. Call it outside a transaction. Raises
    what `second_step.verify_second_step` raises, and `InvalidCredentials`.
    """
    _, cookie, codes = verify_second_step(
        lambda user: _open_session(user, proof.client, now=now), challenge=challenge, proof=proof, now=now
    )
    return cookie, codes


def sign_in_with_passkey(*, challenge: str, proof: Proof, now: datetime) -> str:
    """Open a session for a superadmin with a passkey alone; return the value of the cookie.

    Call it outside a transaction. Raises what `second_step.sign_in_with_passkey` raises, and `InvalidCredentials`.
    """
    count_attempt(PER_ADDRESS, proof.address, now=now)
    with audited_copies(proof.address, now=now), transaction.atomic():
        user = verify_passkey(challenge=challenge, proof=proof, now=now)
        return _open_session(user, proof.client, now=now)


def find_session(cookie: str, *, now: datetime) -> ConsoleSession | None:
    """Return the session that belongs to this cookie, or None if it has ended or is not a superadmin's."""
    found = find_cookie_session(cookie, purpose=_PURPOSE, now=now)
    return found if found and found.user.role == Role.ADMIN else None


def sign_out(session: ConsoleSession, *, now: datetime) -> None:
    """End the session and every impersonation that was started in it."""
    end_cookie_session(session, now=now)


def _open_session(user: User, client: Client, *, now: datetime) -> str:
    if user.role != Role.ADMIN:
        raise InvalidCredentials
    return open_cookie_session(user, purpose=_PURPOSE, lifetime=SESSION_LIFETIME, now=now, client=client)
