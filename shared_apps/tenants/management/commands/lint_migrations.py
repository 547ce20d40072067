"""`manage.py lint_migrations`: find migrations that hold locks for a long time, or break the previous version."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.fleet.lint import lint_migrations
from shared_apps.tenants.management.command import OnCallCommand


class Command(OnCallCommand):
    help = """\
Check the migrations since the latest release (shared_apps/tenants/fleet/lint.py). Refuse what would break the previous
version, which still serves during a release, and what holds locks for a long time. Uses no database. Exits with 1 if
something is found."""
    example = """\
  manage.py lint_migrations
"""

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(lint_migrations())
        if options["json"]:
            rows = [(".".join(one.migration), one.operation, one.reason) for one in found]
            keys = ("migration", "operation", "reason")
            self.print_json([dict(zip(keys, row, strict=True)) for row in rows])
        for finding in () if options["json"] else found:
            self.stdout.write(str(finding))
        if found:
            raise CommandError(
                f"{len(found)} found. See docs/decisions/0014-fleet-migrations.md for what to do instead."
            )
