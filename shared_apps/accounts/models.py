"""Users, sessions, the audit log and idempotency keys. Each table has row-level security, also in `public`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models, transaction
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from tatami.errors import DomainError
from tatami.model_fields import SearchField
from tatami.postgresql.statements import Statement, instance
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.tenancy.scope import current_tenant_id
from tatami.text import normalise


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

    Impersonations and console sessions have no refresh token. A console session stores the hash of its cookie.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.BinaryField(max_length=32)
    previous_hash = models.BinaryField(max_length=32, null=True)
    rotated_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    impersonator = models.UUIDField(null=True)
    """The superadmin who acts as this user. No foreign key, because the row is in another schema (`public`)."""

    objects: ClassVar[SessionQuerySet] = SessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="session_expires")]


class ApiKey(TenantModel):
    """A key with which a program calls the API, as a user of its own with a role. It stores a keyed hash of the key.

    The user never signs in: they are inactive, have no address and no usable password. They stay in history when the
    key is revoked.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="api_key")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16)
    """The beginning of the key, by which people recognise it."""
    key_hash = models.BinaryField(max_length=32)
    read_only = models.BooleanField(default=False)
    expires_on = models.DateField(null=True)
    """The last day on which the key is valid, in the dojo's time zone; UTC on the platform."""
    allowed_addresses = ArrayField(models.CharField(max_length=49), default=list)
    """Networks from which the key may be used, such as `203.0.113.0/24`. Empty: from everywhere."""
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="api_key_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SecondFactor(TenantModel):
    """An authenticator app of a user. It counts when it is confirmed."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="second_factors")
    name = models.CharField(max_length=100, blank=True)
    secret = models.TextField()
    """The shared secret, encrypted (`tatami.encryption`)."""
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)
    """The time step of the last accepted code: no code of this step or an earlier one is accepted again."""
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")


class RecoveryCode(TenantModel):
    """A code that replaces an authenticator once. It stores a hash."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    code_hash = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")]


class SignInPolicy(TenantModel):
    """What the dojo, or the platform, demands at sign-in. The id is that of the dojo: at most one row."""

    id = models.UUIDField(primary_key=True, default=current_tenant_id, editable=False)
    second_factor_roles = ArrayField(models.CharField(max_length=16), default=list)
    """The roles that need a second factor."""

    @classmethod
    def current(cls) -> "SignInPolicy":
        """Return the policy; if none is saved yet, the default as an unsaved row."""
        return cls.objects.first() or cls()


class PasswordLinkQuerySet(models.QuerySet["PasswordLink"]):
    """Password links of the tenant, or the platform, in scope."""

    def unused(self) -> Self:
        """Return the links that have not been used or invalidated; they may have expired."""
        return self.filter(used_at__isnull=True)


class PasswordLink(TenantModel):
    """A single-use link by which a user sets a password. It stores the hash of the secret."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    secret_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects: ClassVar[PasswordLinkQuerySet] = PasswordLinkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["secret_hash"], name="password_link_once")]


class PasswordMail(TenantModel):
    """A mail with a password link that waits to be sent; the link gets the same id.

    The user is looked up when the mail is sent, so the request does the same whether the address is known or not.
    """

    email_key = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_try_at", "id"], name="password_mail_due")]


class AttemptCount(TenantModel):
    """The number of attempts in the current window of a rate limit. One row per hashed key."""

    key_hash = models.BinaryField(max_length=32)
    window_started_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="attempt_key_once")]
        indexes = [models.Index(fields=["window_started_at"], name="attempt_window")]


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Audit entries of the tenant, or the platform, in scope."""

    def with_actors(self) -> Self:
        """Annotate `current_actor_name`: the actor's present name. An erased user has no name any more."""
        name = Coalesce(NullIf("name", Value("")), "email", output_field=models.CharField())
        users = User.objects.filter(pk=OuterRef("actor")).values_list(name)
        return self.annotate(current_actor_name=Coalesce(Subquery(users), "actor_name"))


class AuditEntry(TenantModel):
    """One write: who made it, which fields changed, and why. The app may only insert and read rows.

    No row stores the name of a user of this scope, so that an erasure does not have to change the audit log.
    """

    APP_PRIVILEGES = "SELECT, INSERT"

    actor = models.UUIDField()
    actor_name = models.CharField(max_length=200)
    """The name of a device; blank for a user, whose name is read when the entry is shown."""
    current_actor_name: str
    """Set by `with_actors`."""
    impersonator = models.UUIDField(null=True)
    """The superadmin who acted as the actor."""
    impersonator_name = models.CharField(max_length=200, blank=True, db_default="")
    action = models.CharField(max_length=80)
    object = models.UUIDField(null=True)
    fields = models.JSONField(default=list)
    reason = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    objects: ClassVar[AuditQuerySet] = AuditQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="audit_by_time"),
            models.Index(fields=["object", "-created_at"], name="audit_of_object"),
        ]

    @property
    def actor_reference(self) -> dict[str, Any]:
        """Return `id` and `name` of the actor. Needs `with_actors`."""
        return {"id": self.actor, "name": self.current_actor_name}

    @property
    def impersonator_reference(self) -> dict[str, Any] | None:
        """Return `id` and `name` of the superadmin who acted as the actor, if one did."""
        return {"id": self.impersonator, "name": self.impersonator_name} if self.impersonator else None


class IdempotentAnswer(TenantModel):
    """The response to the first request with an Idempotency-Key. It commits together with the effect of the write."""

    caller = models.UUIDField()
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    key = models.CharField(max_length=255)
    body_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(null=True)
    headers = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["caller", "method", "path", "key"], name="idempotent_answer_once"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_age")]
