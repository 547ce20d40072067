"""Write the valid lines of a file of students. A fixed number of statements, whatever the number of lines."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.utils.translation import gettext_noop

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
_CHANGED_STUDENT: Final = (*FIELDS, *_NAMES, "archived_at", "updated_at")


class StudentHistories:
    """What the file may repeat of the histories of its students. Two statements."""

    def __init__(
        self,
        ranks: Collection[tuple[UUID, UUID, date]],
        openings: Mapping[tuple[UUID, UUID | None], StudentFact],
    ) -> None:
        self.ranks = ranks
        """Student, rank, and the date since when: from any kind of event."""
        self._openings = openings

    @classmethod
    def of(cls, lines: Sequence[StudentLine]) -> "StudentHistories":
        """Read the ranks of students whose line has ranks, and the opening balances of those whose line has one."""
        with_ranks = [line.student.pk for line in lines if line.student and line.rank_cells]
        with_opening = [line.student.pk for line in lines if line.student and line.opening is not None]
        events = RankEvent.objects.not_voided().filter(student__in=with_ranks) if with_ranks else None
        kind = StudentFact.Kind.OPENING_ATTENDANCE.value
        facts = (
            StudentFact.objects.not_voided().filter(student__in=with_opening, kind=kind)
            if with_opening
            else ()
        )
        return cls(
            set(events.values_list("student_id", "rank_id", "effective_on")) if events is not None else set(),
            {(fact.student_id, fact.rank_system_id): fact for fact in facts},
        )

    def opening(self, line: StudentLine) -> StudentFact | None:
        """Return the present opening balance of the student, in the rank system of the line."""
        system = line.opening_system.pk if line.opening_system else None
        return self._openings.get((line.student.pk, system)) if line.student else None


def write_students(
    lines: Sequence[StudentLine],
    histories: StudentHistories,
    guardians: GuardianLookup,
    *,
    name_order: NameOrder,
    by: User,
    today: date,
    now: datetime,
) -> None:
    """Write students, guardians, ranks and opening balances. Call this in a transaction, with the lines matched.

    `name_order` is the order of names in the dojo, locked (`lock_name_order`).
    """
    old = [line for line in lines if line.is_written and line.outcome is not LineOutcome.CREATED]
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
    _write_guardians([line for line in written if line.guardians], guardians)
    _write_ranks(written, by=by)
    _write_openings(
        [line for line in written if line.opening is not None], histories, by=by, today=today, now=now
    )


def _set_values(student: Student, line: StudentLine, name_order: NameOrder) -> bool:
    """Set the values of the line on the student; return whether that changes anything."""
    different = {name: value for name, value in line.values.items() if getattr(student, name) != value}
    if line.outcome is LineOutcome.RESTORED:
        different["archived_at"] = None
    for name, value in different.items():
        setattr(student, name, value)
    student.set_name_order(name_order)
    student.preferred_search = normalise(student.preferred_name)
    return bool(different)


def _write_ranks(lines: Sequence[StudentLine], *, by: User) -> None:
    """Add the ranks that the histories do not have."""
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
    ]
    add_rank_events(events)


def _write_openings(
    lines: Sequence[StudentLine], histories: StudentHistories, *, by: User, today: date, now: datetime
) -> None:
    """Add opening balances as of today. A balance with another number voids the present one."""
    kind = StudentFact.Kind.OPENING_ATTENDANCE.value
    facts, replaced = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        before = histories.opening(line)
        if before is not None and before.value == line.opening:
            continue
        if before is not None:
            replaced.append(before.pk)
        system = line.opening_system.pk if line.opening_system else None
        facts.append((line.student.pk, kind, system, str(line.opening), today, by.pk))
    if replaced:
        StudentFact.objects.filter(pk__in=replaced).void(
            reason=gettext_noop("Replaced by an import."), by=by, now=now
        )
    insert_rows(StudentFact, ("student_id", "kind", "rank_system_id", "value", "on", "recorded_by_id"), facts)


def _write_guardians(lines: Sequence[StudentLine], guardians: GuardianLookup) -> None:
    """Give each student exactly the guardians of their line."""
    links, changed = [], list[UUID]()
    for line in lines:
        assert line.student is not None
        wanted = {guardian.pk: relation for guardian, relation in line.found_guardians}
        present = guardians.linked.get(line.student.pk, {})
        if list(wanted.items()) != list(present.items()):
            changed.append(line.student.pk)
            links += [(line.student.pk, guardian, relation) for guardian, relation in wanted.items()]
    guardians.save()
    if guardians.linked and changed:
        delete_in_one_statement(StudentGuardian.objects.filter(student__in=changed))
    insert_rows(StudentGuardian, ("student_id", "guardian_id", "relation"), links)
    removed = {guardian for student in changed for guardian in guardians.linked.get(student, ())}
    if removed:
        delete_unlinked(removed - {guardian for _, guardian, _ in links})
