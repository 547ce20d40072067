"""Every recipient gets the mail although processes are killed, and few get it twice."""

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
from tests.chaos.background_processes import VICTIMS, BackgroundProcesses
from tests.chaos.conftest import Api
from tests.chaos.test_award_batches import Progress
from tests.notifications.recording_smtp import RecordingSmtpServer, smtp_server

MAILS: Final = 5_000
NOTIFICATIONS: Final = 5
EACH: Final = MAILS // NOTIFICATIONS
KILLS: Final = 20
STALLED_AFTER_SECONDS: Final = 60.0
DONE_WITHIN_SECONDS: Final = 30.0
SENDERS: Final = ("worker", "pool child")
"""Processes whose kill may cause a duplicate. Beat and Valkey send no mail."""

Report = Callable[[str], None]


@pytest.fixture(autouse=True)
def smtp(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[RecordingSmtpServer]:
    """A mail server in the test process. Processes that start later send to it, without a rate limit."""
    caplog.set_level(logging.WARNING, "mail.log")  # it logs every SMTP command
    with smtp_server() as sink:
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{settings.EMAIL_PORT}")
        monkeypatch.setenv("TATAMI_MAILS_PER_MINUTE", "0")
        yield sink


@dataclass
class KillSchedule:
    """Which process is killed next, and when: after a number of mails, sometimes right after another kill."""

    rng: Random
    victims: list[str]
    after_mails: list[int]
    again_at: float | None = None

    def are_due(self, mailed: int) -> bool:
        again = self.again_at is not None and time.monotonic() >= self.again_at
        return bool(self.victims) and (again or mailed >= self.after_mails[0])

    def kill_next(self, processes: BackgroundProcesses) -> str:
        self.after_mails.pop(0)
        victim = processes.kill(self.victims.pop(), self.rng)
        twice = self.rng.random() < 0.25
        self.again_at = time.monotonic() + self.rng.uniform(0.0, 4.0) if twice else None
        return victim


def create_recipients(check_in_dojo: CheckInDojo) -> tuple[list[str], set[str]]:
    """Create students with an address each; return their ids and the addresses."""
    created = [one.pk for one in check_in_dojo.students(MAILS)]
    with tenant_scope(check_in_dojo.dojo.tenant):
        address = Concat(Cast("pk", CharField()), Value("@example.com"))
        assert Student.objects.filter(pk__in=created).update(email=address) == MAILS
    ids = [str(pk) for pk in created]
    return ids, {f"{one}@example.com" for one in ids}


def notify(api: Api, students: list[str]) -> dict[str, Any]:
    """Create a notification to students; return it."""
    body = {
        "audience": {"students": students},
        "subject": "News for {{ student }}",
        "body": "{{ recipient }}!",
    }
    status, notification = api.send_request("POST", "/notifications", body)
    assert status == 202, notification
    assert notification["total"] == EACH
    return dict(notification)


def fetch(api: Api, notification: dict[str, Any]) -> dict[str, Any]:
    """Fetch the notification with its counts."""
    status, found = api.send_request("GET", f"/notifications/{notification['id']}")
    assert status == 200, found
    return {name: found[name] for name in ("id", "status", "total", "queued", "sent", "failed", "skipped")}


def test_every_recipient_gets_the_mail_although_processes_are_killed(
    smtp: RecordingSmtpServer,
    processes: BackgroundProcesses,
    api: Api,
    chaos_dojo: CheckInDojo,
    rng: Random,
    report: Report,
) -> None:
    students, addresses = create_recipients(chaos_dojo)
    victims = [*VICTIMS] * (KILLS // len(VICTIMS))
    rng.shuffle(victims)
    schedule = KillSchedule(rng, victims, sorted(rng.sample(range(MAILS - EACH // 4), KILLS)))
    progress, kills, notifications = Progress(), Counter[str](), list[dict[str, Any]]()
    began, mailed = time.monotonic(), 0
    while mailed < MAILS or schedule.victims:
        processes.restart_dead()
        # Create the next notification while the previous one is sent, so that two workers send at the same time.
        if len(notifications) < NOTIFICATIONS and mailed >= (len(notifications) - 0.5) * EACH:
            notifications.append(
                notify(api, students[EACH * len(notifications) : EACH * (len(notifications) + 1)])
            )
            report(f"notification {len(notifications)} to {EACH} students, {mailed} mailed")
        if schedule.are_due(mailed):
            kills[schedule.victims[-1]] += 1
            victim = schedule.kill_next(processes)
            progress.killed_at = time.monotonic()
            report(f"killed {victim}, {mailed} mailed")
        mailed = len({*smtp.recipients})
        progress.see(mailed)
        assert progress.seconds_without_progress < STALLED_AFTER_SECONDS, [
            fetch(api, one) for one in notifications
        ]
        time.sleep(0.02)
    took = time.monotonic() - began
    deadline, shown = time.monotonic() + DONE_WITHIN_SECONDS, list[dict[str, Any]]()
    while {one["status"] for one in shown} != {"done"}:
        processes.restart_dead()
        assert time.monotonic() < deadline, shown
        shown = [fetch(api, one) for one in notifications]
    message_ids = Counter(str(mail["Message-ID"]) for mail in smtp.taken)
    duplicates = message_ids.total() - len(message_ids)
    summary = ", ".join(f"{times} {name}" for name, times in sorted(kills.items()))
    report(f"{kills.total()} kills ({summary})")
    report(
        f"{mailed} addresses mailed in {took:.1f} s, {duplicates} duplicates, {smtp.connections} connections"
    )
    report(
        f"longest pause {progress.longest_pause:.1f} s; "
        f"from a kill until the next progress {progress.longest_recovery:.1f} s"
    )
    assert {*smtp.recipients} == addresses
    counts = [{name: count for name, count in one.items() if name != "id"} for one in shown]
    all_sent = {"status": "done", "total": EACH, "queued": 0, "sent": EACH, "failed": 0, "skipped": 0}
    assert counts == [all_sent] * NOTIFICATIONS
    with tenant_scope(chaos_dojo.dojo.tenant):
        rows = Delivery.objects.filter(notification__in=[one["id"] for one in notifications])
        assert {*rows.values_list("state", "reason")} == {("sent", "")}
        by_id = {f"<{pk}@localhost>": address for pk, address in rows.values_list("pk", "address")}
    assert {(str(mail["Message-ID"]), str(mail["To"])) for mail in smtp.taken} == {*by_id.items()}
    assert len(by_id) == MAILS
    assert duplicates <= sum(kills[name] for name in SENDERS)
