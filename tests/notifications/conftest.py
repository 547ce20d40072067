"""A mail server of our own, and calls for later that are noted instead of made."""

from collections.abc import Iterator

import pytest
from celery.signals import before_task_publish

from tenant_apps.notifications import sending
from tenant_apps.notifications.waking import wake
from tests.notifications.sink import Sink, smtp_server


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a turn last, so that a busy machine does not end it early; the tests about turns set their own clock."""
    monkeypatch.setattr(sending, "AT_IT_FOR_SECONDS", 60.0)


@pytest.fixture
def smtp() -> Iterator[Sink]:
    with smtp_server() as sink:
        yield sink


@pytest.fixture
def called_for_later() -> Iterator[list[str]]:
    """The dojos whose outbox asked to be looked at later."""
    called: list[str] = []

    def note(sender: str, body: tuple[list[str], object, object], **_: object) -> None:
        if sender == wake.name:
            called.append(body[0][0])

    before_task_publish.connect(note)
    yield called
    before_task_publish.disconnect(note)
