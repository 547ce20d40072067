"""`manage.py retime_sessions`: move future sessions to the times that renewed time-zone data say."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandParser
from django.db import transaction

from shared_apps.tenants.management.command import OnCallCommand, active_dojos
from tatami import clock
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.classes.session_generation import RetimedSession, retime_sessions


class Command(OnCallCommand):
    help = """\
Give the future class sessions of every active dojo the times that the installed time-zone data say, and list moves.

Run it after an upgrade that renews tzdata. Classes keep their time on the wall clock; sessions that were made or moved
by hand keep their instant. Each dojo is one transaction. Repeated, the command changes nothing more. With --dry-run it
only lists. A dojo whose schema is too old for this code is skipped and named."""
    example = """\
  manage.py retime_sessions --dry-run
  manage.py retime_sessions --dojo kita --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only list what would move")
        parser.add_argument("--dojo", metavar="SLUG", help="only this dojo")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found: list[dict[str, Any]] = []
        for dojo in active_dojos(options["dojo"]):
            if dojo.is_behind:
                self.stderr.write(
                    f"{dojo.slug} is too far behind this code and was skipped. Run migrate_fleet."
                )
                continue
            for one in _retime(dojo, dry_run=options["dry_run"]):
                found.append({"dojo": dojo.slug, **asdict(one)})
                if not options["json"]:
                    self.stdout.write(f"{dojo.slug}  {one.name}: {_times(one, dojo)}")
        if options["json"]:
            self.print_json(found)
            return
        would = "would move" if options["dry_run"] else "moved"
        self.stdout.write(f"{len(found)} sessions {would}, by tzdata {version('tzdata')}")


def _retime(dojo: TenantScope, *, dry_run: bool) -> list[RetimedSession]:
    with tenant_scope(dojo), transaction.atomic():
        moved = retime_sessions(now=clock.now())
        transaction.set_rollback(dry_run)
    return moved


def _times(session: RetimedSession, dojo: TenantScope) -> str:
    """Return the start before and after, on the wall clock of the present data."""
    zone = ZoneInfo(dojo.timezone)
    before, after = session.starts_at.astimezone(zone), session.new_starts_at.astimezone(zone)
    return f"{before:%Y-%m-%d %H:%M} -> {after:%Y-%m-%d %H:%M}"
