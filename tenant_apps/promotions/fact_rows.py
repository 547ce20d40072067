"""Rank events, facts and enrolments, for all students at once: three statements."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import orjson
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
"""

HOLD: Final = "hold"
"""The kind under which breaks stand among the facts."""

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


def rank_events(ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], list[RankEvent]]:
    """By student and rank system."""
    rows = models.RankEvent.objects.standing().filter(student__in=ids).order_by()
    return grouped(
        ((student, system), RankEvent(rank=code, kind=RankEventKind(kind), on=on))
        for student, system, code, kind, on in rows.values_list(
            "student", "system", "rank__code", "kind", "effective_on"
        )
    )


def facts(ids: Sequence[UUID]) -> dict[UUID, list[FactRow]]:
    """By student; holds are among them."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(ids), list(ids)])
        return grouped(
            (
                student,
                FactRow(kind, system, value and orjson.loads(value), on, until, str(by or ""), role or ""),
            )
            for student, kind, system, value, on, until, by, role in cursor.fetchall()
        )


def enrolled_disciplines(ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """By student."""
    rows = Enrolment.objects.filter(student__in=ids, training_class__discipline__isnull=False).order_by()
    return grouped(rows.values_list("student", "training_class__discipline"))


def grouped(rows: Iterable[tuple[Key, Row]]) -> dict[Key, list[Row]]:
    """The rows of each key."""
    found: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in rows:
        found[key].append(row)
    return dict(found)
