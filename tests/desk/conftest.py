"""Fixtures of the tests of pages."""

import pytest

from tatami.tenancy import hosts


@pytest.fixture(autouse=True)
def _no_epoch_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads the routing epoch twice a second. Tests that count statements must not see this statement."""
    monkeypatch.setattr(hosts, "EPOCH_TTL_SECONDS", 3_600)
