"""Measure whether requests cost the same in a large fleet, and in a dojo with years of attendance: `make bench-growth`.

make bench-growth                                    10, 1,000 and 10,000 dojos; 1, 2 and 4 times the attendance
make bench-growth ARGS="--dojos 10 200 --minutes 1"

Ten dojos have 4,000 attendances, the others have 100 students and one class session. The requests go to all dojos in
turn, so each request meets a dojo that its connection has not served for as long as possible. Afterwards requests of
all kinds are sent for some minutes, and the memory of the web processes and of their database connections is printed
each minute. 10,000 dojos take about 40 GB of disk, and half an hour to make.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from benchmarks.common import print_line, set_up_django, target_mark

FULL: Final = 10
STUDENTS: Final = 100
KINDS: Final = ("me", "students", "scan")
MOST_TIMES_THE_SMALLEST: Final = 1.2
MOST_MEMORY_MB: Final = 150
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A set of dojos that is measured."""

    title: str
    scopes: list[Any]

    @property
    def dojos(self) -> int:
        return len(self.scopes)

    def requests(self) -> dict[str, list[bytes]]:
        """Return the requests of each kind, with new tokens: they are valid for five minutes."""
        from benchmarks.side_by_side.fleet_data import open_dojos
        from benchmarks.side_by_side.tatami_side import TatamiRequests

        made = TatamiRequests(list(open_dojos(self.scopes)))
        return {kind: getattr(made, kind)() for kind in KINDS}


def main() -> int:
    """Print the tables; return 1 if a target was missed."""
    options = _options()
    set_up_django()
    from benchmarks.side_by_side.fleet_data import PAST_SESSIONS, filled_fleet
    from benchmarks.side_by_side.tatami_side import tatami_server
    from shared_apps.tenants.provisioning import migrate_all
    from tatami.tenancy.scope import platform_scope

    data = Path(os.environ["TATAMI_DATA"])
    postmaster = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
    with platform_scope():
        list(migrate_all())

    full = filled_fleet(FULL)
    few = filled_fleet(
        max(options.dojos) - FULL, slug_prefix="bench-new-", students=STUDENTS, past_sessions=1
    )
    fleets = [Case(f"{number:,} dojos", (full + few)[:number]) for number in sorted(options.dojos)]
    histories = [
        Case(
            f"{times} times the attendance",
            filled_fleet(FULL, slug_prefix=f"bench-x{times}-", past_sessions=PAST_SESSIONS * times),
        )
        for times in options.attendance
    ]
    with tatami_server(data / "logs" / "bench-web.log", workers=2, threads=512) as server:
        met = _measure_all(fleets, server, postmaster, options)
        met = _measure_all(histories, server, postmaster, options) and met
        met = _measure_memory(fleets[-1], server, postmaster, options) and met
    return int(not met)


def _measure_all(cases: list[Case], server: Any, postmaster: int, options: argparse.Namespace) -> bool:
    """Measure the cases round after round, and print their cost and its ratio to that of the first."""
    costs: dict[tuple[str, str], list[float]] = {}
    offsets = {case.title: 0 for case in cases}
    for number in range(ROUNDS):
        print_line(f"round {number + 1} of {ROUNDS}")
        for case in cases:
            requests = case.requests()
            for kind in KINDS:
                cost, offset = _measure(
                    case, kind, requests[kind], server, postmaster, options.seconds, offsets[case.title]
                )
                costs.setdefault((case.title, kind), []).append(cost)
                offsets[case.title] = offset
    met = True
    print_line("\nCPU in ms per request, application + database; times that of the first line\n")
    for case in cases:
        line = f"{case.title:24}"
        for kind in KINDS:
            cost = median(costs[case.title, kind])
            ratio = cost / median(costs[cases[0].title, kind])
            is_met = ratio <= MOST_TIMES_THE_SMALLEST
            met = met and is_met
            line += f"  {kind} {cost:6.2f} {ratio:5.2f}× {target_mark(is_met)}"
        print_line(line)
    return met


def _measure(
    case: Case,
    kind: str,
    requests: list[bytes],
    server: Any,
    postmaster: int,
    seconds: float,
    offset: int,
) -> tuple[float, int]:
    from benchmarks.side_by_side.cpu import usage
    from benchmarks.side_by_side.load import Plan, send

    once = kind == "scan"
    begin = offset if once else 0
    warm = 0
    while warm < 4 * min(case.dojos, 200):
        outcome = send(Plan(server.port, requests, 16, 1.0, once=once, offset=begin))
        begin, warm = outcome.next_offset, warm + max(outcome.number, 1)
    before = usage(server.pid).cpu_ms + usage(postmaster).cpu_ms
    outcome = send(Plan(server.port, requests, 16, seconds, once=once, offset=begin))
    after = usage(server.pid).cpu_ms + usage(postmaster).cpu_ms
    if outcome.unexpected:
        print_line(f"  {kind}: {dict(outcome.statuses)}; {outcome.first_body[:200]!r}")
    return (after - before) / max(outcome.number, 1), (outcome.next_offset if once else offset)


def _measure_memory(case: Case, server: Any, postmaster: int, options: argparse.Namespace) -> bool:
    from benchmarks.side_by_side.cpu import private_memory, usage
    from benchmarks.side_by_side.load import Plan, send

    print_line(f"\n{case.title}, {options.minutes} minutes of all kinds: memory in MB")
    most = 0.0
    for minute in range(options.minutes + 1):
        connections = [
            private_memory(child.pid) / 1e6
            for child in psutil.Process(postmaster).children()
            if " tatami_app " in f"{' '.join(child.cmdline())} "
        ]
        most = max([most, *connections])
        web = usage(server.pid).resident / 1e6
        sizes = ", ".join(f"{size:.0f}" for size in sorted(connections, reverse=True))
        print_line(f"  minute {minute}: web {web:.0f}; connections {sizes}")
        if minute < options.minutes:
            requests = case.requests()
            for kind in KINDS:
                send(Plan(server.port, requests[kind], 16, 20.0, once=kind == "scan"))
    met = most <= MOST_MEMORY_MB
    print_line(f"largest connection {most:.0f} MB; target {MOST_MEMORY_MB} {target_mark(met)}")
    return met


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__)
    parser.add_argument("--dojos", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--attendance", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--minutes", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
