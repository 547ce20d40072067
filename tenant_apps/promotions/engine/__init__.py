"""The promotions engine: `evaluate(rules, facts, as_of)`, pure, used by the API, batches, exams and the snapshot.

It uses no database, not the present time and no time zone. Facts are fetched beforehand for all students at once, and
every date is a civil date of the dojo. Rules come from `tenant_apps.ranks.definition`. The sentences of the results are
in the language that is active in Django.
"""

from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.promotions.engine.evaluate import Evaluator, evaluate, rank_held
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, PathResult, Status, StepResult
from tenant_apps.ranks.student_facts import (
    Approval,
    AttendanceUnit,
    DatedFact,
    EnrolmentPeriod,
    HeldSession,
    HistoryEvent,
    NamedFact,
    OpeningBalance,
    Points,
    RankEventKind,
    SessionsHeld,
    StudentFacts,
    Visits,
    visits,
)

__all__ = [
    "Approval",
    "AttendanceUnit",
    "CriterionResult",
    "DatedFact",
    "Eligibility",
    "EnrolmentPeriod",
    "Evaluator",
    "HeldSession",
    "HistoryEvent",
    "LeapDayBirthday",
    "NamedFact",
    "OpeningBalance",
    "PathResult",
    "Points",
    "RankEventKind",
    "SessionsHeld",
    "Status",
    "StepResult",
    "StudentFacts",
    "Visits",
    "evaluate",
    "rank_held",
    "visits",
]
