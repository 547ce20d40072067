"""What one line of a students' file says, and what is wrong with it by itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from tatami.text import normalise
from tenant_apps.ranks.matching import RankBook, UnknownRank
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.imports.reading import Faults, Reader, require, whole_number
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.table import Line
from tenant_apps.students.models import Student
from tenant_apps.students.serializers import MOST_VISITS, GuardianSerializer, PlausibleDate, StudentSerializer

OWN: Final = (
    "external_id", "first_name", "last_name", "email", "phone",
    "birth_date", "gender", "status", "joined_on", "medical_notes",
)  # fmt: skip
REQUIRED: Final = ("first_name", "last_name")
GUARDIAN: Final = ("name", "email", "phone", "relation")
RANK: Final = ("rank_system", "rank", "rank_on")
MOST_GUARDIANS: Final = 10
MOST_RANKS: Final = 10
OPENING: Final = "opening_attendance"
_REPEATED: Final = re.compile(rf"guardian_(10|[1-9])_({'|'.join(GUARDIAN)})|({'|'.join(RANK)})(_(10|[2-9]))?")


def is_column(name: str) -> bool:
    """Return whether a students' file may have this column."""
    return name in OWN or name == OPENING or _REPEATED.fullmatch(name) is not None


def guardian_prefix(number: int) -> str:
    """Return what the columns of the n-th guardian begin with, from 1."""
    return f"guardian_{number}_"


def rank_suffix(number: int) -> str:
    """Return what the columns of the n-th rank end with, from 1: the first has none."""
    return "" if number == 1 else f"_{number}"


@dataclass(slots=True)
class StudentLine:
    """A line, what it says, and (once the dojo's rows were asked) what becomes of it."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    search_name: str = ""
    guardians: list[dict[str, str]] = field(default_factory=list)
    ranks: list[tuple[Rank, date]] = field(default_factory=list)
    opening: int | None = None
    opening_system: RankSystem | None = None
    faults: Faults = field(default_factory=dict)
    outcome: Outcome = Outcome.FAILED
    student: Student | None = None
    duplicate_of: Student | None = None
    duplicate_of_line: int | None = None

    @property
    def external_id(self) -> str | None:
        return self.values.get("external_id")

    @property
    def identity(self) -> tuple[str, date | None]:
        """Return by what two lines without an external id look like one person."""
        return self.search_name, self.values.get("birth_date")


class StudentReader:
    """Reads the lines of one file."""

    def __init__(self, columns: Sequence[str], ranks: RankBook) -> None:
        self._own = Reader(StudentSerializer().fields, OWN)
        self._guardian = Reader(GuardianSerializer().fields, GUARDIAN)
        self._date = Reader({"": PlausibleDate()}, [""])
        self._book = ranks
        self._guardians = [n for n in range(1, MOST_GUARDIANS + 1) if _any(columns, guardian_prefix(n))]
        self._ranks = [n for n in range(1, MOST_RANKS + 1) if "rank" + rank_suffix(n) in columns]

    def read(self, line: Line) -> StudentLine:
        """Return what the line says, with its faults."""
        if line.fault:
            return StudentLine(line.number, faults={"line": [line.fault]})
        found = StudentLine(line.number)
        require(line.cells, REQUIRED, found.faults)
        found.values = self._own.read(line.cells, found.faults)
        found.search_name = normalise(" ".join(found.values.get(name, "") for name in REQUIRED))
        for number in self._guardians:
            self._read_guardian(guardian_prefix(number), line.cells, found)
        for number in self._ranks:
            self._read_rank(rank_suffix(number), line.cells, found)
        if line.cells.get(OPENING):
            found.opening = whole_number(line.cells[OPENING], MOST_VISITS, OPENING, found.faults)
            found.opening_system = found.ranks[0][0].system if found.ranks else None
        return found

    def _read_guardian(self, prefix: str, cells: Mapping[str, str], found: StudentLine) -> None:
        if not any(cells.get(prefix + name) for name in GUARDIAN):
            return
        require(cells, [prefix + "name"], found.faults)
        guardian = self._guardian.read(cells, found.faults, prefix=prefix)
        key = {**guardian, "relation": ""}
        if any(key == {**other, "relation": ""} for other in found.guardians):
            found.faults.setdefault(prefix + "name", []).append("This guardian is named twice.")
        found.guardians.append(guardian)

    def _read_rank(self, suffix: str, cells: Mapping[str, str], found: StudentLine) -> None:
        text = cells.get("rank" + suffix, "")
        if not text:
            return
        require(cells, ["rank_on" + suffix], found.faults)
        on = self._date.read(cells, found.faults, prefix="rank_on" + suffix).get("")
        try:
            rank = self._book.find(cells.get("rank_system" + suffix, ""), text)
        except UnknownRank as fault:
            found.faults.setdefault(fault.column + suffix, []).append(str(fault))
            return
        if any(rank.system_id == other.system_id for other, _ in found.ranks):
            found.faults.setdefault("rank_system" + suffix, []).append("This rank system is named twice.")
        if on:
            found.ranks.append((rank, on))


def _any(columns: Sequence[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in columns)
