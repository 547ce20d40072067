"""A student and what is known about her: guardians, holds, notes, facts, rank history."""

from tenant_apps.students.models.eligibility import EligibilitySnapshot, EligibilitySnapshotQuerySet
from tenant_apps.students.models.guardian import Guardian, StudentGuardian
from tenant_apps.students.models.hold import Status, StudentHold, status_on
from tenant_apps.students.models.rank_event import RankEvent, RankEventQuerySet
from tenant_apps.students.models.record import StudentFact, StudentNote
from tenant_apps.students.models.student import Student, StudentQuerySet, StudentUser

__all__ = [
    "EligibilitySnapshot",
    "EligibilitySnapshotQuerySet",
    "Guardian",
    "RankEvent",
    "RankEventQuerySet",
    "Status",
    "Student",
    "StudentFact",
    "StudentGuardian",
    "StudentHold",
    "StudentNote",
    "StudentQuerySet",
    "StudentUser",
    "status_on",
]
