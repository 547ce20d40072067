"""Done-point 2 of the issue: everybody is mailed, whoever is killed meanwhile, and hardly anybody twice."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import pytest
from django.conf import settings
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Delivery
from tenant_apps.students.models import Student
from tests.attendance.factories import CheckInDojo
from tests.chaos.conftest import Api
from tests.chaos.crew import VICTIMS, Crew
from tests.chaos.test_award_batches import Progress
from tests.notifications.recording_smtp import RecordingSmtpServer, smtp_server

MAILS: Final = 5_000
LETTERS: Final = 5
EACH: Final = MAILS // LETTERS
KILLS: Final = 20
STANDS_STILL_SECONDS: Final = 60.0
SETTLED_WITHIN_SECONDS: Final = 30.0
SENDERS: Final = ("worker", "pool child")
"""Whose end may cost a duplicate: beat and Valkey send nothing."""

Say = Callable[[str], None]


@pytest.fixture(autouse=True)
def smtp(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[RecordingSmtpServer]:
    """A mail server in this process, which nobody kills; whoever is started later sends to it, as fast as it goes."""
    caplog.set_level(logging.WARNING, "mail.log")  # it tells of every command that it hears
    with smtp_server() as sink:
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{settings.EMAIL_PORT}")
        monkeypatch.setenv("TATAMI_MAILS_PER_MINUTE", "0")
        yield sink


@dataclass
class Blows:
    """Who is killed next, and when: after so many mails, on a machine of any speed; sometimes right after another."""

    rng: Random
    victims: list[str]
    after_mails: list[int]
    again_at: float | None = None

    def are_due(self, mailed: int) -> bool:
        again = self.again_at is not None and time.monotonic() >= self.again_at
        return bool(self.victims) and (again or mailed >= self.after_mails[0])

    def strike(self, crew: Crew) -> str:
        self.after_mails.pop(0)
        who = crew.kill(self.victims.pop(), self.rng)
        twice = self.rng.random() < 0.25
        self.again_at = time.monotonic() + self.rng.uniform(0.0, 4.0) if twice else None
        return who


def readers(check_in_dojo: CheckInDojo) -> tuple[list[str], set[str]]:
    """Make students with an address each; return their ids and the addresses."""
    made = [one.pk for one in check_in_dojo.students(MAILS)]
    with tenant_scope(check_in_dojo.dojo.tenant):
        address = Concat(Cast("pk", CharField()), Value("@example.com"))
        assert Student.objects.filter(pk__in=made).update(email=address) == MAILS
    ids = [str(pk) for pk in made]
    return ids, {f"{one}@example.com" for one in ids}


def letter_to(api: Api, students: list[str]) -> dict[str, Any]:
    """Have a letter sent; return the notification."""
    body = {
        "audience": {"students": students},
        "subject": "News for {{ student }}",
        "body": "{{ recipient }}!",
    }
    status, letter = api.ask("POST", "/notifications", body)
    assert (status, letter["total"]) == (202, EACH), letter
    return dict(letter)


def look_at(api: Api, letter: dict[str, Any]) -> dict[str, Any]:
    """Return the notification as it is now, counted."""
    status, found = api.ask("GET", f"/notifications/{letter['id']}")
    assert status == 200, found
    return {name: found[name] for name in ("id", "status", "total", "queued", "sent", "failed", "skipped")}


def test_everybody_is_mailed_whoever_is_killed(
    smtp: RecordingSmtpServer, crew: Crew, api: Api, chaos_desk: CheckInDojo, rng: Random, say: Say
) -> None:
    students, addresses = readers(chaos_desk)
    victims = [*VICTIMS] * (KILLS // len(VICTIMS))
    rng.shuffle(victims)
    blows = Blows(rng, victims, sorted(rng.sample(range(MAILS - EACH // 4), KILLS)))
    progress, dealt, letters = Progress(), Counter[str](), list[dict[str, Any]]()
    began, mailed = time.monotonic(), 0
    while mailed < MAILS or blows.victims:
        crew.look()
        # The next one is asked for while the one before goes out: two workers then send at the same time.
        if len(letters) < LETTERS and mailed >= (len(letters) - 0.5) * EACH:
            letters.append(letter_to(api, students[EACH * len(letters) : EACH * (len(letters) + 1)]))
            say(f"letter {len(letters)} to {EACH} students, {mailed} mailed")
        if blows.are_due(mailed):
            dealt[blows.victims[-1]] += 1
            who = blows.strike(crew)
            progress.struck_at = time.monotonic()
            say(f"killed {who}, {mailed} mailed")
        mailed = len({*smtp.recipients})
        progress.see(mailed)
        assert progress.standing_still < STANDS_STILL_SECONDS, [look_at(api, one) for one in letters]
        time.sleep(0.02)
    took = time.monotonic() - began
    until, shown = time.monotonic() + SETTLED_WITHIN_SECONDS, list[dict[str, Any]]()
    while {one["status"] for one in shown} != {"done"}:
        crew.look()
        assert time.monotonic() < until, shown
        shown = [look_at(api, one) for one in letters]
    message_ids = Counter(str(mail["Message-ID"]) for mail in smtp.taken)
    duplicates = message_ids.total() - len(message_ids)
    who = ", ".join(f"{times} {name}" for name, times in sorted(dealt.items()))
    say(f"{dealt.total()} kills ({who})")
    say(f"{mailed} addresses mailed in {took:.1f} s, {duplicates} duplicates, {smtp.connections} connections")
    say(
        f"longest pause {progress.longest_pause:.1f} s; "
        f"from a kill until work went on {progress.longest_recovery:.1f} s"
    )
    assert {*smtp.recipients} == addresses
    counts = [{name: count for name, count in one.items() if name != "id"} for one in shown]
    all_sent = {"status": "done", "total": EACH, "queued": 0, "sent": EACH, "failed": 0, "skipped": 0}
    assert counts == [all_sent] * LETTERS
    with tenant_scope(chaos_desk.dojo.tenant):
        rows = Delivery.objects.filter(notification__in=[one["id"] for one in letters])
        assert {*rows.values_list("state", "reason")} == {("sent", "")}
        by_id = {f"<{pk}@localhost>": address for pk, address in rows.values_list("pk", "address")}
    assert {(str(mail["Message-ID"]), str(mail["To"])) for mail in smtp.taken} == {*by_id.items()}
    assert len(by_id) == MAILS
    assert duplicates <= sum(dealt[name] for name in SENDERS)
