"""Done-point 3 of the issue: awards come once each, whoever is killed meanwhile; and the API does not need Valkey."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import BatchItem, Decision
from tenant_apps.students.models import RankEvent, Student
from tests.attendance.factories import CheckInDojo
from tests.chaos.conftest import Api
from tests.chaos.crew import VICTIMS, Crew

STUDENTS: Final = 1_000
KILLS: Final = 20
RESUMES_WITHIN_SECONDS: Final = 15.0
VALKEY_AWAY_SECONDS: Final = 60.0
ANSWERS_WITHIN_SECONDS: Final = 2.0
HANGS_FOR_SECONDS: Final = 3.0
"""A request waits for a Valkey that takes calls and does not answer for as long as `socket_timeout` says, once."""
ORPHANS_END_WITHIN_SECONDS: Final = 15.0
OUTCOMES: Final = ("checked", "awarded", "refused", "failed", "cancelled", "reverted")

Say = Callable[[str], None]


def rank_ladder(name: str, ranks: int) -> dict[str, Any]:
    """Return rules by which everybody is due for the next rank, always."""
    codes = [f"r{number}" for number in range(1, ranks + 1)]
    steps = [
        {"from": before, "to": code, "paths": [{"name": "regular", "criteria": []}]}
        for before, code in zip([None, *codes], codes, strict=False)
    ]
    return {
        "format": 1,
        "name": name,
        "art": "Judo",
        "source": "Our own",
        "confidence": "C",
        "ranks": [{"code": code, "name": code.upper()} for code in codes],
        "steps": steps,
    }


@dataclass
class Progress:
    """What is seen of a batch, and the pauses in it."""

    done: int = 0
    changed_at: float = field(default_factory=time.monotonic)
    struck_at: float = 0.0
    longest_pause: float = 0.0
    """Between two changes, whatever happened in between."""
    longest_recovery: float = 0.0
    """From the last blow before a change to that change."""

    def see(self, done: int) -> bool:
        """Note how far it is; say whether it went on. A new batch begins with 0: that is no change."""
        now = time.monotonic()
        if done == self.done:
            return False
        self.longest_pause = max(self.longest_pause, now - self.changed_at)
        self.longest_recovery = max(self.longest_recovery, now - max(self.struck_at, self.changed_at))
        self.done, self.changed_at = done, now
        return True

    def begin(self) -> None:
        self.done, self.changed_at = 0, time.monotonic()

    @property
    def standing_still(self) -> float:
        """Seconds since the last change or blow."""
        return time.monotonic() - max(self.changed_at, self.struck_at)


@dataclass
class Blows:
    """Who is killed next, and when: some time after work went on; sometimes right after another."""

    rng: Random
    victims: list[str]
    next_at: float | None = None

    def work_went_on(self) -> None:
        if self.next_at is None and self.victims:
            self.next_at = time.monotonic() + self.rng.uniform(0.0, 1.5)

    def is_due(self) -> bool:
        return bool(self.victims) and self.next_at is not None and time.monotonic() >= self.next_at

    def strike(self, crew: Crew) -> str:
        who = crew.kill(self.victims.pop(), self.rng)
        twice = self.rng.random() < 0.25
        self.next_at = time.monotonic() + self.rng.uniform(0.0, 4.0) if twice else None
        return who


def test_awards_come_once_each_whoever_is_killed(
    crew: Crew, api: Api, chaos_desk: CheckInDojo, rng: Random, say: Say
) -> None:
    system = chaos_desk.dojo.create("/rank-systems", rank_ladder("Ladder of the killed", KILLS))
    chaos_desk.students(STUDENTS)
    victims = [*VICTIMS] * (KILLS // len(VICTIMS))
    rng.shuffle(victims)
    blows, progress, finished = Blows(rng, victims), Progress(), []
    dealt: Counter[str] = Counter()
    today = clock.now().date()
    for number, rank in enumerate(system["ranks"]):
        if not blows.victims:
            break
        on = today - timedelta(days=KILLS - number)
        batch = api.batch(filter={}, target_ranks=[rank["id"]], as_of=on.isoformat())
        say(f"batch {number + 1}: {batch['total']} students")
        began = time.monotonic()
        progress.begin()
        blows.work_went_on()
        while batch["status"] not in {"done", "failed"}:
            crew.look()
            if blows.is_due():
                dealt[blows.victims[-1]] += 1
                who = blows.strike(crew)
                progress.struck_at = time.monotonic()
                say(f"killed {who}, {batch['done']} done")
            batch = api.look_at(batch)
            if progress.see(batch["done"]):
                blows.work_went_on()
            assert progress.standing_still < 4 * RESUMES_WITHIN_SECONDS, batch
            time.sleep(0.05)
        say(f"batch {number + 1}: {batch['awarded']} awarded in {time.monotonic() - began:.1f} s")
        finished.append(batch)
    who = ", ".join(f"{times} {name}" for name, times in sorted(dealt.items()))
    say(f"{sum(dealt.values())} kills ({who})")
    say(
        f"longest pause {progress.longest_pause:.1f} s; "
        f"from a kill until work went on {progress.longest_recovery:.1f} s"
    )
    counts = [{name: batch[name] for name in ("status", "total", "done", *OUTCOMES)} for batch in finished]
    nothing_else = dict.fromkeys(OUTCOMES, 0)
    expected = {**nothing_else, "status": "done", "total": STUDENTS, "done": STUDENTS, "awarded": STUDENTS}
    assert counts == [expected] * len(finished)
    with tenant_scope(chaos_desk.dojo.tenant):
        events = RankEvent.objects.filter(system=system["id"])
        each_once = {
            (student, rank["id"]) for student in student_ids() for rank in system["ranks"][: len(finished)]
        }
        awarded = [(str(one.student_id), str(one.rank_id)) for one in events.filter(kind="award")]
        assert len(awarded) == STUDENTS * len(finished) == events.not_voided().count()
        assert set(awarded) == each_once
        decided = Decision.objects.filter(event__system=system["id"]).values_list(
            "event", "batch_item__student"
        )
        assert dict(decided) == dict(events.values_list("pk", "student"))
        assert len(decided) == len(awarded)
    assert progress.longest_recovery <= RESUMES_WITHIN_SECONDS
    until = time.monotonic() + ORPHANS_END_WITHIN_SECONDS
    while crew.orphans and time.monotonic() < until:
        crew.look()
        time.sleep(0.1)
    say(f"what a killed worker left behind ended {crew.longest_outlived:.1f} s later at most")
    assert crew.longest_outlived <= ORPHANS_END_WITHIN_SECONDS


def student_ids() -> list[str]:
    return [str(pk) for pk in Student.objects.values_list("pk", flat=True)]


def test_without_valkey_the_api_accepts_and_nothing_is_lost(
    crew: Crew, api: Api, chaos_desk: CheckInDojo, rng: Random, say: Say
) -> None:
    system = chaos_desk.dojo.create("/rank-systems", rank_ladder("Ladder of the deaf", 1))
    students = chaos_desk.students(400)
    session = chaos_desk.session()
    cards = chaos_desk.cards(students)
    device = chaos_desk.device()[1]
    batches: list[dict[str, Any]] = []
    slowest = 0.0

    def ask() -> None:
        """Ask for a batch of ten, and scan a card."""
        nonlocal slowest
        number, asked_at = len(batches), time.monotonic()
        ten = [str(one.pk) for one in students[10 * number : 10 * number + 10]]
        batches.append(api.batch(students=ten, target_ranks=[system["ranks"][0]["id"]]))
        scan = {"token": cards[number], "class_session": str(session.pk), "nonce": str(uuid7())}
        batch_took, asked_at = time.monotonic() - asked_at, time.monotonic()
        status, body = api.ask("POST", "/attendance/scan", scan, token=device.token)
        assert status == 201, body
        slowest = max(slowest, batch_took, time.monotonic() - asked_at)

    ask()
    # Where Celery's calls go that is not set up.
    assert crew.valkey_says("EXISTS celery") == ":0"
    crew.may_return = False
    slowest = 0.0
    crew.freeze("valkey")
    ask()
    say(f"Valkey hangs: answered in {slowest:.2f} s")
    assert slowest < HANGS_FOR_SECONDS
    slowest = 0.0
    written = {name: crew.log(name).stat().st_size for name in ("worker", "beat")}
    crew.kill("valkey", rng)
    away_until = time.monotonic() + VALKEY_AWAY_SECONDS
    say(f"Valkey is away for {VALKEY_AWAY_SECONDS:.0f} s")
    while time.monotonic() < away_until:
        crew.look()
        ask()
        time.sleep(2)
    noise = {name: crew.log(name).read_bytes()[size:].decode() for name, size in written.items()}
    for name, text in noise.items():
        say(f"{name} wrote {len(text.splitlines())} lines, {text.count('Traceback')} stack traces meanwhile")
    say(f"{len(batches)} batches and as many scans were accepted, the slowest in {slowest:.2f} s")
    crew.may_return = True
    while not crew.is_heard():
        crew.look()
    back_at = time.monotonic()
    while any(batch["status"] != "done" for batch in batches):
        crew.look()
        batches = [batch if batch["status"] == "done" else api.look_at(batch) for batch in batches]
        assert time.monotonic() < back_at + 60
        time.sleep(0.05)
    took = time.monotonic() - back_at
    say(f"all was done {took:.1f} s after Valkey was back")
    assert [(batch["total"], batch["awarded"]) for batch in batches] == [(10, 10)] * len(batches)
    with tenant_scope(chaos_desk.dojo.tenant):
        assert RankEvent.objects.filter(system=system["id"]).count() == 10 * len(batches)
        assert not BatchItem.objects.filter(state="queued").exists()
    assert len(chaos_desk.rows(class_session=session.pk)) == len(batches)
    assert slowest < ANSWERS_WITHIN_SECONDS
    assert took <= RESUMES_WITHIN_SECONDS
    # Celery tells once of a message that it could not acknowledge when Valkey went; it is the minute that is quiet.
    assert all(text.count("Traceback") <= 3 for text in noise.values())
