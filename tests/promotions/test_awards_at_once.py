"""Done-point 4 of the issue: whoever awards, voids, reverts or demotes at the same moment, a history is consistent.

In a dojo that is really committed, each caller with a connection of its own.
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
from tatami.tenancy.scope import tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.promotions import awards
from tenant_apps.promotions.batches import run_batches
from tenant_apps.promotions.models import BatchItem, Decision
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.ranks.models import Rank
from tenant_apps.students.models import EligibilitySnapshot, RankEvent, Student
from tests.attendance.factories import CheckInDojo
from tests.support.clients import Caller
from tests.support.committed import committed_dojo
from tests.support.committed_dojos import PATIENCE, at_once, raise_first, superuser_of
from tests.support.now import NOW

TODAY: Final = NOW.date()
ROUNDS: Final = 24
AT_ONCE: Final = 14
"""By hand; the two batches make it 16 awards."""

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
    # From white there are two ways on, which do not meet before green.
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
def desk(django_db_setup: None, django_db_blocker: Any) -> Iterator[CheckInDojo]:
    """A committed dojo; purged in the end."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("at-once", "At Once") as dojo:
        yield CheckInDojo(dojo)


@pytest.fixture(scope="module")
def belts(desk: CheckInDojo) -> dict[str, str]:
    """The ranks' ids by code."""
    system = desk.dojo.create("/rank-systems", BELTS)
    return {rank["code"]: rank["id"] for rank in system["ranks"]}


@pytest.fixture(autouse=True)
def nobody_waited_in_a_circle(desk: CheckInDojo, database_name: str) -> Iterator[None]:
    """Be in the dojo; fail if PostgreSQL had to end a deadlock there, also one that nobody was told of."""
    with superuser_of(database_name) as superuser:

        def deadlocks() -> Any:
            mine = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            return superuser.execute(mine).fetchone()

        before = deadlocks()
        with tenant_scope(desk.dojo.tenant):
            yield
        assert deadlocks() == before


def another(who: Caller) -> Caller:
    """Return the same person at another window: a client is one thread's."""
    return Caller(who.host, token=who.token, user=who.user)


def by(desk: CheckInDojo, role: str = "instructor") -> Caller:
    return another(desk.dojo.person(role))


def award(desk: CheckInDojo, who: Student, rank: str, *, reason: str = "", role: str = "instructor") -> Call:
    """Return the call that awards a rank today."""
    body = {"student": str(who.pk), "target_rank": rank, "effective_on": TODAY.isoformat()}
    body |= {"override_reason": reason} if reason else {}
    return partial(by(desk, role).post, "/promotions", body)


def outcome(answer: Any) -> Any:
    """Return the status of an answer, of a refusal with its code."""
    if answer.status_code < 400:
        return answer.status_code
    return (answer.status_code, answer.json()["error"]["code"])


def history(who: Student) -> list[RankEvent]:
    """Return the lines that stand, in the order of the ranks held."""
    return list(RankEvent.objects.not_voided().filter(student=who).latest_last().select_related("rank"))


def held(desk: CheckInDojo, belts: dict[str, str], *codes: str) -> Student:
    """Return a student who came with these ranks."""
    (who,) = desk.students(1)
    for month, code in enumerate(codes, start=1):
        body = {"rank": belts[code], "kind": "import", "effective_on": date(2026, month, 1).isoformat()}
        desk.dojo.create(f"/students/{who.pk}/rank-events", body)
    return who


# --- sixteen awards, two batches, one revert --------------------------------------------------------------------


def after(moment: threading.Event, call: Call) -> Call:
    """Return the call, made when the moment has come."""

    def wait_and_call() -> Any:
        assert moment.wait(PATIENCE)
        return call()

    return wait_and_call


def announcing(moment: threading.Event, call: Call) -> Call:
    """Return the call, which lets the moment come when it is done, however it ends."""

    def call_and_announce() -> Any:
        try:
            return call()
        finally:
            moment.set()

    return call_and_announce


