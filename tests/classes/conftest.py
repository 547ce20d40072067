"""A dojo that is really committed: two at once cannot be seen within one test's transaction."""

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from tatami import clock
from tests.support.clients import Caller, Dojo
from tests.support.committed import committed_dojo
from tests.support.now import NOW


@pytest.fixture(scope="module")
def real_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A dojo whose rows last until the module's end, at the tests' present."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("schedule", "Schedule") as dojo:
        yield dojo


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Return what does several things at the same moment, each in a thread with a connection of its own."""

    def run(*deeds: Callable[[], Any]) -> list[Any]:
        start = Barrier(len(deeds))

        def do(deed: Callable[[], Any]) -> Any:
            start.wait(10)
            try:
                return deed()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(deeds)) as threads:
            waiting = [threads.submit(contextvars.copy_context().run, do, deed) for deed in deeds]
            return [one.result(60) for one in waiting]

    return run


@pytest.fixture
def another() -> Callable[[Caller], Caller]:
    """Return what opens another window for the same person: a client is one thread's."""
    return lambda caller: Caller(caller.host, token=caller.token, user=caller.user)
