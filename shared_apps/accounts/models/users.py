"""Users and their sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, models, transaction
from django.db.models import Q

from tatami.api.request import MOST_USER_AGENT_CHARACTERS
from tatami.errors import DomainError
from tatami.model_fields import SearchField
from tatami.postgresql.statements import Statement, instance
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.text import normalise

if TYPE_CHECKING:
    from shared_apps.accounts.models.credentials import ApiKey


class EmailTaken(DomainError):
    """A user with this e-mail address already exists."""


class Role(models.TextChoices):
    """The role of a user in the tenant. On the platform, `admin` means superadmin."""

    ADMIN = "admin"
    INSTRUCTOR = "instructor"
    ASSISTANT = "assistant"
    STUDENT = "student"


STAFF_ROLES = (Role.ADMIN, Role.INSTRUCTOR, Role.ASSISTANT)


class UserQuerySet(ArchivableQuerySet["User"]):
    """Users of the tenant, or the platform, in scope."""

    def active(self) -> Self:
        """Return the users who may sign in."""
        return self.filter(is_active=True, archived_at__isnull=True)

    def staff(self) -> Self:
        """Return admins, instructors and assistants."""
        return self.filter(role__in=STAFF_ROLES)

    def active_admins(self) -> Self:
        """Return the admins who may sign in."""
        return self.active().filter(role=Role.ADMIN)

    def people(self) -> Self:
        """Return the users who are people, not the users of API keys."""
        return self.filter(api_key__isnull=True)

    def active_for_update(self) -> Self:
        """Return the users who may sign in, locked until the transaction ends.

        FOR NO KEY UPDATE: inserting a row that refers to the user, such as an audit entry, does not wait.
        """
        return self.active().select_for_update(no_key=True)

    def signed_in(
        self, *, user_id: UUID, session_id: UUID, now: datetime, impersonator: UUID | None = None
    ) -> "User | None":
        """Return the active user of an open session, or None. One statement.

        Every request reads the role and the active flag here, so a change takes effect on the next request. A session
        that a superadmin opened by impersonation is valid only with that `impersonator`, and a superadmin who
        impersonates has no other session.
        """
        row = SIGNED_IN_USER.row(user_id, session_id, impersonator, now)
        if row is None:
            return None
        return user_from_row(row)

    def named_like(self, text: str) -> Self:
        """Return the users whose name contains every word of `text`.

        `search_name` also contains the e-mail address, which callers without access to addresses must not search.
        """
        words = normalise(text).split()
        names = [(pk, normalise(name)) for pk, name in self.values_list("pk", "name")] if words else []
        found = [pk for pk, name in names if all(word in name for word in words)]
        return self.filter(pk__in=found) if words else self


class User(Archivable, AbstractBaseUser):
    """A person who signs in with e-mail address and password."""

    email = models.EmailField(max_length=254)
    email_key = models.TextField(editable=False)
    name = models.CharField(max_length=200, blank=True)
    search_name = SearchField("name", "email")
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    last_login = None  # the sessions store it
    impersonator: "User | None" = None
    """The superadmin who acts as this user in the current request. Not stored."""
    used_key: "ApiKey | None" = None
    """The API key with which the current request is made. Not stored."""

    objects: ClassVar[UserQuerySet] = UserQuerySet.as_manager()  # type: ignore[assignment]

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["email_key"], condition=Q(archived_at__isnull=True), name="user_email_once"
            ),
            models.CheckConstraint(
                condition=Q(role__in=["admin", "instructor", "assistant", "student"]), name="user_role_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def restore(self) -> None:
        """Undo archiving. Raises `EmailTaken` if another user has the address by now."""
        self.archived_at = None
        self.save_once()

    def save_once(self) -> None:
        """Save the user. Raises `EmailTaken` if the unique constraint is violated."""
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError as violation:
            if "user_email_once" in str(violation):
                raise EmailTaken from None
            raise


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions of the tenant, or the platform, in scope."""

    def not_ended(self) -> Self:
        """Return the sessions that no one has ended; they may have expired."""
        return self.filter(ended_at__isnull=True)

    def open_at(self, now: datetime) -> Self:
        """Return the sessions that are neither ended nor expired."""
        return self.not_ended().filter(expires_at__gt=now)


USER_COLUMNS: Final = tuple(field.attname for field in User._meta.concrete_fields)


def user_from_row(row: Sequence[Any]) -> User:
    """Return the user whose `USER_COLUMNS` a statement has read. Statements return ids as text."""
    values = [
        UUID(value) if column in {"id", "tenant_id"} else value
        for column, value in zip(USER_COLUMNS, row, strict=True)
    ]
    return instance(User, USER_COLUMNS, values)


# The rules of `UserQuerySet.active` and `SessionQuerySet.open_at`, in the statement that every request sends.
SIGNED_IN_USER: Final = Statement(
    "signed_in_user",
    "SELECT "  # noqa: S608 - the names of our own columns
    + ", ".join(f"u.{column}" for column in USER_COLUMNS)
    + """
FROM accounts_user u JOIN accounts_session s ON s.user_id = u.id
WHERE u.id = $1 AND s.id = $2 AND s.impersonator IS NOT DISTINCT FROM $3
  AND s.ended_at IS NULL AND s.expires_at > $4 AND u.is_active AND u.archived_at IS NULL
""",
)


class Session(TenantModel):
    """One sign-in: a family of refresh tokens, of which only the latest is valid. It stores hashes, never tokens.

    Impersonations and the sessions of cookies have no refresh token. Those of cookies store the hash of the cookie.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.BinaryField(max_length=32)
    previous_hash = models.BinaryField(max_length=32, null=True)
    rotated_at = models.DateTimeField()
    """When the session was last used: when its tokens were renewed, or its cookie was sent (to five minutes)."""
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    impersonator = models.UUIDField(null=True)
    """The superadmin who acts as this user. No foreign key, because the row is in another schema (`public`)."""
    address = models.CharField(max_length=64, blank=True, default="", db_default="")
    """The network address from which the user signed in; empty if it is unknown."""
    user_agent = models.CharField(
        max_length=MOST_USER_AGENT_CHARACTERS, blank=True, default="", db_default=""
    )
    """The program with which the user signed in, as it names itself."""

    objects: ClassVar[SessionQuerySet] = SessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="session_expires")]
