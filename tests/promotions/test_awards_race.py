"""Concurrent awards, voids, reverts and demotions leave a consistent history.

The dojo is committed, and each caller has a connection of its own.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from datetime import date
from functools import partial
from random import Random
from typing import Any, Final

import psycopg
import pytest
from django.db import IntegrityError, transaction

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions import awards
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.models import BatchItem, Decision
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.ranks.models import Rank
from tenant_apps.students.models import EligibilitySnapshot, RankEvent, Student
from tests.promotions.factories import create_students
from tests.support.clients import Caller, Dojo
from tests.support.committed import committed_dojo, superuser_connection
from tests.support.now import NOW
from tests.support.races import TIMEOUT_SECONDS, raise_first_error, run_concurrently
from tests.support.sizes import small_or_full

pytestmark = pytest.mark.slow

TODAY: Final = NOW.date()
AWARDS_BY_HAND: Final = 14
"""Two batches make it 16 awards."""

Kind = RankEvent.Kind
State = BatchItem.State
Call = Callable[[], Any]

BELTS: Final[dict[str, Any]] = {
    "format": 1,
    "name": "Belts",
    "art": "Judo",
    "source": "Our own",
    "confidence": "C",
    "ranks": [{"code": code, "name": code.title()} for code in ("white", "yellow", "orange", "green")],
    # From white, two steps lead to different belts, and both of these lead to green.
    "steps": [
        {"from": before, "to": after, "paths": [{"name": "regular", "criteria": []}]}
        for before, after in (
            (None, "white"),
            ("white", "yellow"),
            ("white", "orange"),
            ("yellow", "green"),
            ("orange", "green"),
        )
    ],
}


@pytest.fixture(scope="module")
def race_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A committed dojo. It is purged after the module."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("at-once", "At Once") as dojo:
        yield dojo


@pytest.fixture(scope="module")
def belts(race_dojo: Dojo) -> dict[str, str]:
    """The ids of the ranks by code."""
    system = race_dojo.create("/rank-systems", BELTS)
    return {rank["code"]: rank["id"] for rank in system["ranks"]}


@pytest.fixture(autouse=True)
def no_deadlocks(race_dojo: Dojo, database_name: str) -> Iterator[None]:
    """Enter the dojo's scope. Fail if PostgreSQL had to end a deadlock, even one that no caller saw."""
    with superuser_connection(database_name) as superuser:

        def deadlocks() -> Any:
            query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            return superuser.execute(query).fetchone()

        before = deadlocks()
        with tenant_scope(race_dojo.tenant):
            yield
        assert deadlocks() == before


def caller(dojo: Dojo, role: str = "instructor") -> Caller:
    """Return a caller with a client of its own: a client belongs to one thread."""
    person = dojo.person(role)
    return Caller(person.host, token=person.token, user=person.user)


def award(dojo: Dojo, student: Student, rank: str, *, reason: str = "", role: str = "instructor") -> Call:
    """Return the call that awards a rank today."""
    body = {"student": str(student.pk), "target_rank": rank, "effective_on": TODAY.isoformat()}
    body |= {"override_reason": reason} if reason else {}
    return partial(caller(dojo, role).post, "/promotions", body)


def outcome(response: Any) -> Any:
    """Return the status of a response, with the code for an error."""
    if response.status_code < 400:
        return response.status_code
    return (response.status_code, response.json()["error"]["code"])


def history(student: Student) -> list[RankEvent]:
    """Return the events that are not voided, in the order of the ranks held."""
    return list(RankEvent.objects.not_voided().filter(student=student).latest_last().select_related("rank"))


def student_with_ranks(dojo: Dojo, belts: dict[str, str], *codes: str) -> Student:
    """Return a new student with these imported ranks."""
    (student,) = create_students(1)
    for month, code in enumerate(codes, start=1):
        body = {"rank": belts[code], "kind": "import", "effective_on": date(2026, month, 1).isoformat()}
        dojo.create(f"/students/{student.pk}/rank-events", body)
    return student