def work_off(desk: CheckInDojo) -> None:
    """Do as a worker does who is given turns until nothing is left."""
    with tenant_scope(desk.dojo.tenant):
        while run_batches(Turn(now=clock.now())) is not DONE:
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
def test_one_of_sixteen_awards_stands_beside_two_batches_and_a_revert(
    desk: CheckInDojo, belts: dict[str, str], order: str
) -> None:
    rng = Random(order)
    for _ in range(ROUNDS // len(ORDERS)):
        (who,) = desk.students(1)
        body = {"students": [str(who.pk)], "target_ranks": [belts["white"]], "award": True}
        reverted, kept = (by(desk).post("/promotions/batches", body).json() for _ in range(2))
        one_awarded, one_worked, was_reverted = (threading.Event() for _ in range(3))
        hands = [
            announcing(one_awarded, award(desk, who, belts["white"], reason="Seminar" * (n % 2)))
            for n in range(AT_ONCE)
        ]
        workers = [announcing(one_worked, partial(work_off, desk)) for _ in range(2)]
        path = f"/promotions/batches/{reverted['id']}/revert"
        revert = announcing(was_reverted, partial(by(desk, "admin").post, path, {"reason": "Wrong list."}))
        if order == "batches first":
            hands = [after(one_worked, hand) for hand in hands]
        elif order == "revert after the batches":
            revert = after(one_worked, revert)
        elif order == "revert after an award":
            revert = after(one_awarded, revert)
        elif order == "revert first":
            hands[::2] = [after(was_reverted, hand) for hand in hands[::2]]
        elif order == "batches, revert, awards":
            revert = after(one_worked, revert)
            hands = [after(was_reverted, hand) for hand in hands]
        calls = [*hands, *workers, revert]
        places = rng.sample(range(len(calls)), len(calls))
        found = at_once([calls[place] for place in places])
        raise_first(found)
        answers = dict(zip(places, found, strict=True))
        assert outcome(answers[len(calls) - 1]) == 200
        assert_consistent(who, [answers[n] for n in range(AT_ONCE)], reverted=reverted["id"], kept=kept["id"])


def assert_consistent(who: Student, by_hand: list[Any], *, reverted: str, kept: str) -> None:
    """One award stands, unless the batch that was reverted had made the only one; and all rows say the same."""
    outcomes = Counter(outcome(answer) for answer in by_hand)
    assert set(outcomes) <= {201, (409, "already_awarded"), (409, "not_eligible")}, outcomes
    events = list(RankEvent.objects.filter(student=who).select_related("decision__batch_item"))
    standing = [event for event in events if event.voided_at is None]
    voided = [event for event in events if event.voided_at is not None]
    assert len(standing) == 1 or (not standing and len(voided) == 1), outcomes
    assert {(event.kind, event.follows_id, event.effective_on) for event in events} == {
        (Kind.AWARD, None, TODAY)
    }

    made_by = {event.pk: batch_of(event.decision) for event in events}
    assert [made_by[event.pk] for event in voided] == [reverted] * len(voided)
    assert all(event.void_reason == "Wrong list." for event in voided)
    hands = {str(event) for event, batch in made_by.items() if batch is None}
    assert {answer.json()["id"] for answer in by_hand if answer.status_code == 201} == hands
    assert outcomes[201] == len(hands)

    states = {str(item.batch_id): item.state for item in BatchItem.objects.filter(student=who)}
    assert (states[kept] == State.AWARDED) == (kept in made_by.values())
    assert (states[reverted] == State.REVERTED) == (reverted in made_by.values())
    assert states[kept] in {State.AWARDED, State.REFUSED}
    assert states[reverted] in {State.REVERTED, State.REFUSED, State.CANCELLED}


def batch_of(decision: Decision) -> str | None:
    return str(decision.batch_item.batch_id) if decision.batch_item else None


# --- two who decide about one student ---------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", range(6))
def test_of_two_next_ranks_one_is_awarded(desk: CheckInDojo, belts: dict[str, str], attempt: int) -> None:
    who = held(desk, belts, "white")
    calls = [
        award(desk, who, belts[code], role=role)
        for code, role in (("yellow", "instructor"), ("orange", "admin"))
    ]
    answers = at_once(calls if attempt % 2 else calls[::-1])
    raise_first(answers)
    assert Counter(map(outcome, answers)) == {201: 1, (409, "not_eligible"): 1}
    white, next_one = history(who)
    assert next_one.follows_id == white.pk


@pytest.mark.parametrize("attempt", range(6))
def test_an_award_while_the_rank_below_is_voided_stands_on_it_or_is_refused(
    desk: CheckInDojo, belts: dict[str, str], attempt: int
) -> None:
    who = held(desk, belts, "white")
    (white,) = history(who)
    void = partial(by(desk, "admin").post, f"/rank-events/{white.pk}/void", {"reason": "Never held."})
    calls = [award(desk, who, belts["yellow"]), void]
    answers = at_once(calls if attempt % 2 else calls[::-1])
    raise_first(answers)
    outcomes = Counter(map(outcome, answers))
    assert outcomes in ({200: 1, 201: 1}, {200: 1, (409, "not_eligible"): 1})
    left = [(event.rank.code, event.follows_id) for event in history(who)]
    assert left == ([("yellow", white.pk)] if outcomes[201] else [])
    assert Decision.objects.filter(event__student=who).count() == outcomes[201]


@pytest.mark.parametrize("attempt", range(6))
def test_an_award_during_a_demotion_comes_before_it_or_is_refused(
    desk: CheckInDojo, belts: dict[str, str], attempt: int
) -> None:
    who = held(desk, belts, "white", "yellow")
    body = {"rank": belts["white"], "kind": "demote", "effective_on": TODAY.isoformat()}
    demote = partial(by(desk, "admin").post, f"/students/{who.pk}/rank-events", body)
    award_green = award(desk, who, belts["green"])
    answers = at_once([award_green, demote] if attempt % 2 else [demote, award_green])
    raise_first(answers)
    awarded, demoted = map(outcome, answers if attempt % 2 else answers[::-1])
    assert demoted == 201
    assert awarded in {201, (409, "demoted_that_day")}
    codes = [event.rank.code for event in history(who)]
    assert codes == ["white", "yellow", *(["green"] if awarded == 201 else []), "white"]


# --- whoever holds the student comes first -----------------------------------------------------------------------


def until_it_waits_or_ends(superuser: psycopg.Connection[Any], worker: threading.Thread) -> None:
    """Wait until a thread waits for a lock, or has come to its end without."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until = time.monotonic() + PATIENCE
    while worker.is_alive() and superuser.execute(waits).fetchone() == (0,):
        assert time.monotonic() < until
        time.sleep(0.01)


def in_background(call: Call) -> tuple[threading.Thread, list[Any]]:
    """Start a call in a thread of its own, whose answer is there when it has ended."""
    answers: list[Any] = []
    worker = threading.Thread(target=copy_context().run, args=(lambda: answers.extend(at_once([call])),))
    worker.start()
    return worker, answers


@pytest.mark.parametrize("gives", [True, False])
def test_a_worker_and_an_erasure_do_not_wait_in_a_circle(
    desk: CheckInDojo, belts: dict[str, str], database_name: str, gives: bool
) -> None:
    """An erasure takes the student and then her lines of batches; so does a worker."""
    (who,) = desk.students(1)
    body = {"students": [str(who.pk)], "target_ranks": [belts["white"]], "award": gives}
    batch = by(desk).post("/promotions/batches", body).json()
    with superuser_of(database_name) as superuser:
        with transaction.atomic():
            list(Student.objects.filter(pk=who.pk).select_for_update())
            worker, answers = in_background(partial(work_off, desk))
            until_it_waits_or_ends(superuser, worker)
            BatchItem.objects.filter(student=who).update(answers=[])
        worker.join(PATIENCE)
    raise_first(answers)
    assert BatchItem.objects.get(batch=batch["id"]).state == (State.AWARDED if gives else State.CHECKED)


def test_last_nights_check_does_not_say_what_an_award_has_just_undone(
    desk: CheckInDojo, belts: dict[str, str], database_name: str
) -> None:
    who = held(desk, belts, "white")
    rank = Rank.objects.select_related("system").get(pk=belts["yellow"])
    person = desk.dojo.person("instructor").user
    assert person is not None
    with superuser_of(database_name) as superuser:
        with transaction.atomic():
            awards.award(nomination=awards.Nomination(who.pk, rank), effective_on=TODAY, by=person)
            worker, answers = in_background(partial(night, desk))
            until_it_waits_or_ends(superuser, worker)
        worker.join(PATIENCE)
    raise_first(answers)
    said = EligibilitySnapshot.objects.filter(student=who).values_list("target__code", flat=True)
    assert list(said) == ["green"]


def night(desk: CheckInDojo) -> None:
    """Take a whole snapshot."""
    cursor: str | None = ""
    with tenant_scope(desk.dojo.tenant):
        while cursor is not DONE:
            cursor = take_snapshot(Turn(now=clock.now(), cursor=cursor))


@pytest.mark.parametrize("rank_before", [(), ("white",)], ids=["the first rank", "a step up"])
def test_who_does_not_lock_is_stopped_by_the_constraint(
    desk: CheckInDojo, belts: dict[str, str], rank_before: tuple[str, ...]
) -> None:
    who = held(desk, belts, *rank_before)
    below = next(iter(history(who)), None)
    system = RankEvent._meta.get_field("rank").related_model.objects.get(pk=belts["yellow"]).system_id

    def insert(day: int) -> None:
        with tenant_scope(desk.dojo.tenant):
            RankEvent.objects.create(
                student=who,
                system_id=system,
                rank_id=belts["yellow"],
                kind=Kind.AWARD,
                effective_on=date(2026, 6, day),
                follows=below,
            )

    errors = [
        answer for answer in at_once([partial(insert, day) for day in range(1, 5)]) if answer is not None
    ]
    assert [type(error) for error in errors] == [IntegrityError] * 3
    assert all("rank_award_once" in str(error) for error in errors)
    assert [event.rank.code for event in history(who)] == [*rank_before, "yellow"]
