"""Whether two texts name the same thing: rules say `adult-world-champion`, people write "Adult World Champion"."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from tatami.text import normalise
from tenant_apps.ranks.facts import NamedFact

Named = TypeVar("Named", bound=NamedFact)


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """The name without regard to case, accents, spacing, dashes and underscores."""
    return normalise(name.replace("-", " ").replace("_", " "))


def called(name: str, facts: Iterable[Named]) -> list[Named]:
    """Those of the facts that bear the name."""
    wanted = folded(name)
    return [fact for fact in facts if folded(fact.which) == wanted]
