"""The rows of the list of students, as compiled queries and without a serializer; and locks on students."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext

from tatami.errors import NotFound
from tatami.postgresql.compiled import CompiledQuery, many
from tatami.postgresql.statements import Row
from tenant_apps.students.models import RankEvent, Student, StudentGuardian, full_name

STUDENT_COLUMNS: Final = (
    "id",
    "tenant_id",
    "first_name",
    "last_name",
    "family_first",
    "preferred_name",
    "name_order",
    "email",
    "phone",
    "birth_date",
    "gender",
    "shown_status",
    "joined_on",
    "external_id",
    "licence_number",
    "medical_notes",
    "archived_at",
    "created_at",
    "updated_at",
)
GUARDIANS: Final = CompiledQuery(
    "students.guardians",
    lambda students: StudentGuardian.objects.filter(student__in=students),
    columns=(
        "student_id",
        "guardian_id",
        "guardian__name",
        "guardian__email",
        "guardian__phone",
        "relation",
    ),
    students=many(UUID),
)
CURRENT_RANKS: Final = CompiledQuery(
    "students.current_ranks",
    lambda students, as_of: RankEvent.objects.current(students=students, as_of=as_of),
    columns=(
        "student_id",
        "rank_id",
        "rank__name",
        "rank__code",
        "system_id",
        "system__name",
        "effective_on",
    ),
    students=many(UUID),
    as_of=date,
)

Nested = dict[str, list[dict[str, Any]]]


def guardians_of(students: Sequence[str]) -> Nested:
    """Return, by student, the guardians as `GuardianSerializer` shows them. One statement."""
    found: Nested = defaultdict(list)
    for student, guardian, name, email, phone, relation in GUARDIANS.rows(students=students):
        found[student].append(
            {"id": guardian, "name": name, "email": email, "phone": phone, "relation": relation}
        )
    return found


def current_ranks_of(students: Sequence[str], *, as_of: date) -> Nested:
    """Return, by student, the ranks held on a local date, as `HeldRankSerializer` shows them. One statement."""
    found: Nested = defaultdict(list)
    rows = CURRENT_RANKS.rows(students=students, as_of=as_of)
    for student, rank, name, code, system, system_name, since in rows:
        found[student].append(
            {
                "id": rank,
                "name": name,
                "code": code,
                "rank_system": {"id": system, "name": system_name},
                "since": since,
            }
        )
    return found


def student_data(rows: Sequence[Row], *, as_of: date) -> list[dict[str, Any]]:
    """Return rows of `STUDENT_COLUMNS` as `StudentSerializer` shows them on a local date. Two statements."""
    students = [row[0] for row in rows]
    guardians = guardians_of(students) if students else {}
    ranks = current_ranks_of(students, as_of=as_of) if students else {}
    return [
        {
            "id": student,
            "tenant_id": tenant,
            "first_name": first_name,
            "last_name": last_name,
            "name": full_name(first_name, last_name, family_first),
            "preferred_name": preferred_name,
            "name_order": name_order,
            "email": email,
            "phone": phone,
            "birth_date": birth_date,
            "gender": gender,
            "status": status,
            "joined_on": joined_on,
            "external_id": external_id,
            "licence_number": licence_number,
            "medical_notes": medical_notes,
            "guardians": guardians.get(student, []),
            "ranks": ranks.get(student, []),
            "archived": archived_at is not None,
            "created_at": created_at,
            "updated_at": updated_at,
        }
        for (
            student,
            tenant,
            first_name,
            last_name,
            family_first,
            preferred_name,
            name_order,
            email,
            phone,
            birth_date,
            gender,
            status,
            joined_on,
            external_id,
            licence_number,
            medical_notes,
            archived_at,
            created_at,
            updated_at,
        ) in rows
    ]


# Writers lock the student rows first, so that an erasure cannot race with them. An erasure blanks the row and keeps it:
# with a foreign key alone, a writer would wait for the erasure, find the row, and add records that no one can read.


def lock_students(students: Collection[UUID]) -> set[UUID]:
    """Lock students until commit, in the order of their keys. One statement.

    Return the keys of the students that exist; the others were erased.
    """
    return {key for (key,) in Student.objects.filter(pk__in=students).locked().values_list("pk")}


def student_not_found(student: UUID, *, to_staff: bool = True) -> NotFound:
    """Return the error for a student who does not exist. One statement; none unless it is shown to staff.

    If the record was merged, `details` leads to the one that was kept: `merged_into`.
    """
    merged = Student._base_manager.filter(pk=student, merged_into__erased_at__isnull=True)
    into = merged.select_related("merged_into").first() if to_staff else None
    if into is None or into.merged_into is None:
        return NotFound()
    kept = {"id": into.merged_into.pk, "name": into.merged_into.name}
    return NotFound(gettext("This record was merged into another one."), details={"merged_into": kept})


def lock_student(student: UUID) -> None:
    """Lock one student until commit. One statement. Raises `NotFound` if the student was erased."""
    if not lock_students([student]):
        raise NotFound
