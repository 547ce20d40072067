"""A student and everything recorded about them: guardians, holds, notes, facts, rank history."""

from tenant_apps.students.models.history import (
    EligibilitySnapshot,
    EligibilitySnapshotQuerySet,
    RankEvent,
    RankEventQuerySet,
    StudentFact,
    StudentNote,
    VoidableQuerySet,
)
from tenant_apps.students.models.student import (
    Guardian,
    Status,
    Student,
    StudentGuardian,
    StudentHold,
    StudentQuerySet,
    StudentUser,
    full_name,
    status_on,
)

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
    "VoidableQuerySet",
    "full_name",
    "status_on",
]
