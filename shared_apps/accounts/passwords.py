"""Changing one's own password, and setting it by a single-use link. `password_mails` sends the links."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts.models import PasswordLink, User
from shared_apps.accounts.password_mails import queue_password_mail
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
from tatami.text import email_key


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
    """Queue a mail with a link for this e-mail address. It is sent only if an active user has the address.

    The work is the same for every address, so neither result nor time reveals whether a user has it. Raises `Throttled`
    after too many requests from the network `address`. After too many requests for one account it queues nothing.
    """
    key = email_key(email)
    count_attempt(RESET_PER_ADDRESS, address, now=now)
    try:
        count_attempt(RESET_PER_ACCOUNT, key, now=now)
    except Throttled:
        return
    queue_password_mail(key, now=now)


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
