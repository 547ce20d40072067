"""Locks on students. Writers lock the student rows first, so that an erasure cannot race with them.

An erasure blanks the row and keeps it. With a foreign key alone, a writer would wait for the erasure, find the row, and
add records that can never be read again.
"""

from collections.abc import Collection
from uuid import UUID

from tatami.errors import NotFound
from tenant_apps.students.models import Student


def lock_students(students: Collection[UUID]) -> set[UUID]:
    """Lock students until commit, in the order of their keys. One statement.

    Return the keys of the students that exist; the others were erased.
    """
    return {key for (key,) in Student.objects.filter(pk__in=students).locked().values_list("pk")}


def lock_student(student: UUID) -> None:
    """Lock one student until commit. One statement. Raises `NotFound` if the student was erased."""
    if not lock_students([student]):
        raise NotFound
