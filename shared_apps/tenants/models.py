"""Tenants and their domains (on django-tenants' mixins), and the platform's rows about them.

These are the routing epoch, pending and daily jobs, the state of migrations, exports and usage.
"""

import re
from datetime import datetime
from typing import Any, ClassVar, Final, Self
from zlib import crc32

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_tenants.models import DomainMixin, TenantMixin

from shared_apps.tenants.schema.versions import can_serve
from tatami import clock
from tatami.ids import uuid7
from tatami.model_fields import ChangedAtField, SearchField
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
"""Names where people, programs or mail servers expect the platform itself, not a tenant."""


class LeaseQuerySet(models.QuerySet[Any]):
    """Rows that workers claim by a lease: a row is due at `lease_order[0]`, and a claim moves that into the future.

    If the worker is killed, the row becomes due again when its lease has ended.
    """

    lease_order: ClassVar[tuple[str, ...]]
    """The columns by which rows are claimed; the first is the time of the lease."""

    def due(self, now: datetime) -> Self:
        """Return the rows that can be claimed at `now`: no worker holds a lease on them."""
        return self.filter(**{f"{self.lease_order[0]}__lte": now})

    def lock_next(self, now: datetime) -> Any:
        """Lock and return the due row that has waited longest, or `None`. Concurrent calls lock different rows.

        Call it in a transaction, and move the lease into the future in the same one.
        """
        waiting = self.due(now).order_by(*self.lease_order)
        return waiting.select_for_update(of=("self",), skip_locked=True).first()


class TenantQuerySet(models.QuerySet["Tenant"]):
    """Tenants."""

    def active(self) -> Self:
        """Return the tenants that are served."""
        return self.filter(status=Tenant.Status.ACTIVE)

    def with_primary_domain(self) -> Self:
        """Add `primary_domain_name` to each tenant, in the same statement."""
        primary = Domain.objects.filter(tenant=models.OuterRef("pk"), is_primary=True).values("domain")[:1]
        return self.annotate(primary_domain_name=models.Subquery(primary))


