"""Writing the good lines of a students' file: a fixed number of statements, however many lines."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from shared_apps.accounts.models import User
from tenant_apps.students.history import add_rank_events
from tenant_apps.students.imports.guardian_links import write_guardians
from tenant_apps.students.imports.inserting import insert_rows
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.student_lines import OWN, StudentLine
from tenant_apps.students.models import RankEvent, Student, StudentFact
from tenant_apps.students.services import new_check_in_id

BATCH: Final = 5_000
_NEW: Final = ("id", "check_in_id", "search_name", *OWN)
_CHANGED: Final = (*OWN, "search_name", "updated_at")


def write(lines: Sequence[StudentLine], *, by: User, today: date, now: datetime) -> None:
    """Write students, guardians, ranks and opening balances. Call it in a transaction, with the lines judged."""
    old = [line for line in lines if line.outcome is Outcome.UPDATED]
    new = [line for line in lines if line.outcome is Outcome.CREATED]
    changed = [line.student for line in old if line.student and _change(line.student, line)]
    for line in new:
        line.student = Student(check_in_id=new_check_in_id())
        _change(line.student, line)
    insert_rows(Student, _NEW, [[getattr(line.student, name) for name in _NEW] for line in new])
    if changed:
        # An upsert by key: one statement, where an UPDATE of many rows would be one long CASE.
        Student.objects.bulk_create(
            changed, batch_size=BATCH, update_conflicts=True, unique_fields=["id"], update_fields=_CHANGED
        )
    written = [*old, *new]
    write_guardians(
        [line for line in written if line.guardians], before=[line for line in old if line.guardians]
    )
    _write_ranks([line for line in written if line.ranks], by=by)
    _write_openings([line for line in written if line.opening is not None], by=by, today=today, now=now)


def _change(student: Student, line: StudentLine) -> bool:
    """Take over what the line says; return whether that changes anything."""
    different = {name: value for name, value in line.values.items() if getattr(student, name) != value}
    for name, value in different.items():
        setattr(student, name, value)
    student.search_name = line.search_name
    return bool(different)


def _write_ranks(lines: Sequence[StudentLine], *, by: User) -> None:
    """Add what is not in a history yet; a rank that is held since that very day, by whatever event, is."""
    if not lines:
        return
    ids = [line.student.pk for line in lines if line.student and line.outcome is Outcome.UPDATED]
    standing = RankEvent.objects.standing().filter(student__in=ids)
    there = set(standing.values_list("student_id", "rank_id", "effective_on")) if ids else set()
    kind = RankEvent.Kind.IMPORT
    events = [
        RankEvent(
            student=line.student,
            rank=rank,
            system_id=rank.system_id,
            kind=kind,
            effective_on=on,
            recorded_by=by,
        )
        for line in lines
        for rank, on in line.ranks
        if line.student and (line.student.pk, rank.pk, on) not in there
    ]
    add_rank_events(events)


def _write_openings(lines: Sequence[StudentLine], *, by: User, today: date, now: datetime) -> None:
    """Write the visits made elsewhere, as of today; another number than the one that stands voids that one."""
    if not lines:
        return
    ids = [line.student.pk for line in lines if line.student and line.outcome is Outcome.UPDATED]
    kind = StudentFact.Kind.OPENING_ATTENDANCE.value
    standing = StudentFact.objects.filter(student__in=ids, kind=kind, voided_at__isnull=True) if ids else ()
    there = {(fact.student_id, fact.rank_system_id): fact for fact in standing}
    facts, replaced = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        system = line.opening_system.pk if line.opening_system else None
        present = there.get((line.student.pk, system))
        if present is not None and present.value == line.opening:
            continue
        if present is not None:
            replaced.append(present.pk)
        facts.append((line.student.pk, kind, system, str(line.opening), today, by.pk))
    if replaced:
        reason = "Replaced by an import."
        StudentFact.objects.filter(pk__in=replaced).update(
            voided_at=now, voided_by=by, void_reason=reason, updated_at=now
        )
    insert_rows(StudentFact, ("student_id", "kind", "rank_system_id", "value", "on", "recorded_by_id"), facts)
