"""Servers that stop answering, locks, slow statements and killed web workers, under twenty requests a second.

The promise (docs/decisions/0032-deadlines.md): `/healthz` answers throughout; every request is answered within six
seconds, with 503 and Retry-After where what it needs is away; other dojos are served while one is blocked; no
acknowledged write is lost.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any, Final

import psutil
import psycopg
import pytest
from psycopg import sql

from tests.chaos.mixed_load import NO_ANSWER, Answer, MixedLoad, ask
from tests.chaos.served_fleet import ServedDojo, ServedFleet, import_students, is_ready, running_fleet

PROMISED_SECONDS: Final = 6.0
STOPPED_SECONDS: Final = 20.0
LOCKED_SECONDS: Final = 15.0
SLOW_SECONDS: Final = 20.0
INSISTING_CLIENTS: Final = 30
"""More than the slots that two web workers have for one dojo."""
WARM_UP_SECONDS: Final = 5.0
"""So that both web workers have answered each kind of request: the first one takes a second of CPU."""
BEFORE_SECONDS: Final = 3.0
WORKER_KILLED_EVERY_SECONDS: Final = 7.0
"""Granian ends if the same worker dies twice within 5.5 seconds; then the supervisor starts it again."""
AFTER_SECONDS: Final = 12.0
RECOVERED_WITHIN_SECONDS: Final = 10.0
REPLACED_WITHIN_SECONDS: Final = 30.0
"""A web worker starts in two seconds of CPU. This is for a machine with other work to do."""

JOBS: Final = [
    *("notifications.outbox", "webhooks.deliver", "promotions.batches", "classes.materialise"),
    *("accounts.password_mails", "accounts.sweep", "attendance.sweep", "promotions.snapshot"),
]
"""More than there are processes of workers."""
ENQUEUE_JOBS: Final = """
INSERT INTO tenants_pendingjob (tenant_id, job, next_at, marks, turns, attempts, cursor, request_id, created_at)
SELECT %(tenant)s, job, now() - interval '1 minute', 1, 0, 0, '', '', now() FROM unnest(%(jobs)s::text[]) AS job
ON CONFLICT (tenant_id, job) DO UPDATE SET next_at = EXCLUDED.next_at
"""
POSTPONED: Final = "attempts > 0 AND next_at > now() + interval '15 seconds'"
"""Later than the lease of a run ends."""
JOBS_WITHIN_SECONDS: Final = 120.0
"""A job waits 5 seconds for a lock, then for half a minute."""

FILES: Final = 20
LINES_OF_FILE: Final = 3_000
WORKERS: Final = 2
"""The default of `make run`."""

Report = Callable[[str], None]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFleet]:
    """An installation that all tests of this file share. At its end, nothing of it may be left running."""
    with running_fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        with MixedLoad(fleet, Random(0)).running():
            time.sleep(WARM_UP_SECONDS)
        yield fleet


@pytest.fixture
def load(fleet: ServedFleet, rng: Random) -> MixedLoad:
    return MixedLoad(fleet, rng)


def assert_promise(load: MixedLoad, since: float, within: float = RECOVERED_WITHIN_SECONDS) -> None:
    """Assert what holds in every case. `since` is when the fault ended, `within` how long the recovery may take."""
    late = [answer for answer in load.answers if answer.seconds > PROMISED_SECONDS]
    assert not late, late
    assert {answer.status for answer in load.health} == {200}
    assert max(answer.seconds for answer in load.health) < PROMISED_SECONDS
    unavailable = [answer for answer in load.answers if answer.status == 503]
    assert {answer.code for answer in unavailable} <= {"service_unavailable"}
    assert all(answer.retry_after for answer in unavailable)
    assert load.recovery_seconds(since) < within
    assert not load.lost_writes()


def failures(load: MixedLoad) -> set[int]:
    """Return the statuses of answers that are no success."""
    return {answer.status for answer in load.answers if not answer.is_success}


def test_postgresql_stops_answering(fleet: ServedFleet, load: MixedLoad, report: Report) -> None:
    with load.running():
        fleet.sign_in_superadmin()
        time.sleep(BEFORE_SECONDS)
        with fleet.stopped("postgres"):
            time.sleep(STOPPED_SECONDS / 2)
            asked_at = time.monotonic()
            status, answer = fleet.create_dojo("while-it-is-stopped")
            owner_seconds = time.monotonic() - asked_at
            time.sleep(STOPPED_SECONDS / 2)
            assert not is_ready(fleet.port)
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary("PostgreSQL stopped", since))
    assert (status, answer["error"]["code"]) == (503, "service_unavailable")
    assert owner_seconds < PROMISED_SECONDS
    assert failures(load) == {503}
    assert_promise(load, since)
    assert is_ready(fleet.port)


def test_valkey_stops_answering(fleet: ServedFleet, load: MixedLoad, report: Report) -> None:
    """Nothing that a request needs is in Valkey, so every request succeeds."""
    with load.running():
        time.sleep(BEFORE_SECONDS)
        with fleet.stopped("valkey"):
            time.sleep(STOPPED_SECONDS)
            assert not is_ready(fleet.port)
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary("Valkey stopped", since))
    assert failures(load) == set()
    assert_promise(load, since)
    assert is_ready(fleet.port)


def test_a_table_of_one_dojo_is_locked(fleet: ServedFleet, load: MixedLoad, report: Report) -> None:
    locked = fleet.dojos[0].host
    url = fleet.environment()["OWNER_DATABASE_URL"]
    with psycopg.connect(url) as owner, load.running():
        found = owner.execute(
            "SELECT schema_name FROM tenants_tenant WHERE slug = %s", [locked.partition(".")[0]]
        )
        (schema,) = found.fetchone() or ("",)
        owner.rollback()
        time.sleep(BEFORE_SECONDS)
        with owner.transaction():
            owner.execute(f'LOCK TABLE "{schema}".accounts_user IN ACCESS EXCLUSIVE MODE')
            time.sleep(LOCKED_SECONDS)
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    report(load.summary("One dojo's table locked", since))
    others = {answer.status for answer in load.answers if answer.host != locked and not answer.is_success}
    assert others == set()
    assert failures(load) == {503}
    assert_promise(load, since)


def test_jobs_of_a_dojo_wait_for_its_locked_tables(fleet: ServedFleet, report: Report) -> None:
    """Much work of one dojo is due, and none of it can be done. The workers do that of the others meanwhile."""
    locked, *others = fleet.dojos
    for dojo in others:
        dojo.sign_in()
    url = fleet.environment()["OWNER_DATABASE_URL"]
    with psycopg.connect(url) as owner, psycopg.connect(url, autocommit=True) as inspector:
        tenant, schema = inspector.execute(
            "SELECT id, schema_name FROM tenants_tenant WHERE slug = %s", [locked.host.partition(".")[0]]
        ).fetchone() or ("", "")

        def pending(condition: str) -> int:
            text = f"SELECT count(*) FROM tenants_pendingjob WHERE tenant_id = %s AND {condition}"
            (number,) = inspector.execute(text, [tenant]).fetchone() or (0,)
            return int(number)

        with owner.transaction():
            for (table,) in inspector.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema]
            ):
                name = sql.Identifier(schema, table)
                owner.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
            inspector.execute(ENQUEUE_JOBS, {"tenant": tenant, "jobs": JOBS})
            wait_until(lambda: pending("attempts > 0") > 0, "no worker has begun a job")
            began = time.monotonic()
            batches = [
                (
                    dojo,
                    dojo.create("/promotions/batches", {"students": dojo.in_batches, "award": False})["id"],
                )
                for dojo in others
            ]
            wait_until(lambda: all(is_finished(*batch) for batch in batches), "jobs of other dojos wait")
            seconds = time.monotonic() - began
            wait_until(lambda: pending(POSTPONED) > 0, "a job waits for its lock without end")
            assert pending("attempts > 0 OR next_at <= now()") >= len(JOBS)
        since = time.monotonic()
        wait_until(
            lambda: pending("attempts > 0 OR next_at <= now()") == 0, "jobs of the dojo were not tried again"
        )
    report(
        f"{len(JOBS)} jobs of a dojo with locked tables: {len(batches)} batches of the others done after "
        f"{seconds:.1f} s; its own jobs done {time.monotonic() - since:.1f} s after the end of the lock"
    )


def is_finished(dojo: ServedDojo, batch: str) -> bool:
    return dojo.send("GET", f"/promotions/batches/{batch}")[1]["finished_at"] is not None


def wait_until(happens: Callable[[], bool], else_say: str) -> None:
    deadline = time.monotonic() + JOBS_WITHIN_SECONDS
    while not happens():
        assert time.monotonic() < deadline, else_say
        time.sleep(0.2)


@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_statements_of_one_dojo_are_slow(
    fleet: ServedFleet, load: MixedLoad, report: Report, suspended: bool
) -> None:
    """Clients repeat a request whose statement does not end; in the second case its backend is even suspended."""
    slow = fleet.dojos[0]
    slow.sign_in()
    over = threading.Event()

    def insist() -> list[Answer]:
        answers = []
        while not over.wait(0.1):
            answers.append(ask("list", slow, "GET", "/students?page_size=20"))
        return answers

    with (
        psycopg.connect(fleet.environment()["OWNER_DATABASE_URL"], autocommit=True) as owner,
        ThreadPoolExecutor(INSISTING_CLIENTS) as threads,
        load.running(),
    ):
        time.sleep(BEFORE_SECONDS)
        with slow_students(owner, slow.host.partition(".")[0]) as table:
            insisting = [threads.submit(insist) for _ in range(INSISTING_CLIENTS)]
            time.sleep(SLOW_SECONDS / 4)
            backend = working_backend(owner, table) if suspended else None
            if backend:
                backend.suspend()
            time.sleep(SLOW_SECONDS * 3 / 4)
            if backend:
                backend.resume()
            over.set()
            mine = [answer for one in insisting for answer in one.result()]
        since = time.monotonic()
        time.sleep(AFTER_SECONDS)
    longest = max(answer.seconds for answer in mine)
    of_others = max(answer.seconds for answer in load.answers if answer.host != slow.host)
    name = "One dojo's slow statements" + (", one of them suspended" if suspended else "")
    report(
        load.summary(name, since)
        + f", longest wait of the other dojos {of_others:.2f} s; {INSISTING_CLIENTS} clients in that dojo: "
        f"longest wait {longest:.2f} s, answers {dict(Counter(answer.status for answer in mine))}"
    )
    assert {
        answer.status for answer in load.answers if answer.host != slow.host and not answer.is_success
    } == set()
    assert {answer.status for answer in mine} == {503}
    assert all(0 < int(answer.retry_after) <= PROMISED_SECONDS for answer in mine)
    assert longest < PROMISED_SECONDS
    assert_promise(load, since)


@contextmanager
def slow_students(owner: "psycopg.Connection[Any]", slug: str) -> Iterator[sql.Identifier]:
    """Let each statement that reads a student of a dojo take minutes within the block."""
    found = owner.execute("SELECT schema_name FROM tenants_tenant WHERE slug = %s", [slug]).fetchone()
    assert found
    table = sql.Identifier(found[0], "students_student")
    owner.execute(
        sql.SQL("CREATE POLICY slow ON {} AS RESTRICTIVE USING (pg_sleep(600) IS NOT NULL)").format(table)
    )
    try:
        yield table
    finally:
        owner.execute(sql.SQL("DROP POLICY slow ON {}").format(table))


def working_backend(owner: "psycopg.Connection[Any]", table: sql.Identifier) -> psutil.Process:
    """Return the PostgreSQL process of a statement that reads the table now."""
    query = sql.SQL("SELECT pid FROM pg_locks WHERE relation = {}::regclass AND granted LIMIT 1")
    name = sql.Literal(table.as_string(owner))
    deadline = time.monotonic() + RECOVERED_WITHIN_SECONDS
    while not (found := owner.execute(query.format(name)).fetchone()):
        assert time.monotonic() < deadline, "no statement reads the table"
    return psutil.Process(found[0])


def test_one_dojo_imports_twenty_files(fleet: ServedFleet, load: MixedLoad, report: Report) -> None:
    """Long work of one dojo: it may be refused there, and delays no one elsewhere for long."""
    busy = fleet.dojos[0]
    busy.sign_in()
    files = [[f"First{file}n{number},Last" for number in range(LINES_OF_FILE)] for file in range(FILES)]
    with ThreadPoolExecutor(FILES) as threads, load.running():
        imports = [threads.submit(import_students, busy, lines) for lines in files]
        while not all(one.done() for one in imports):
            time.sleep(0.1)
        since = time.monotonic()
        time.sleep(BEFORE_SECONDS)
    statuses = Counter(one.result()[0] for one in imports)
    report(load.summary(f"{FILES} files of {LINES_OF_FILE} lines in one dojo: {dict(statuses)}", since))
    assert statuses.keys() <= {200, 503}
    assert statuses[200]
    others = [answer for answer in load.answers if answer.host != busy.host]
    assert failures(load) <= {503}
    # An import is work of a processor, of which the others get their share: on a busy machine a few wait too long.
    assert sum(answer.is_success for answer in others) > len(others) * 0.9
    assert_promise(load, since)


def test_web_workers_are_killed(fleet: ServedFleet, load: MixedLoad, rng: Random, report: Report) -> None:
    """Only the requests that the killed worker had accepted are lost; the other worker serves meanwhile."""
    with load.running():
        for _ in range(3):
            fleet.wait_for_web_workers(WORKERS)
            time.sleep(WORKER_KILLED_EVERY_SECONDS)
            rng.choice(fleet.web_workers()).kill()
        since = time.monotonic()
        fleet.wait_for_web_workers(WORKERS)
        time.sleep(AFTER_SECONDS)
    report(load.summary("Web workers killed, one at a time", since))
    assert_replaced(load, since)
    lost = [answer for answer in load.answers if answer.status == NO_ANSWER]
    assert len(lost) < len(load.answers) / 10, len(lost)


def test_all_web_workers_are_killed(fleet: ServedFleet, load: MixedLoad, report: Report) -> None:
    """Nothing answers until the first one is replaced."""
    with load.running():
        time.sleep(BEFORE_SECONDS)
        for worker in fleet.web_workers():
            worker.kill()
        since = time.monotonic()
        time.sleep(1)
        fleet.wait_for_web_workers(WORKERS)
        time.sleep(AFTER_SECONDS)
    report(load.summary("All web workers killed", since))
    assert_replaced(load, since)


def assert_replaced(load: MixedLoad, since: float) -> None:
    """Assert the promise, except for the requests that a killed worker had accepted."""
    assert failures(load) <= {NO_ANSWER, 503}
    load.health = [answer for answer in load.health if answer.status != NO_ANSWER]
    assert_promise(load, since, REPLACED_WITHIN_SECONDS)
