"""Creating, changing, archiving and erasing users.

Functions take passwords as hashes, because hashing is slow and must not happen while rows are locked.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from shared_apps.accounts.models import (
    LinkedIdentity,
    PasswordLink,
    PasswordMail,
    RecoveryCode,
    Role,
    SecondFactor,
    Session,
    User,
)
from shared_apps.accounts.sessions import end_sessions
from tatami.errors import DomainError, Invalid, TokenInvalid
from tatami.text import email_key

ERASED_NAME: Final = "Erased user"


class LastAdmin(DomainError):
    """The last active admin cannot be demoted, deactivated or deleted."""

    code = "last_admin"


def hash_password(password: str, user: User | None = None, *, field: str = "password") -> str:
    """Return the hash to store (slow on purpose). Raises `Invalid` at `field` if the password is easy to guess."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(details={field: list(error.messages)}) from None
    return make_password(password)


@transaction.atomic
def create_user(
    *, email: str, role: str, name: str = "", password_hash: str | None = None, is_active: bool = True
) -> User:
    """Create a user. Without `password_hash`, the user sets a password by an e-mailed link. Raises `EmailTaken`."""
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
    """Change `email`, `name`, `role`, `is_active` or the password. It takes effect on the user's next request.

    A new password or a deactivation ends the user's sessions. These and a new e-mail address also invalidate the
    password links that were sent, and a new address forgets the user's account at the identity provider. Call it with
    the user's row locked. Raises `LastAdmin` and `EmailTaken`.
    """
    previous_email = user.email
    stays_admin = changes.get("role", user.role) == Role.ADMIN and changes.get("is_active", user.is_active)
    if not stays_admin:
        _require_another_admin(user)
    for field, value in changes.items():
        setattr(user, field, value)
    user.email_key = email_key(user.email)
    if password_hash:
        user.password = password_hash
    user.save_once()
    if password_hash or not user.is_active:
        end_sessions(user.pk, now=now)
    if password_hash or not user.is_active or user.email != previous_email:
        invalidate_links(user.pk, now=now)
    if user.email_key != email_key(previous_email):
        LinkedIdentity.objects.filter(user=user).delete()
    return user


@transaction.atomic
def rename(*, user: User, name: str) -> None:
    """Change the user's name, and keep what others have changed since the user was read.

    Raises `TokenInvalid` if the user is not active any more.
    """
    try:
        user.refresh_from_db(from_queryset=User.objects.active_for_update())
    except User.DoesNotExist:
        raise TokenInvalid from None
    user.name = name
    user.save(update_fields=["name", "search_name", "updated_at"])


@transaction.atomic
def archive_user(*, user: User, now: datetime) -> None:
    """Archive a user, end their sessions and invalidate their links. The name stays in history. Raises `LastAdmin`."""
    _require_another_admin(user)
    user.archive(now=now)
    end_sessions(user.pk, now=now)
    invalidate_links(user.pk, now=now)


@transaction.atomic
def erase_users(users: QuerySet[User], *, now: datetime) -> list[UUID]:
    """Delete the personal data of users and return their ids. The rows stay, archived, because history refers to them.

    Running it again changes nothing more. Raises `LastAdmin`.
    """
    lock_admins()
    # FOR NO KEY UPDATE: inserting a row that refers to the user, such as an audit entry, does not wait.
    found = list(users.order_by("pk").select_for_update(of=("self",), no_key=True))
    for user in found:
        archive_user(user=user, now=now)
        user.name, user.email, user.email_key, user.is_active = ERASED_NAME, "", "", False
        user.password = make_password(None)
        user.save()
    ids = [user.pk for user in found]
    PasswordLink.objects.filter(user__in=ids).delete()
    Session.objects.filter(user__in=ids).delete()
    SecondFactor.objects.filter(user__in=ids).delete()
    RecoveryCode.objects.filter(user__in=ids).delete()
    LinkedIdentity.objects.filter(user__in=ids).delete()
    return ids


def invalidate_links(user_id: UUID, *, now: datetime) -> None:
    """Invalidate all password links that were sent to this user so far, and withdraw those that wait to be sent."""
    address = User.objects.filter(pk=user_id).exclude(email_key="").values("email_key")
    PasswordMail.objects.filter(email_key__in=address).delete()
    PasswordLink.objects.unused().filter(user_id=user_id).update(used_at=now, updated_at=now)


def lock_admins() -> list[UUID]:
    """Lock the active admins in key order and return their ids.

    Every caller that may change a user locks these rows before that user's own. Otherwise two admins who demote each
    other at the same time could both succeed, or deadlock.
    """
    admins = User.objects.active_for_update().filter(role=Role.ADMIN).order_by("pk")
    return list(admins.values_list("pk", flat=True))


def _require_another_admin(user: User) -> None:
    if lock_admins() == [user.pk]:
        raise LastAdmin
