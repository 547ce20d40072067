"""`manage.py refresh_search`: rewrite the columns that `?search=` and imports compare with."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.management.command import OnCallCommand, find_tenant
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.search_columns import refresh_search_columns
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope


class Command(OnCallCommand):
    help = """\
Rewrite the search columns (names without accents, case and apostrophes) of every dojo and of the platform.

Run it after an upgrade whose notes ask for it. It changes only rows that differ, so it may run at any time, twice, and
again after a kill. A dojo whose schema is too old for this code is skipped and named."""
    example = """\
  manage.py refresh_search
  manage.py refresh_search kita --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "dojos", nargs="*", metavar="DOJO", help="slug or id; default: all, and the platform"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        changed: dict[str, int] = {}
        try:
            if not options["dojos"]:
                with platform_scope():
                    changed["platform"] = refresh_search_columns()
            for dojo in _scopes(options["dojos"]):
                if dojo.is_behind:
                    self.stderr.write(
                        f"{dojo.slug} is too far behind this code and was skipped. Run migrate_fleet."
                    )
                    continue
                with tenant_scope(dojo):
                    changed[dojo.slug] = refresh_search_columns()
        except ServiceUnavailable as away:
            raise CommandError(away.message) from None
        if options["json"]:
            self.print_json(changed)
        else:
            self.stdout.write(f"{len(changed):,} schemas checked, {sum(changed.values()):,} rows changed")


def _scopes(names: list[str]) -> list[TenantScope]:
    """Return the named dojos, else all whose schema is complete. Raises `CommandError` for an unknown name."""
    if names:
        return [find_tenant(name).scope for name in names]
    with platform_scope():
        kept = Tenant.objects.exclude(status__in=[Tenant.Status.PROVISIONING, Tenant.Status.DELETING])
        return [one.scope for one in kept.with_primary_domain().order_by("slug")]
