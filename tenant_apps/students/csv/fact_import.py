"""Import of facts: for each line a student, the kind and value of the fact, and the dates between which it counts."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from django.utils.translation import gettext
from rest_framework.serializers import ValidationError

from shared_apps.accounts.models import User
from tenant_apps.ranks.models import RankSystem
from tenant_apps.ranks.rank_lookup import RankSystemLookup, UnknownRank
from tenant_apps.students.csv.cells import CellParser
from tenant_apps.students.csv.dates import DateReader
from tenant_apps.students.csv.pipeline import LineOutcome, insert_rows
from tenant_apps.students.csv.student_matching import RecordImport, RecordLine, record_headings
from tenant_apps.students.errors import OwnApproval
from tenant_apps.students.models import StudentFact, StudentUser
from tenant_apps.students.serializers import (
    EXPIRES_EARLY,
    BalanceInUnit,
    FactSerializer,
    PointsInCategory,
    value_field,
)

FACT: Final = ("kind", "on", "expires_on", "note")
_REQUIRED: Final = {"kind", "value", "on"}
_NUMERIC_KINDS: Final = {StudentFact.Kind.OPENING_ATTENDANCE.value, StudentFact.Kind.POINTS.value}
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_COLUMNS: Final = (
    "student_id", "kind", "rank_system_id", "value", "on", "expires_on", "note", "recorded_by_id",
)  # fmt: skip


@dataclass(slots=True)
class FactLine(RecordLine):
    """A fact about a student. Without `system` it counts in all rank systems."""

    fact: dict[str, Any] = field(default_factory=dict)
    system_text: str = ""
    system: RankSystem | None = None

    @property
    def key(self) -> tuple[Hashable, ...]:
        assert self.student is not None
        system = self.system.pk if self.system else None
        return _key(self.student.pk, self.fact["kind"], system, self.fact["value"], self.fact["on"])


class FactImport(RecordImport[FactLine]):
    """Facts, recorded by `by`. Six statements, whatever the number of lines."""

    required = ("kind", "value", "on")
    headings = record_headings({*FACT, "rank_system", "value", "category", "unit"})
    line_class = FactLine

    def __init__(self, *, by: User) -> None:
        self._by = by

    def prepare(self, columns: Sequence[str], dates: DateReader) -> None:
        super().prepare(columns, dates)
        self._fact = CellParser(FactSerializer().fields, FACT, dates)
        self._category = CellParser(PointsInCategory().fields, ["category"], dates)
        self._unit = CellParser(BalanceInUnit().fields, ["unit"], dates)
        self._values = {kind: value_field(kind) for kind in StudentFact.Kind.values}
        self._systems = RankSystemLookup.load()

    def parse_record(self, cells: Mapping[str, str], line: FactLine) -> None:
        line.fact = self._fact.parse(cells, line.errors)
        self._parse_value(cells, line)
        line.system_text = cells.get("rank_system", "")
        if line.system_text and not self._systems.candidates(line.system_text):
            self._find(line)
        on, until = line.fact.get("on"), line.fact.get("expires_on")
        if on and until and until < on:
            line.add_error("expires_on", EXPIRES_EARLY)

    def _parse_value(self, cells: Mapping[str, str], line: FactLine) -> None:
        kind, text = line.fact.get("kind"), cells.get("value", "")
        if not kind or not text:
            return
        value = _number(text) if kind in _NUMERIC_KINDS else text
        try:
            line.fact["value"] = self._values[kind].run_validation(value)
        except ValidationError as error:
            line.errors.setdefault("value", []).extend(map(str, error.detail))
        if cells.get("unit"):
            if kind != StudentFact.Kind.OPENING_ATTENDANCE:
                line.add_error("unit", gettext("Only opening attendance has a unit."))
                return
            line.fact["value"] = {"count": line.fact.get("value"), **self._unit.parse(cells, line.errors)}
        if not cells.get("category"):
            return
        if kind != StudentFact.Kind.POINTS:
            line.add_error("category", gettext("Only points have a category."))
            return
        category = self._category.parse(cells, line.errors)
        line.fact["value"] = {"points": line.fact.get("value"), **category}

    def match_records(self, lines: Sequence[FactLine]) -> set[Hashable]:
        """Find the rank systems. A fact that is recorded already is accepted, also of an archived system."""
        students = {line.student for line in lines if line.student}
        facts = StudentFact.objects.not_voided().filter(student__in=students).order_by()
        rows = facts.values_list("student_id", "kind", "rank_system_id", "value", "on")
        existing: set[Hashable] = {_key(*row) for row in rows}
        for line in lines:
            for candidate in self._systems.candidates(line.system_text):
                line.system = candidate
                if line.student and line.fact.keys() >= _REQUIRED and line.key in existing:
                    break
            else:
                if line.system is not None:
                    self._find(line)
        self._refuse_own_approvals(lines)
        return existing

    def _refuse_own_approvals(self, lines: Sequence[FactLine]) -> None:
        approvals = [line for line in lines if line.fact.get("kind") == StudentFact.Kind.APPROVAL]
        own = StudentUser.objects.student_ids_of(self._by) if approvals else frozenset()
        for line in approvals:
            if line.student and line.student.pk in own:
                line.add_error("kind", OwnApproval().message)

    def _find(self, line: FactLine) -> None:
        try:
            line.system = self._systems.find(line.system_text)
        except UnknownRank as error:
            line.add_error(error.column, str(error))

    def write(self, lines: Sequence[FactLine]) -> None:
        insert_rows(
            StudentFact,
            _COLUMNS,
            [self._row(line) for line in lines if line.outcome is LineOutcome.CREATED],
        )

    def _row(self, line: FactLine) -> tuple[Any, ...]:
        assert line.student is not None
        fact = line.fact
        value = orjson.dumps(fact["value"]).decode()
        system = line.system.pk if line.system else None
        until, note = fact.get("expires_on"), fact.get("note", "")
        return line.student.pk, fact["kind"], system, value, fact["on"], until, note, self._by.pk


def _key(student: Hashable, kind: str, system: Hashable, value: Any, on: Hashable) -> tuple[Hashable, ...]:
    return student, kind, system, tuple(sorted(value.items())) if isinstance(value, dict) else value, on


def _number(text: str) -> int | float | str:
    """Return the number in a cell; else the text, which the field then refuses."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
