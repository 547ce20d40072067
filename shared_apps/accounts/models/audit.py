"""The audit log and the stored responses of idempotency keys."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from shared_apps.accounts.models.users import User
from tatami.tenancy.models import TenantModel


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
