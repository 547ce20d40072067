"""Checkouts for the tests of the embedded servers. Tests that only read share one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tatami.embedded.checkout import Checkout


@pytest.fixture(scope="session")
def initialised_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose servers have run once. Copying it is much quicker than initdb."""
    made = Checkout.make(tmp_path_factory.mktemp("initialised") / "checkout")
    code, output = made.finish("exec", "--", "true", TATAMI_EPHEMERAL="1")
    assert code == 0, output
    return made.data


@pytest.fixture
def empty_checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout for one test, without a data folder."""
    made = Checkout.make(tmp_path / "checkout")
    yield made
    made.end()


@pytest.fixture
def checkout(empty_checkout: Checkout, initialised_data: Path) -> Checkout:
    """A checkout for one test, whose servers have run before."""
    subprocess.run(["cp", "-a", initialised_data, empty_checkout.data], check=True)
    return empty_checkout


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a command with servers, in a path with spaces that is too long for a socket."""
    deep = tmp_path_factory.mktemp("a folder with spaces").joinpath(*["a rather long name of a folder"] * 5)
    made = Checkout.make(deep)
    with made.servers(TATAMI_EPHEMERAL="1") as environment:
        yield environment
    made.end()
