"""Who may not be promoted without a reason, whatever the rules say: who is inactive, on trial, on hold or archived."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from tenant_apps.promotions.check import CheckResult
from tenant_apps.promotions.engine import CriterionResult, Eligibility, Status
from tenant_apps.ranks.criteria import GoodStanding
from tenant_apps.students.models import Status as StudentStatus
from tenant_apps.students.models import Student, StudentHold

ARCHIVED: Final = "archived"

WARNINGS: Final[Mapping[str, str]] = {
    ARCHIVED: gettext_noop("The student is archived."),
    StudentStatus.INACTIVE: gettext_noop("The student is inactive."),
    StudentStatus.TRIAL: gettext_noop("The student is on trial."),
    StudentStatus.ON_HOLD: gettext_noop("The student is on hold on this day."),
}
"""What keeps a student from being promoted without a reason, and how it is said."""


@dataclass(frozen=True, slots=True)
class StandingCheck:
    """The standing of some students on a local date: their present status, and the holds of that day."""

    holds: Mapping[UUID, StudentHold]
    """The hold of each student who is on hold."""

    @classmethod
    def of(cls, students: Mapping[UUID, Student], *, on: date) -> Self:
        """Read the holds of all `students`. One statement."""
        holds = StudentHold.objects.covering(on).filter(student__in=students)
        return cls({hold.student_id: hold for hold in holds})

    def warning(self, student: Student) -> str | None:
        """Return the key of `WARNINGS` that applies; None for a student in good standing."""
        if student.is_archived:
            return ARCHIVED
        if student.status != StudentStatus.ACTIVE:
            return str(student.status)
        return StudentStatus.ON_HOLD.value if student.pk in self.holds else None

    def applied_to(self, result: CheckResult) -> CheckResult:
        """Return the result with `standing` among its criteria if it is not met and the rules did not ask for it."""
        warning = self.warning(result.student)
        if warning is None or _asks_for_standing(result):
            return result
        standing, refused = self._criterion(result.student, warning), Eligibility.NOT_ELIGIBLE
        paths = tuple(
            path._replace(status=refused, earliest_on=None, criteria=(*path.criteria, standing))
            for path in result.step.paths
        )
        criteria = (*result.step.criteria, standing)
        step = result.step._replace(status=refused, earliest_on=None, criteria=criteria, paths=paths)
        return result._replace(step=step)

    def _criterion(self, student: Student, warning: str) -> CriterionResult:
        until = self.holds[student.pk].until if warning == StudentStatus.ON_HOLD else None
        back = until + timedelta(days=1) if until else None
        return CriterionResult(GoodStanding.kind, Status.NOT_MET, 0, 1, back, gettext(WARNINGS[warning]))


def _asks_for_standing(result: CheckResult) -> bool:
    return any(one.kind == GoodStanding.kind and one.status is not Status.MET for one in result.step.criteria)
