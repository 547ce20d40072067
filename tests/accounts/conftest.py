"""Fixtures for tests of users: passwords are hashed with little work."""

from collections.abc import Callable

import pytest


@pytest.fixture(autouse=True)
def _quick_passwords(hashings: Callable[[], int]) -> None:
    """Hash passwords with a quick hasher: the slowness of the real one is not tested here."""
