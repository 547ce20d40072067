"""`manage.py tenant_check`: check the schemas of dojos."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.fleet.checks import FleetCheckResult, check_all
from shared_apps.tenants.management.command import OnCallCommand, at_least, find_tenant
from shared_apps.tenants.management.progress import show_progress
from shared_apps.tenants.models import Tenant
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope


class Command(OnCallCommand):
    help = """\
Check every dojo, or the given ones: the seal of each table (constant, CHECK, row-level security, grants), that no
foreign key leaves the schema, that the migrations are those of this code and of the dojo's row, and that tables and
indexes are within their budget. Changes nothing. Exits with 1 if something is wrong."""
    example = """\
  manage.py tenant_check
  manage.py tenant_check kita tora
  manage.py tenant_check --json > checked.json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dojos", nargs="*", metavar="DOJO", help="slug or id; default: all")
        parser.add_argument(
            "--workers", type=at_least(1), default=4, metavar="N", help="default: %(default)s"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope():
            every = Tenant.objects.order_by("created_at", "pk")
            dojos = [find_tenant(name) for name in options["dojos"]] or list(every)
        out = self.stderr if options["json"] else self.stdout
        checked: list[FleetCheckResult] = []
        try:
            with show_progress(out, "dojos") as steps:
                steps.expect("check", len(dojos))
                for one in check_all(dojos, workers=options["workers"]):
                    checked.append(one)
                    steps.advance("check")
        except ServiceUnavailable as away:
            raise CommandError(str(away)) from None
        broken = [one for one in checked if one.faults]
        if options["json"]:
            self.print_json({"checked": len(checked), "broken": len(broken), "dojos": [*map(_row, checked)]})
        else:
            for one in broken:
                for fault in one.faults:
                    self.stdout.write(f"{one.tenant.slug}: {fault}")
            self.stdout.write(f"{len(checked):,} dojos checked, {len(broken):,} with faults")
        if broken:
            raise SystemExit(1)


def _row(one: FleetCheckResult) -> dict[str, Any]:
    return {
        "id": one.tenant.pk,
        "slug": one.tenant.slug,
        "tables": one.tables,
        "indexes": one.indexes,
        "faults": one.faults,
    }
