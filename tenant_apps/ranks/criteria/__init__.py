"""The kinds of criteria that a promotion path may be made of.

A new kind is one module here with one class (its JSON schema, its check, its meaning), its name in `KINDS`,
and its sentences in `tenant_apps/promotions/engine/messages.py`. A test fails for a kind without sentences.
"""

from collections.abc import Mapping
from typing import Final

from tenant_apps.ranks.criteria.age import Age, AgeBasis
from tenant_apps.ranks.criteria.attendance_count import AttendanceCount, AttendanceUnit
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding, Since
from tenant_apps.ranks.criteria.document import DocumentHandedIn
from tenant_apps.ranks.criteria.time_in_rank import TimeInRank

KINDS: Final[Mapping[str, type[Criterion]]] = {
    kind.kind: kind for kind in (TimeInRank, AttendanceCount, Age, DocumentHandedIn)
}

__all__ = [
    "KINDS",
    "Age",
    "AgeBasis",
    "AttendanceCount",
    "AttendanceUnit",
    "Candidacy",
    "Criterion",
    "DocumentHandedIn",
    "Finding",
    "Since",
    "TimeInRank",
]
