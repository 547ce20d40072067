"""Rank events, facts and enrolments, for all students at once: three statements.

Rows are read one by one, and found under the caller's own keys: with thousands of students the garbage collector's
passes over rows and keys that are held twice take longer than reading them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import orjson
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection

from tenant_apps.classes.models import Enrolment
from tenant_apps.promotions.engine import RankEvent, RankEventKind
from tenant_apps.students import models

_FACTS: Final = """
SELECT f.student_id, f.kind, f.rank_system_id, f.value, f."on", f.expires_on, f.recorded_by_id, u.role
FROM students_studentfact f
LEFT JOIN accounts_user u ON u.id = f.recorded_by_id
WHERE f.voided_at IS NULL AND f.student_id = ANY(%s)
UNION ALL
SELECT h.student_id, 'hold', NULL, NULL, h.starts_on, h.until, NULL, NULL
FROM students_studenthold h
WHERE h.student_id = ANY(%s)
UNION ALL
SELECT c.student_id, 'failed_test', e.rank_system_id, NULL, e.date, NULL, NULL, NULL
FROM promotions_candidate c
JOIN promotions_exam e ON e.id = c.exam_id
WHERE c.outcome = 'failed' AND e.finished_at IS NOT NULL AND c.student_id = ANY(%s)
"""

HOLD: Final = "hold"
"""The kind under which breaks stand among the facts."""

FAILED_TEST: Final = "failed_test"
"""The kind under which exams that were failed stand among the facts."""

_KINDS: Final = {kind.value: kind for kind in RankEventKind}

Key = TypeVar("Key")
Row = TypeVar("Row")


class FactRow(NamedTuple):
    """A line of what is written down about a student; who recorded it, and what that user's role is now."""

    kind: str
    system: UUID | None
    value: Any
    on: date
    expires_on: date | None
    by: str
    role: str


class RankHistory(NamedTuple):
    """A student's events in a rank system, a column each: as events they are made when they are asked for.

    All events of a dojo at once would be the most of what a check holds in memory.
    """

    ranks: list[str]
    kinds: list[str]
    dates: list[date]

    def events(self) -> tuple[RankEvent, ...]:
        return tuple(
            RankEvent(rank, _KINDS[kind], on)
            for rank, kind, on in zip(self.ranks, self.kinds, self.dates, strict=True)
        )


def rank_events(ids: Sequence[UUID]) -> dict[UUID, dict[UUID, RankHistory]]:
    """By student, then by rank system."""
    found: dict[UUID, dict[UUID, RankHistory]] = {student: {} for student in ids}
    histories = (
        models.RankEvent.objects.not_voided()
        .filter(student__in=ids)
        .order_by()
        .values_list("student", "system")
        .annotate(ranks=ArrayAgg("rank__code"), kinds=ArrayAgg("kind"), dates=ArrayAgg("effective_on"))
    )
    for student, system, *columns in histories.iterator():
        found[student][system] = RankHistory(*columns)
    return found


def facts(ids: Sequence[UUID]) -> dict[UUID, list[FactRow]]:
    """By student; holds and failed exams are among them."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(ids)] * 3)
        return grouped(
            (
                student,
                FactRow(kind, system, value and orjson.loads(value), on, until, str(by or ""), role or ""),
            )
            for student, kind, system, value, on, until, by, role in cursor
        )


def enrolled_disciplines(ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By student, each once."""
    found: dict[UUID, list[UUID]] = {student: [] for student in ids}
    enrolments = Enrolment.objects.filter(
        student__in=ids, training_class__discipline__isnull=False
    ).order_by()
    rows = enrolments.values_list("student", "training_class__discipline").distinct()
    for student, discipline in rows.iterator():
        found[student].append(discipline)
    return found


def grouped(rows: Iterable[tuple[Key, Row]]) -> dict[Key, list[Row]]:
    """The rows of each key."""
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in rows:
        found[key].append(row)
    return dict(found)
