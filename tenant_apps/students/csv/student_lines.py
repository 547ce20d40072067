"""The columns of a file of students, and the parser of one line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext

from tatami.text import normalise
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.csv.cells import CellParser, parse_whole_number, require
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.headings import FROM_WHOLE_NAME, STUDENT_IN_WORDS, WHOLE_NAME, Headings
from tenant_apps.students.csv.pipeline import ImportLine
from tenant_apps.students.models import Guardian
from tenant_apps.students.rank_history import BEFORE_BIRTH
from tenant_apps.students.serializers import MOST_VISITS, GuardianSerializer, NearDate, StudentSerializer

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
_GUARDIAN_WORDS: Final = frozenset({
    "guardian", "guardians", "parent", "parents", "responsavel", "responsaveis", "encarregado",
    "encarregada"
})  # fmt: skip
_GUARDIAN_FIELDS: Final = {
    word: name
    for name, words in {
        "name": "name nome",
        "email": "email mail correio",
        "phone": "phone telephone tel mobile cell telefone telemovel celular fone contacto contato",
        "relation": "relation relationship parentesco relacao grau",
    }.items()
    for word in words.split()
}
_FILLERS: Final = frozenset({
    "e", "de", "do", "da", "of", "the", "educacao", "legal", "number", "no", "numero", "address", "endereco",
    "eletronico"
})  # fmt: skip


def is_column(name: str) -> bool:
    """Return whether a file of students may have this column."""
    return name in FIELDS or name in {OPENING, WHOLE_NAME} or _REPEATED.fullmatch(name) is not None


def guardian_prefix(number: int) -> str:
    """Return the prefix of the columns of the n-th guardian, from 1."""
    return f"guardian_{number}_"


def rank_suffix(number: int) -> str:
    """Return the suffix of the columns of the n-th rank, from 1; the first has none."""
    return "" if number == 1 else f"_{number}"


def _numbered_column(name: str) -> str | None:
    """Return the column of a guardian for a heading such as `parent_2_phone` or `telefone_do_responsavel`."""
    number, column = 1, "name"
    words = name.split("_")
    if not _GUARDIAN_WORDS.intersection(words):
        return None
    for word in words:
        if word in _GUARDIAN_FIELDS:
            column = _GUARDIAN_FIELDS[word]
        elif word.isdecimal() and len(word) < len(str(MOST_GUARDIANS)) + 1:
            number = int(word)
        elif word not in _GUARDIAN_WORDS and word not in _FILLERS:
            return None
    return guardian_prefix(number) + column


HEADINGS: Final = Headings(is_column, STUDENT_IN_WORDS, _numbered_column)


@dataclass(frozen=True, slots=True)
class RankCells:
    """A rank as the file names it; `suffix` is that of its columns."""

    suffix: str
    system: str
    rank: str
    on: date | None


@dataclass(slots=True)
class StudentLine(ImportLine):
    """A line of the file with its parsed values. `values` holds the fields of the student."""

    values: dict[str, Any] = field(default_factory=dict)
    guardians: dict[str, dict[str, str]] = field(default_factory=dict)
    """Prefix of the columns → the cells that are not empty."""
    rank_cells: list[RankCells] = field(default_factory=list)
    opening: int | None = None
    found_guardians: list[tuple[Guardian, str]] = field(default_factory=list)
    """Matched: the guardians with their relation, in the order of the columns."""
    ranks: list[tuple[Rank, date]] = field(default_factory=list)
    """Matched: the ranks that the history of the student does not have."""
    opening_system: RankSystem | None = None

    @property
    def external_id(self) -> str | None:
        return self.values.get("external_id")

    @property
    def birth_date(self) -> date | None:
        return self.values.get("birth_date")

    def keep_split_name(self) -> None:
        """Leave first and last name of the student as they are if the whole name of the line is theirs."""
        if self.has_split_name and self.student is not None and self.student.name_key in self.name_keys:
            for name in FROM_WHOLE_NAME:
                self.values.pop(name, None)


class StudentLineParser:
    """Parses the lines of a file with these columns."""

    def __init__(self, columns: Sequence[str], dates: DateReader) -> None:
        self._fields = CellParser(StudentSerializer().fields, FIELDS, dates)
        self._guardian = CellParser(GuardianSerializer().fields, GUARDIAN, dates)
        self._date = CellParser({"": NearDate()}, [""], dates)
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
        line.set_names(line.values)
        for prefix in self._guardian_prefixes:
            self._parse_guardian(prefix, cells, line)
        for suffix in self._rank_suffixes:
            self._parse_rank(suffix, cells, line)
        if cells.get(OPENING):
            line.opening = parse_whole_number(cells[OPENING], MOST_VISITS, OPENING, line.errors)

    def _parse_guardian(self, prefix: str, cells: Mapping[str, str], line: StudentLine) -> None:
        if not any(cells.get(prefix + name) for name in GUARDIAN):
            return
        require(cells, [prefix + "name"], line.errors)
        guardian = self._guardian.parse(cells, line.errors, prefix=prefix)
        twins = [other for other in line.guardians.values() if _is_repeated(guardian, other)]
        if guardian in twins:
            line.add_error(prefix + "name", gettext("This guardian is named twice."))
        elif twins:
            line.warn(
                prefix + "name", gettext("This guardian may be named twice: one of both has no relation.")
            )
        line.guardians[prefix] = guardian

    def _parse_rank(self, suffix: str, cells: Mapping[str, str], line: StudentLine) -> None:
        text = cells.get("rank" + suffix, "")
        if not text:
            return
        require(cells, ["rank_on" + suffix], line.errors)
        on = self._date.parse(cells, line.errors, prefix="rank_on" + suffix).get("")
        if on and (line.values.get("birth_date") or on) > on:
            line.add_error("rank_on" + suffix, gettext(BEFORE_BIRTH))
        line.rank_cells.append(RankCells(suffix, cells.get("rank_system" + suffix, ""), text, on))


def _is_repeated(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether two guardians of a line may be the same: a father and a grandfather of one name are not."""
    relations = {normalise(guardian.get("relation", "")) for guardian in (one, other)}
    return {**one, "relation": ""} == {**other, "relation": ""} and (len(relations) == 1 or "" in relations)
