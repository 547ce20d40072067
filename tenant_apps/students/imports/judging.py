"""What becomes of the lines of a students' file, asked of the dojo's rows: three statements, however many lines."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from shared_apps.accounts.models import User
from tenant_apps.students.imports.report import Outcome
from tenant_apps.students.imports.student_lines import StudentLine
from tenant_apps.students.models import Student, StudentQuerySet, StudentUser


def judge(lines: Sequence[StudentLine], *, by: User, locked: bool, allow_duplicates: bool) -> None:
    """Give each line its outcome and, where it updates one, its student; `locked` holds those until commit.

    An `external_id` that is known updates, archived students too. A line without one that bears the name and birth date
    of somebody here, or of an earlier line, is a possible duplicate: it is written only where that is allowed.
    """
    _refuse_repeated_ids(lines)
    known = _known(lines, locked=locked)
    namesakes = _namesakes(lines)
    own = set(StudentUser.objects.filter(user=by).values_list("student_id", flat=True))
    seen: dict[Any, int] = {}
    for line in lines:
        line.student = known.get(line.external_id or "")
        _refuse_own_ranks(line, own)
        if line.faults:
            line.student = None
            continue
        line.outcome = Outcome.UPDATED if line.student else Outcome.CREATED
        if line.student is None:
            _look_for_twins(line, namesakes, seen, allow_duplicates=allow_duplicates)


def _refuse_repeated_ids(lines: Iterable[StudentLine]) -> None:
    first: dict[str, int] = {}
    for line in lines:
        if line.external_id and first.setdefault(line.external_id, line.number) != line.number:
            message = f"Line {first[line.external_id]} has this external id already."
            line.faults.setdefault("external_id", []).append(message)


def _known(lines: Iterable[StudentLine], *, locked: bool) -> dict[str, Student]:
    ids = {line.external_id for line in lines if line.external_id}
    rows: StudentQuerySet = Student.objects.filter(external_id__in=ids).order_by("pk")
    rows = rows.select_for_update() if locked else rows
    return {str(student.external_id): student for student in rows} if ids else {}


def _namesakes(lines: Iterable[StudentLine]) -> dict[Any, Student]:
    names = {line.search_name for line in lines if not line.faults}
    rows = Student.objects.filter(search_name__in=names).order_by("-pk")
    return {(student.search_name, student.birth_date): student for student in rows} if names else {}


def _look_for_twins(
    line: StudentLine, namesakes: dict[Any, Student], seen: dict[Any, int], *, allow_duplicates: bool
) -> None:
    twin = namesakes.get(line.identity)
    # Somebody with another external id is somebody else, in the eyes of whoever gives the ids.
    if twin is not None and not (line.external_id and twin.external_id):
        line.duplicate_of = twin
    if not line.external_id:
        line.duplicate_of_line = seen.get(line.identity)
        seen.setdefault(line.identity, line.number)
        if (line.duplicate_of or line.duplicate_of_line) and not allow_duplicates:
            line.outcome = Outcome.DUPLICATE


def _refuse_own_ranks(line: StudentLine, own: set[UUID]) -> None:
    if line.student is not None and line.ranks and line.student.pk in own:
        line.faults.setdefault("rank", []).append("Nobody changes his own ranks.")
