"""Tenant and Domain, on django-tenants' mixins; the epoch that tells processes to look again; who waits for work."""

import re
from typing import Any, ClassVar, Final, Self

from django.db import models
from django.db.models import F, Q
from django_tenants.models import DomainMixin, TenantMixin

from tatami import clock
from tatami.fields import ChangedAtField, SearchField
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])")
RESERVED_SLUGS: Final = frozenset(
    """
    admin api app assets auth billing blog cdn console dashboard docs ftp healthz help imap localhost mail me metrics
    mx ns1 ns2 platform pop postmaster public root smtp static status support tatami test webmaster www
    """.split()  # noqa: SIM905
)


class TenantQuerySet(models.QuerySet["Tenant"]):
    """The dojos."""

    def active(self) -> Self:
        """Return those that serve."""
        return self.filter(status=Tenant.Status.ACTIVE)

    def with_primary_domain(self) -> Self:
        """Return them with `primary_domain_name`, in the same statement."""
        primary = Domain.objects.filter(tenant=models.OuterRef("pk"), is_primary=True).values("domain")[:1]
        return self.annotate(primary_domain_name=models.Subquery(primary))


class Tenant(TenantMixin):  # type: ignore[misc]
    """One dojo: an organisation in one time zone, with its own schema.

    Saving a row never makes a schema: `provisioning.create_tenant` does, and says so.
    """

    class Status(models.TextChoices):
        PROVISIONING = "provisioning"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        DELETING = "deleting"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    schema_name = models.CharField(max_length=63, editable=False)
    slug = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    search_name = SearchField("name", "slug")
    timezone = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.PROVISIONING)
    schema_version = models.TextField(default="", help_text="The leaf migrations of the dojo's schema.")
    cluster = models.CharField(
        max_length=40, default="main", help_text="Where its schema lives (citus.md, rule 10)."
    )
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = ChangedAtField(default=clock.now, editable=False)

    objects: ClassVar[TenantQuerySet] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    auto_create_schema = False
    auto_drop_schema = False

    class Meta:
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="tenant_slug_once"),
            models.UniqueConstraint(fields=["schema_name"], name="tenant_schema_once"),
            models.CheckConstraint(
                condition=Q(status__in=["provisioning", "active", "suspended", "deleting"]),
                name="tenant_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row alone, past TenantMixin's making of schemas as a side effect."""
        models.Model.save(self, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the row alone: the schema is dropped by `lifecycle.purge`."""
        return models.Model.delete(self, *args, **kwargs)

    @property
    def scope(self) -> TenantScope:
        """Return the dojo as the kernel knows it."""
        return TenantScope(
            schema_name=self.schema_name,
            tenant_id=self.pk,
            slug=self.slug,
            name=self.name,
            timezone=self.timezone,
            status=self.status,
            primary_domain=getattr(self, "primary_domain_name", None) or "",
        )


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name that leads to a dojo. Its subdomain of the base domain is verified from the start."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    domain = models.CharField(max_length=253)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")
    is_primary = models.BooleanField(default=True)
    verified_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ("-is_primary", "domain")
        constraints = [
            models.UniqueConstraint(fields=["domain"], name="domain_once"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_primary=True), name="domain_one_primary"
            ),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row alone: constraints, not DomainMixin's side effects, keep one primary domain."""
        models.Model.save(self, *args, **kwargs)


class RoutingEpoch(models.Model):
    """One row whose number grows with every change to a dojo or a domain (see `tatami.tenancy.hosts`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="routing_epoch_one_row")]

    @staticmethod
    def advance() -> None:
        """Make every process look hosts up again; commits with the change that calls it."""
        if not RoutingEpoch.objects.filter(pk=1).update(value=F("value") + 1):
            RoutingEpoch.objects.bulk_create([RoutingEpoch(value=1)], ignore_conflicts=True)


class PendingJob(models.Model):
    """A dojo waits for a turn of a job (`shared_apps.tenants.turns`). Its work itself is in rows of the dojo."""

    pk = models.CompositePrimaryKey("tenant_id", "job")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    job = models.CharField(max_length=60)
    next_at = models.DateTimeField()
    """Its place in the queue; in the future while somebody is at it, or before it is due."""
    marks = models.BigIntegerField()
    """How often it was asked for: a mark that is made during a turn outlasts it."""
    turns = models.BigIntegerField()
    """How often its turn was taken: who took it last is the one to settle it."""
    attempts = models.PositiveIntegerField()
    """Turns taken since the last one that came to its end."""
    cursor = models.CharField(max_length=200)
    request_id = models.CharField(max_length=128)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="pending_job_by_turn")]