class Tenant(TenantMixin):  # type: ignore[misc]
    """A tenant: one dojo, an organisation in one time zone, with a schema of its own.

    Saving a row never creates a schema: call `provisioning.create_tenant` for that.
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
    language = models.CharField(max_length=8, default="en", db_default="en")
    """A copy of the dojo's setting, so that a request knows it without a statement."""
    status = models.CharField(max_length=16, choices=Status, default=Status.PROVISIONING)
    schema_version = models.TextField(default="", help_text="The leaf migrations of the dojo's schema.")
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
        """Save only the row, without TenantMixin's side effect of creating a schema."""
        models.Model.save(self, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete only the row. `lifecycle.purge` also drops the schema."""
        return models.Model.delete(self, *args, **kwargs)

    @property
    def subdomain(self) -> str:
        """Return the host name under the platform's domain, which is created with the tenant."""
        return f"{self.slug}.{settings.TATAMI_BASE_DOMAIN}"

    @property
    def scope(self) -> TenantScope:
        """Return the tenant as the kernel knows it."""
        return TenantScope(
            schema_name=self.schema_name,
            tenant_id=self.pk,
            slug=self.slug,
            name=self.name,
            timezone=self.timezone,
            status=self.status,
            primary_domain=getattr(self, "primary_domain_name", None) or "",
            is_behind=not can_serve(self.schema_version),
            schema_version=f"{crc32(self.schema_version.encode()):08x}",
            language_code=self.language,
        )


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name that routes to a tenant as soon as it is verified. The tenant's own subdomain always is.

    Several tenants can claim a name, but only one can verify it: the first to prove it (`shared_apps.tenants.domains`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    domain = models.CharField(max_length=253)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")
    is_primary = models.BooleanField(default=True)
    verified_at = models.DateTimeField(null=True)
    served_until = models.DateTimeField(null=True)
    """Only for a former subdomain of a renamed tenant: until then it leads to the tenant, and no other can take it."""
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

    @staticmethod
    def delete_expired(now: datetime, domains: "models.QuerySet[Domain] | None" = None) -> int:
        """Delete the former subdomains whose time is over; return how many. Call it in a transaction."""
        rows = Domain.objects.all() if domains is None else domains
        deleted: int = rows.filter(served_until__lte=now).delete()[0]
        if deleted:
            RoutingEpoch.advance()
        return deleted

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save only the row. Constraints, not DomainMixin's side effects, ensure that there is one primary domain."""
        models.Model.save(self, *args, **kwargs)


class RoutingEpoch(models.Model):
    """One row with a number that grows with every change to a tenant or a domain (see `tatami.tenancy.hosts`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="routing_epoch_one_row")]

    @staticmethod
    def advance() -> None:
        """Make every process look up its hosts again. Call it in the transaction of the change."""
        if not RoutingEpoch.objects.filter(pk=1).update(value=F("value") + 1):
            RoutingEpoch.objects.bulk_create([RoutingEpoch(value=1)], ignore_conflicts=True)


class PendingJobQuerySet(LeaseQuerySet):
    """The job queue."""

    lease_order = ("next_at",)


class PendingJob(models.Model):
    """A tenant has work for a job (`shared_apps.tenants.jobs.job_queue`). The work itself is in rows of the tenant."""

    pk = models.CompositePrimaryKey("tenant_id", "job")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    job = models.CharField(max_length=60)
    next_at = models.DateTimeField()
    """When it is due: its place in the queue. In the future while a worker holds its lease."""
    marks = models.BigIntegerField()
    """How often it was enqueued. A row that is enqueued again while it runs is kept after the run."""
    turns = models.BigIntegerField()
    """How often it was claimed. Only the worker with the last claim may update or delete the row."""
    attempts = models.PositiveIntegerField()
    """Runs that were started since the last run that ended normally."""
    cursor = models.CharField(max_length=200)
    request_id = models.CharField(max_length=128)
    traceparent = models.CharField(max_length=55, default="", db_default="")
    """The span of the request that enqueued it last, as W3C Trace Context writes it; empty without tracing."""
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[PendingJobQuerySet] = PendingJobQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="pending_job_by_turn")]


class DailyJob(models.Model):
    """A job that every tenant runs once a day (`shared_apps.tenants.jobs.schedules`)."""

    job = models.CharField(primary_key=True, max_length=60)
    asked_until = models.DateTimeField()
    """Tenants whose local hour passed before this instant are scheduled."""


class TenantMigration(models.Model):
    """The state of a tenant's migration to a version (`shared_apps.tenants.fleet`).

    The next run continues what a killed run left unfinished.
    """

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


class TenantBacklog(models.Model):
    """Rows of a kind wait to be sent in a tenant (`shared_apps.tenants.fleet_state`). Without a row, none waits."""

    pk = models.CompositePrimaryKey("tenant_id", "kind")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=20)
    oldest_at = models.DateTimeField()
    """When the oldest of them was queued."""


class TenantExportQuerySet(LeaseQuerySet):
    """The exports of all tenants."""

    lease_order = ("lease_until", "pk")

    def unfinished(self) -> Self:
        """Return the exports that wait for a worker, or that a worker is building."""
        return self.filter(status__in=[TenantExport.Status.QUEUED, TenantExport.Status.RUNNING])


class TenantExport(models.Model):
    """A complete tenant as one file in Django's storage, or the request for one (`shared_apps.tenants.exports`)."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="exports"
    )
    """May refer to a purged tenant: the sweeper deletes the file first, then this row."""
    requested_by = models.UUIDField(null=True)
    """A superadmin, or with `is_own` an admin of the dojo; null if a command requested it."""
    is_own = models.BooleanField(default=False, db_default=False)
    """Whether the dojo requested it for itself. It sees only these."""
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    total = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    """Rows to export, and rows exported so far."""
    bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    """The SHA-256 of the file, in hexadecimal."""
    name = models.CharField(max_length=200, blank=True)
    """The name of the file in Django's storage."""
    error = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField()
    """While the export is unfinished: no other worker claims it before this instant."""
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
    """What a tenant used when it was last counted (`shared_apps.tenants.usage`)."""

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
    """When it was counted; null if it never was."""

    class Meta:
        verbose_name_plural = "tenant usage"

    def __str__(self) -> str:
        return str(self.tenant)
