"""The columns of a file of students, and the parser of one line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.ranks.rank_lookup import RankLookup, UnknownRank
from tenant_apps.students.csv.parsing import CellParser, parse_whole_number, require
from tenant_apps.students.csv.pipeline import ImportLine
from tenant_apps.students.models import name_key
from tenant_apps.students.serializers import MOST_VISITS, GuardianSerializer, PlausibleDate, StudentSerializer

FIELDS: Final = (
    "external_id", "first_name", "last_name", "preferred_name", "name_order", "email", "phone",
    "birth_date", "gender", "status", "joined_on", "licence_number", "medical_notes",
)  # fmt: skip
NAMES: Final = ("first_name",)
"""The required columns: `last_name` may be empty."""
GUARDIAN: Final = ("name", "email", "phone", "relation")
RANK: Final = ("rank_system", "rank", "rank_on")
MOST_GUARDIANS: Final = 10
MOST_RANKS: Final = 10
OPENING: Final = "opening_attendance"
_REPEATED: Final = re.compile(rf"guardian_(10|[1-9])_({'|'.join(GUARDIAN)})|({'|'.join(RANK)})(_(10|[2-9]))?")


def is_column(name: str) -> bool:
    """Return whether a file of students may have this column."""
    return name in FIELDS or name == OPENING or _REPEATED.fullmatch(name) is not None


def guardian_prefix(number: int) -> str:
    """Return the prefix of the columns of the n-th guardian, from 1."""
    return f"guardian_{number}_"


def rank_suffix(number: int) -> str:
    """Return the suffix of the columns of the n-th rank, from 1; the first has none."""
    return "" if number == 1 else f"_{number}"


@dataclass(slots=True)
class StudentLine(ImportLine):
    """A line of the file with its parsed values. `values` holds the fields of the student."""

    values: dict[str, Any] = field(default_factory=dict)
    name_key: str = ""
    guardians: list[dict[str, str]] = field(default_factory=list)
    ranks: list[tuple[Rank, date]] = field(default_factory=list)
    opening: int | None = None
    opening_system: RankSystem | None = None

    @property
    def external_id(self) -> str | None:
        return self.values.get("external_id")

    @property
    def names(self) -> tuple[str, str]:
        """First name and last name."""
        return self.values.get("first_name", ""), self.values.get("last_name", "")

    @property
    def identity(self) -> tuple[str, date | None]:
        """The name and birth date: lines without an external id are duplicates if these are equal."""
        return self.name_key, self.values.get("birth_date")


class StudentLineParser:
    """Parses the lines of a file with these columns."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._fields = CellParser(StudentSerializer().fields, FIELDS)
        self._guardian = CellParser(GuardianSerializer().fields, GUARDIAN)
        self._date = CellParser({"": PlausibleDate()}, [""])
        has_ranks = any(name.startswith("rank") for name in columns)
        self._ranks = RankLookup.load() if has_ranks else RankLookup(())
        self._guardian_prefixes = [
            prefix
            for prefix in map(guardian_prefix, range(1, MOST_GUARDIANS + 1))
            if any(name.startswith(prefix) for name in columns)
        ]
        self._rank_suffixes = [
            suffix for suffix in map(rank_suffix, range(1, MOST_RANKS + 1)) if f"rank{suffix}" in columns
        ]

    def parse(self, cells: Mapping[str, str], line: StudentLine) -> None:
        """Set the values of a line from its cells, and add its errors."""
        line.values = self._fields.parse(cells, line.errors)
        line.name_key = name_key(*line.names)
        for prefix in self._guardian_prefixes:
            self._parse_guardian(prefix, cells, line)
        for suffix in self._rank_suffixes:
            self._parse_rank(suffix, cells, line)
        if cells.get(OPENING):
            line.opening = parse_whole_number(cells[OPENING], MOST_VISITS, OPENING, line.errors)
            line.opening_system = line.ranks[0][0].system if line.ranks else None

    def _parse_guardian(self, prefix: str, cells: Mapping[str, str], line: StudentLine) -> None:
        if not any(cells.get(prefix + name) for name in GUARDIAN):
            return
        require(cells, [prefix + "name"], line.errors)
        guardian = self._guardian.parse(cells, line.errors, prefix=prefix)
        key = {**guardian, "relation": ""}
        if any(key == {**other, "relation": ""} for other in line.guardians):
            line.add_error(prefix + "name", "This guardian is named twice.")
        line.guardians.append(guardian)

    def _parse_rank(self, suffix: str, cells: Mapping[str, str], line: StudentLine) -> None:
        text = cells.get("rank" + suffix, "")
        if not text:
            return
        require(cells, ["rank_on" + suffix], line.errors)
        on = self._date.parse(cells, line.errors, prefix="rank_on" + suffix).get("")
        try:
            rank = self._ranks.find(cells.get("rank_system" + suffix, ""), text)
        except UnknownRank as error:
            line.add_error(error.column + suffix, str(error))
            return
        if any(rank.system_id == other.system_id for other, _ in line.ranks):
            line.add_error("rank_system" + suffix, "This rank system is named twice.")
        if on:
            line.ranks.append((rank, on))
