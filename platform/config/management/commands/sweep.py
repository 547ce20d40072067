"""`manage.py sweep`: count or delete expired data, by the same list as the nightly jobs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import autodiscover_modules

from shared_apps.tenants.management.command import OnCallCommand, active_dojos
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.retention import IN_DOJOS, ON_THE_PLATFORM, RetentionRule, run_cleanups
from tatami.tenancy.scope import TenantScope, tenant_scope


@dataclass(frozen=True, slots=True)
class Expired:
    """The number of expired objects of one kind in a dojo, or on the platform (`None`)."""

    dojo: str | None
    kind: str
    kept_days: float
    found: int


class Command(OnCallCommand):
    help = """\
Delete expired data in every active dojo and on the platform, as the nightly jobs do.

With --dry-run it only counts. A dojo whose schema is too old for this code is skipped and named."""
    example = """\
  manage.py sweep --dry-run
  manage.py sweep --dojo kita --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be removed")
        parser.add_argument("--dojo", metavar="SLUG", help="only this dojo, and not the platform")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        autodiscover_modules("tasks")
        dry_run, now = options["dry_run"], clock.now()
        dojos = active_dojos(options["dojo"])
        expired: list[Expired] = []
        try:
            if not options["dojo"]:
                expired += _in_scope(None, ON_THE_PLATFORM, now, dry_run=dry_run)
            expired += _in_dojos([dojo for dojo in dojos if not dojo.is_behind], now, dry_run=dry_run)
        except ServiceUnavailable as error:
            raise CommandError(error.message) from None
        for dojo in dojos:
            if dojo.is_behind:
                self.stderr.write(
                    f"{dojo.slug} is too far behind this code and was skipped. Run migrate_fleet."
                )
        if options["json"]:
            self.print_json([asdict(one) for one in expired])
            return
        total = 0
        for one in expired:
            total += one.found
            if one.found:
                self.stdout.write(
                    f"{one.dojo or 'platform':<40} {one.kind:<32} {one.found:>9}  (kept {one.kept_days:g} days)"
                )
        self.stdout.write(f"{total} {'would be' if dry_run else 'were'} removed")


def _in_dojos(dojos: Iterable[TenantScope], now: datetime, *, dry_run: bool) -> Iterator[Expired]:
    for dojo in dojos:
        with tenant_scope(dojo):
            yield from list(_in_scope(dojo.slug, IN_DOJOS, now, dry_run=dry_run))


def _in_scope(dojo: str | None, scopes: frozenset[str], now: datetime, *, dry_run: bool) -> Iterator[Expired]:
    for kept, found in run_cleanups(scopes, now=now, dry_run=dry_run):
        yield Expired(dojo, kept.kind, _days(kept), found)


def _days(kept: RetentionRule) -> float:
    return round(kept.time.total_seconds() / 86_400, 3)
