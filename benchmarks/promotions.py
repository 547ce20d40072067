"""Time a promotions check of 5,000 students with 500,000 attendances. `make bench-promotions`.

The benchmark creates a dojo and drops it at the end. The targets: the request takes at most one and a half times as
long as the bare SQL that fetches its facts, and at most 12 statements. The peak of memory is printed. The
results are written to `benchmarks/results/promotions.md`.
"""

import gc
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import psutil

from benchmarks.common import drop_dojos, print_line, set_up_django, target_mark
from benchmarks.side_by_side.report import RESULTS, machine_name

STUDENTS: Final = 5_000
ATTENDANCES: Final = 500_000
RUNS: Final = 9
SAMPLE: Final = 200
"""How many students are checked one by one; the time for all students is extrapolated."""

SIZES: Final = (1, 20, 100)
"""Students of small checks: one, a page of the promotions board, a class."""

MAX_TIMES_THE_SQL: Final = 1.5
MAX_STATEMENTS: Final = 12

Statement = tuple[str, Any]
"""A statement as Django passes it to psycopg, and its parameters."""


def main() -> int:
    """Print the times; return 1 if a target was missed."""
    set_up_django()
    from shared_apps.tenants.provisioning import migrate_all
    from tatami.garbage_collection import collect_less_often
    from tatami.tenancy.scope import platform_scope
    from tests.support.clients import Dojo

    logging.disable(logging.INFO)  # the line of each request
    collect_less_often()  # as a web process does at its start
    slug = f"bench-{uuid4().hex[:8]}"
    try:
        with platform_scope():
            assert migrate_all() == []
            scope = create_dojo(slug)
        return measure(Dojo(scope))
    finally:
        drop_dojos(slug)


def create_dojo(slug: str) -> Any:
    """Create the big demo dojo with this slug, analyze its tables, and return its scope."""
    from dataclasses import replace

    from demo.big import BigDojo, analyze, fill, find_or_make
    from demo.dojos import BIG
    from tatami import clock

    print_line(f"Creating a dojo of {STUDENTS:,} students and {ATTENDANCES:,} attendances (about a minute)")
    wanted = BigDojo(replace(BIG, slug=slug), students=STUDENTS, attendances=ATTENDANCES)
    scope, _ = find_or_make(wanted, now=clock.now())
    for _ in fill(wanted, scope, now=clock.now()):
        pass
    analyze(scope)
    return scope


def measure(dojo: Any) -> int:
    """Time the bare SQL and the request alternately, so that other load affects both; then the requests one by one."""
    students, statements = statements_of_a_check(dojo)
    asked = check(dojo, {})  # the first request imports modules, parses definitions and fills the caches
    bare, whole = [], []
    for _ in range(RUNS):
        bare.append(seconds_of(lambda: fetch_bare(dojo, statements)))
        whole.append(seconds_of(lambda: check(dojo, {})))
    cpu = median(cpu_seconds_of(lambda: check(dojo, {})) for _ in range(3))
    before, peak = peak_memory(lambda: check(dojo, {}))
    number = statements_sent(dojo)
    sample = spread(students, SAMPLE)
    loop = seconds_of(lambda: [check(dojo, {"students": [str(pk)]}) for pk in sample])

    # The ratio of each pair that ran one after the other, because the load of the machine changes.
    ratio = median(request / sql for request, sql in zip(whole, bare, strict=True))
    sizes(dojo, asked)
    line("bare SQL that fetches the facts", median(bare), f"{len(statements)} statements; {spans(bare)}")
    line("POST /promotions/check", median(whole), f"{number} statements; {spans(whole)}")
    line("CPU of that request", cpu, "of this process, without PostgreSQL")
    line(
        "a request per student",
        loop / len(sample) * len(students),
        f"extrapolated from {len(sample)} students in {loop:.2f} s to {len(students):,}",
    )
    for size in SIZES:
        few = {"students": [str(pk) for pk in students[:size]]}
        check(dojo, few)
        cpu = median(cpu_seconds_of(partial(check, dojo, few)) for _ in range(RUNS))
        line(f"CPU of a request, {size} students", cpu, "of this process, without PostgreSQL")
    print_line(f"  memory of the process: {before:.0f} MB before a check, {peak:.0f} MB at its peak")
    verdicts = [
        f"{ratio:.2f} times the bare SQL; target at most {MAX_TIMES_THE_SQL:g} "
        f"{target_mark(ratio <= MAX_TIMES_THE_SQL)}",
        f"{number} statements; target at most {MAX_STATEMENTS} {target_mark(number <= MAX_STATEMENTS)}",
    ]
    print_line("")
    for verdict in verdicts:
        print_line(f"  {verdict}")
    (RESULTS / "promotions.md").write_text(
        f"Measured {datetime.now(UTC):%Y-%m-%d}, {machine_name()}. `POST /promotions/check` of {len(students):,} "
        f"students with {ATTENDANCES:,} attendances, {RUNS} times, in turn with the bare SQL.\n\n"
        f"- {median(whole):.2f} s ({spans(whole)}); the bare SQL {median(bare):.2f} s ({spans(bare)}).\n"
        + "".join(f"- {verdict}.\n" for verdict in verdicts)
        + f"- {before:.0f} MB before a check, {peak:.0f} MB at its peak.\n",
        encoding="utf-8",
    )
    return int(ratio > MAX_TIMES_THE_SQL or number > MAX_STATEMENTS)


