"""What a promotions check costs: 5,000 students, 500,000 attendances, all reasons. `make bench-promotions`.

A dojo of its own is made for it, and dropped at the end. The limits are issue C's: the whole request takes at most
twice as long as the bare SQL that fetches its facts, and at most 12 statements.
"""

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final
from uuid import uuid4

from benchmarks.telling import say, verdict

STUDENTS: Final = 5_000
ATTENDANCES: Final = 500_000
RUNS: Final = 9
SAMPLE: Final = 200
"""Students whom the loop really asks about, one by one; the rest is extrapolated."""

MOST_TIMES_THE_SQL: Final = 2.0
MOST_STATEMENTS: Final = 12

Statement = tuple[str, Any]
"""A statement as Django hands it to psycopg, and its parameters."""


def main() -> int:
    """Print the times; return 1 if the check took longer, or more statements, than it may."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from shared_apps.tenants import schemas
    from shared_apps.tenants.models import Tenant
    from shared_apps.tenants.provisioning import migrate_all
    from tatami.tenancy.scope import platform_scope
    from tests.support.clients import Dojo

    slug = f"bench-{uuid4().hex[:8]}"
    try:
        with platform_scope():
            list(migrate_all())
            scope = made_dojo(slug)
        return measure(Dojo(scope))
    finally:
        with platform_scope():
            for tenant in Tenant.objects.filter(slug=slug):
                schemas.drop_schema(tenant.schema_name)
                Tenant.objects.filter(pk=tenant.pk).delete()


def made_dojo(slug: str) -> Any:
    """Make the big demo dojo under this slug, its tables analyzed, and return its scope."""
    from dataclasses import replace

    from demo.big import BigDojo, analyze, fill, find_or_make
    from demo.dojos import BIG
    from tatami import clock

    say(f"Making a dojo of {STUDENTS:,} students and {ATTENDANCES:,} attendances (about a minute)")
    wanted = BigDojo(replace(BIG, slug=slug), students=STUDENTS, attendances=ATTENDANCES)
    scope, _ = find_or_make(wanted, now=clock.now())
    for _ in fill(wanted, scope, now=clock.now()):
        pass
    analyze(scope)
    return scope


def measure(dojo: Any) -> int:
    """Time the bare SQL and the request in turns, so that a busy moment hits both; then the loop."""
    students, statements = statements_of_a_check(dojo)
    asked = checked(dojo, {})  # everything is imported, parsed and in the buffers after this one
    bare, whole = [], []
    for _ in range(RUNS):
        bare.append(seconds_of(lambda: fetch_bare(dojo, statements)))
        whole.append(seconds_of(lambda: checked(dojo, {})))
    number = statements_sent(dojo)
    sample = spread(students, SAMPLE)
    loop = seconds_of(lambda: [checked(dojo, {"students": [str(pk)]}) for pk in sample])

    # Of each pair that ran one after the other: the machine may be busier in one minute than in the next.
    ratio = median(request / sql for request, sql in zip(whole, bare, strict=True))
    sizes(dojo, asked)
    line("bare SQL that fetches the facts", median(bare), f"{len(statements)} statements; {spans(bare)}")
    line("POST /promotions/check", median(whole), f"{number} statements; {spans(whole)}")
    line(
        "a request per student",
        loop / len(sample) * len(students),
        f"extrapolated from {len(sample)} students in {loop:.2f} s to {len(students):,}",
    )
    say("")
    say(
        f"  ratio       {ratio:5.2f}   target: at most {MOST_TIMES_THE_SQL:g} {verdict(ratio <= MOST_TIMES_THE_SQL)}"
    )
    say(f"  statements  {number:5}   target: at most {MOST_STATEMENTS} {verdict(number <= MOST_STATEMENTS)}")
    return int(ratio > MOST_TIMES_THE_SQL or number > MOST_STATEMENTS)


def statements_of_a_check(dojo: Any) -> tuple[list[Any], list[Statement]]:
    """Return the keys of those whom a check is about, and what it sends to fetch them, their facts and the rules."""
    from django.db import connection, transaction

    from tatami import clock
    from tatami.tenancy.scope import tenant_scope
    from tenant_apps.promotions.check import Check
    from tenant_apps.students.models import Student

    statements: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with tenant_scope(dojo.tenant), transaction.atomic(), connection.execute_wrapper(note):
        students = list(Student.objects.promotable())
        as_of = clock.local_date(clock.now(), dojo.tenant.timezone)
        Check(students=students, as_of=as_of).results()
    return [student.pk for student in students], statements


def fetch_bare(dojo: Any, statements: Sequence[Statement]) -> None:
    """Send the same statements by psycopg alone, and keep what they answer until the last one did."""
    from django.db import connection, transaction

    from tatami.tenancy.scope import tenant_scope

    rows = []
    with tenant_scope(dojo.tenant), transaction.atomic(), connection.connection.cursor() as cursor:
        for sql, params in statements:
            cursor.execute(sql, params)
            rows.append(cursor.fetchall())


def checked(dojo: Any, body: dict[str, Any]) -> Any:
    """Send one check through the whole stack, in this process, and return the answer, encoded as a client gets it."""
    answer = dojo.admin.post("/promotions/check", body)
    assert answer.status_code == 200, answer.content  # noqa: PLR2004
    return answer


def statements_sent(dojo: Any) -> int:
    """Count at the driver what one check sends, BEGIN and COMMIT included."""
    from tests.support.statements import sent_statements

    dojo.admin.get("/me")  # hosts are looked up again twice a second: by this one, not by the check
    with sent_statements() as sent:
        checked(dojo, {})
    return len(sent)


def seconds_of(deed: Callable[[], object]) -> float:
    """Return its time by the clock on the wall. What others left to the garbage collector is not its own."""
    gc.collect()
    started = time.perf_counter()
    deed()
    return time.perf_counter() - started


def spread(students: Sequence[Any], number: int) -> list[Any]:
    """Return so many of them, from the first to the last."""
    return list(students[:: max(1, len(students) // number)])[:number]


def sizes(dojo: Any, asked: Any) -> None:
    """Say what was asked, and of which versions."""
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
    say(
        f"{students:,} students, {attendances:,} attendances; {len(results):,} answers with {reasons:,} reasons "
        f"in {len(asked.content):,} bytes"
    )
    say(
        f"PostgreSQL {postgresql}, Python {platform.python_version()}, {os.cpu_count()} processors; medians of {RUNS}"
    )
    say("")


def line(what: str, seconds: float, more: str) -> None:
    say(f"  {what:32} {seconds:8.3f} s   {more}")


def spans(runs: Sequence[float]) -> str:
    return f"from {min(runs):.3f} to {max(runs):.3f} s"


if __name__ == "__main__":
    sys.exit(main())
