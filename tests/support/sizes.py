"""Tests of volume run twice: small in `make test`, at full size in `make test-volume`."""

import pytest


def small_or_full(name: str, *, small: object, full: object) -> pytest.MarkDecorator:
    """Parametrize a test over a small size and, marked `volume`, the full one. The assertions are the same."""
    return pytest.mark.parametrize(
        name, [pytest.param(small, id="small"), pytest.param(full, id="full", marks=pytest.mark.volume)]
    )
