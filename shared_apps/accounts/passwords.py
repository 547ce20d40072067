"""Changing one's password, and setting it by a single-use link that is mailed."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.core.mail import send_mail
from django.db import transaction

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.accounts.sessions import end_sessions
from shared_apps.accounts.throttling import (
    OWN_PASSWORD,
    RESET_PER_ACCOUNT,
    RESET_PER_ADDRESS,
    count_attempt,
    forget_attempts,
    forget_sign_ins,
)
from shared_apps.accounts.users import hashed_password, spend_links
from tatami.errors import Invalid, InvalidCredentials, Throttled, TokenInvalid
from tatami.keys import secret_hash
from tatami.tenancy.addresses import origin
from tatami.text import email_key

LINK_LIVES: Final = timedelta(hours=72)


def change_password(*, user: User, current: str, new: str, session_id: UUID, now: datetime) -> None:
    """Change the caller's own password and end his other sessions and his links. Call it outside a transaction.

    Raises `InvalidCredentials` if `current` is wrong, be it since a moment ago, `Invalid` if `new` is easily guessed,
    `Throttled` after too many attempts: whoever holds a stolen access token must not guess on.
    """
    count_attempt(OWN_PASSWORD, str(user.pk), now=now)
    if not check_password(current, user.password):
        raise InvalidCredentials("The current password is wrong.")
    try:
        new_hash = hashed_password(new, user)
    except Invalid as fault:
        raise Invalid(details={"new_password": (fault.details or {})["password"]}) from None
    with transaction.atomic():
        proven = User.objects.active().filter(pk=user.pk, password=user.password)
        if not proven.update(password=new_hash, updated_at=now):
            raise InvalidCredentials("The current password is wrong.")
        end_sessions(user.pk, now=now, keep=session_id)
        spend_links(user.pk, now=now)
        forget_attempts(OWN_PASSWORD, str(user.pk))


def request_link(*, email: str, address: str, now: datetime) -> None:
    """Mail a link to whoever has this address here, if anybody does. Says nothing about whether, nor by its errors."""
    key = email_key(email)
    count_attempt(RESET_PER_ADDRESS, address, now=now)
    try:
        count_attempt(RESET_PER_ACCOUNT, key, now=now)
    except Throttled:
        return
    with transaction.atomic():
        # Held, so that no link goes to an address that is just being replaced.
        user = User.objects.held().filter(email_key=key).first()
        if user:
            send_link(user, now=now)


def send_link(user: User, *, now: datetime) -> None:
    """Mail a user a single-use link to set a password, once the transaction in progress has committed."""
    secret = secrets.token_urlsafe(32)
    PasswordLink.objects.create(user=user, secret_hash=secret_hash(secret), expires_at=now + LINK_LIVES)
    address, url = user.email, f"{origin()}/auth/password/reset#{secret}"
    transaction.on_commit(lambda: _mail(address, url, secret), robust=True)


def use_link(*, secret: str, new: str, address: str, now: datetime) -> None:
    """Set the password by the link's secret; end all sessions and links. Call it outside a transaction.

    Whoever has the link may sign in from the network `address` at once, however often others guessed. Raises
    `TokenInvalid` for a link that is unknown, used or too old; `Invalid` for an easily guessed password.
    """
    links = PasswordLink.objects.filter(
        secret_hash=secret_hash(secret), used_at__isnull=True, expires_at__gt=now
    )
    link = links.select_related("user").filter(user__archived_at__isnull=True, user__is_active=True).first()
    if link is None:
        raise TokenInvalid("This link is not valid, or not any more.")
    try:
        new_hash = hashed_password(new, link.user)
    except Invalid as fault:
        raise Invalid(details={"new_password": (fault.details or {})["password"]}) from None
    with transaction.atomic():
        # The user first, like all that ends links. Of two uses at once one finds the link unused.
        User.objects.filter(pk=link.user_id).update(password=new_hash, updated_at=now)
        if not PasswordLink.objects.filter(pk=link.pk, used_at__isnull=True).update(
            used_at=now, updated_at=now
        ):
            raise TokenInvalid("This link is not valid, or not any more.")
        spend_links(link.user_id, now=now)
        end_sessions(link.user_id, now=now)
    forget_sign_ins(link.user.email_key, address)


def _mail(address: str, url: str, secret: str) -> None:
    send_mail(
        subject="Set your password",
        message=(
            f"Open this link within three days to set your password:\n\n{url}\n\n"
            f"An app that asks for a code takes this one: {secret}\n\nIf you did not expect this mail, ignore it.\n"
        ),
        from_email=None,
        recipient_list=[address],
    )
