"""Measure whether requests cost the same in a large fleet, and in a dojo with years of attendance: `make bench-growth`.

make bench-growth                                    10, 1,000 and 10,000 dojos; 1, 2 and 4 times the attendance
make bench-growth ARGS="--dojos 10 200 --minutes 1"

Ten dojos have 4,000 attendances, the others have 100 students and one class session. The requests go to all dojos in
turn, to 1,000 at a time, after each process has met them. In another case each request is the first of its kind to its
dojo, which no connection remembers. The statements of a request are counted. Requests of all kinds are sent for some
minutes, and the memory of the web processes and of their database connections is printed each minute. 10,000 dojos take
about 40 GB of disk, and half an hour to make. The tables are printed, and written to `benchmarks/results/growth.md`.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from benchmarks.common import print_line, set_up_django, target_mark
from benchmarks.side_by_side.report import RESULTS, machine_name

FULL: Final = 10
MOST_AT_ONCE: Final = 1_000
"""How many dojos of a fleet train at the same time: a round sends requests to so many, the next round to the next ones,
which no connection remembers."""
WARM_UP_REQUESTS_PER_DOJO: Final = 6
"""So that each process has met each of these dojos before the measurement, as a process that has run for a while."""
TOKENS_LAST: Final = timedelta(hours=1)
"""To sign in to so many dojos takes longer than an access token lasts otherwise."""
STUDENTS: Final = 100
KINDS: Final = ("me", "students", "scan")
MOST_TIMES_THE_SMALLEST: Final = 1.2
MOST_MEMORY_MB: Final = 150


@dataclass(slots=True)
class Case:
    """A set of dojos that is measured."""

    title: str
    scopes: list[Any]
    is_first_time: bool = False
    """Whether each request is the first one to its dojo, and pays for what a connection learns about it."""
    turn: int = 0
    """How many times requests were made."""

    @property
    def dojos(self) -> int:
        return len(self.scopes)

    def requests(self) -> dict[str, list[bytes]]:
        """Return the requests of each kind, with new tokens, to the dojos whose turn it is."""
        first = self.turn * MOST_AT_ONCE % len(self.scopes)
        self.turn += 1
        return requests_to((self.scopes[first:] + self.scopes)[:MOST_AT_ONCE][: self.dojos])


def requests_to(scopes: list[Any]) -> dict[str, list[bytes]]:
    """Return requests of each kind, with new tokens, to these dojos in turn."""
    from benchmarks.side_by_side.fleet_data import open_dojos
    from benchmarks.side_by_side.tatami_side import TatamiRequests
    from tatami.tokens import AccessToken

    AccessToken.lifetime = TOKENS_LAST
    made = TatamiRequests(list(open_dojos(scopes)))
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
    everyone, largest = full + few, max(options.dojos)
    fleets = [Case(f"{number:,} dojos", everyone[:number]) for number in sorted(options.dojos)]
    # From the other end, because the cases before have asked the first dojos.
    fleets.append(Case(f"{largest:,} dojos, each for the first time", everyone[::-1], is_first_time=True))
    histories = [
        Case(
            f"{times} times the attendance",
            filled_fleet(FULL, slug_prefix=f"bench-x{times}-", past_sessions=PAST_SESSIONS * times),
        )
        for times in options.attendance
    ]
    with tatami_server(data / "logs" / "bench-web.log", workers=2, threads=512) as server:
        sections = []
        for measure in (
            lambda: _measure_all("By the number of dojos", fleets, server, postmaster, options),
            lambda: _measure_memory(Case(f"{largest:,} dojos", everyone), server, postmaster, options),
            lambda: _count_statements([*fleets[:-1], *histories]),
            lambda: _measure_all("By the attendance in ten dojos", histories, server, postmaster, options),
        ):
            sections.append(measure())
            print_line("\n" + sections[-1])
    text = (
        f"Measured {datetime.now(UTC):%Y-%m-%d}, {machine_name()}. Requests to all dojos in turn, 16 connections,"
        f" {options.rounds} rounds, CPU in milliseconds per request, application + database.\n\n"
        + "\n".join(sections)
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.md").write_text(text, encoding="utf-8")
    return int("MISSED" in text)


def _measure_all(
    heading: str, cases: list[Case], server: Any, postmaster: int, options: argparse.Namespace
) -> str:
    """Measure the cases round after round; return a table of their cost and its ratio to that of the first."""
    costs: dict[tuple[str, str], list[float]] = {}
    offsets = {case.title: 0 for case in cases}
    for number in range(options.rounds):
        print_line(f"{heading}: round {number + 1} of {options.rounds}")
        for case in cases:
            requests = case.requests()
            for kind in KINDS:
                cost, offset = _measure(
                    case, kind, requests[kind], server, postmaster, options.seconds, offsets[case.title]
                )
                costs.setdefault((case.title, kind), []).append(cost)
                offsets[case.title] = offset
    lines = [f"| {heading} | {' | '.join(KINDS)} |", f"|---|{'--:|' * len(KINDS)}"]
    for case in cases:
        cells = [case.title]
        for kind in KINDS:
            cost = median(costs[case.title, kind])
            ratio = cost / median(costs[cases[0].title, kind])
            mark = "" if case.is_first_time else f" {target_mark(ratio <= MOST_TIMES_THE_SMALLEST)}"
            cells.append(f"{cost:.2f}, {ratio:.2f}×{mark}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


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
    while not case.is_first_time and warm < WARM_UP_REQUESTS_PER_DOJO * min(case.dojos, MOST_AT_ONCE):
        outcome = send(Plan(server.port, requests, 16, 1.0, once=once, offset=begin))
        begin, warm = outcome.next_offset, warm + max(outcome.number, 1)
    if case.is_first_time:
        once, requests = True, requests[:MOST_AT_ONCE]
        begin = 0
    before = usage(server.pid).cpu_ms + usage(postmaster).cpu_ms
    outcome = send(Plan(server.port, requests, 16, seconds, once=once, offset=begin))
    after = usage(server.pid).cpu_ms + usage(postmaster).cpu_ms
    if outcome.unexpected:
        print_line(f"  {kind}: {dict(outcome.statuses)}; {outcome.first_body[:200]!r}")
    return (after - before) / max(outcome.number, 1), (outcome.next_offset if kind == "scan" else offset)


def _count_statements(cases: list[Case]) -> str:
    """Return a table of the statements of one request of each kind, which a request before it has made ready."""
    from django.test import Client

    from tests.support.statements import sent_statements

    def answer(raw: bytes) -> None:
        head, _, body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        method, path, _ = line.split(" ")
        headers = dict(one.split(": ", 1) for one in fields)
        Client().generic(method, path, body, content_type="application/json", headers=headers)

    lines = [f"| Statements of a request | {' | '.join(KINDS)} |", f"|---|{'--:|' * len(KINDS)}"]
    counts: list[list[int]] = []
    for case in cases:
        counts.append([])
        for first, second, *_ in requests_to(case.scopes[-1:]).values():
            for _ in range(2):  # the first one may read what a process reads anew after half a second
                answer(first)
            with sent_statements() as sent:
                answer(second)
            counts[-1].append(len(sent))
        lines.append(f"| {case.title} | {' | '.join(map(str, counts[-1]))} |")
    mark = target_mark(all(one == counts[0] for one in counts))
    return "\n".join([*lines, f"\nThe same in all fleets {mark}."]) + "\n"


def _measure_memory(case: Case, server: Any, postmaster: int, options: argparse.Namespace) -> str:
    """Send requests of all kinds for some minutes; return a table of the memory after each."""
    from django.db import connection

    from benchmarks.side_by_side.cpu import private_memory, usage
    from benchmarks.side_by_side.load import Plan, send

    lines = [f"| {case.title}, all kinds | web processes, MB | connections, MB |", "|---|--:|--:|"]
    most = 0.0
    ours = connection.connection.info.backend_pid  # which made the requests, for all dojos
    for minute in range(options.minutes + 1):
        connections = [
            private_memory(child.pid) / 1e6
            for child in psutil.Process(postmaster).children()
            if " tatami_app " in f"{' '.join(child.cmdline())} " and child.pid != ours
        ]
        most = max([most, *connections])
        web = usage(server.pid).resident / 1e6
        sizes = ", ".join(f"{size:.0f}" for size in sorted(connections, reverse=True))
        lines.append(f"| minute {minute} | {web:.0f} | {sizes} |")
        print_line(lines[-1])
        if minute < options.minutes:
            requests = case.requests()
            for kind in KINDS:
                send(Plan(server.port, requests[kind], 16, 20.0, once=kind == "scan"))
    mark = target_mark(most <= MOST_MEMORY_MB)
    return "\n".join([*lines, f"\nLargest connection: {most:.0f} MB; target {MOST_MEMORY_MB} {mark}."]) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-growth", description=__doc__)
    parser.add_argument("--dojos", type=int, nargs="+", default=[10, 1_000, 10_000])
    parser.add_argument("--attendance", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--minutes", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
