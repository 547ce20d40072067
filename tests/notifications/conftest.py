"""A recording SMTP server, and the delayed wake-up tasks, which are recorded instead of run."""

from collections.abc import Iterator

import pytest
from celery.signals import before_task_publish

from tatami.jobs import request_job
from tenant_apps.notifications import sending
from tests.notifications.recording_smtp import RecordingSmtpServer, smtp_server


@pytest.fixture(autouse=True)
def _long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run last long, so that a busy machine does not end it early. Tests of runs set their own clock."""
    monkeypatch.setattr(sending, "RUN_SECONDS", 60.0)


@pytest.fixture
def smtp() -> Iterator[RecordingSmtpServer]:
    """A server that Django sends to."""
    with smtp_server() as server:
        yield server


@pytest.fixture
def wake_calls() -> Iterator[list[str]]:
    """The ids of the tenants for which a delayed run of the outbox was requested."""
    calls: list[str] = []

    def record(sender: str, body: tuple[list[str], object, object], **_: object) -> None:
        if sender == request_job.name:
            calls.append(body[0][0])

    before_task_publish.connect(record)
    yield calls
    before_task_publish.disconnect(record)
