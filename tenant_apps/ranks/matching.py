"""Finding a rank by what people write: its name or code, and its system's, without regard to case and accents."""

from collections import defaultdict
from collections.abc import Iterable

from tatami.text import normalise
from tenant_apps.ranks.models import Rank


class UnknownRank(ValueError):
    """No rank, or more than one, is called so. `column` says which text is at fault: `rank_system` or `rank`."""

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


class RankBook:
    """The ranks of the systems in use, by all that they are called. One statement, however many are looked up."""

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
    def of_the_dojo(cls) -> "RankBook":
        """Return the book of all rank systems in use."""
        return cls(Rank.objects.select_related("system").filter(system__archived_at__isnull=True))

    def find(self, system: str, rank: str) -> Rank:
        """Return the rank called so; a system need not be named where only one has that rank. Raises `UnknownRank`."""
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
