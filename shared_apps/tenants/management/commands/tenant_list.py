"""`manage.py tenant_list`: list the dojos with their status and version."""

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Q

from shared_apps.tenants.fleet import migration_status
from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import Tenant, TenantMigration
from shared_apps.tenants.schema.versions import can_serve, history
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
List the dojos in the order of their creation: slug, status, version, host, schema.

The version is `current`, `behind` (to be migrated, but this code can serve it), `too far behind` (it responds 503) or
`ahead` (a newer release migrated it). If the last migration failed, the reason follows."""
    example = """\
  manage.py tenant_list
  manage.py tenant_list --status suspended --search kita
  manage.py tenant_list --not-current --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", choices=Tenant.Status.values, help="only dojos with this status")
        parser.add_argument(
            "--search", metavar="TEXT", default="", help="only dojos with this text in slug or name"
        )
        parser.add_argument(
            "--not-current", action="store_true", help="only dojos whose version is not current"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            dojos = Tenant.objects.with_primary_domain().order_by("created_at", "pk")
            if options["status"]:
                dojos = dojos.filter(status=options["status"])
            text = options["search"]
            found = list(dojos.filter(Q(slug__icontains=text) | Q(name__icontains=text)))
        versions = {tenant.schema_version: describe_version(tenant.schema_version) for tenant in found}
        if options["not_current"]:
            found = [tenant for tenant in found if versions[tenant.schema_version] != "current"]
        migrations = migration_status.migrations_of(tenant.pk for tenant in found)
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


def describe_version(version: str) -> str:
    """Return how a version compares with that of this code, as the help of the command says."""
    known = history()
    applied = known.applied(version)
    if known.version(applied) != version and known.required <= applied:
        return "ahead"
    if applied in {known.required, known.all_keys}:
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
