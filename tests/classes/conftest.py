"""Fixtures of the tests of classes."""

from collections.abc import Callable

import pytest

from tests.support.clients import Caller


@pytest.fixture
def new_client() -> Callable[[Caller], Caller]:
    """Return a function that opens another client for the same user: a client belongs to one thread."""
    return lambda caller: Caller(caller.host, token=caller.token, user=caller.user)
