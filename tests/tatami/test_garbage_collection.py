"""A process that serves looks for reference cycles less often, and not among what it loaded at its start."""

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from tatami.garbage_collection import THRESHOLDS, collect_less_often


class Node:
    """Something that can refer to itself."""

    other: "Node"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_was_loaded_at_the_start_is_not_looked_through() -> None:
    collect_less_often()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == THRESHOLDS


def test_cycles_that_are_made_later_are_still_freed() -> None:
    collect_less_often()
    node = Node()
    node.other = node
    found = ref(node)
    del node
    gc.collect()
    assert found() is None