def statements_of_a_check(dojo: Any) -> tuple[list[Any], list[Statement]]:
    """Return the keys of the checked students, and the statements that fetch them, their facts and the rules."""
    from django.db import connection, transaction

    from tatami import clock
    from tatami.tenancy.scope import tenant_scope
    from tenant_apps.promotions.check import Check
    from tenant_apps.promotions.queries import students_to_check
    from tenant_apps.students.models import Student

    statements: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with tenant_scope(dojo.tenant), transaction.atomic(), connection.execute_wrapper(note):
        students = students_to_check(Student.objects.promotable())
        as_of = clock.tenant_date()
        Check(students=students, as_of=as_of).results()
    return [student.pk for student in students], statements


def fetch_bare(dojo: Any, statements: Sequence[Statement]) -> None:
    """Send the same statements with psycopg alone, and keep all rows until the end."""
    from django.db import connection, transaction

    from tatami.tenancy.scope import tenant_scope

    rows = []
    with tenant_scope(dojo.tenant), transaction.atomic(), connection.connection.cursor() as ordinary:
        prepared = connection.connection.prepared
        for sql, params in statements:
            if sql.startswith("/*"):
                rows.append(prepared.rows(sql, params))
            else:
                ordinary.execute(sql, params)
                rows.append(ordinary.fetchall())


def check(dojo: Any, body: dict[str, Any]) -> Any:
    """Send one check through the whole stack in this process; return the encoded response."""
    answer = dojo.admin.post("/promotions/check", body)
    assert answer.status_code == 200, answer.content  # noqa: PLR2004
    return answer


def statements_sent(dojo: Any) -> int:
    """Count the statements that the driver sends for one check, including BEGIN and COMMIT."""
    from tests.support.statements import sent_statements

    dojo.admin.get("/me")  # looks up the host, which the check then finds in the cache
    with sent_statements() as sent:
        check(dojo, {})
    return len(sent)


def seconds_of(call: Callable[[], object]) -> float:
    """Return the wall-clock time of a call. Collects garbage of earlier calls first."""
    gc.collect()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def cpu_seconds_of(call: Callable[[], object]) -> float:
    """Return the processor time of this process that a call takes. It depends little on what else the machine does."""
    gc.collect()
    started = time.process_time()
    call()
    return time.process_time() - started


def peak_memory(call: Callable[[], object]) -> tuple[float, float]:
    """Return the resident memory of this process before a call and its peak during the call, in MB. Linux only."""
    gc.collect()
    before = psutil.Process().memory_info().rss / 1e6
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak back to the present
    call()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return before, int(peak) * 1024 / 1e6


def spread(students: Sequence[Any], number: int) -> list[Any]:
    """Return `number` students at equal distances."""
    return list(students[:: max(1, len(students) // number)])[:number]


def sizes(dojo: Any, asked: Any) -> None:
    """Print the sizes and the versions."""
    from django.db import connection

    from tatami.tenancy.scope import tenant_scope
    from tenant_apps.attendance.models import Attendance
    from tenant_apps.students.models import Student

    with tenant_scope(dojo.tenant), connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgresql,) = cursor.fetchone()
        students, attendances = Student.objects.count(), Attendance.objects.count()
    results = asked.json()["results"]
    reasons = sum(len(result["criteria"]) for result in results)
    print_line(
        f"{students:,} students, {attendances:,} attendances; {len(results):,} answers with {reasons:,} reasons "
        f"in {len(asked.content):,} bytes"
    )
    print_line(
        f"PostgreSQL {postgresql}, Python {platform.python_version()}, {os.cpu_count()} processors; medians of {RUNS}"
    )
    print_line("")


def line(what: str, seconds: float, more: str) -> None:
    print_line(f"  {what:32} {seconds:8.3f} s   {more}")


def spans(runs: Sequence[float]) -> str:
    return f"from {min(runs):.3f} to {max(runs):.3f} s"


if __name__ == "__main__":
    sys.exit(main())
