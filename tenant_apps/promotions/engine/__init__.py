"""The promotions engine: `evaluate(rules, facts, as_of)`, pure, used by the API, batches, exams and the snapshot.

It uses no database, not the present time and no time zone. Facts are fetched beforehand for all students at once, and
every date is a civil date of the dojo. Rules come from `tenant_apps.ranks.definition`.
"""

from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.promotions.engine.evaluate import evaluate, rank_held
from tenant_apps.promotions.engine.messages import ENGLISH
from tenant_apps.promotions.engine.messages.wording import Messages
from tenant_apps.promotions.engine.results import CriterionResult, Eligibility, Status, StepResult
from tenant_apps.ranks.student_facts import (
    Approval,
    DatedFact,
    HistoryEvent,
    NamedFact,
    OfferedSessions,
    OpeningBalance,
    Points,
    RankEventKind,
    StudentFacts,
    Visits,
    visits,
)

__all__ = [
    "ENGLISH",
    "Approval",
    "CriterionResult",
    "DatedFact",
    "Eligibility",
    "HistoryEvent",
    "LeapDayBirthday",
    "Messages",
    "NamedFact",
    "OfferedSessions",
    "OpeningBalance",
    "Points",
    "RankEventKind",
    "Status",
    "StepResult",
    "StudentFacts",
    "Visits",
    "evaluate",
    "rank_held",
    "visits",
]
