"""Lines of a file of facts: who, what, since when and until when."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from rest_framework.serializers import ValidationError

from shared_apps.accounts.models import User
from tenant_apps.ranks.matching import UnknownRank
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.imports.inserting import insert_rows
from tenant_apps.students.imports.lines_of_students import (
    PERSON,
    LineOfStudent,
    find_students,
    lock_students_of,
    settle,
)
from tenant_apps.students.imports.rank_systems import SystemBook
from tenant_apps.students.imports.reading import Reader, require
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.table import Line
from tenant_apps.students.models import StudentFact
from tenant_apps.students.serializers import (
    EXPIRES_EARLY,
    FactSerializer,
    PointsInCategory,
    StudentSerializer,
    value_field,
)

FACT: Final = ("kind", "on", "expires_on", "note")
REQUIRED: Final = ("kind", "value", "on")
_NUMBERS: Final = {StudentFact.Kind.OPENING_ATTENDANCE.value, StudentFact.Kind.POINTS.value}
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_WRITTEN: Final = (
    "student_id", "kind", "rank_system_id", "value", "on", "expires_on", "note", "recorded_by_id",
)  # fmt: skip


def is_column(name: str) -> bool:
    """Return whether a file of facts may have this column."""
    return name in {*PERSON, *FACT, "rank_system", "value", "category"}


@dataclass(slots=True)
class FactLine(LineOfStudent):
    """A line, and what becomes of it."""

    fact: dict[str, Any] = field(default_factory=dict)
    system: RankSystem | None = None

    @property
    def place(self) -> tuple[Hashable, ...]:
        assert self.student is not None
        system = self.system.pk if self.system else None
        return _place(self.student.pk, self.fact["kind"], system, self.fact["value"], self.fact["on"])


class FactReader:
    """Reads the lines of one file."""

    def __init__(self, systems: SystemBook) -> None:
        self._person = Reader(StudentSerializer().fields, PERSON)
        self._fact = Reader(FactSerializer().fields, FACT)
        self._category = Reader(PointsInCategory().fields, ["category"])
        self._values = {kind: value_field(kind) for kind in StudentFact.Kind.values}
        self._systems = systems

    def read(self, line: Line) -> FactLine:
        """Return what the line says, with its faults."""
        if line.fault:
            return FactLine(line.number, faults={"line": [line.fault]})
        found = FactLine(line.number)
        require(line.cells, REQUIRED, found.faults)
        found.person = self._person.read(line.cells, found.faults)
        found.fact = self._fact.read(line.cells, found.faults)
        self._read_value(line.cells, found)
        self._read_system(line.cells, found)
        _refuse_early_expiry(found)
        return found

    def _read_value(self, cells: Mapping[str, str], found: FactLine) -> None:
        kind, text = found.fact.get("kind"), cells.get("value", "")
        if not kind or not text:
            return
        said = _number(text) if kind in _NUMBERS else text
        try:
            found.fact["value"] = self._values[kind].run_validation(said)
        except ValidationError as error:
            found.faults.setdefault("value", []).extend(map(str, error.detail))
        if not cells.get("category"):
            return
        if kind != StudentFact.Kind.POINTS:
            found.faults.setdefault("category", []).append("Only points have a category.")
            return
        category = self._category.read(cells, found.faults)
        found.fact["value"] = {"points": found.fact.get("value"), **category}

    def _read_system(self, cells: Mapping[str, str], found: FactLine) -> None:
        """Leave the system out where the line names none: such a fact counts in all of them."""
        if not cells.get("rank_system"):
            return
        try:
            found.system = self._systems.find(cells["rank_system"])
        except UnknownRank as fault:
            found.faults.setdefault(fault.column, []).append(str(fault))


def judge(lines: Sequence[FactLine]) -> None:
    """Find each line's student, and what is written down already. Four statements, however many lines.

    The students stay locked until the transaction ends: nobody of them is erased meanwhile.
    """
    find_students(lines)
    sound = lock_students_of(lines)
    students = {line.student for line in sound}
    standing = StudentFact.objects.filter(student__in=students, voided_at__isnull=True).order_by()
    rows = standing.values_list("student_id", "kind", "rank_system_id", "value", "on")
    settle(sound, {_place(*row) for row in rows})


def write(lines: Sequence[FactLine], *, by: User) -> None:
    """Write the new lines down, as recorded by who imports them. One statement. Call it with the lines judged."""
    insert_rows(
        StudentFact,
        _WRITTEN,
        [_row(line, by) for line in lines if line.outcome is Outcome.CREATED],
    )


def _row(line: FactLine, by: User) -> tuple[Any, ...]:
    assert line.student is not None
    fact = line.fact
    value = orjson.dumps(fact["value"]).decode()
    system = line.system.pk if line.system else None
    until, note = fact.get("expires_on"), fact.get("note", "")
    return line.student.pk, fact["kind"], system, value, fact["on"], until, note, by.pk


def _place(student: Hashable, kind: str, system: Hashable, value: Any, on: Hashable) -> tuple[Hashable, ...]:
    said = tuple(sorted(value.items())) if isinstance(value, dict) else value
    return student, kind, system, said, on


def _number(text: str) -> int | float | str:
    """Return the number in a cell; the cell itself, which will be refused, if there is none."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _refuse_early_expiry(found: FactLine) -> None:
    on, until = found.fact.get("on"), found.fact.get("expires_on")
    if on and until and until < on:
        found.faults.setdefault("expires_on", []).append(EXPIRES_EARLY)
