"""`manage.py migrate_fleet`: migrate `public` and every dojo to this code's version."""

from contextlib import ExitStack
from typing import Any

from django.core.management.base import CommandError, CommandParser

from shared_apps.tenants.fleet.apply import MigrationLimits
from shared_apps.tenants.fleet.runner import (
    MigrationAlreadyRunning,
    MigrationOutcome,
    Options,
    Plan,
    Report,
    migrate_fleet,
    plan_run,
)
from shared_apps.tenants.fleet.scripts import NonAtomicMigration
from shared_apps.tenants.management.command import OnCallCommand, at_least, positive_seconds
from shared_apps.tenants.management.progress import Steps, show_progress
from tatami.errors import ServiceUnavailable

DEFAULT = Options()


class Command(OnCallCommand):
    help = """\
Migrate `public`, and then every outdated dojo, to the version of this code.

A few dojos are migrated first. If they succeed, the others follow, several at a time. A dojo that cannot be migrated
keeps its version and is reported with the reason; the others go on. It responds 503 until the fault is corrected and
this command is run again. If a run is killed, run it again. Only one run at a time is allowed.

Migrations that only remove what this version no longer uses run with --contract: use it when no process of the
previous version is left. Exits with 0 only if every dojo is up to date."""
    example = """\
  manage.py migrate_fleet --plan
  manage.py migrate_fleet --workers 8
  manage.py migrate_fleet --contract --json
"""

    def add_arguments(self, parser: CommandParser) -> None:
        limits = DEFAULT.limits
        add = parser.add_argument
        add("--plan", action="store_true", help="show what would be done, with the SQL, and change nothing")
        add("--contract", action="store_true", help="also remove what only the previous version used")
        add("--workers", type=at_least(1), default=DEFAULT.workers, metavar="N", help="default: %(default)s")
        add(
            "--canaries",
            type=at_least(0),
            default=DEFAULT.canaries,
            metavar="N",
            help="so many dojos must succeed before the others follow; the run ends if as many fail first "
            "(default: %(default)s)",
        )
        add(
            "--lock-timeout",
            type=positive_seconds,
            default=limits.lock_timeout,
            metavar="SECONDS",
            help="how long to wait for a lock before the dojo is tried again later (default: %(default)s)",
        )
        add(
            "--statement-timeout",
            type=positive_seconds,
            default=limits.statement_timeout,
            metavar="SECONDS",
            help="how long one statement may take (default: %(default)s)",
        )
        add(
            "--attempts",
            type=at_least(1),
            default=limits.attempts,
            metavar="N",
            help="attempts for each dojo if locks or connections fail (default: %(default)s)",
        )
        add("--wait", action="store_true", help="wait until another run ends, instead of failing")
        add(
            "--go-on",
            action="store_true",
            help="exit with 0 even if single dojos failed, so that the others are served",
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Options(
            workers=options["workers"],
            canaries=options["canaries"],
            contract=options["contract"],
            wait=options["wait"],
            limits=MigrationLimits(
                options["lock_timeout"], options["statement_timeout"], options["attempts"]
            ),
        )
        try:
            if options["plan"]:
                self._show_plan(plan_run(contract=wanted.contract), as_json=options["json"])
                return
            with ExitStack() as stack:
                out = self.stderr if options["json"] else self.stdout
                report = migrate_fleet(wanted, _ProgressListener(stack, out))
        except (MigrationAlreadyRunning, NonAtomicMigration, ServiceUnavailable) as fault:
            raise CommandError(str(fault)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run this command again to continue.", returncode=130) from None
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
            ("purged in the meantime", report.gone),
            ("failed", len(report.failed)),
            ("not tried", report.left),
        ):
            if number:
                self.stdout.write(f"  {name}: {number:,}")
        for outcome in report.failed:
            self.stdout.write(f"  {outcome.outdated.tenant.slug} ({outcome.attempts}): {outcome.reason}")
        if report.stopped:
            self.stdout.write(report.stopped)


class _ProgressListener:
    """Shows the progress of a run until the stack is left."""

    def __init__(self, stack: ExitStack, out: Any) -> None:
        self._stack, self._out = stack, out
        self._steps: Steps | None = None

    def on_start(self, behind: int) -> None:
        if behind:
            self._steps = self._stack.enter_context(show_progress(self._out, "dojos"))
            self._steps.expect("migrate", behind)

    def on_outcome(self, outcome: MigrationOutcome) -> None:
        if self._steps is not None:
            self._steps.advance("migrate")


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
                "id": outcome.outdated.tenant.tenant_id,
                "slug": outcome.outdated.tenant.slug,
                "version": outcome.outdated.version,
                "tries": outcome.attempts,
                "reason": outcome.reason,
            }
            for outcome in report.failed
        ],
        "stopped": report.stopped or None,
        "seconds": round(report.seconds, 3),
    }
