"""The cache of parsed definitions: keyed by dojo and version, and bounded."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from tatami.ids import uuid7
from tenant_apps.ranks.models import RankRules
from tenant_apps.ranks.services import MOST_CACHED, cached_definition
from tests.promotions.engine.factories import ladder
from tests.support.races import raise_first_error, run_concurrently

HERE, THERE = uuid7(), uuid7()


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    cached_definition.cache_clear()
    yield
    cached_definition.cache_clear()


def version(dojo: UUID = HERE, *, name: str = "Ours", **more: Any) -> RankRules:
    return RankRules(tenant_id=dojo, version=1, document={**ladder().as_document(), "name": name}, **more)


def test_a_version_is_parsed_once() -> None:
    row = version()
    assert cached_definition(row) is cached_definition(version(id=row.pk))


def test_a_restored_dojo_has_its_own_rules() -> None:
    """It has the same ids as the dojo in the archive."""
    ours = version()
    assert cached_definition(ours).name == "Ours"
    assert cached_definition(version(THERE, name="Theirs", id=ours.pk)).name == "Theirs"
    assert cached_definition(ours).name == "Ours"


def test_the_least_recently_used_version_is_dropped() -> None:
    often = version()
    first = cached_definition(often)
    for _ in range(MOST_CACHED + 5):
        cached_definition(version())
        assert cached_definition(often) is first
    assert len(cached_definition.cache) == MOST_CACHED


def test_threads_that_fill_the_cache_all_get_their_own_version() -> None:
    numbers = count()

    def read_versions() -> None:
        for _ in range(MOST_CACHED // 2):
            name = f"Of thread {next(numbers)}"
            assert cached_definition(version(name=name)).name == name

    raise_first_error(run_concurrently([read_versions] * 4))
