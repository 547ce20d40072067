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
from tenant_apps.students.models.names import ERASED_NAME, full_name, full_name_sql, name_key, search_names
from tenant_apps.students.models.student import (
    Guardian,
    Status,
    Student,
    StudentGuardian,
    StudentHold,
    StudentQuerySet,
    StudentUser,
    status_on,
)

__all__ = [
    "ERASED_NAME",
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
    "full_name_sql",
    "name_key",
    "search_names",
    "status_on",
]