# --- sixteen awards, two batches, one revert ------------------------------------------------------------------


def after(event: threading.Event, call: Call) -> Call:
    """Return a call that waits for an event first."""

    def wait_and_call() -> Any:
        assert event.wait(TIMEOUT_SECONDS)
        return call()

    return wait_and_call


def setting(event: threading.Event, call: Call) -> Call:
    """Return a call that sets an event when it ends, even with an error."""

    def call_and_set() -> Any:
        try:
            return call()
        finally:
            event.set()

    return call_and_set


def process_batches(dojo: Dojo) -> None:
    """Run the job of batches until nothing is left, as a worker does."""
    with tenant_scope(dojo.tenant):
        while run_batches(JobRun(now=clock.now())) is not DONE:
            pass


ORDERS: Final = (
    "from one start",
    "batches first",
    "revert after the batches",
    "revert after an award",
    "revert first",
    "batches, revert, awards",
)


@pytest.mark.parametrize("order", ORDERS)
@small_or_full("rounds", small=1, full=4)
def test_of_sixteen_awards_one_stands_beside_two_batches_and_a_revert(
    race_dojo: Dojo, belts: dict[str, str], order: str, rounds: int
) -> None:
    rng = Random(order)
    for _ in range(rounds):
        (student,) = create_students(1)
        body = {"students": [str(student.pk)], "target_ranks": [belts["white"]], "award": True}
        reverted, other = (caller(race_dojo).post("/promotions/batches", body).json() for _ in range(2))
        awarded, processed, was_reverted = (threading.Event() for _ in range(3))
        by_hand = [
            setting(awarded, award(race_dojo, student, belts["white"], reason="Seminar" * (n % 2)))
            for n in range(AWARDS_BY_HAND)
        ]
        workers = [setting(processed, partial(process_batches, race_dojo)) for _ in range(2)]
        path = f"/promotions/batches/{reverted['id']}/revert"
        admin = caller(race_dojo, "admin")
        revert = setting(was_reverted, partial(admin.post, path, {"reason": "Wrong list."}))
        if order == "batches first":
            by_hand = [after(processed, call) for call in by_hand]
        elif order == "revert after the batches":
            revert = after(processed, revert)
        elif order == "revert after an award":
            revert = after(awarded, revert)
        elif order == "revert first":
            by_hand[::2] = [after(was_reverted, call) for call in by_hand[::2]]
        elif order == "batches, revert, awards":
            revert = after(processed, revert)
            by_hand = [after(was_reverted, call) for call in by_hand]
        calls = [*by_hand, *workers, revert]
        shuffled = rng.sample(range(len(calls)), len(calls))
        found = run_concurrently([calls[number] for number in shuffled])
        raise_first_error(found)
        responses = dict(zip(shuffled, found, strict=True))
        assert outcome(responses[len(calls) - 1]) == 200
        assert_consistent(
            student,
            [responses[number] for number in range(AWARDS_BY_HAND)],
            reverted=reverted["id"],
            other=other["id"],
        )


def assert_consistent(student: Student, by_hand: list[Any], *, reverted: str, other: str) -> None:
    """One award stands, unless the reverted batch made the only one; and all rows agree."""
    outcomes = Counter(outcome(response) for response in by_hand)
    assert set(outcomes) <= {201, (409, "already_awarded"), (409, "not_eligible")}, outcomes
    events = list(RankEvent.objects.filter(student=student).select_related("decision__batch_item"))
    standing = [event for event in events if event.voided_at is None]
    voided = [event for event in events if event.voided_at is not None]
    assert len(standing) == 1 or (not standing and len(voided) == 1), outcomes
    assert {(event.kind, event.follows_id, event.effective_on) for event in events} == {
        (Kind.AWARD, None, TODAY)
    }

    batches = {event.pk: batch_of(event.decision) for event in events}
    assert [batches[event.pk] for event in voided] == [reverted] * len(voided)
    assert all(event.void_reason == "Wrong list." for event in voided)
    awarded_by_hand = {str(event) for event, batch in batches.items() if batch is None}
    assert {response.json()["id"] for response in by_hand if response.status_code == 201} == awarded_by_hand
    assert outcomes[201] == len(awarded_by_hand)

    states = {str(item.batch_id): item.state for item in BatchItem.objects.filter(student=student)}
    assert (states[other] == State.AWARDED) == (other in batches.values())
    assert (states[reverted] == State.REVERTED) == (reverted in batches.values())
    assert states[other] in {State.AWARDED, State.REFUSED}
    assert states[reverted] in {State.REVERTED, State.REFUSED, State.CANCELLED}


