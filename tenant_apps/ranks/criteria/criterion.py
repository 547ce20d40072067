"""What all kinds of criteria have in common: the interface, the student they are evaluated for, the result."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from tenant_apps.ranks.date_intervals import BEGINNING, END, Spans, days_between, intersection, union
from tenant_apps.ranks.holding import Holding, SubRank
from tenant_apps.ranks.student_facts import RankEventKind, StudentFacts


class Since(StrEnum):
    """Which facts count: those since the rank held was received, or all."""

    RANK = "rank"
    EVER = "ever"


class CountingStart(NamedTuple):
    """The event from which waiting times and counts run; `since` is None for students without a rank.

    Usually the rank held was received. It is the rank before (`rank` names it), if the rules say that a conversion
    carries the clock of the rank before. It is a failed test, if the rules count from the last test.
    """

    since: int | None
    kind: RankEventKind | None
    rank: str | None = None
    is_test: bool = False

    @property
    def after(self) -> int:
        """The day after which facts count (C5); before all days for students without a rank."""
        return BEGINNING - 1 if self.since is None else self.since

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether the rank was received elsewhere; training there for the next rank may not be recorded here."""
        return self.kind is RankEventKind.IMPORT or self.kind is RankEventKind.CONVERT


class CriterionInput(NamedTuple):
    """One student who holds one rank, as of one day (an ordinal): the input of a criterion.

    `history`: all ranks that the student ever held, with sub-ranks. `order` and `sub_ranks` come from the rules.
    """

    facts: StudentFacts
    holding: Holding
    counting_start: CountingStart
    history: tuple[Holding, ...]
    as_of: int
    as_of_date: date
    order: Mapping[str, int]
    sub_ranks: Mapping[str, SubRank]

    def is_one_of(self, rank: str | None, ranks: tuple[str, ...]) -> bool:
        """Return whether a rank is one of `ranks`, or a sub-rank of one (two stripes on blue is blue)."""
        sub_rank = self.sub_ranks.get(rank or "")
        return rank in ranks or (sub_rank is not None and sub_rank.of in ranks)


class Finding(NamedTuple):
    """The result of a criterion for one `CriterionInput`.

    `spans`: the days on which the criterion is met, valid while the rank is held and no fact changes.
    `known`: the facts that are needed are recorded, as of the day of the check (C6). `have` and `need` are in the
    unit of the criterion (months, days, sessions, hours, years, per cent, points, items). `have` is None if it is
    unknown, `need` if nothing is needed. `detail` is what else the sentence about it says; each kind has its own.
    `start` is the event from which it counts, if that is not the one of the input.
    """

    spans: Spans
    known: bool
    have: int | float | None
    need: int | float | None
    detail: Any = None
    start: CountingStart | None = None


@dataclass(frozen=True, slots=True)
class Criterion(ABC):
    """One requirement of a path. Subclasses are frozen dataclasses whose fields are the parameters."""

    kind: ClassVar[str]
    parameters: ClassVar[Mapping[str, Mapping[str, object]]]
    """The JSON schema of each parameter; `required` names those without a default."""
    required: ClassVar[tuple[str, ...]] = ()
    restarts_after_test: ClassVar[bool] = False
    """Whether it counts since the rank held was received, and so again after a failed test in a step with the anchor
    `last_test`. docs/rank-rules.md lists these kinds."""

    @classmethod
    @abstractmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the criterion that a valid document describes."""

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield (parameter, message) for faults that a schema cannot find. Messages are marked for translation.

        The document may violate the schema elsewhere.
        """
        del document
        yield from ()

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield (parameter, code) for each rank that the document refers to, so that its existence can be checked."""
        del document
        yield from ()

    @abstractmethod
    def finding(self, data: CriterionInput) -> Finding:
        """Return on which days the student meets the criterion, and how much they have as of the day of the check."""

    def as_document(self) -> dict[str, Any]:
        """Return the canonical document: parameters in declared order, without defaults."""
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


def since_last_test(evaluate: Callable[[CriterionInput], Finding], data: CriterionInput) -> Finding:
    """Evaluate a criterion that counts from the rank, and again after each failed test (US Aikido Federation).

    Counting restarts on the day after the test, because a check as of the day of a test is about that test. Training
    elsewhere no longer matters after a test: all attendance since then is recorded here.

    `evaluate` is the criterion's own `finding`.
    """
    tests = sorted(
        {on.toordinal() for on in data.facts.failed_tests if on.toordinal() > data.counting_start.after}
    )
    if not tests:
        return evaluate(data)
    found: list[Spans] = []
    result: Finding | None = None
    first = BEGINNING
    rank = data.counting_start.rank
    restarts = (CountingStart(test, RankEventKind.AWARD, rank, is_test=True) for test in tests)
    for start, last in zip([data.counting_start, *restarts], [*tests, END], strict=True):
        finding = evaluate(data._replace(counting_start=start))
        found.append(intersection(finding.spans, days_between(first, last)))
        if first <= data.as_of <= last:
            result = finding._replace(start=start)
        first = last + 1
    assert result is not None, "the segments cover all days"
    return result._replace(spans=union(*found))
