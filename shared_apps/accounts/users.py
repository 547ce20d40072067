"""Making and changing users. Passwords come in as hashes, made before anything is locked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from shared_apps.accounts.errors import LastAdmin
from shared_apps.accounts.models import PasswordLink, Role, Session, User
from shared_apps.accounts.sessions import end_sessions
from tatami.errors import Invalid, TokenInvalid
from tatami.text import email_key

ERASED_NAME: Final = "Erased user"


def hashed_password(password: str, user: User | None = None) -> str:
    """Return the hash to store (slow on purpose). Raises `Invalid` for a password that is easily guessed."""
    try:
        validate_password(password, user)
    except ValidationError as fault:
        raise Invalid(details={"password": list(fault.messages)}) from None
    return make_password(password)


@transaction.atomic
def create_user(
    *, email: str, role: str, name: str = "", password_hash: str | None = None, is_active: bool = True
) -> User:
    """Create a user; without `password_hash` he sets a password by a mailed link. Raises `EmailTaken`."""
    user = User(
        email=email,
        email_key=email_key(email),
        name=name,
        role=role,
        is_active=is_active,
        password=password_hash or make_password(None),
    )
    user.save_once()
    return user


@transaction.atomic
def change_user(
    *, user: User, changes: Mapping[str, Any], now: datetime, password_hash: str | None = None
) -> User:
    """Change `email`, `name`, `role`, `is_active` or the password; takes effect on the user's next request.

    Raises `LastAdmin` and `EmailTaken`. A new password or a deactivation ends the user's sessions; these and a new
    address end the links that he was mailed. Call it with the user's row locked.
    """
    address = user.email
    stays_admin = changes.get("role", user.role) == Role.ADMIN and changes.get("is_active", user.is_active)
    if not stays_admin:
        _refuse_losing_the_last_admin(user)
    for field, value in changes.items():
        setattr(user, field, value)
    user.email_key = email_key(user.email)
    if password_hash:
        user.password = password_hash
    user.save_once()
    if password_hash or not user.is_active:
        end_sessions(user.pk, now=now)
    if password_hash or not user.is_active or user.email != address:
        spend_links(user.pk, now=now)
    return user


@transaction.atomic
def rename(*, user: User, name: str) -> None:
    """Change what a user is called, and nothing that others changed since he was read.

    Raises `TokenInvalid` if he has left meanwhile.
    """
    try:
        user.refresh_from_db(from_queryset=User.objects.held())
    except User.DoesNotExist:
        raise TokenInvalid from None
    user.name = name
    user.save(update_fields=["name", "search_name", "updated_at"])


@transaction.atomic
def archive_user(*, user: User, now: datetime) -> None:
    """Let a user go: sessions and mailed links end, the name stays in history. Raises `LastAdmin`."""
    _refuse_losing_the_last_admin(user)
    user.archive(now=now)
    end_sessions(user.pk, now=now)
    spend_links(user.pk, now=now)


@transaction.atomic
def erase_users(users: QuerySet[User], *, now: datetime) -> list[UUID]:
    """Forget who these users were, and return their ids. Their rows stay, archived and blank: history refers to them.

    Twice changes nothing more. Raises `LastAdmin`.
    """
    lock_admins()
    # Not their keys: somebody who is just now recorded as having done something need not wait.
    found = list(users.order_by("pk").select_for_update(of=("self",), no_key=True))
    for user in found:
        archive_user(user=user, now=now)
        user.name, user.email, user.email_key, user.is_active = ERASED_NAME, "", "", False
        user.password = make_password(None)
        user.save()
    ids = [user.pk for user in found]
    PasswordLink.objects.filter(user__in=ids).delete()
    Session.objects.filter(user__in=ids).delete()
    return ids


def spend_links(user_id: UUID, *, now: datetime) -> None:
    """Let no link that was mailed to this user so far set a password any more."""
    unused = PasswordLink.objects.filter(user_id=user_id, used_at__isnull=True)
    unused.update(used_at=now, updated_at=now)


def lock_admins() -> list[UUID]:
    """Lock the active admins, in key order, and return their ids.

    Two admins who demote each other at once must not both succeed, nor wait for each other: whoever may change a
    user locks these rows before that user's own. Not their keys: an admin who is just now recorded as having done
    something to somebody who is being erased need not wait.
    """
    admins = User.objects.active_admins().order_by("pk").select_for_update(no_key=True)
    return list(admins.values_list("pk", flat=True))


def _refuse_losing_the_last_admin(user: User) -> None:
    admins = lock_admins()
    if admins == [user.pk]:
        raise LastAdmin
