"""Two sizes of a test: a small one in `make test`, the full one in `make test-volume`."""

import pytest
from hypothesis import settings


def small_or_full(name: str, *, small: object, full: object) -> pytest.MarkDecorator:
    """Parametrize a test over a small size and, marked `volume`, the full one. The assertions are the same."""
    return pytest.mark.parametrize(
        name, [pytest.param(small, id="small"), pytest.param(full, id="full", marks=pytest.mark.volume)]
    )


def examples(count: int) -> int:
    """Return how many examples a property test takes: `count`, or ten times as many in `make test-volume`."""
    return count * settings.default.max_examples // 100  # type: ignore[union-attr]
