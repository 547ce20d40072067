"""Tenant and Domain, on django-tenants' mixins; the routing epoch; who waits for work; how far migrations are."""

import re
from typing import Any, ClassVar, Final, Self

from django.db import models
from django.db.models import F, Q
from django_tenants.models import DomainMixin, TenantMixin

from shared_apps.tenants.fleet.versions import can_serve
from tatami import clock
from tatami.fields import ChangedAtField, SearchField
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])")
RESERVED_SLUGS: Final = frozenset(
    """
    abuse account accounts admin api app apps assets auth autoconfig autodiscover billing blog broadcasthost
    cdn console contact dashboard demo dev dns docs download email ftp git grafana healthz help hostmaster
    id images imap info internal isatap kiosk legal localdomain localhost login logout mail mailer-daemon
    marketing me media metrics monitor mta-sts mx no-reply nobody noreply ns ns1 ns2 ns3 ns4 oauth openapi
    payment payments platform pop pop3 postmaster preview privacy prometheus proxy public readyz register
    root sales secure security server signin signup smtp ssl ssladmin sso staging static stats status store
    superadmin support sysadmin system tatami team tenant tenants terms test unsubscribe uptime usenet uucp
    vpn web webmail webmaster wpad www www1 www2 xmpp
    """.split()  # noqa: SIM905
)
"""Names under which people, programs or mail look for the platform itself, not for a dojo."""


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
            is_behind=not can_serve(self.schema_version),
        )


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name that leads to a dojo once it is verified; its subdomain of the base domain is from the start.

    Several dojos may claim a name, and one may have it: the first that proves it (`shared_apps.tenants.domains`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    domain = models.CharField(max_length=253)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")
    is_primary = models.BooleanField(default=True)
    verified_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[models.Manager["Domain"]] = models.Manager()

    class Meta:
        ordering = ("-is_primary", "domain")
        constraints = [
            models.UniqueConstraint(
                fields=["domain"], condition=Q(verified_at__isnull=False), name="domain_once"
            ),
            models.UniqueConstraint(fields=["tenant", "domain"], name="domain_claimed_once"),
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(is_primary=True), name="domain_one_primary"
            ),
            models.CheckConstraint(
                condition=Q(is_primary=False) | Q(verified_at__isnull=False), name="domain_primary_verified"
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


class DailyJob(models.Model):
    """A job that every dojo has once a day, and until when it was asked for (`shared_apps.tenants.rounds`)."""

    job = models.CharField(primary_key=True, max_length=60)
    asked_until = models.DateTimeField()
    """Whoever's hour came by then was asked; whose comes after it is still to be."""


class TenantMigration(models.Model):
    """How far a dojo is on its way to a version. What a killed run left is taken up (`shared_apps.tenants.fleet`)."""

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, primary_key=True, related_name="migration"
    )
    target = models.TextField(help_text="The version it is, or was last, on its way to.")
    state = models.CharField(max_length=8, choices=State)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(default="", help_text="Why it could not be brought there.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "running", "done", "failed"]),
                name="tenant_migration_state_known",
            )
        ]


class TenantExportQuerySet(models.QuerySet["TenantExport"]):
    """The exports of all dojos."""

    def unfinished(self) -> Self:
        """Return those that wait for a worker, or are with one."""
        return self.filter(status__in=[TenantExport.Status.QUEUED, TenantExport.Status.RUNNING])


class TenantExport(models.Model):
    """A whole dojo as one file in Django's storage, or the wish for one (`shared_apps.tenants.exports`)."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="exports"
    )
    """A dojo that is purged leaves the row behind: whoever sweeps it deletes its file first."""
    requested_by = models.UUIDField(null=True)
    """A superadmin; null where a command asked."""
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    total = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    """Rows, in all and so far."""
    bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    """Of the whole file."""
    name = models.CharField(max_length=200, blank=True)
    """In Django's storage."""
    error = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField()
    """While it is unfinished: nobody else takes it before."""
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    objects: ClassVar[TenantExportQuerySet] = TenantExportQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=Q(status__in=["queued", "running"]),
                name="export_unfinished",
            ),
            models.Index(fields=["expires_at"], name="export_expires"),
        ]


class TenantUsage(models.Model):
    """What a dojo used when it was last counted (`shared_apps.tenants.usage`)."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="usage")
    students_active = models.PositiveIntegerField(null=True)
    students_all = models.PositiveIntegerField(null=True)
    attendances_30_days = models.PositiveIntegerField(null=True)
    attendances_all = models.PositiveBigIntegerField(null=True)
    last_attendance_at = models.DateTimeField(null=True)
    users = models.PositiveIntegerField(null=True)
    bytes = models.PositiveBigIntegerField(null=True, help_text="In the database: tables and indexes.")
    file_bytes = models.PositiveBigIntegerField(null=True, help_text="In storage: the exports that are kept.")
    collected_at = models.DateTimeField(null=True)
    """When it was counted; null stands for not yet."""

    class Meta:
        verbose_name_plural = "tenant usage"

    def __str__(self) -> str:
        return str(self.tenant)
