"""What every kind of criterion has in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from tenant_apps.ranks.facts import StudentFacts
from tenant_apps.ranks.holding import Holding
from tenant_apps.ranks.spans import Spans


class Since(StrEnum):
    """From when on a fact counts: since the rank held was received, or ever."""

    RANK = "rank"
    EVER = "ever"


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One student who holds one rank, as of one day (an ordinal): what a criterion is asked about."""

    facts: StudentFacts
    holding: Holding
    as_of: int
    as_of_date: date


class Finding(NamedTuple):
    """A criterion's answer about a candidacy.

    `spans`: the days on which it is met, valid for as long as the rank is held and no fact changes.
    `known`: as of the day asked about, the facts needed are there (C6). `have` and `need` are in the
    criterion's unit (months, days, sessions, hours, years, documents); `have` is None where it is not
    known.
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
            document[field.name] = list(value) if isinstance(value, tuple) else getattr(value, "value", value)
        return document


def whole_number(least: int, most: int) -> dict[str, object]:
    """The JSON schema of a whole number between two bounds, both included."""
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(choices: type[StrEnum]) -> dict[str, object]:
    """The JSON schema of one of an enumeration's values."""
    return {"enum": [choice.value for choice in choices]}
