"""Each award is given once although processes are killed, and the API works without Valkey."""

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
from tests.chaos.background_processes import VICTIMS, BackgroundProcesses
from tests.chaos.conftest import Api

STUDENTS: Final = 1_000
KILLS: Final = 20
RESUMES_WITHIN_SECONDS: Final = 15.0
VALKEY_AWAY_SECONDS: Final = 60.0
ANSWERS_WITHIN_SECONDS: Final = 2.0
HANGS_FOR_SECONDS: Final = 3.0
"""A request waits once for a suspended Valkey, for `socket_timeout` seconds."""
ORPHANS_END_WITHIN_SECONDS: Final = 15.0
OUTCOMES: Final = ("checked", "awarded", "refused", "failed", "cancelled", "reverted")

Report = Callable[[str], None]


def rank_ladder(name: str, ranks: int) -> dict[str, Any]:
    """Return a rank system by which every student is always eligible for the next rank."""
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
    """The progress of a batch, and its pauses."""

    done: int = 0
    changed_at: float = field(default_factory=time.monotonic)
    killed_at: float = 0.0
    longest_pause: float = 0.0
    """Between two changes, in seconds."""
    longest_recovery: float = 0.0
    """From the last kill before a change to that change, in seconds."""

    def see(self, done: int) -> bool:
        """Store the progress; return whether it changed."""
        now = time.monotonic()
        if done == self.done:
            return False
        self.longest_pause = max(self.longest_pause, now - self.changed_at)
        self.longest_recovery = max(self.longest_recovery, now - max(self.killed_at, self.changed_at))
        self.done, self.changed_at = done, now
        return True

    def begin(self) -> None:
        self.done, self.changed_at = 0, time.monotonic()

    @property
    def seconds_without_progress(self) -> float:
        """Seconds since the last change or kill."""
        return time.monotonic() - max(self.changed_at, self.killed_at)


@dataclass
class KillSchedule:
    """Which process is killed next, and when: some time after progress, sometimes right after another kill."""

    rng: Random
    victims: list[str]
    next_at: float | None = None

    def progress_made(self) -> None:
        if self.next_at is None and self.victims:
            self.next_at = time.monotonic() + self.rng.uniform(0.0, 1.5)

    def is_due(self) -> bool:
        return bool(self.victims) and self.next_at is not None and time.monotonic() >= self.next_at

    def kill_next(self, processes: BackgroundProcesses) -> str:
        victim = processes.kill(self.victims.pop(), self.rng)
        twice = self.rng.random() < 0.25
        self.next_at = time.monotonic() + self.rng.uniform(0.0, 4.0) if twice else None
        return victim


