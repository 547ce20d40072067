"""Whoever writes something down about students locks their rows first, so that nobody is erased meanwhile.

An erasure blanks the row and keeps it. A foreign key alone would wait for the erasure, find the row there, and let in
what nobody can reach any more.
"""

from collections.abc import Collection
from uuid import UUID

from tatami.errors import NotFound
from tenant_apps.students.models import Student


def lock_students(students: Collection[UUID]) -> set[UUID]:
    """Lock students until commit, in key order; return those who are here: others were erased. One statement."""
    return {key for (key,) in Student.objects.filter(pk__in=students).locked().values_list("pk")}


def lock_student(student: UUID) -> None:
    """Lock one student until commit. Raises `NotFound` if she was erased meanwhile. One statement."""
    if not lock_students([student]):
        raise NotFound
