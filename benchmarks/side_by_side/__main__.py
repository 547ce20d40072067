"""`make bench`: Tatami beside its peer, round after round, on the same PostgreSQL and the same data.

make bench                            all requests, 3 rounds of 5 s, 16 connections (and 1 for some)
make bench ARGS="--only me scan --rounds 5 --seconds 8"
"""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.common import print_line, set_up_django

KINDS: Final = ("me", "students", "scan", "repeated", "check", "login")
ALONE: Final = ("me", "students", "scan")
"""Kinds that are also measured with one connection: what threads cost is the difference."""
WARM_UP_SECONDS: Final = 1.0
MOST_WARM_UP_SECONDS: Final = 8
WARM_UP_REQUESTS_PER_DOJO: Final = 6
"""So that each connection has met each dojo before the measurement: what is measured is a process that has run for a
while. Both sides are warmed up alike."""


def main() -> int:
    """Measure, print the table, write it to `benchmarks/results`. Return 1 if a target is missed."""
    options = _options()
    set_up_django()
    from benchmarks.side_by_side import report
    from benchmarks.side_by_side.fleet_data import filled_fleet, open_dojos
    from benchmarks.side_by_side.peer import PeerRequests, built, peer_server, peer_source, seeded
    from benchmarks.side_by_side.tatami_side import TatamiRequests, tatami_server
    from shared_apps.tenants.provisioning import migrate_all
    from tatami.tenancy.scope import platform_scope

    data = Path(os.environ["TATAMI_DATA"])
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    logs = data / "logs"
    with platform_scope():
        list(migrate_all())
    print_line(f"Making {options.dojos} dojos, or finding them")
    scopes = filled_fleet(options.dojos)
    source = None if options.no_peer else peer_source()
    with ExitStack() as stack:
        sides: dict[str, Any] = {
            "tatami": (
                stack.enter_context(
                    tatami_server(logs / "bench-web.log", workers=options.workers, threads=options.threads)
                ),
                lambda: TatamiRequests(list(open_dojos(scopes))),
            )
        }
        if source is not None:
            folder = built(source, data / "peer")
            conninfo = seeded(os.environ["ADMIN_DATABASE_URL"], source)
            server = peer_server(folder, conninfo, logs / "bench-peer.log", pool=16)
            sides["peer"] = (stack.enter_context(server), PeerRequests)
        rows = _rounds(options, sides, postmaster)
    _measure_floor(rows, next(open_dojos(scopes[:1])), data, postmaster, options.seconds)
    for file in report.write(rows, "side-by-side"):
        print_line(f"wrote {file.name}")
    print_line("\n" + report.markdown(rows, report.machine_name()))
    return int(report.is_missed(rows))


def _rounds(options: argparse.Namespace, sides: dict[str, Any], postmaster: int) -> list[Any]:
    from benchmarks.side_by_side.report import Row

    rows = {kind: Row(kind, options.connections) for kind in options.only}
    alone = {kind: Row(kind, 1) for kind in options.only if kind in ALONE}
    offsets = dict.fromkeys(sides, 0)
    for number in range(options.rounds):
        print_line(f"round {number + 1} of {options.rounds}")
        # Tokens are valid for five minutes, so each round has new ones.
        requests = {}
        for name, (_, make) in sides.items():
            made = make()
            for kind in options.only:
                requests[name, kind] = getattr(made, "scan" if kind == "repeated" else kind)()
        for kind in options.only:
            # The side that goes first changes from round to round.
            for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
                for row in (rows[kind], alone.get(kind)):
                    if row is not None and requests[name, kind]:
                        cell, offsets[name] = _measure(
                            row,
                            sides[name][0],
                            requests[name, kind],
                            postmaster,
                            options.seconds,
                            offsets[name],
                            options.dojos,
                        )
                        getattr(row, name).append(cell)
    return [*rows.values(), *alone.values()]


def _measure(
    row: Any, server: Any, requests: list[bytes], postmaster: int, seconds: float, offset: int, dojos: int
) -> Any:
    from benchmarks.side_by_side.cpu import usage
    from benchmarks.side_by_side.load import Plan, send
    from benchmarks.side_by_side.report import Cell

    once = row.kind == "scan"

    def run(for_seconds: float, begin: int) -> Any:
        # Scans that were sent before are those that are sent again.
        part = requests[: max(offset, 1_000)] if row.kind == "repeated" else requests
        return send(
            Plan(server.port, part, row.connections, for_seconds, once=once, offset=begin if once else 0)
        )

    begin, warm = offset, 0
    for _ in range(MOST_WARM_UP_SECONDS):
        if warm >= dojos * WARM_UP_REQUESTS_PER_DOJO:
            break
        outcome = run(WARM_UP_SECONDS, begin)
        begin, warm = outcome.next_offset, warm + max(outcome.number, 1)
    before = usage(server.pid).cpu_ms, usage(postmaster).cpu_ms
    outcome = run(seconds, begin)
    after = usage(server.pid).cpu_ms, usage(postmaster).cpu_ms
    number = max(outcome.number, 1)
    cell = Cell(
        rate=outcome.rate,
        p50=outcome.percentile(0.5),
        p95=outcome.percentile(0.95),
        p99=outcome.percentile(0.99),
        app_ms=(after[0] - before[0]) / number,
        database_ms=(after[1] - before[1]) / number,
        unexpected=outcome.unexpected,
        number=outcome.number,
    )
    if outcome.unexpected:
        print_line(
            f"  {row.kind}: {dict(outcome.statuses)}, {outcome.errors} errors; {outcome.first_body[:200]!r}"
        )
    return cell, (outcome.next_offset if once else offset)


def _measure_floor(rows: list[Any], dojo: Any, data: Path, postmaster: int, seconds: float) -> None:
    from benchmarks.side_by_side.floor import floor_ms
    from tatami.tenancy.scope import tenant_scope
    from tenant_apps.students.models import Student

    with tenant_scope(dojo.scope):
        student = Student.objects.values_list("pk", flat=True)[0]
    found: dict[str, float | None] = {}
    for row in rows:
        if row.kind not in found:
            found[row.kind] = floor_ms(
                row.kind, dojo.scope, student=student, session=dojo.sessions[0],
                folder=data, postmaster=postmaster, seconds=max(2, int(seconds)),
            )  # fmt: skip
        row.floor_ms = found[row.kind]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    positive: Callable[[str], int] = int
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=positive, default=16)
    parser.add_argument("--dojos", type=positive, default=200)
    parser.add_argument("--workers", type=positive, default=2)
    parser.add_argument("--threads", type=positive, default=512)
    parser.add_argument("--no-peer", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
