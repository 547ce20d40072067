"""The options of the generated requests: `make test-fuzz ARGS="--cases=2000 --fuzz-seed=7"`."""

from typing import Any

from tests.http.conftest import all_hosts, hosts  # noqa: F401  (fixtures)


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--cases", type=int, help="requests in all (400)")
    parser.addoption("--fuzz-seed", type=int, help="repeats the requests of another run")
