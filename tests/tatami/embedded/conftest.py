"""Checkouts for the tests of the embedded servers. One is shared by all who only look."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tatami.embedded.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout of the test's own."""
    made = Checkout.make(tmp_path / "checkout")
    yield made
    made.end()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a command with servers finds in its environment, in a path with spaces, too deep for a socket."""
    deep = tmp_path_factory.mktemp("a folder with spaces").joinpath(*["a rather long name of a folder"] * 5)
    made = Checkout.make(deep)
    with made.servers(TATAMI_EPHEMERAL="1") as environment:
        yield environment
    made.end()
