"""Changing one's own password, and setting it by a single-use link that is sent by e-mail."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.accounts.sessions import end_sessions
from shared_apps.accounts.throttling import (
    OWN_PASSWORD,
    RESET_PER_ACCOUNT,
    RESET_PER_ADDRESS,
    clear_attempts,
    clear_sign_in_attempts,
    count_attempt,
)
from shared_apps.accounts.users import hash_password, invalidate_links
from tatami.errors import InvalidCredentials, Throttled, TokenInvalid
from tatami.keys import secret_hash
from tatami.tenancy.hosts import origin
from tatami.text import email_key

LINK_LIFETIME: Final = timedelta(hours=72)


def change_password(*, user: User, current: str, new: str, session_id: UUID, now: datetime) -> None:
    """Change the caller's own password, end the other sessions and invalidate links. Call it outside a transaction.

    Raises `InvalidCredentials` if `current` is wrong, also if the password was changed a moment ago; `Invalid` if `new`
    is easy to guess; `Throttled` after too many attempts, so that a stolen access token cannot be used to guess.
    """
    count_attempt(OWN_PASSWORD, str(user.pk), now=now)
    if not check_password(current, user.password):
        raise InvalidCredentials(gettext("The current password is wrong."))
    new_hash = hash_password(new, user, field="new_password")
    with transaction.atomic():
        unchanged = User.objects.active().filter(pk=user.pk, password=user.password)
        if not unchanged.update(password=new_hash, updated_at=now):
            raise InvalidCredentials(gettext("The current password is wrong."))
        end_sessions(user.pk, now=now, keep=session_id)
        invalidate_links(user.pk, now=now)
        clear_attempts(OWN_PASSWORD, str(user.pk))


def request_link(*, email: str, address: str, now: datetime) -> None:
    """Send a link to this e-mail address if an active user has it. Neither result nor errors reveal whether one does.

    Raises `Throttled` after too many requests from the network `address`. After too many requests for one account it
    sends nothing.
    """
    key = email_key(email)
    count_attempt(RESET_PER_ADDRESS, address, now=now)
    try:
        count_attempt(RESET_PER_ACCOUNT, key, now=now)
    except Throttled:
        return
    with transaction.atomic():
        # The lock keeps a link from going to an address that is being replaced at this moment.
        user = User.objects.active_for_update().filter(email_key=key).first()
        if user:
            send_link(user, now=now)


def send_link(user: User, *, now: datetime) -> None:
    """Send a user a single-use link to set a password when the current transaction commits."""
    secret = secrets.token_urlsafe(32)
    PasswordLink.objects.create(user=user, secret_hash=secret_hash(secret), expires_at=now + LINK_LIFETIME)
    address, url = user.email, f"{origin()}/auth/password/reset#{secret}"
    transaction.on_commit(lambda: _mail(address, url, secret), robust=True)


def use_link(*, secret: str, new: str, address: str, now: datetime) -> None:
    """Set the password with the secret of a link, end all sessions and invalidate links. Call it outside a transaction.

    Afterwards the limits per account do not keep the user from signing in from the network `address`, even if others
    had used up the attempts. The limit of the address itself still applies. Raises `TokenInvalid` if the link is
    unknown, used or expired, and `Invalid` if the password is easy to guess.
    """
    links = PasswordLink.objects.unused().filter(
        secret_hash=secret_hash(secret), expires_at__gt=now, user__in=User.objects.active()
    )
    link = links.select_related("user").first()
    if link is None:
        raise TokenInvalid(gettext("This link is not valid, or not valid any more."))
    new_hash = hash_password(new, link.user, field="new_password")
    with transaction.atomic():
        # The user is locked first, as everywhere. Of two concurrent uses only one finds the link unused.
        User.objects.filter(pk=link.user_id).update(password=new_hash, updated_at=now)
        if not PasswordLink.objects.unused().filter(pk=link.pk).update(used_at=now, updated_at=now):
            raise TokenInvalid(gettext("This link is not valid, or not valid any more."))
        invalidate_links(link.user_id, now=now)
        end_sessions(link.user_id, now=now)
    clear_sign_in_attempts(link.user.email_key, address)


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
