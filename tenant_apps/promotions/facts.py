"""Fetching what the engine asks about, for all students at once: a fixed number of statements."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection

from tenant_apps.classes.models import Enrolment
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.engine import (
    DocumentFact,
    LeapDayBirthday,
    OpeningBalance,
    RankEvent,
    RankEventKind,
    StudentFacts,
    Visits,
)
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students import models
from tenant_apps.students.models import Student, StudentFact

# One row per student, discipline and class type: arrays, so that half a million visits are not as many objects.
_VISITS: Final = """
SELECT a.student_id, s.discipline_id, s.class_type,
       array_agg(s.local_date - DATE '0001-01-01' + 1),
       array_agg((extract(epoch FROM s.ends_at - s.starts_at) / 60)::int)
FROM attendance_attendance a
JOIN classes_classsession s ON s.id = a.class_session_id
WHERE a.voided_at IS NULL AND s.counts_toward_promotion AND a.student_id = ANY(%s)
GROUP BY a.student_id, s.discipline_id, s.class_type
"""


class FactsOfStudents:
    """The facts about some students, fetched in five statements and read per student and rank system."""

    def __init__(self, students: Sequence[Student]) -> None:
        ids = [student.pk for student in students]
        self._leap_day = LeapDayBirthday(DojoSettings.current().leap_day_birthday)
        self._rank_events = _rank_events(ids)
        self._visits = _visits(ids)
        self._facts = _facts(ids)
        self._enrolled = _enrolled_disciplines(ids)

    def concerned(self, student: Student, systems: Sequence[RankSystem]) -> list[RankSystem]:
        """Return the systems in which a student has a rank or an enrolment; if there are none, all of them."""
        mine = [
            system
            for system in systems
            if (student.pk, system.pk) in self._rank_events
            or (system.discipline_id and system.discipline_id in self._enrolled[student.pk])
        ]
        return mine or list(systems)

    def of(self, student: Student, system: RankSystem) -> StudentFacts:
        """Return what the engine may ask about a student in a rank system."""
        facts = [f for f in self._facts[student.pk] if f.rank_system_id in {None, system.pk}]
        return StudentFacts(
            birth_date=student.birth_date,
            joined_on=student.joined_on,
            rank_events=tuple(self._rank_events[student.pk, system.pk])
            if (student.pk, system.pk) in self._rank_events
            else (),
            attendance=tuple(
                Visits(
                    class_type=class_type,
                    # A system without a discipline counts every class: there is no other to tell it from.
                    in_discipline=system.discipline_id is None or discipline == system.discipline_id,
                    days=days,
                    minutes=minutes,
                )
                for discipline, class_type, days, minutes in self._visits[student.pk]
            ),
            opening_balances=tuple(
                OpeningBalance(on=f.on, count=f.value)
                for f in facts
                if f.kind == StudentFact.Kind.OPENING_ATTENDANCE
            ),
            documents=tuple(
                DocumentFact(which=f.value, on=f.on, expires_on=f.expires_on)
                for f in facts
                if f.kind == StudentFact.Kind.DOCUMENT
            ),
            leap_day_birthday=self._leap_day,
        )


def _rank_events(ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], list[RankEvent]]:
    found: dict[tuple[UUID, UUID], list[RankEvent]] = defaultdict(list)
    rows = models.RankEvent.objects.standing().filter(student__in=ids).order_by()
    for student, system, code, kind, on in rows.values_list(
        "student", "system", "rank__code", "kind", "effective_on"
    ):
        found[student, system].append(RankEvent(rank=code, kind=RankEventKind(kind), on=on))
    return dict(found)


def _visits(ids: Sequence[UUID]) -> dict[UUID, list[tuple[UUID | None, str, list[int], list[int]]]]:
    found: dict[UUID, list[tuple[UUID | None, str, list[int], list[int]]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_VISITS, [list(ids)])
        for student, *rest in cursor.fetchall():
            found[student].append(tuple(rest))
    return found


def _facts(ids: Sequence[UUID]) -> dict[UUID, list[StudentFact]]:
    return _by_student(StudentFact.objects.filter(student__in=ids, voided_at__isnull=True).order_by())


def _enrolled_disciplines(ids: Sequence[UUID]) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = defaultdict(set)
    rows = Enrolment.objects.filter(student__in=ids, training_class__discipline__isnull=False)
    for student, discipline in rows.values_list("student", "training_class__discipline"):
        found[student].add(discipline)
    return found


def _by_student(rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.student_id].append(row)
    return found
