"""Password hashers for tests: Argon2 with the least work, and one that counts its calls."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, MD5PasswordHasher


class QuickArgon2Hasher(Argon2PasswordHasher):
    """Argon2 with the least work. In production a hash takes 0.2 s of CPU time and 100 MB of memory."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1


class CountingHasher(MD5PasswordHasher):
    """A quick password hasher that counts its calls."""

    calls = 0
    _lock = threading.Lock()

    def encode(self, password: str, salt: str) -> str:
        """Count the call and return the hash."""
        with CountingHasher._lock:
            CountingHasher.calls += 1
        encoded: str = super().encode(password, salt)
        return encoded


@pytest.fixture
def hashings(settings: Any) -> Callable[[], int]:
    """Hash passwords quickly; return a function that returns the number of hashings since its last call."""
    settings.PASSWORD_HASHERS = ["tests.support.passwords.CountingHasher"]
    CountingHasher.calls = 0

    def since_last_call() -> int:
        counted, CountingHasher.calls = CountingHasher.calls, 0
        return counted

    return since_last_call
