"""Find a rank or a rank system by the text that a person wrote, without regard to case and accents."""

from collections import defaultdict
from collections.abc import Iterable

from tatami.text import normalise
from tenant_apps.ranks.models import Rank, RankSystem


class UnknownRank(ValueError):
    """The text names no rank or rank system, or more than one.

    `column` is the text at fault: `rank_system` or `rank`.
    """

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


class RankLookup:
    """The ranks of all systems in use, by name, native name and code. One statement for any number of lookups."""

    def __init__(self, ranks: Iterable[Rank]) -> None:
        self._by_system: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[tuple[str, str], set[Rank]] = defaultdict(set)
        self._by_code: dict[tuple[str, str], Rank] = {}
        for rank in ranks:
            system = rank.system
            key = str(system.pk)
            for name in {normalise(system.name), normalise(system.preset)} - {""}:
                self._by_system[name].add(key)
            self._by_system[""].add(key)
            self._by_code[key, normalise(rank.code)] = rank
            for name in {normalise(rank.name), normalise(rank.native_name)} - {""}:
                self._by_name[key, name].add(rank)

    @classmethod
    def load(cls) -> "RankLookup":
        """Read the ranks of all systems in use. One statement."""
        return cls(Rank.objects.in_use())

    def find(self, system: str, rank: str) -> Rank:
        """Return the rank with this name or code; `system` may be empty if only one system has it.

        Raises `UnknownRank` if no rank matches, or more than one.
        """
        systems = self._by_system.get(normalise(system), set())
        if not systems:
            raise UnknownRank("rank_system", "There is no such rank system.")
        name = normalise(rank)
        by_code = {self._by_code[key, name] for key in systems if (key, name) in self._by_code}
        found = by_code or set().union(*(self._by_name.get((key, name), set()) for key in systems))
        if not found:
            raise UnknownRank("rank", "There is no such rank.")
        if len(found) > 1:
            several_systems = len({one.system_id for one in found}) > 1
            raise UnknownRank(
                "rank_system" if several_systems else "rank",
                "Several rank systems have this rank: name one."
                if several_systems
                else "Several ranks have this name: give the code.",
            )
        return found.pop()


class RankSystemLookup:
    """The rank systems in use, by name and by the preset they were made from.

    One statement for any number of lookups.
    """

    def __init__(self, systems: Iterable[RankSystem]) -> None:
        self._by_name: dict[str, list[RankSystem]] = defaultdict(list)
        self._by_preset: dict[str, list[RankSystem]] = defaultdict(list)
        for system in systems:
            self._by_name[normalise(system.name)].append(system)
            self._by_preset[normalise(system.preset)].append(system)

    @classmethod
    def load(cls) -> "RankSystemLookup":
        """Read all rank systems in use. One statement."""
        return cls(RankSystem.objects.not_archived())

    def find(self, text: str) -> RankSystem:
        """Return the system with this name, else the one made from this preset.

        Raises `UnknownRank` if no system matches, or more than one.
        """
        name = normalise(text)
        found = self._by_name.get(name) or self._by_preset.get(name, [])
        if not found:
            raise UnknownRank("rank_system", "There is no such rank system.")
        if len(found) > 1:
            raise UnknownRank("rank_system", "Several rank systems have this name: give the exact name.")
        return found[0]
