"""Beat while Valkey is unavailable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from celery.signals import after_task_publish
from kombu.utils.imports import symbol_by_name
from structlog.testing import capture_logs

from config.celery import WAKE, app
from tatami.celery_base import PersistentBeat
from tatami.ids import uuid7
from tests.support.broker import valkey_unavailable


@pytest.fixture
def sent() -> Iterator[list[Any]]:
    """The names of the tasks that were sent to Valkey."""
    names: list[Any] = []

    def add(sender: str, **_: Any) -> None:
        names.append(sender)

    after_task_publish.connect(add)
    yield names
    after_task_publish.disconnect(add)


def test_tasks_due_while_valkey_is_unavailable_are_sent_later(tmp_path: Path, sent: list[Any]) -> None:
    beat = PersistentBeat(app=app, schedule_filename=str(tmp_path / "schedule"), lazy=True)
    queue = {"queue": f"test-{uuid7()}"}
    wake, purge = (
        beat.Entry(app=app, name=task, task=task, schedule=crontab(), options=queue.copy())
        for task in (WAKE, "tenants.purge_overdue")
    )
    with capture_logs() as logs, valkey_unavailable():
        for entry in (wake, purge, wake):
            beat.apply_entry(entry)
    assert sent == []
    assert all("exc_info" not in line for line in logs)
    beat.apply_entry(wake)
    assert sorted(sent) == ["tenants.purge_overdue", WAKE]
    beat.apply_entry(wake)
    assert sorted(sent) == ["tenants.purge_overdue", WAKE, WAKE]


def test_celery_starts_our_scheduler() -> None:
    assert symbol_by_name(app.conf.beat_scheduler) is PersistentBeat
