"""Find a rank or a rank system by the text that a person wrote, without regard to case, accents and spelling."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Final, TypeAlias
from uuid import UUID

from django.utils.translation import gettext

from tatami.text import normalise
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.rank_words import rank_words, without_belt

_LISTED: Final = 40
_LONGEST: Final = 200
_IN_BRACKETS: Final = re.compile(r"\([^()]*\)")
_Key: TypeAlias = tuple[str, str | tuple[str, ...]]
"""How a rank was found, and the text or words by which."""


class UnknownRank(ValueError):
    """The text names no rank or rank system, or more than one.

    `column` is the text at fault: `rank_system` or `rank`.
    """

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


class RankLookup:
    """The ranks of all systems, by name, native name and code. One statement for any number of lookups.

    Ranks of archived systems are found only by `candidates`, for histories that have them already.
    """

    def __init__(self, ranks: Iterable[Rank]) -> None:
        self._ranks = sorted(ranks, key=lambda rank: (rank.system.name, rank.position))
        self._found: dict[tuple[str, str], list[Rank]] = {}

    @classmethod
    def load(cls) -> "RankLookup":
        """Read the ranks of all systems. One statement."""
        return cls(Rank.objects.select_related("system"))

    def candidates(self, system: str, rank: str) -> list[Rank]:
        """Return the ranks that these texts can mean, also of archived systems; `system` may be empty.

        A code counts more than a name, and a name more than its words in another order, language or spelling.
        """
        key = normalise(system), rank.strip()[:_LONGEST]
        if key not in self._found:
            self._found[key] = self._search(*key)
        return self._found[key]

    def find(self, system: str, rank: str) -> Rank:
        """Return the rank of a system in use with this name or code; `system` may be empty if only one system has it.

        Raises `UnknownRank` if no rank matches, or more than one; the message lists the accepted names.
        """
        systems = self._systems(normalise(system))
        in_use = {one.pk: one for one in systems if not one.is_archived}
        if not in_use:
            raise UnknownRank("rank_system", self._no_system(systems))
        found = [one for one in self.candidates(system, rank) if one.system_id in in_use]
        if not found:
            names = [one.name for one in self._ranks if one.system_id in in_use]
            raise UnknownRank(
                "rank", gettext("There is no such rank. The ranks are: {names}.").format(names=_listed(names))
            )
        if len({one.system_id for one in found}) > 1:
            raise UnknownRank("rank_system", gettext("Several rank systems have this rank: name one."))
        if len(found) > 1:
            codes = _listed([one.code for one in found])
            raise UnknownRank(
                "rank",
                gettext("Several ranks have this name: give the code. The codes are: {codes}.").format(
                    codes=codes
                ),
            )
        return found[0]

    def _search(self, system: str, rank: str) -> list[Rank]:
        systems = self._systems(system)
        in_use = {one.pk for one in systems if not one.is_archived}
        keys = _keys_of_text(rank)
        return [*self._best(keys, in_use), *self._best(keys, {one.pk for one in systems} - in_use)]

    def _best(self, keys: Iterable[_Key], systems: set[UUID]) -> list[Rank]:
        """Return the ranks of these systems with the first of the keys that any of them has."""
        for key in keys:
            if found := [one for one in self._index.get(key, ()) if one.system_id in systems]:
                return found
        return []

    @cached_property
    def _index(self) -> dict[_Key, list[Rank]]:
        index: dict[_Key, list[Rank]] = defaultdict(list)
        for rank in self._ranks:
            for key in _keys_of_rank(rank):
                index[key].append(rank)
        return index

    @cached_property
    def _all_systems(self) -> list[RankSystem]:
        return list({rank.system_id: rank.system for rank in self._ranks}.values())

    def _systems(self, name: str) -> list[RankSystem]:
        """Return the systems with this normalised name or preset; for an empty name, all."""
        return [
            one
            for one in self._all_systems
            if not name or name in {normalise(one.name), normalise(one.preset)}
        ]

    def _no_system(self, found: list[RankSystem]) -> str:
        if found and self._all_systems != found:
            return gettext("The rank system {name!r} is archived.").format(name=found[0].name)
        names = [one.name for one in self._all_systems if not one.is_archived]
        return _no_system(names)


class RankSystemLookup:
    """The rank systems, by name and by the preset they were made from.

    One statement for any number of lookups.
    """

    def __init__(self, systems: Iterable[RankSystem]) -> None:
        self._systems = list(systems)

    @classmethod
    def load(cls) -> "RankSystemLookup":
        """Read all rank systems. One statement."""
        return cls(RankSystem.objects.all())

    def candidates(self, text: str) -> list[RankSystem]:
        """Return the systems with this name, else those made from this preset; those in use before archived ones."""
        name = normalise(text)
        found = [one for one in self._systems if normalise(one.name) == name]
        found = found or [one for one in self._systems if normalise(one.preset) == name]
        return sorted(found, key=lambda one: one.is_archived)

    def find(self, text: str) -> RankSystem:
        """Return the system in use with this name, else the one made from this preset.

        Raises `UnknownRank` if no system matches, or more than one; the message lists the accepted names.
        """
        in_use = RankSystemLookup(one for one in self._systems if not one.is_archived)
        found = in_use.candidates(text)
        if not found:
            raise UnknownRank("rank_system", _no_system([one.name for one in in_use._systems]))
        if len(found) > 1:
            raise UnknownRank(
                "rank_system", gettext("Several rank systems have this name: give the exact name.")
            )
        return found[0]


def _keys_of_text(text: str) -> list[_Key]:
    """Return the keys of a text, the most exact first."""
    plain, words, bare = normalise(text), rank_words(text), rank_words(_IN_BRACKETS.sub(" ", text))
    keys: list[_Key] = [("code", plain), ("name", plain)] if plain else []
    if words:
        keys += [("words", words), ("words", bare), ("belt", without_belt(bare))]
    return [key for key in keys if key[1]]


def _keys_of_rank(rank: Rank) -> set[_Key]:
    keys: set[_Key] = {("code", normalise(rank.code))}
    for name in filter(None, (rank.name, rank.native_name)):
        bare = rank_words(_IN_BRACKETS.sub(" ", name))
        keys |= {
            ("name", normalise(name)),
            ("words", rank_words(name)),
            ("words", bare),
            ("belt", without_belt(bare)),
        }
    keys.add(("words", rank_words(rank.code)))
    return keys


def _no_system(names: list[str]) -> str:
    if not names:
        return gettext("There is no such rank system. The dojo has none in use: add one first.")
    return gettext("There is no such rank system. The rank systems are: {names}.").format(
        names=_listed(names)
    )


def _listed(names: Iterable[str]) -> str:
    """Return the names, as many as a person reads."""
    every = list(dict.fromkeys(names))
    listed = ", ".join(every[:_LISTED])
    if len(every) > _LISTED:
        return gettext("{names} and {count} more").format(names=listed, count=len(every) - _LISTED)
    return listed
