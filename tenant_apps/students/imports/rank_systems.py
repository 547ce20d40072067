"""Finding a rank system by what people write: its name, or that of the preset it was made from."""

from collections import defaultdict
from collections.abc import Iterable

from tatami.text import normalise
from tenant_apps.ranks.matching import UnknownRank
from tenant_apps.ranks.models import RankSystem


class SystemBook:
    """The rank systems in use, by name and preset. One statement, however many are looked up."""

    def __init__(self, systems: Iterable[RankSystem]) -> None:
        self._by_name: dict[str, list[RankSystem]] = defaultdict(list)
        self._by_preset: dict[str, list[RankSystem]] = defaultdict(list)
        for system in systems:
            self._by_name[normalise(system.name)].append(system)
            self._by_preset[normalise(system.preset)].append(system)

    @classmethod
    def of_the_dojo(cls) -> "SystemBook":
        """Return the book of all rank systems in use."""
        return cls(RankSystem.objects.live())

    def find(self, text: str) -> RankSystem:
        """Return the system called so. Raises `UnknownRank`."""
        name = normalise(text)
        found = self._by_name.get(name) or self._by_preset.get(name, [])
        if not found:
            raise UnknownRank("rank_system", "There is no such rank system.")
        if len(found) > 1:
            raise UnknownRank("rank_system", "Several rank systems are called so: give the name.")
        return found[0]
