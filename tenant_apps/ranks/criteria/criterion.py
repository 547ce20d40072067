"""What every kind of criterion has in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from tenant_apps.ranks.facts import RankEventKind, StudentFacts
from tenant_apps.ranks.holding import Holding, SubRank
from tenant_apps.ranks.spans import BEGINNING, Spans


class Since(StrEnum):
    """From when on a fact counts: since the rank held was received, or ever."""

    RANK = "rank"
    EVER = "ever"


class Clock(NamedTuple):
    """The event from which waiting times and counts run; `since` is None for who holds no rank yet.

    The rank held, as a rule; the rank before, where the rules say that a conversion carries the clock; a
    failed test, where they count from the last test.
    """

    since: int | None
    kind: RankEventKind | None

    @property
    def after(self) -> int:
        """The day after which facts count (C5); before all days for who holds no rank yet."""
        return BEGINNING - 1 if self.since is None else self.since

    @property
    def brought_along(self) -> bool:
        """The rank comes from elsewhere; what was done there for the next one need not be recorded here."""
        return self.kind is RankEventKind.IMPORT or self.kind is RankEventKind.CONVERT


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One student who holds one rank, as of one day (an ordinal): what a criterion is asked about.

    `history`: all that was ever held, sub-ranks too. `order` and `sub_ranks` are those of the rules.
    """

    facts: StudentFacts
    holding: Holding
    clock: Clock
    history: tuple[Holding, ...]
    as_of: int
    as_of_date: date
    order: Mapping[str, int]
    sub_ranks: Mapping[str, SubRank]

    def is_one_of(self, rank: str | None, ranks: tuple[str, ...]) -> bool:
        """Whether a rank is one of these, or a sub-rank of one: who has two stripes on blue holds blue."""
        sub_rank = self.sub_ranks.get(rank or "")
        return rank in ranks or (sub_rank is not None and sub_rank.of in ranks)


class Finding(NamedTuple):
    """A criterion's answer about a candidacy.

    `spans`: the days on which it is met, valid for as long as the rank is held and no fact changes.
    `known`: as of the day asked about, the facts needed are there (C6). `have` and `need` are in the
    criterion's unit (months, days, sessions, hours, years, per cent, points, things); `have` is None where
    it is not known, `need` where nothing is needed.
    """

    spans: Spans
    known: bool
    have: int | float | None
    need: int | float | None


@dataclass(frozen=True, slots=True)
class Criterion(ABC):
    """One requirement of a path. Subclasses are frozen dataclasses of their parameters."""

    kind: ClassVar[str]
    parameters: ClassVar[Mapping[str, Mapping[str, object]]]
    """JSON schema of each parameter; `required` names those that have no default."""
    required: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From a document that obeys the schema and has no faults."""

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What a schema cannot say: (parameter, message). The document may break the schema elsewhere."""
        del document
        yield from ()

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """(parameter, code) of each rank that the document refers to, for a check that there is one."""
        del document
        yield from ()

    @abstractmethod
    def finding(self, candidacy: Candidacy) -> Finding:
        """When this is met for the student, and how much of it she has as of the day asked about."""

    def as_document(self) -> dict[str, Any]:
        """The canonical form: parameters in declared order, defaults left out."""
        document: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.default is not MISSING and value == field.default:
                continue
            document[field.name] = _as_json(value)
        return document


def _as_json(value: Any) -> Any:
    if isinstance(value, Criterion):
        return value.as_document()
    return list(value) if isinstance(value, tuple) else getattr(value, "value", value)
