"""What a process remembers of the rules that it has parsed: whose they are, and not too many."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from tatami.ids import uuid7
from tenant_apps.ranks import parsed
from tenant_apps.ranks.models import RankRules
from tenant_apps.ranks.parsed import parsed_definition
from tests.promotions.engine_facts import ladder
from tests.support.committed_dojos import at_once, raise_first

HERE, THERE = uuid7(), uuid7()


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    parsed._latest_last.clear()
    yield
    parsed._latest_last.clear()


def version(dojo: UUID = HERE, *, name: str = "Ours", **more: Any) -> RankRules:
    return RankRules(tenant_id=dojo, version=1, document={**ladder().as_document(), "name": name}, **more)


def test_a_version_is_parsed_once() -> None:
    row = version()
    assert parsed_definition(row) is parsed_definition(version(id=row.pk))


def test_a_dojo_that_was_restored_has_rules_of_its_own() -> None:
    """It has the ids of the dojo it was made of."""
    ours = version()
    assert parsed_definition(ours).name == "Ours"
    assert parsed_definition(version(THERE, name="Theirs", id=ours.pk)).name == "Theirs"
    assert parsed_definition(ours).name == "Ours"


def test_what_was_used_last_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "REMEMBERED", 2)
    often = version()
    first = parsed_definition(often)
    for _ in range(5):
        parsed_definition(version())
        assert parsed_definition(often) is first
    assert len(parsed._latest_last) == 2


def test_threads_that_push_each_others_rules_out_all_get_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "REMEMBERED", 1)
    numbers = count()

    def ask() -> None:
        for _ in range(200):
            name = f"Of thread {next(numbers)}"
            assert parsed_definition(version(name=name)).name == name

    raise_first(at_once([ask] * 4))