def batch_of(decision: Decision) -> str | None:
    return str(decision.batch_item.batch_id) if decision.batch_item else None


# --- two concurrent decisions about one student ---------------------------------------------------------------


@small_or_full("attempts", small=2, full=6)
def test_of_two_next_ranks_one_is_awarded(race_dojo: Dojo, belts: dict[str, str], attempts: int) -> None:
    for attempt in range(attempts):
        student = student_with_ranks(race_dojo, belts, "white")
        calls = [
            award(race_dojo, student, belts[code], role=role)
            for code, role in (("yellow", "instructor"), ("orange", "admin"))
        ]
        responses = run_concurrently(calls if attempt % 2 else calls[::-1])
        raise_first_error(responses)
        assert Counter(map(outcome, responses)) == {201: 1, (409, "not_eligible"): 1}
        white, next_rank = history(student)
        assert next_rank.follows_id == white.pk


@small_or_full("attempts", small=2, full=6)
def test_an_award_while_the_rank_below_is_voided_follows_it_or_is_refused(
    race_dojo: Dojo, belts: dict[str, str], attempts: int
) -> None:
    for attempt in range(attempts):
        student = student_with_ranks(race_dojo, belts, "white")
        (white,) = history(student)
        admin = caller(race_dojo, "admin")
        void = partial(admin.post, f"/rank-events/{white.pk}/void", {"reason": "Never held."})
        calls = [award(race_dojo, student, belts["yellow"]), void]
        responses = run_concurrently(calls if attempt % 2 else calls[::-1])
        raise_first_error(responses)
        outcomes = Counter(map(outcome, responses))
        assert outcomes in ({200: 1, 201: 1}, {200: 1, (409, "not_eligible"): 1})
        left = [(event.rank.code, event.follows_id) for event in history(student)]
        assert left == ([("yellow", white.pk)] if outcomes[201] else [])
        assert Decision.objects.filter(event__student=student).count() == outcomes[201]


@small_or_full("attempts", small=2, full=6)
def test_an_award_during_a_demotion_comes_before_it_or_is_refused(
    race_dojo: Dojo, belts: dict[str, str], attempts: int
) -> None:
    for attempt in range(attempts):
        student = student_with_ranks(race_dojo, belts, "white", "yellow")
        body = {"rank": belts["white"], "kind": "demote", "effective_on": TODAY.isoformat()}
        demote = partial(caller(race_dojo, "admin").post, f"/students/{student.pk}/rank-events", body)
        award_green = award(race_dojo, student, belts["green"])
        responses = run_concurrently([award_green, demote] if attempt % 2 else [demote, award_green])
        raise_first_error(responses)
        awarded, demoted = map(outcome, responses if attempt % 2 else responses[::-1])
        assert demoted == 201
        assert awarded in {201, (409, "demoted_that_day")}
        codes = [event.rank.code for event in history(student)]
        assert codes == ["white", "yellow", *(["green"] if awarded == 201 else []), "white"]


# --- the transaction that locks the student comes first -------------------------------------------------------


