"""The kinds of criteria that a promotion path can consist of, one module for each.

To add a kind: write a module here with one class (JSON schema, validation, evaluation), add the class to `KINDS`,
and add its sentences to `tenant_apps/promotions/engine/messages/`. A test fails for a kind without sentences.
"""

from collections.abc import Mapping
from typing import Final

from tenant_apps.ranks.criteria.achievement import AchievementWon
from tenant_apps.ranks.criteria.age import Age, AgeBasis
from tenant_apps.ranks.criteria.approval import Approved, Approver
from tenant_apps.ranks.criteria.at_most import AtMost, Occasion
from tenant_apps.ranks.criteria.attendance_count import (
    RECORDED_IN_ANOTHER_UNIT,
    AttendanceCount,
    AttendanceSince,
)
from tenant_apps.ranks.criteria.attendance_rate import AttendanceRate, Offered
from tenant_apps.ranks.criteria.credential import CredentialHeld
from tenant_apps.ranks.criteria.criterion import (
    CountingStart,
    Criterion,
    CriterionInput,
    Finding,
    Since,
    since_last_test,
)
from tenant_apps.ranks.criteria.document import DocumentHandedIn
from tenant_apps.ranks.criteria.event_count import EventCount
from tenant_apps.ranks.criteria.points import PointsEarned
from tenant_apps.ranks.criteria.rank_held_before import RankHeldBefore
from tenant_apps.ranks.criteria.retest_gap import RetestGap
from tenant_apps.ranks.criteria.skills import SkillsShown
from tenant_apps.ranks.criteria.standing import ALWAYS_IN_GOOD_STANDING, GoodStanding
from tenant_apps.ranks.criteria.sub_ranks import SubRanks
from tenant_apps.ranks.criteria.time_in_rank import Activity, TimeInRank
from tenant_apps.ranks.criteria.total_training_time import TotalTrainingTime

KINDS: Final[Mapping[str, type[Criterion]]] = {
    kind.kind: kind
    for kind in (
        TimeInRank,
        RankHeldBefore,
        AttendanceCount,
        AttendanceRate,
        Age,
        PointsEarned,
        AchievementWon,
        SkillsShown,
        DocumentHandedIn,
        Approved,
        CredentialHeld,
        EventCount,
        GoodStanding,
        SubRanks,
        RetestGap,
        TotalTrainingTime,
        AtMost,
    )
}

__all__ = [
    "ALWAYS_IN_GOOD_STANDING",
    "KINDS",
    "RECORDED_IN_ANOTHER_UNIT",
    "AchievementWon",
    "Activity",
    "Age",
    "AgeBasis",
    "Approved",
    "Approver",
    "AtMost",
    "AttendanceCount",
    "AttendanceRate",
    "AttendanceSince",
    "CountingStart",
    "CredentialHeld",
    "Criterion",
    "CriterionInput",
    "DocumentHandedIn",
    "EventCount",
    "Finding",
    "GoodStanding",
    "Occasion",
    "Offered",
    "PointsEarned",
    "RankHeldBefore",
    "RetestGap",
    "Since",
    "SkillsShown",
    "SubRanks",
    "TimeInRank",
    "TotalTrainingTime",
    "since_last_test",
]
