"""Write the valid lines of a file of students. A fixed number of statements, whatever the number of lines."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import subscribers
from tatami.text import normalise
from tenant_apps.dojo.models import NameOrder
from tenant_apps.students.csv.guardian_matching import GuardianLookup
from tenant_apps.students.csv.pipeline import LineOutcome, insert_rows
from tenant_apps.students.csv.student_lines import FIELDS, StudentLine
from tenant_apps.students.guardians import delete_in_one_statement, delete_unlinked
from tenant_apps.students.history import add_rank_events
from tenant_apps.students.models import RankEvent, Student, StudentFact, StudentGuardian
from tenant_apps.students.services import new_check_in_id

_BATCH: Final = 5_000
_NAMES: Final = ("family_first", "search_name", "preferred_search")
_NEW_STUDENT: Final = ("id", "check_in_id", *_NAMES, *FIELDS)
_CHANGED_STUDENT: Final = (*FIELDS, *_NAMES, "updated_at")


def write_students(
    lines: Sequence[StudentLine], *, name_order: NameOrder, by: User, today: date, now: datetime
) -> None:
    """Write students, guardians, ranks and opening balances. Call this in a transaction, with the lines matched.

    `name_order` is the order of names in the dojo, locked (`lock_name_order`).
    """
    old = [line for line in lines if line.outcome is LineOutcome.UPDATED]
    new = [line for line in lines if line.outcome is LineOutcome.CREATED]
    changed = [line.student for line in old if line.student and _set_values(line.student, line, name_order)]
    for line in new:
        line.student = Student(check_in_id=new_check_in_id())
        _set_values(line.student, line, name_order)
    insert_rows(
        Student, _NEW_STUDENT, [[getattr(line.student, name) for name in _NEW_STUDENT] for line in new]
    )
    if changed:
        # An upsert by key is one short statement; an UPDATE of many rows would be one long CASE.
        Student.objects.bulk_create(
            changed,
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_CHANGED_STUDENT,
        )
    events = subscribers("student.created", "student.updated")
    events.publish("student.created", [{"id": line.student.pk} for line in new if line.student], now=now)
    events.publish("student.updated", [{"id": student.pk} for student in changed], now=now)
    written = [*old, *new]
    _write_guardians(
        [line for line in written if line.guardians], updated=[line for line in old if line.guardians]
    )
    _write_ranks([line for line in written if line.ranks], by=by)
    _write_openings([line for line in written if line.opening is not None], by=by, today=today, now=now)


def _set_values(student: Student, line: StudentLine, name_order: NameOrder) -> bool:
    """Set the values of the line on the student; return whether that changes anything."""
    different = {name: value for name, value in line.values.items() if getattr(student, name) != value}
    for name, value in different.items():
        setattr(student, name, value)
    student.set_name_order(name_order)
    student.preferred_search = normalise(student.preferred_name)
    return bool(different)


def _write_ranks(lines: Sequence[StudentLine], *, by: User) -> None:
    """Add the ranks that the histories do not have.

    A rank held since that day, from any kind of event, counts as there.
    """
    if not lines:
        return
    ids = [line.student.pk for line in lines if line.student and line.outcome is LineOutcome.UPDATED]
    present = RankEvent.objects.not_voided().filter(student__in=ids)
    existing = set(present.values_list("student_id", "rank_id", "effective_on")) if ids else set()
    events = [
        RankEvent(
            student=line.student,
            rank=rank,
            system_id=rank.system_id,
            kind=RankEvent.Kind.IMPORT,
            effective_on=on,
            recorded_by=by,
        )
        for line in lines
        for rank, on in line.ranks
        if line.student and (line.student.pk, rank.pk, on) not in existing
    ]
    add_rank_events(events)


def _write_openings(lines: Sequence[StudentLine], *, by: User, today: date, now: datetime) -> None:
    """Add opening balances as of today. A balance with another number voids the present one."""
    if not lines:
        return
    ids = [line.student.pk for line in lines if line.student and line.outcome is LineOutcome.UPDATED]
    kind = StudentFact.Kind.OPENING_ATTENDANCE.value
    present = StudentFact.objects.not_voided().filter(student__in=ids, kind=kind) if ids else ()
    existing = {(fact.student_id, fact.rank_system_id): fact for fact in present}
    facts, replaced = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        system = line.opening_system.pk if line.opening_system else None
        before = existing.get((line.student.pk, system))
        if before is not None and before.value == line.opening:
            continue
        if before is not None:
            replaced.append(before.pk)
        facts.append((line.student.pk, kind, system, str(line.opening), today, by.pk))
    if replaced:
        StudentFact.objects.filter(pk__in=replaced).void(reason="Replaced by an import.", by=by, now=now)
    insert_rows(StudentFact, ("student_id", "kind", "rank_system_id", "value", "on", "recorded_by_id"), facts)


# --- guardians ----------------------------------------------------------------------------------------------------


def _write_guardians(lines: Sequence[StudentLine], *, updated: Sequence[StudentLine]) -> None:
    """Give each student exactly the guardians of their line. `updated` are the lines whose students may have guardians.

    Siblings share guardians, and a repeated import finds them again (see `GuardianLookup`).
    """
    if not lines:
        return
    linked = _linked_guardians([line.student.pk for line in updated if line.student])
    lookup = GuardianLookup(lines, linked)
    links, changed = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        wanted = {lookup.find(line, cells).pk: cells.get("relation", "") for cells in line.guardians}
        present = linked.get(line.student.pk, {})
        if list(wanted.items()) != list(present.items()):
            changed.append(line.student.pk)
            links += [(line.student.pk, guardian, relation) for guardian, relation in wanted.items()]
    lookup.save()
    if linked and changed:
        delete_in_one_statement(StudentGuardian.objects.filter(student__in=changed))
    insert_rows(StudentGuardian, ("student_id", "guardian_id", "relation"), links)
    removed = {guardian for student in changed for guardian in linked.get(student, ())}
    if removed:
        delete_unlinked(removed - {guardian for _, guardian, _ in links})


def _linked_guardians(students: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
    """Return for each student the present guardians with their relation, in order."""
    found: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    rows = (
        StudentGuardian.objects.filter(student__in=students) if students else StudentGuardian.objects.none()
    )
    for student, guardian, relation in rows.values_list("student_id", "guardian_id", "relation"):
        found[student][guardian] = relation
    return dict(found)
