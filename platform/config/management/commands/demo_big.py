"""`manage.py demo_big` (`make demo-big`): one dojo of thousands of students, to try the platform under load."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config.demo import DEMO_DOJOS
from config.demo.accounts import sign_in_line
from config.demo.big import MOST_VISITS, VISITS, BigDojo, NotADemo, analyze, fill, find_or_make
from config.demo.dojos import BIG
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance

_LINES: Final = 10
"""How often progress is told where there is no terminal."""


class Command(BaseCommand):
    help = """\
Add one dojo of 5,000 students with three years of classes, 500,000 attendances and their rank histories.

Each 250 students are one transaction. A run that was stopped or killed loses the chunk it was at; the same command,
given again, goes on from there. When all are there it says so and changes nothing. A dojo that is not a demo is never
touched. The tables are analyzed at the end, by the owner login (OWNER_DATABASE_URL)."""
    example = """\
example:
  manage.py demo_big
  manage.py demo_big --slug middling --students 800 --attendances 60000
"""

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        # Django would fill the paragraphs above into one.
        return super().create_parser(
            *args, epilog=self.example, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", default=BIG.slug, help="the dojo's subdomain (default: %(default)s)")
        parser.add_argument("--students", type=int, default=5_000, metavar="N", help="default: %(default)s")
        parser.add_argument("--attendances", type=int, metavar="N", help="default: 100 for each student")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = _wanted(options)
        began = monotonic()
        try:
            with platform_scope():
                if not _is_prepared():
                    call_command("prepare", no_demo=True, stdout=self.stdout)
                tenant, there = find_or_make(wanted, now=clock.now())
                self.stdout.write(sign_in_line(tenant, is_new=not there))
                if there >= wanted.students:
                    self.stdout.write(f"The dojo has its {there:,} students already; nothing was changed.")
                    return
                self._show(wanted, there, fill(wanted, tenant, now=clock.now()))
                analyze(tenant)
                with tenant_scope(tenant):
                    visits = Attendance.objects.count()
        except (NotADemo, ServiceUnavailable) as fault:
            raise CommandError(str(fault)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. The same command goes on from here.", returncode=130) from None
        seconds = monotonic() - began
        self.stdout.write(f"{wanted.students:,} students, {visits:,} attendances in {seconds:.0f} s")

    def _show(self, wanted: BigDojo, there: int, chunks: Iterator[int]) -> None:
        if not self.stdout.isatty():
            step = max(1, wanted.students // _LINES)
            for number in chunks:
                if number // step > there // step or number == wanted.students:
                    self.stdout.write(f"{number:,} of {wanted.students:,} students")
                there = number
            return
        columns = (TextColumn("students"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task("students", total=wanted.students, completed=there)
            for number in chunks:
                progress.update(task, completed=number)


def _is_prepared() -> bool:
    """Say whether this database was ever migrated: on a fresh checkout this may be the first command of all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [Tenant._meta.db_table])
        return bool(cursor.fetchone()[0])


def _wanted(options: dict[str, Any]) -> BigDojo:
    slug, students, attendances = options["slug"], options["students"], options["attendances"]
    if not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise CommandError(f"--slug {slug}: this cannot be a dojo's subdomain.")
    if slug in {dojo.slug for dojo in DEMO_DOJOS}:
        raise CommandError(f"--slug {slug}: this is one of the small demo dojos.")
    if not 0 < students <= 1_000_000:  # noqa: PLR2004
        raise CommandError("--students: from 1 to 1,000,000.")
    if attendances is None:
        attendances = students * VISITS
    if not 0 <= attendances <= students * MOST_VISITS:
        raise CommandError(f"--attendances: from 0 to {MOST_VISITS} times the number of students.")
    return BigDojo(dojo=replace(BIG, slug=slug), students=students, attendances=attendances)
