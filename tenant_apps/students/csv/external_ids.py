"""Find students by external id, also by one whose leading zeros a spreadsheet has dropped."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import CharField, F, Func, Q, Value
from django.utils.translation import gettext

from tenant_apps.students.models import Student, StudentQuerySet


class StudentsById:
    """The students with these external ids, or with ids that differ from one of them only in leading zeros."""

    def __init__(self, ids: Iterable[str | None], students: Iterable[Student] | None = None) -> None:
        """Read the students in one statement, unless they are given (see `with_ids`)."""
        self._ids = {one for one in ids if one}
        self._exact: dict[str, Student] = {}
        self._by_bare_id: dict[str, list[Student]] = defaultdict(list)
        rows = with_ids(Student.objects.all(), self._ids) if self._ids and students is None else students
        for student in rows or ():
            if student.external_id:
                self._exact[student.external_id] = student
                self._by_bare_id[bare(student.external_id)].append(student)

    def exact(self, external_id: str | None) -> Student | None:
        """Return the student with this id."""
        return self._exact.get(external_id or "")

    def without_zeros(self, external_id: str) -> list[Student]:
        """Return the students whose id differs from this one in leading zeros, and who are not named exactly."""
        if not is_number(external_id):
            return []
        return [
            one
            for one in self._by_bare_id.get(bare(external_id), ())
            if one.external_id not in self._ids and is_number(one.external_id or "")
        ]

    def find(self, external_id: str) -> list[Student]:
        """Return the student with this id, else those of `without_zeros`."""
        found = self.exact(external_id)
        return [found] if found else self.without_zeros(external_id)


def with_ids(students: StudentQuerySet, ids: Iterable[str], *others: Q) -> StudentQuerySet:
    """Return the students with these ids, with ids that differ in leading zeros, or that match one of `others`."""
    ids = list(ids)
    bare_id = Func(F("external_id"), Value("0"), function="LTRIM", output_field=CharField())
    wanted = Q(external_id__in=ids) | Q(bare_id__in={bare(one) for one in ids if is_number(one)})
    for other in others:
        wanted |= other
    found: StudentQuerySet = students.alias(bare_id=bare_id).filter(wanted).order_by("pk")
    return found


def is_number(external_id: str) -> bool:
    """Return whether a spreadsheet would take an id for a number."""
    return external_id.isascii() and external_id.isdigit()


def bare(external_id: str) -> str:
    """Return an id without leading zeros."""
    return external_id.lstrip("0")


def is_one_id(one: str, other: str) -> bool:
    """Return whether two ids are equal, or differ only in leading zeros."""
    return one == other or (is_number(one) and is_number(other) and bare(one) == bare(other))


def lost_zeros(given: str, student: Student) -> str:
    """Return the warning about an id that was matched without its zeros."""
    return gettext("The id {given} was read as {external_id}, the id of {name}.").format(
        given=given, external_id=student.external_id, name=student.name
    )
