"""The student list as a table that can be imported again: CSV with formulas made harmless, or `.xlsx`."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max

from tatami.api.renderers import escape_formulas
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.students.csv.student_lines import (
    FIELDS,
    GUARDIAN,
    MOST_GUARDIANS,
    MOST_RANKS,
    RANK,
    guardian_prefix,
    rank_suffix,
)
from tenant_apps.students.models import RankEvent, Student, StudentGuardian
from tenant_apps.students.services import attach_current_ranks, with_details

CHUNK: Final = 2_000


class StudentExport:
    """Students of a dojo as rows of a table, in the order of the ids. Three statements for each chunk.

    Each chunk is read in its own transaction and scope. The response is sent after those of the request have ended,
    and a scope must not stay in force between two chunks.
    """

    def __init__(self, ids: Sequence[UUID], *, tenant: TenantScope, as_of: date) -> None:
        """Count the guardian and rank columns: as many as the student with the most has. Two statements."""
        self._ids, self._tenant, self._as_of = ids, tenant, as_of
        guardians = StudentGuardian.objects.order_by().values("student").annotate(n=Count("pk"))
        ranks = RankEvent.objects.not_voided().order_by().values("student")
        ranks = ranks.annotate(n=Count("system", distinct=True))
        self._guardians = range(1, 1 + _most(guardians, 2, MOST_GUARDIANS))
        self._ranks = range(1, 1 + _most(ranks, 1, MOST_RANKS))

    @property
    def columns(self) -> list[str]:
        """The header."""
        return [
            *FIELDS,
            *(guardian_prefix(n) + name for n in self._guardians for name in GUARDIAN),
            *(name + rank_suffix(n) for n in self._ranks for name in RANK),
        ]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each student as values by column."""
        for rows in self._chunks():
            yield from (dict(zip(self.columns, row, strict=True)) for row in rows)

    def csv_chunks(self, *, delimiter: str) -> Iterator[bytes]:
        """Yield CSV: the header with the first students, then the others, up to `CHUNK` students each."""
        heading = [self.columns]
        for rows in self._chunks():
            text = _csv([*heading, *(map(_cell, row) for row in rows)], delimiter)
            # The byte order mark tells spreadsheets that this is UTF-8; imports accept it.
            yield text.encode("utf-8-sig" if heading else "utf-8")
            heading = []

    def _chunks(self) -> Iterator[list[list[Any]]]:
        for start in range(0, max(len(self._ids), 1), CHUNK):
            yield self._rows(self._ids[start : start + CHUNK])

    def _rows(self, ids: Sequence[UUID]) -> list[list[Any]]:
        with tenant_scope(self._tenant), transaction.atomic():
            found = with_details(Student.objects.filter(pk__in=ids), as_of=self._as_of).in_bulk()
            students = [found[key] for key in ids if key in found]
            attach_current_ranks(students, as_of=self._as_of)
            return [self._row(student) for student in students]

    def _row(self, student: Student) -> list[Any]:
        cells = {name: getattr(student, name) for name in FIELDS}
        for number, link in zip(self._guardians, student.guardian_links.all(), strict=False):
            guardian = (link.guardian.name, link.guardian.email, link.guardian.phone, link.relation)
            cells |= dict(zip((guardian_prefix(number) + name for name in GUARDIAN), guardian, strict=True))
        held: Sequence[RankEvent] = student.current_ranks  # type: ignore[attr-defined]
        for number, event in zip(self._ranks, held, strict=False):
            values = (event.system.name, event.rank.code, event.effective_on)
            cells |= dict(zip((name + rank_suffix(number) for name in RANK), values, strict=True))
        return [cells.get(name) for name in self.columns]


def _most(rows: Any, least: int, most: int) -> int:
    found: int = rows.aggregate(most=Max("n"))["most"] or 0
    return min(max(found, least), most)


def _cell(value: object) -> str:
    return "" if value is None else escape_formulas(str(value))


def _csv(rows: Iterable[Iterable[str]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
