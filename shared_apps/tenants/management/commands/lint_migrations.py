"""`manage.py lint_migrations`: refuse migrations that lock, or break the version that is running."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.fleet.lint import findings
from shared_apps.tenants.management.command import OnCallCommand


class Command(OnCallCommand):
    help = """\
Look at the migrations since the latest release (shared_apps/tenants/fleet/lint.py) for what would break the version
before, which serves meanwhile, or hold locks for long. Touches no database. Exits with 1 if there is any."""
    example = """\
  manage.py lint_migrations
"""

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(findings())
        if options["json"]:
            rows = [(".".join(one.migration), one.operation, one.reason) for one in found]
            keys = ("migration", "operation", "reason")
            self.print_json([dict(zip(keys, row, strict=True)) for row in rows])
        for finding in () if options["json"] else found:
            self.stdout.write(str(finding))
        if found:
            raise CommandError(
                f"{len(found)} found: docs/decisions/0014-fleet-migrations.md says what to do instead."
            )
