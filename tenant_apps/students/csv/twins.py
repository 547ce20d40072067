"""Find the student of each line of a file of students: by external id, by an id that lost zeros, or by name."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from tatami.text import email_key
from tenant_apps.students.csv.external_ids import StudentsById, is_one_id, lost_zeros, with_ids
from tenant_apps.students.csv.pipeline import LineOutcome
from tenant_apps.students.csv.student_lines import StudentLine
from tenant_apps.students.models import Student, search_names

_MOST_NAMESAKES: Final = 50
"""Of one name; limits the work for a file that repeats a name thousands of times."""
_LISTED: Final = 3


@dataclass(frozen=True, slots=True)
class _Person:
    """What identifies a person of one name in the file."""

    line: int
    external_id: str | None
    birth_date: date | None


def repeated_ids(lines: Sequence[StudentLine]) -> None:
    """Add an error to each line whose external id an earlier line has."""
    first: dict[str, int] = {}
    for line in lines:
        if line.external_id and first.setdefault(line.external_id, line.number) != line.number:
            line.add_error(
                "external_id",
                gettext("Line {line} has this external id already.").format(line=first[line.external_id]),
            )


class StudentLookup:
    """The students with the ids or names in the file. One statement.

    A line is about an existing student if

    - the student has its external id,
    - or the student has this id but for leading zeros, which spreadsheets drop, and the name or birth date is equal,
    - or the line has an id, the student has none, and name and birth date are equal (one may lack the birth date, if
      the e-mail addresses do not differ).

    A line without an id is a duplicate if a student or an earlier line has its name, and the birth dates are equal or
    one is missing. Two different ids are two people; if name and birth date are equal, the line has a warning.
    """

    def __init__(self, lines: Sequence[StudentLine], *, locked: bool) -> None:
        ids = {line.external_id for line in lines if line.external_id}
        names = search_names(line.names for line in lines if line.name_keys)
        rows = with_ids(Student.objects.all(), ids, Q(search_name__in=names))
        students = list(rows.locked() if locked else rows) if ids or names else []
        self._by_id = StudentsById(ids, students)
        self._by_name: dict[str, list[Student]] = defaultdict(list)
        for student in students:
            self._by_name[student.name_key].append(student)

    def match(self, lines: Iterable[StudentLine], *, allow_duplicates: bool) -> None:
        """Set student, duplicates, warnings and outcome of each line without errors; the student of the others, too."""
        lines = list(lines)
        claimed = self._find_by_id(lines)
        seen: dict[str, list[_Person]] = defaultdict(list)
        for line in lines:
            if line.student is None and line.external_id:
                self._find_by_similar_id(line, claimed)
            line.outcome = LineOutcome.UPDATED if line.student else LineOutcome.CREATED
            if line.errors:
                continue
            earlier = seen[line.name_key]
            if line.student is None:
                is_duplicate = self._is_in_dojo(line, claimed) | _is_in_file(line, earlier)
                if is_duplicate and not allow_duplicates:
                    line.outcome = LineOutcome.DUPLICATE
            if len(earlier) < _MOST_NAMESAKES:
                earlier.append(_Person(line.number, line.external_id, line.birth_date))

    def _find_by_id(self, lines: Iterable[StudentLine]) -> dict[UUID, int]:
        """Set the student of each line that has an external id of the dojo; return the line of each such student."""
        claimed: dict[UUID, int] = {}
        for line in lines:
            student = self._by_id.exact(line.external_id)
            if student is None or self._has_lost_zeros(line, student):
                continue
            line.student = student
            claimed.setdefault(student.pk, line.number)
            if _is_another_person(line, student):
                line.add_error(
                    "external_id",
                    gettext("This is the id of {student}, who is another person.").format(
                        student=_described(student)
                    ),
                )
        return claimed

    def _has_lost_zeros(self, line: StudentLine, student: Student) -> bool:
        """Return whether the line does not name the student with its id, but one whose id has more or fewer zeros."""
        similar = self._by_id.without_zeros(str(line.external_id))
        return not _has_common_word(line, student) and any(_is_same_person(line, one) for one in similar)

    def _find_by_similar_id(self, line: StudentLine, claimed: dict[UUID, int]) -> None:
        """Set the student whose id has lost zeros, or who has no id yet."""
        assert line.external_id is not None
        given = line.external_id
        similar = self._by_id.without_zeros(given)
        found = [one for one in similar if _is_same_person(line, one) and one.pk not in claimed]
        if len(found) == 1:
            line.warn("external_id", lost_zeros(given, found[0]))
            line.values["external_id"] = found[0].external_id
        else:
            if similar:
                others = ", ".join(f"{one.external_id} ({one.name})" for one in similar[:_LISTED])
                line.warn(
                    "external_id",
                    gettext("The id {given} differs only in zeros from {others}: two people?").format(
                        given=given, others=others
                    ),
                )
            found = self._without_id(line, claimed)
            if len(found) != 1:
                return
            line.warn(
                "external_id",
                gettext("{name} had no id so far and gets {given}.").format(name=found[0].name, given=given),
            )
        line.student = found[0]
        claimed[found[0].pk] = line.number

    def _without_id(self, line: StudentLine, claimed: Collection[UUID]) -> list[Student]:
        """Return the students without an id that the line can mean: those with the equal birth date, if there are."""
        namesakes = [
            one
            for one in self._namesakes(line)
            if not one.external_id and one.pk not in claimed and not _differ_in_address(line, one)
        ]
        return [one for one in namesakes if one.birth_date == line.birth_date] or namesakes

    def _namesakes(self, line: StudentLine) -> Iterator[Student]:
        known = (self._by_name[key] for key in line.name_keys if key in self._by_name)
        for student in next(known, [])[:_MOST_NAMESAKES]:
            if _may_be_equal(student.birth_date, line.birth_date):
                yield student

    def _is_in_dojo(self, line: StudentLine, claimed: dict[UUID, int]) -> bool:
        """Return whether the line is a duplicate of a student; add what a person should check."""
        found = sorted(self._namesakes(line), key=lambda one: one.birth_date != line.birth_date)
        if not found:
            return False
        twin = found[0]
        is_equal = twin.birth_date == line.birth_date
        if line.external_id and twin.external_id and not is_one_id(line.external_id, twin.external_id):
            if is_equal and twin.birth_date:
                line.duplicate_of = twin
                line.warn(
                    "external_id",
                    gettext("{name} with the id {external_id} has this name and birth date.").format(
                        name=twin.name, external_id=twin.external_id
                    ),
                )
            return False
        if line.external_id and _differ_in_address(line, twin) and not (is_equal and twin.birth_date):
            line.duplicate_of = twin
            line.warn(
                "first_name",
                gettext("The dojo has {student}, with another e-mail address: two people?").format(
                    student=_described(twin)
                ),
            )
            return False
        line.duplicate_of = twin
        if line.external_id and len(found) > 1:
            line.warn(
                "external_id",
                gettext("Several students are named {name}: which of them gets this id?").format(
                    name=twin.name
                ),
            )
        elif twin.is_archived:
            line.warn(
                "first_name",
                gettext(
                    "The archive has {student}: restore them, or allow duplicates if this is another person."
                ).format(student=_described(twin)),
            )
        elif not is_equal:
            line.warn(
                "first_name",
                gettext("The dojo has {student}: the same person? Add the birth date to tell.").format(
                    student=_described(twin)
                ),
            )
        if twin.pk in claimed and claimed[twin.pk] != line.number:
            line.duplicate_of_line = claimed[twin.pk]
        return True


def _is_in_file(line: StudentLine, earlier: Sequence[_Person]) -> bool:
    """Return whether the line is a duplicate of an earlier line."""
    for other in earlier:
        if not _may_be_equal(other.birth_date, line.birth_date):
            continue
        if line.external_id and other.external_id and not is_one_id(line.external_id, other.external_id):
            if line.birth_date and line.birth_date == other.birth_date:
                line.warn(
                    "external_id",
                    gettext("Line {line} has this name and birth date with another id.").format(
                        line=other.line
                    ),
                )
            continue
        line.duplicate_of_line = other.line
        return True
    return False


def _is_same_person(line: StudentLine, student: Student) -> bool:
    """Return whether name or birth date confirm an id that differs in its zeros, and the birth dates do not differ."""
    if not _may_be_equal(student.birth_date, line.birth_date):
        return False
    is_born_then = line.birth_date is not None and student.birth_date == line.birth_date
    return is_born_then or student.name_key in line.name_keys


def _is_another_person(line: StudentLine, student: Student) -> bool:
    """Return whether nothing but the id is equal: no word of the name, and another birth date."""
    return not _has_common_word(line, student) and not _may_be_equal(student.birth_date, line.birth_date)


def _has_common_word(line: StudentLine, student: Student) -> bool:
    words = f"{student.search_name} {student.preferred_search}".split()
    return not set(line.name_key.split()).isdisjoint(words)


def _may_be_equal(one: Any, other: Any) -> bool:
    return one is None or other is None or one == other


def _differ_in_address(line: StudentLine, student: Student) -> bool:
    given: str = line.values.get("email", "")
    return bool(given and student.email) and email_key(given) != email_key(student.email)


def _described(student: Student) -> str:
    if student.birth_date is None:
        return student.name
    return gettext("{name}, born {date}").format(name=student.name, date=student.birth_date)
