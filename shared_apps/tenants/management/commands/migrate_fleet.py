"""`manage.py migrate_fleet`: bring `public` and every dojo up to this code's migrations."""

from contextlib import ExitStack
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.fleet.plan import Plan, planned
from shared_apps.tenants.fleet.replay import Patience
from shared_apps.tenants.fleet.runner import AnotherRunner, Options, Outcome, Report, migrate_fleet
from shared_apps.tenants.fleet.scripts import NotForTheFleet
from shared_apps.tenants.fleet.showing import Advance, progress
from shared_apps.tenants.management.command import OnCallCommand, at_least, some_seconds
from tatami.errors import ServiceUnavailable

DEFAULT = Options()


class Command(OnCallCommand):
    help = """\
Bring `public` and then every dojo that is behind up to the migrations of this code.

A few dojos go first; if they are well, the others follow, several at a time. A dojo that cannot be migrated keeps its
version, is reported with the reason and holds up nobody else; until it is mended and this command is run again, it
answers 503. A run that was killed is simply run again. One run at a time.

Migrations that only take away what this version no longer uses are left for --contract: run that when no process of
the version before is left. Exits with 0 only if every dojo is up to date."""
    example = """\
  manage.py migrate_fleet --plan
  manage.py migrate_fleet --workers 8
  manage.py migrate_fleet --contract --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        patience = DEFAULT.patience
        add = parser.add_argument
        add("--plan", action="store_true", help="show what would be done, with its SQL, and change nothing")
        add("--contract", action="store_true", help="also take away what only the version before used")
        add("--workers", type=at_least(1), default=DEFAULT.workers, metavar="N", help="default: %(default)s")
        add(
            "--canaries",
            type=at_least(0),
            default=DEFAULT.canaries,
            metavar="N",
            help="so many dojos must be well before the others follow; as many failures first end the run "
            "(default: %(default)s)",
        )
        add(
            "--lock-timeout",
            type=some_seconds,
            default=patience.lock_timeout,
            metavar="SECONDS",
            help="how long to wait for a lock before trying again later (default: %(default)s)",
        )
        add(
            "--statement-timeout",
            type=some_seconds,
            default=patience.statement_timeout,
            metavar="SECONDS",
            help="how long one statement may take (default: %(default)s)",
        )
        add(
            "--attempts",
            type=at_least(1),
            default=patience.attempts,
            metavar="N",
            help="how often a dojo is tried when locks or connections fail (default: %(default)s)",
        )
        add("--wait", action="store_true", help="wait for another run to end instead of giving up")
        add(
            "--go-on",
            action="store_true",
            help="exit with 0 although single dojos failed, so that the others are served",
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Options(
            workers=options["workers"],
            canaries=options["canaries"],
            contract=options["contract"],
            wait=options["wait"],
            patience=Patience(options["lock_timeout"], options["statement_timeout"], options["attempts"]),
        )
        try:
            if options["plan"]:
                self._show_plan(planned(contract=wanted.contract), as_json=options["json"])
                return
            with ExitStack() as stack:
                report = migrate_fleet(wanted, _Shown(stack, self.stderr if options["json"] else self.stdout))
        except (AnotherRunner, NotForTheFleet, ServiceUnavailable) as fault:
            raise CommandError(str(fault)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. The same command goes on from here.", returncode=130) from None
        self._show(report, as_json=options["json"])
        if not report.is_good and not (options["go_on"] and not report.stopped):
            raise SystemExit(1)

    def _show_plan(self, plan: Plan, *, as_json: bool) -> None:
        if as_json:
            self.print_json(plan.as_json())
            return
        for line in plan.lines():
            self.stdout.write(line)

    def _show(self, report: Report, *, as_json: bool) -> None:
        if as_json:
            self.print_json(_as_json(report))
            return
        if not report.behind:
            self.stdout.write(f"Every dojo is up to date. ({report.seconds:.1f} s)")
            return
        rate = report.migrated / report.seconds
        self.stdout.write(
            f"{report.migrated:,} of {report.behind:,} dojos migrated in {report.seconds:.1f} s ({rate:.0f}/s)."
        )
        for name, number in (
            ("tried again", report.tried_again),
            ("purged meanwhile", report.gone),
            ("failed", len(report.failed)),
            ("left alone", report.left),
        ):
            if number:
                self.stdout.write(f"  {name}: {number:,}")
        for outcome in report.failed:
            self.stdout.write(f"  {outcome.dojo.tenant.slug} ({outcome.tries}): {outcome.reason}")
        if report.stopped:
            self.stdout.write(report.stopped)


class _Shown:
    """Shows progress until the stack is left."""

    def __init__(self, stack: ExitStack, out: Any) -> None:
        self._stack, self._out = stack, out
        self._advance: Advance = lambda: None

    def begins(self, behind: int) -> None:
        if behind:
            self._advance = self._stack.enter_context(progress(behind, "dojos", self._out))

    def ended(self, outcome: Outcome) -> None:
        self._advance()


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "target": report.target,
        "behind": report.behind,
        "migrated": report.migrated,
        "tried_again": report.tried_again,
        "gone": report.gone,
        "left": report.left,
        "failed": [
            {
                "id": outcome.dojo.tenant.tenant_id,
                "slug": outcome.dojo.tenant.slug,
                "version": outcome.dojo.version,
                "tries": outcome.tries,
                "reason": outcome.reason,
            }
            for outcome in report.failed
        ],
        "stopped": report.stopped or None,
        "seconds": round(report.seconds, 3),
    }
