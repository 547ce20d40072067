"""A receiver on loopback, which the settings of these tests allow, and runs that a busy machine does not end early."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.conf import settings

from shared_apps.webhooks import sending
from tatami.jobs import request_job
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def _long_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RUN_SECONDS", 60.0)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server that webhooks may be sent to."""
    monkeypatch.setattr(settings, "TATAMI_WEBHOOK_NETWORKS", ["127.0.0.0/8"])
    with receiving() as server:
        yield server


@pytest.fixture
def countdowns() -> Iterator[list[Any]]:
    """The seconds after which delayed runs were requested."""
    calls: list[Any] = []

    def record(sender: str, eta: Any = None, headers: Any = None, **_: object) -> None:
        if sender == request_job.name:
            calls.append((headers or {}).get("eta"))

    before_task_publish.connect(record)
    yield calls
    before_task_publish.disconnect(record)
