"""The user and what belongs to signing in. Every table here is sealed like a dojo's, in `public` too."""

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, models, transaction
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from shared_apps.accounts.errors import EmailTaken
from tatami.fields import SearchField
from tatami.tenancy.models import Archivable, ArchivableQuerySet, TenantModel
from tatami.text import normalise


class Role(models.TextChoices):
    """What a user is in this dojo. On the platform host `admin` means superadmin."""

    ADMIN = "admin"
    INSTRUCTOR = "instructor"
    ASSISTANT = "assistant"
    STUDENT = "student"


STAFF_ROLES = (Role.ADMIN, Role.INSTRUCTOR, Role.ASSISTANT)


class UserQuerySet(ArchivableQuerySet["User"]):
    """The users of the scope in force."""

    def active(self) -> Self:
        """Return those who may sign in."""
        return self.filter(is_active=True, archived_at__isnull=True)

    def staff(self) -> Self:
        """Return the dojo's own people: admins, instructors, assistants."""
        return self.filter(role__in=STAFF_ROLES)

    def active_admins(self) -> Self:
        """Return the admins who may sign in."""
        return self.active().filter(role=Role.ADMIN)

    def signed_in(
        self, *, user_id: UUID, session_id: UUID, now: datetime, impersonator: UUID | None = None
    ) -> "User | None":
        """Return the user whose session is still good, in one statement, or None.

        Role and active flag are read here at every request, so a change acts on the next one. A session that a
        superadmin opened as this user is good for that superadmin only, and no other is good for him.
        """
        return self.active().filter(
            pk=user_id, sessions__pk=session_id, sessions__impersonator=impersonator,
            sessions__ended_at__isnull=True, sessions__expires_at__gt=now,
        ).first()  # fmt: skip

    def held(self) -> Self:
        """Return those who may sign in, held as they are until the transaction ends.

        Not their keys: somebody who is just now recorded as having done something need not wait.
        """
        return self.active().select_for_update(no_key=True)

    def called(self, text: str) -> Self:
        """Return those whose name alone has every word of `text` in it: `search_name` holds the address, too."""
        words = normalise(text).split()
        names = [(pk, normalise(name)) for pk, name in self.values_list("pk", "name")] if words else []
        found = [pk for pk, name in names if all(word in name for word in words)]
        return self.filter(pk__in=found) if words else self


class User(Archivable, AbstractBaseUser):
    """Somebody who signs in by e-mail address and password."""

    email = models.EmailField(max_length=254)
    email_key = models.TextField(editable=False)
    name = models.CharField(max_length=200, blank=True)
    search_name = SearchField("name", "email")
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    last_login = None  # the sessions know better
    impersonator: "User | None" = None
    """The superadmin who acts as this user in the request at hand."""

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
        """Bring the user back. Raises `EmailTaken` if somebody else has the address by now."""
        self.archived_at = None
        self.save_once()

    def save_once(self) -> None:
        """Save. Raises `EmailTaken`, by the constraint."""
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError as violation:
            if "user_email_once" in str(violation):
                raise EmailTaken from None
            raise


class Session(TenantModel):
    """One sign-in: a family of refresh tokens, of which only the latest works. Holds hashes, never tokens.

    Two kinds have no refresh token: an impersonation, and a sign-in to the console, whose cookie it keeps the hash of.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.BinaryField(max_length=32)
    previous_hash = models.BinaryField(max_length=32, null=True)
    rotated_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    impersonator = models.UUIDField(null=True)
    """The superadmin who acts as this user; a row of `public`, so no foreign key leads there."""

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="session_expires")]


class PasswordLink(TenantModel):
    """A single-use link by which a user sets a password. Holds the hash of its secret."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    secret_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["secret_hash"], name="password_link_once")]


class AttemptCount(TenantModel):
    """How often something that is throttled was tried in the present window. One row per hashed key."""

    key_hash = models.BinaryField(max_length=32)
    window_started_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_hash"], name="attempt_key_once")]
        indexes = [models.Index(fields=["window_started_at"], name="attempt_window")]


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """The deeds in the scope in force."""

    def with_actors(self) -> Self:
        """Return them with `actor_called`: what the actor is called now, which for an erased user is no name."""
        called = Coalesce(NullIf("name", Value("")), "email", output_field=models.CharField())
        users = User.objects.filter(pk=OuterRef("actor")).values_list(called)
        return self.annotate(actor_called=Coalesce(Subquery(users), "actor_name"))


class AuditEntry(TenantModel):
    """A write that somebody made, in which fields and why. Rows are added and read; nothing else is granted.

    No row keeps the name of a user of this scope, so that an erasure need not rewrite history.
    """

    APP_PRIVILEGES = "SELECT, INSERT"

    actor = models.UUIDField()
    actor_name = models.CharField(max_length=200)
    """Of a device; blank for a user, who is asked for his name when the row is shown."""
    actor_called: str
    """Only there after `with_actors`."""
    impersonator = models.UUIDField(null=True)
    """The superadmin who did it as the actor."""
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


class IdempotentAnswer(TenantModel):
    """The first answer to a write that bore an Idempotency-Key; it commits with the write's effect."""

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
