"""What all tests of promotions share."""

import pytest

from tatami.tenancy import hosts


@pytest.fixture(autouse=True)
def _hosts_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a second a process asks whether hosts have changed: not here, where statements are counted."""
    monkeypatch.setattr(hosts, "EPOCH_IS_FRESH_FOR", 3_600)
