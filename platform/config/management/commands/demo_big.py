"""`manage.py demo_big` (`make demo-big`): create one dojo with thousands of students, for load tests."""

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config.demo import DEMO_DOJOS
from config.demo.accounts import sign_in_line
from config.demo.big import MOST_VISITS, VISITS, BigDojo, NotADemo, analyze, fill, find_or_make
from config.demo.dojos import BIG
from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance

_PROGRESS_LINES: Final = 10
"""Number of progress lines if the output is not a terminal."""


class Command(OnCallCommand):
    help = """\
Add one dojo with 5,000 students, three years of classes, 500,000 attendances and rank histories.

Each 250 students are one transaction. If a run is stopped or killed, its current chunk is lost; run the same command
again to continue. If all students are there, it changes nothing. It never changes a dojo that is not a demo.
The tables are analyzed at the end, with the owner login (OWNER_DATABASE_URL)."""
    example = """\
  manage.py demo_big
  manage.py demo_big --slug middling --students 800 --attendances 60000
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", default=BIG.slug, help="the dojo's subdomain (default: %(default)s)")
        parser.add_argument("--students", type=int, default=5_000, metavar="N", help="default: %(default)s")
        parser.add_argument("--attendances", type=int, metavar="N", help="default: 100 for each student")

    def handle(self, *args: Any, **options: Any) -> None:
        requested = _requested(options)
        began = monotonic()
        try:
            with platform_scope():
                if not _is_migrated():
                    call_command("prepare", no_demo=True, stdout=self.stdout)
                tenant, existing = find_or_make(requested, now=clock.now())
                self.stdout.write(sign_in_line(tenant, is_new=not existing))
                if existing >= requested.students:
                    self.stdout.write(f"The dojo has its {existing:,} students already; nothing was changed.")
                    return
                self._show_progress(requested, existing, fill(requested, tenant, now=clock.now()))
                analyze(tenant)
                with tenant_scope(tenant):
                    attendances = Attendance.objects.count()
        except (NotADemo, ServiceUnavailable) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run the same command again to continue.", returncode=130) from None
        seconds = monotonic() - began
        self.stdout.write(f"{requested.students:,} students, {attendances:,} attendances in {seconds:.0f} s")

    def _show_progress(self, requested: BigDojo, existing: int, chunks: Iterator[int]) -> None:
        if not self.stdout.isatty():
            step = max(1, requested.students // _PROGRESS_LINES)
            for number in chunks:
                if number // step > existing // step or number == requested.students:
                    self.stdout.write(f"{number:,} of {requested.students:,} students")
                existing = number
            return
        columns = (TextColumn("students"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task("students", total=requested.students, completed=existing)
            for number in chunks:
                progress.update(task, completed=number)


def _is_migrated() -> bool:
    """Return whether the database was ever migrated. On a fresh checkout this may be the first command."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [Tenant._meta.db_table])
        return bool(cursor.fetchone()[0])


def _requested(options: dict[str, Any]) -> BigDojo:
    """Return the dojo that the options describe. Raises `CommandError` for invalid options."""
    slug, students, attendances = options["slug"], options["students"], options["attendances"]
    if not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise CommandError(f"--slug {slug}: this cannot be a dojo's subdomain.")
    if slug in {dojo.slug for dojo in DEMO_DOJOS}:
        raise CommandError(f"--slug {slug}: this is one of the small demo dojos. Choose another slug.")
    if not 0 < students <= 1_000_000:  # noqa: PLR2004
        raise CommandError("--students: from 1 to 1,000,000.")
    if attendances is None:
        attendances = students * VISITS
    if not 0 <= attendances <= students * MOST_VISITS:
        raise CommandError(f"--attendances: from 0 to {MOST_VISITS} times the number of students.")
    return BigDojo(dojo=replace(BIG, slug=slug), students=students, attendances=attendances)
