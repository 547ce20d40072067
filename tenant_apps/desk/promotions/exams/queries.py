"""What the page of an exam needs and the API does not offer: how its ranks are marked, one candidate, numbers."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from tatami.api.views import get_or_404
from tenant_apps.promotions.models import Candidate
from tenant_apps.promotions.serializers.exams import ResultFields
from tenant_apps.ranks.definition import ExamRules
from tenant_apps.ranks.models import RankSystem
from tenant_apps.ranks.services import rules_in_force


def exam_rules(system: UUID, on: date) -> Mapping[str, ExamRules]:
    """Return how exams for the ranks of a system are marked on a local date, by the rank's id. Three statements."""
    (rules,) = rules_in_force(on=on, only=RankSystem.objects.get(pk=system))
    return {str(rank.pk): rules.definition.exam_rules(code) for code, rank in rules.ranks.items()}


def outcome_counts(exam: UUID) -> dict[str, int]:
    """Return how many candidates passed, failed, were absent, have no result (`open`), and `all`. One statement."""
    return Candidate.objects.not_erased().filter(exam=exam).aggregate(
        all=Count("pk"),
        passed=Count("pk", filter=Q(outcome=Candidate.Outcome.PASSED)),
        failed=Count("pk", filter=Q(outcome=Candidate.Outcome.FAILED)),
        absent=Count("pk", filter=Q(outcome=Candidate.Outcome.ABSENT)),
        open=Count("pk", filter=Q(outcome="")),
        conditional=Count("pk", filter=Q(condition_until__isnull=False, condition_met_on__isnull=True)),
    )  # fmt: skip


def find_candidate(exam: UUID, candidate: UUID) -> dict[str, Any]:
    """Return a candidate as the API shows it, but without the check. Raises `NotFound`. One statement."""
    rows = Candidate.objects.not_erased().select_related("student", "target")
    row = get_or_404(rows, exam=exam, pk=candidate)
    return {
        "id": str(row.pk),
        "student": {"id": str(row.student_id), "name": row.student.name},
        "target_rank": {"id": str(row.target_id), "name": row.target.name},
        "outcome": row.outcome or None,
        "marks": row.marks,
        "condition": ResultFields().get_condition(row),
        "override_reason": row.override_reason,
    }
