"""`manage.py demo_big` (`make demo-big`): one dojo of thousands of students, to try the platform under load."""

from dataclasses import replace
from time import monotonic
from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection

from demo.big import DEFAULT_VISITS, MAX_VISITS, BigDojo, NotADemo, analyze, fill, find_or_make
from demo.dojos import BIG, DEMO_DOJOS, sign_in_line
from shared_apps.tenants.management.command import OnCallCommand
from shared_apps.tenants.models import RESERVED_SLUGS, SLUG, Tenant
from tatami import clock
from tatami.errors import ServiceUnavailable
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance

_LINES: Final = 10
"""The number of progress lines."""


class Command(OnCallCommand):
    help = """\
Add one dojo of 5,000 students with three years of classes, 500,000 attendances and their rank histories.

Each 250 students are one transaction. A run that is stopped or killed loses its present chunk; run the command again
to continue. If all students are there, the command says so and changes nothing. A dojo that is not a demo is never
changed. At the end the owner login (OWNER_DATABASE_URL) analyzes the tables."""
    example = """\
  manage.py demo_big
  manage.py demo_big --slug middling --students 800 --attendances 60000
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", default=BIG.slug, help="the dojo's subdomain (default: %(default)s)")
        parser.add_argument("--students", type=int, default=5_000, metavar="N", help="default: %(default)s")
        parser.add_argument("--attendances", type=int, metavar="N", help="default: 100 for each student")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = _wanted(options)
        started = monotonic()
        try:
            with platform_scope():
                if not _is_migrated():
                    call_command("prepare", no_demo=True, stdout=self.stdout)
                tenant, done = find_or_make(wanted, now=clock.now())
                self.stdout.write(sign_in_line(wanted.dojo, tenant, is_new=not done))
                if done >= wanted.students:
                    self.stdout.write(f"The dojo has its {done:,} students already; nothing was changed.")
                    return
                step = max(1, wanted.students // _LINES)
                for number in fill(wanted, tenant, now=clock.now()):
                    if number // step > done // step or number == wanted.students:
                        self.stdout.write(f"{number:,} of {wanted.students:,} students")
                    done = number
                analyze(tenant)
                with tenant_scope(tenant):
                    visits = Attendance.objects.count()
        except (NotADemo, ServiceUnavailable) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run the command again to continue.", returncode=130) from None
        seconds = monotonic() - started
        self.stdout.write(f"{wanted.students:,} students, {visits:,} attendances in {seconds:.0f} s")


def _is_migrated() -> bool:
    """Return whether the database has our tables: on a fresh checkout this may be the first command."""
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
        raise CommandError("--students: use a number from 1 to 1,000,000.")
    if attendances is None:
        attendances = students * DEFAULT_VISITS
    if not 0 <= attendances <= students * MAX_VISITS:
        raise CommandError(f"--attendances: use a number from 0 to {MAX_VISITS} times that of students.")
    return BigDojo(dojo=replace(BIG, slug=slug), students=students, attendances=attendances)
