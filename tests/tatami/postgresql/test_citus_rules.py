"""The guard over all tests: which statements it refuses, and that it sees each way to send one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, models

from shared_apps.accounts.models import AttemptCount
from shared_apps.tenants.schema import ddl
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.ranks.models import Discipline
from tests.support.citus_rules import COPIED, UNREADABLE, faults_of, is_interesting, take_faults
from tests.support.now import NOW

READS = "an INSERT reads students_student: only a materialized CTE may"

BAD = {
    "rows of arrays": ("INSERT INTO t (a) SELECT a FROM unnest(%s::uuid[]) AS u(a)", COPIED),
    "rows of JSON": ("INSERT INTO t (a) SELECT a FROM jsonb_to_recordset(%(r)s::jsonb) AS r(a uuid)", COPIED),
    "Django's own rows": (
        'INSERT INTO "t" ("a", "b") SELECT * FROM UNNEST((%s)::uuid[], (%s)::varchar[])',
        COPIED,
    ),
    "rows of a union": ("INSERT INTO t (a) SELECT 1 UNION ALL SELECT 2", COPIED),
    "rows of a table in brackets": ("INSERT INTO t (a) (SELECT a FROM u)", COPIED),
    "an INSERT in a CTE": ("WITH n AS (INSERT INTO t (a) SELECT 1) SELECT 1", COPIED),
    "a join": (
        "INSERT INTO t (a) SELECT a FROM unnest($1::uuid[]) a LEFT JOIN students_student s ON s.id = a"
        " ON CONFLICT DO NOTHING",
        READS,
    ),
    "a sub-select": (
        "INSERT INTO t (a) SELECT (SELECT id FROM students_student LIMIT 1) FROM unnest($1) x RETURNING a",
        READS,
    ),
    "a CTE that may be inlined": (
        "WITH s AS (SELECT id FROM students_student) INSERT INTO t (a) SELECT id FROM s RETURNING a",
        READS,
    ),
    "a read in RETURNING": (
        "INSERT INTO t (a) VALUES (1) RETURNING a, EXISTS (SELECT FROM students_student)",
        READS,
    ),
    "a read in ON CONFLICT": (
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = (SELECT id FROM students_student LIMIT 1)",
        READS,
    ),
    "a sub-select in VALUES": (
        "INSERT INTO t (a) VALUES ((SELECT max(a) FROM u))",
        "a sub-select in VALUES",
    ),
    "chance": ("UPDATE t SET a = random()", "random is volatile, in UPDATE"),
    "the clock": ("update t set a = CLOCK_TIMESTAMP() where b", "clock_timestamp is volatile, in UPDATE"),
    "a random id": (
        "UPDATE t SET a = coalesce(a, gen_random_uuid())",
        "gen_random_uuid is volatile, in UPDATE",
    ),
    "a sequence": (
        "UPDATE t SET a = v FROM (SELECT nextval('s') AS v) s",
        "nextval is volatile, in UPDATE",
    ),
    "chance in a condition": ("DELETE FROM t WHERE random() < 0.5", "random is volatile, in DELETE"),
    "an UPDATE in a CTE": (
        "WITH u AS (UPDATE t SET a = random() RETURNING a) SELECT a FROM u",
        "random is volatile, in UPDATE",
    ),
    "a stable function of a column": (
        "UPDATE t SET a = to_char(b, 'YYYY')",
        "to_char is not immutable and is called with a column, in UPDATE",
    ),
    "the time in ON CONFLICT": (
        "INSERT INTO t (a) VALUES (%s) ON CONFLICT (a) DO UPDATE SET b = now()",
        "now is not immutable, in ON CONFLICT",
    ),
    "the time in RETURNING": (
        "UPDATE t SET a = 1 RETURNING a, now() - b",
        "now is not immutable, in RETURNING",
    ),
    "chance in RETURNING of an INSERT": (
        "INSERT INTO t (a) VALUES (%s) RETURNING a, random()",
        "random is not immutable, in RETURNING",
    ),
    "a query that is copied": (
        "COPY (UPDATE t SET a = random() RETURNING a) TO STDOUT",
        "random is volatile, in UPDATE",
    ),
    "a column with a check": (
        'ALTER TABLE "t" ADD COLUMN "a" integer NULL CHECK ("a" >= 0)',
        "Citus adds no column together with CHECK: add the column, then a named constraint",
    ),
}
GOOD = {
    "VALUES": "INSERT INTO t (a, b) VALUES (%s, 'SELECT'), (%s, now())",
    "ids for the caller": "INSERT INTO t (a) SELECT a FROM unnest(%s::uuid[]) AS u(a) RETURNING a",
    "conflicts": "INSERT INTO t (a) SELECT a FROM unnest(%s) AS u(a) ON CONFLICT (a) WHERE b IS NULL DO NOTHING",
    "a materialized CTE": (
        "WITH s AS MATERIALIZED (SELECT id FROM students_student) INSERT INTO t (a) SELECT id FROM s RETURNING a"
    ),
    "a materialized CTE of the SELECT": (
        "INSERT INTO t (a) WITH s AS MATERIALIZED (SELECT id FROM students_student) SELECT id FROM s RETURNING a"
    ),
    "into the table itself": "INSERT INTO students_student AS s (id) VALUES ($1) ON CONFLICT (id) DO NOTHING",
    "the transaction's time": "UPDATE t SET a = now() WHERE b < %(past)s",
    "immutable functions of a column": "UPDATE t SET a = lower(b) || %s WHERE length(c) > 1",
    "a lock beside an UPDATE": (
        "WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(1)), u AS (UPDATE t SET a = 1) SELECT 1 FROM l"
    ),
    "chance in a text": "UPDATE t SET a = 'random()' WHERE b = 'nextval(1)'",
    "rows that are copied in": "COPY students_student (id, tenant_id) FROM STDIN",
    "rows that are copied out": "COPY (SELECT id FROM students_student ORDER BY id) TO STDOUT",
    "a SELECT": "SELECT random(), s.* FROM students_student s FOR UPDATE SKIP LOCKED",
}


@pytest.mark.parametrize(("statement", "fault"), BAD.values(), ids=BAD)
def test_a_statement_that_citus_refuses_is_found(statement: str, fault: str) -> None:
    assert is_interesting(statement), "the watch would not look at it"
    assert faults_of(statement) == (fault,)


def test_a_statement_that_cannot_be_read_is_found() -> None:
    (fault,) = faults_of("UPDATE t SET SET a = (")
    assert fault.startswith(UNREADABLE)


@pytest.mark.parametrize("statement", GOOD.values(), ids=GOOD)
def test_a_statement_that_citus_runs_is_allowed(statement: str) -> None:
    assert faults_of(statement) == ()


def test_copy_by_the_owner_is_allowed() -> None:
    assert faults_of(BAD["rows of arrays"][0], is_app=False) == ()


# --- each way to send a statement -----------------------------------------------------------------------------------

CHANCE = "UPDATE accounts_attemptcount SET count = (random() * 9)::int"


def with_a_cursor() -> None:
    with connection.cursor() as cursor:
        cursor.execute(CHANCE)


def with_many_parameters() -> None:
    with connection.cursor() as cursor:
        cursor.executemany(CHANCE + " WHERE count = %s", [[1], [2]])


def with_psycopg() -> None:
    connection.ensure_connection()
    with connection.cursor():
        connection.connection.execute(CHANCE.encode())


def with_the_orm() -> None:
    AttemptCount.objects.update(count=models.Func(function="random", output_field=models.IntegerField()))


def with_a_statement() -> None:
    Statement("chance", CHANCE).rows()


def with_copy() -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY ({CHANCE} RETURNING count) TO STDOUT") as copy:
        assert list(copy) == []


WAYS = [with_a_cursor, with_many_parameters, with_psycopg, with_the_orm, with_a_statement, with_copy]


@pytest.mark.parametrize("send", WAYS, ids=lambda way: way.__name__)
def test_statements_of_the_app_are_seen(tenant: TenantScope, send: Callable[[], None]) -> None:
    with tenant_scope(tenant):
        send()
    assert len(take_faults()) == 1


@pytest.mark.django_db(databases=["default", "owner"])
def test_statements_of_the_owner_are_seen(tenant: TenantScope) -> None:
    with ddl.owner_connection(tenant.schema_name) as owner:
        ddl.execute_all(owner, ["UPDATE accounts_attemptcount SET key_hash = 'x' WHERE random() > 2"])
    assert len(take_faults()) == 1


def test_statements_of_the_superuser_are_those_of_the_tests(superuser: Any) -> None:
    superuser.execute(f"CREATE TEMP TABLE accounts_attemptcount AS SELECT 1 AS count; {CHANCE}")
    assert take_faults() == []


@contextmanager
def recorded_inserts() -> Iterator[list[tuple[str, Any]]]:
    """Collect the texts and parameters of the INSERTs that the ORM sends."""
    sent: list[tuple[str, Any]] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT"):
            sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield sent


def test_rows_in_bulk_are_inserted_as_values(tenant: TenantScope) -> None:
    with tenant_scope(tenant), recorded_inserts() as sent:
        Discipline.objects.bulk_create(Discipline(name=name) for name in ("Aikido", "Judo"))
    ((insert, parameters),) = sent
    assert insert.count("%s") == len(parameters) == 2 * len(Discipline._meta.concrete_fields)
    assert " VALUES (" in insert
    assert faults_of(insert) == ()


def test_no_insert_has_more_values_than_the_protocol_allows(tenant: TenantScope) -> None:
    number = 65_535 // len(AttemptCount._meta.concrete_fields) + 1
    with tenant_scope(tenant):
        with recorded_inserts() as sent:
            AttemptCount.objects.bulk_create(
                AttemptCount(key_hash=str(place).encode(), window_started_at=NOW, count=1)
                for place in range(number)
            )
        assert AttemptCount.objects.filter(key_hash__in=[b"0", str(number - 1).encode()]).count() == 2
    assert len(sent) == 2
    assert all(len(parameters) <= 65_535 for _, parameters in sent)
