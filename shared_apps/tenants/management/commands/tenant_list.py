"""`manage.py tenant_list`: the dojos, their state and their version."""

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q

from shared_apps.tenants.fleet import rows
from shared_apps.tenants.fleet.versions import can_serve, history
from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import Tenant, TenantMigration
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
List the dojos, in the order in which they were made: slug, status, version, host, schema.

The version is `current`, `behind` (to be migrated; this code serves it still), `too far behind` (it answers 503) or
`ahead` (a newer Tatami migrated it); where the last migration failed, the reason follows."""
    example = """\
  manage.py tenant_list
  manage.py tenant_list --status suspended --search kita
  manage.py tenant_list --not-current --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", choices=Tenant.Status.values, help="only those of this status")
        parser.add_argument(
            "--search", metavar="TEXT", default="", help="only those with this in slug or name"
        )
        parser.add_argument("--not-current", action="store_true", help="only those of another version")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            dojos = Tenant.objects.with_primary_domain().order_by("created_at", "pk")
            if options["status"]:
                dojos = dojos.filter(status=options["status"])
            text = options["search"]
            found = list(dojos.filter(Q(slug__icontains=text) | Q(name__icontains=text)))
        versions = {tenant.schema_version: version_in_words(tenant.schema_version) for tenant in found}
        if options["not_current"]:
            found = [tenant for tenant in found if versions[tenant.schema_version] != "current"]
        migrations = rows.states(tenant.pk for tenant in found)
        listed = [
            _row(tenant, versions[tenant.schema_version], migrations.get(tenant.pk)) for tenant in found
        ]
        if options["json"]:
            self.print_json(listed)
            return
        for row in listed:
            line = (
                f"{row['slug']:<24} {row['status']:<12} {row['version']:<14} {row['host']}  {row['schema']}"
            )
            self.stdout.write(line + (f"  {row['migration_error']}" if row["migration_error"] else ""))
        self.stdout.write(f"{len(listed):,} dojos")


def version_in_words(version: str) -> str:
    """Return what this code thinks of a version."""
    known = history()
    applied = known.applied(version)
    if known.version(applied) != version and known.needed <= applied:
        return "ahead"
    if applied in {known.needed, known.whole}:
        return "current"
    return "behind" if can_serve(version) else "too far behind"


def _row(tenant: Tenant, version: str, migration: TenantMigration | None) -> dict[str, Any]:
    has_failed = migration is not None and migration.state == TenantMigration.State.FAILED
    return {
        "id": tenant.pk,
        "slug": tenant.slug,
        "name": tenant.name,
        "status": tenant.status,
        "host": tenant.scope.primary_domain,
        "timezone": tenant.timezone,
        "schema": tenant.schema_name,
        "version": version,
        "schema_version": tenant.schema_version,
        "migration_error": migration.error if migration is not None and has_failed else None,
        "created_at": tenant.created_at,
    }