def wait_until_blocked_or_ended(superuser: psycopg.Connection[Any], thread: threading.Thread) -> None:
    """Wait until a thread waits for a lock, or has ended."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + TIMEOUT_SECONDS
    while thread.is_alive() and superuser.execute(query).fetchone() == (0,):
        assert time.monotonic() < until
        time.sleep(0.01)


def in_background(call: Call) -> tuple[threading.Thread, list[Any]]:
    """Start a call in a thread. The list holds what it returned or raised after the thread has ended."""
    responses: list[Any] = []
    thread = threading.Thread(
        target=copy_context().run, args=(lambda: responses.extend(run_concurrently([call])),)
    )
    thread.start()
    return thread, responses


@pytest.mark.parametrize("awards_ranks", [True, False])
def test_a_worker_and_an_erasure_do_not_deadlock(
    race_dojo: Dojo, belts: dict[str, str], database_name: str, awards_ranks: bool
) -> None:
    """Both lock the student first, and the batch items after it."""
    (student,) = create_students(1)
    body = {"students": [str(student.pk)], "target_ranks": [belts["white"]], "award": awards_ranks}
    batch = caller(race_dojo).post("/promotions/batches", body).json()
    with superuser_connection(database_name) as superuser:
        with transaction.atomic():
            list(Student.objects.filter(pk=student.pk).select_for_update())
            thread, responses = in_background(partial(process_batches, race_dojo))
            wait_until_blocked_or_ended(superuser, thread)
            BatchItem.objects.filter(student=student).update(answers=[])
        thread.join(TIMEOUT_SECONDS)
    raise_first_error(responses)
    state = BatchItem.objects.get(batch=batch["id"]).state
    assert state == (State.AWARDED if awards_ranks else State.CHECKED)


def test_the_nightly_snapshot_sees_a_concurrent_award(
    race_dojo: Dojo, belts: dict[str, str], database_name: str
) -> None:
    student = student_with_ranks(race_dojo, belts, "white")
    rank = Rank.objects.select_related("system").get(pk=belts["yellow"])
    user = race_dojo.person("instructor").user
    assert user is not None
    with superuser_connection(database_name) as superuser:
        with transaction.atomic():
            awards.award(nomination=awards.Nomination(student.pk, rank), effective_on=TODAY, by=user)
            thread, responses = in_background(partial(take_whole_snapshot, race_dojo))
            wait_until_blocked_or_ended(superuser, thread)
        thread.join(TIMEOUT_SECONDS)
    raise_first_error(responses)
    targets = EligibilitySnapshot.objects.filter(student=student).values_list("target__code", flat=True)
    assert list(targets) == ["green"]


def take_whole_snapshot(dojo: Dojo) -> None:
    cursor: str | None = ""
    with tenant_scope(dojo.tenant):
        while cursor is not DONE:
            cursor = take_snapshot(JobRun(now=clock.now(), cursor=cursor))


@pytest.mark.parametrize("rank_before", [(), ("white",)], ids=["the first rank", "a step up"])
def test_the_constraint_stops_writers_that_do_not_lock_the_student(
    race_dojo: Dojo, belts: dict[str, str], rank_before: tuple[str, ...]
) -> None:
    student = student_with_ranks(race_dojo, belts, *rank_before)
    below = next(iter(history(student)), None)
    system = Rank.objects.get(pk=belts["yellow"]).system_id

    def insert(day: int) -> None:
        with tenant_scope(race_dojo.tenant):
            RankEvent.objects.create(
                student=student,
                system_id=system,
                rank_id=belts["yellow"],
                kind=Kind.AWARD,
                effective_on=date(2026, 6, day),
                follows=below,
            )

    results = run_concurrently([partial(insert, day) for day in range(1, 5)])
    errors = [result for result in results if result is not None]
    assert [type(error) for error in errors] == [IntegrityError] * 3
    assert all("rank_award_once" in str(error) for error in errors)
    assert [event.rank.code for event in history(student)] == [*rank_before, "yellow"]
