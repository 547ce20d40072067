"""The personal data that this app stores about a student: decisions, batch items, exams and snapshots."""

from datetime import datetime
from typing import Any

from django.db.models import F

from tenant_apps.promotions.models import BatchItem, Candidate, Decision
from tenant_apps.promotions.serializers.promotions import DecisionSerializer, SnapshotSerializer
from tenant_apps.students import privacy
from tenant_apps.students.models import EligibilitySnapshot, Student


def collect_decisions(student: Student) -> Any:
    """Return the decisions about the student's awards."""
    decisions = Decision.objects.filter(event__student=student).select_related("rules", "event__recorded_by")
    return DecisionSerializer(decisions, many=True).data


def collect_batches(student: Student) -> Any:
    """Return the student's batch items."""
    return privacy.rows_of(BatchItem.objects.filter(student=student))


def collect_exams(student: Student) -> Any:
    """Return the exams in which the student was a candidate, with outcome, marks and check results."""
    rows = Candidate.objects.filter(student=student)
    return list(
        rows.values(
            "id", "outcome", "override_reason", "event_id", "marks", "condition", "condition_until", "condition_met_on",
            "invited", "decided", exam_name=F("exam__name"), held_on=F("exam__date"),
            target_rank=F("target__name"), certificate=F("event__certificate__code"),
            certificate_number=F("event__certificate__numbering__text"),
        )
    )  # fmt: skip


def collect_eligibility(student: Student) -> Any:
    """Return the student's snapshots."""
    rows = EligibilitySnapshot.objects.filter(student=student)
    return SnapshotSerializer(rows.select_related("student", "system", "target"), many=True).data


def erase_decisions(student: Student, now: datetime) -> None:
    """Erase the criteria and reasons. Status and rules stay with the rank event, which is still counted."""
    Decision.objects.filter(event__student=student).update(criteria=[], override_reason="", updated_at=now)


def erase_batches(student: Student, now: datetime) -> None:
    """Erase the check results. The items stay, because the batch counts them."""
    BatchItem.objects.filter(student=student).update(answers=[], error=None, updated_at=now)


def erase_exams(student: Student, now: datetime) -> None:
    """Erase reasons, conditions, marks and check results. The outcome stays, because the exam counts it."""
    Candidate.objects.filter(student=student).update(
        override_reason="", condition="", marks={}, invited=None, decided=None, updated_at=now
    )


def erase_eligibility(student: Student, _now: datetime) -> None:
    """Delete the snapshots."""
    EligibilitySnapshot.objects.filter(student=student).delete()


def register() -> None:
    """Register the functions that export and erase this app's data."""
    privacy.register("decisions", collect=collect_decisions, erase=erase_decisions)
    privacy.register("batches", collect=collect_batches, erase=erase_batches, models=(BatchItem,))
    privacy.register("exams", collect=collect_exams, erase=erase_exams, models=(Candidate,))
    privacy.register(
        "eligibility", collect=collect_eligibility, erase=erase_eligibility, models=(EligibilitySnapshot,)
    )