def test_each_award_is_given_once_although_processes_are_killed(
    processes: BackgroundProcesses, api: Api, chaos_dojo: CheckInDojo, rng: Random, report: Report
) -> None:
    system = chaos_dojo.dojo.create("/rank-systems", rank_ladder("Ladder of the killed processes", KILLS))
    chaos_dojo.students(STUDENTS)
    victims = [*VICTIMS] * (KILLS // len(VICTIMS))
    rng.shuffle(victims)
    schedule, progress, finished = KillSchedule(rng, victims), Progress(), []
    kills: Counter[str] = Counter()
    today = clock.now().date()
    for number, rank in enumerate(system["ranks"]):
        if not schedule.victims:
            break
        on = today - timedelta(days=KILLS - number)
        batch = api.batch(filter={}, target_ranks=[rank["id"]], as_of=on.isoformat())
        report(f"batch {number + 1}: {batch['total']} students")
        began = time.monotonic()
        progress.begin()
        schedule.progress_made()
        while batch["status"] not in {"done", "failed"}:
            processes.restart_dead()
            if schedule.is_due():
                kills[schedule.victims[-1]] += 1
                victim = schedule.kill_next(processes)
                progress.killed_at = time.monotonic()
                report(f"killed {victim}, {batch['done']} done")
            batch = api.fetch(batch)
            if progress.see(batch["done"]):
                schedule.progress_made()
            assert progress.seconds_without_progress < 4 * RESUMES_WITHIN_SECONDS, batch
            time.sleep(0.05)
        report(f"batch {number + 1}: {batch['awarded']} awarded in {time.monotonic() - began:.1f} s")
        finished.append(batch)
    summary = ", ".join(f"{times} {name}" for name, times in sorted(kills.items()))
    report(f"{sum(kills.values())} kills ({summary})")
    report(
        f"longest pause {progress.longest_pause:.1f} s; "
        f"from a kill until the next progress {progress.longest_recovery:.1f} s"
    )
    counts = [{name: batch[name] for name in ("status", "total", "done", *OUTCOMES)} for batch in finished]
    nothing_else = dict.fromkeys(OUTCOMES, 0)
    expected = {**nothing_else, "status": "done", "total": STUDENTS, "done": STUDENTS, "awarded": STUDENTS}
    assert counts == [expected] * len(finished)
    with tenant_scope(chaos_dojo.dojo.tenant):
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
    deadline = time.monotonic() + ORPHANS_END_WITHIN_SECONDS
    while processes.orphans and time.monotonic() < deadline:
        processes.restart_dead()
        time.sleep(0.1)
    report(f"orphans of a killed worker exited {processes.longest_orphan_life:.1f} s later at most")
    assert processes.longest_orphan_life <= ORPHANS_END_WITHIN_SECONDS


def student_ids() -> list[str]:
    return [str(pk) for pk in Student.objects.values_list("pk", flat=True)]


def test_without_valkey_the_api_accepts_and_nothing_is_lost(
    processes: BackgroundProcesses, api: Api, chaos_dojo: CheckInDojo, rng: Random, report: Report
) -> None:
    system = chaos_dojo.dojo.create("/rank-systems", rank_ladder("Ladder without Valkey", 1))
    students = chaos_dojo.students(400)
    session = chaos_dojo.session()
    cards = chaos_dojo.cards(students)
    device = chaos_dojo.device()[1]
    batches: list[dict[str, Any]] = []
    slowest = 0.0

    def create_batch_and_scan() -> None:
        """Create a batch of ten, and scan a card."""
        nonlocal slowest
        number, began = len(batches), time.monotonic()
        ten = [str(one.pk) for one in students[10 * number : 10 * number + 10]]
        batches.append(api.batch(students=ten, target_ranks=[system["ranks"][0]["id"]]))
        scan = {"token": cards[number], "class_session": str(session.pk), "nonce": str(uuid7())}
        batch_took, began = time.monotonic() - began, time.monotonic()
        status, body = api.send_request("POST", "/attendance/scan", scan, token=device.token)
        assert status == 201, body
        slowest = max(slowest, batch_took, time.monotonic() - began)

    create_batch_and_scan()
    # The queue of a Celery app without our settings.
    assert processes.valkey_command("EXISTS celery") == ":0"
    processes.may_return = False
    slowest = 0.0
    processes.freeze("valkey")
    create_batch_and_scan()
    report(f"Valkey hangs: answered in {slowest:.2f} s")
    assert slowest < HANGS_FOR_SECONDS
    slowest = 0.0
    written = {name: processes.log(name).stat().st_size for name in ("worker", "beat")}
    processes.kill("valkey", rng)
    away_until = time.monotonic() + VALKEY_AWAY_SECONDS
    report(f"Valkey is unavailable for {VALKEY_AWAY_SECONDS:.0f} s")
    while time.monotonic() < away_until:
        processes.restart_dead()
        create_batch_and_scan()
        time.sleep(2)
    noise = {name: processes.log(name).read_bytes()[size:].decode() for name, size in written.items()}
    for name, text in noise.items():
        report(
            f"{name} wrote {len(text.splitlines())} lines, {text.count('Traceback')} stack traces in that time"
        )
    report(f"{len(batches)} batches and as many scans were accepted, the slowest in {slowest:.2f} s")
    processes.may_return = True
    while not processes.valkey_answers():
        processes.restart_dead()
    back_at = time.monotonic()
    while any(batch["status"] != "done" for batch in batches):
        processes.restart_dead()
        batches = [batch if batch["status"] == "done" else api.fetch(batch) for batch in batches]
        assert time.monotonic() < back_at + 60
        time.sleep(0.05)
    took = time.monotonic() - back_at
    report(f"everything was done {took:.1f} s after Valkey was back")
    assert [(batch["total"], batch["awarded"]) for batch in batches] == [(10, 10)] * len(batches)
    with tenant_scope(chaos_dojo.dojo.tenant):
        assert RankEvent.objects.filter(system=system["id"]).count() == 10 * len(batches)
        assert not BatchItem.objects.filter(state="queued").exists()
    assert len(chaos_dojo.rows(class_session=session.pk)) == len(batches)
    assert slowest < ANSWERS_WITHIN_SECONDS
    assert took <= RESUMES_WITHIN_SECONDS
    # Celery logs once that it could not acknowledge a message. It must not log more during the outage.
    assert all(text.count("Traceback") <= 3 for text in noise.values())
