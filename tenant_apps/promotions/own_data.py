"""What this app holds about a student: decisions, her lines of batches and exams, what last night's check said."""

from datetime import datetime
from typing import Any

from django.db.models import F

from tenant_apps.promotions.models import BatchItem, Candidate, Decision
from tenant_apps.promotions.serializers import DecisionSerializer, SnapshotSerializer
from tenant_apps.students import privacy
from tenant_apps.students.models import EligibilitySnapshot, Student


def collect_decisions(student: Student) -> Any:
    """Return why ranks were awarded."""
    decisions = Decision.objects.filter(event__student=student).select_related("rules", "event__recorded_by")
    return DecisionSerializer(decisions, many=True).data


def collect_batches(student: Student) -> Any:
    """Return what batches found out."""
    return privacy.rows_of(BatchItem.objects.filter(student=student))


def collect_exams(student: Student) -> Any:
    """Return in which exams she was examined, for what, and how it went."""
    rows = Candidate.objects.filter(student=student)
    return list(
        rows.values(
            "id", "outcome", "override_reason", "event_id", exam_name=F("exam__name"), held_on=F("exam__date"),
            target_rank=F("target__name"), certificate=F("event__certificate__code"),
        )
    )  # fmt: skip


def collect_eligibility(student: Student) -> Any:
    """Return what last night's check said."""
    rows = EligibilitySnapshot.objects.filter(student=student)
    return SnapshotSerializer(rows.select_related("student", "system", "target"), many=True).data


def erase_decisions(student: Student, now: datetime) -> None:
    """Forget the reasons; that something was decided, and by which rules, stays with the rank that is counted."""
    Decision.objects.filter(event__student=student).update(criteria=[], override_reason="", updated_at=now)


def erase_batches(student: Student, now: datetime) -> None:
    """Forget what was found out; the counts of the batch stay."""
    BatchItem.objects.filter(student=student).update(answers=[], error=None, updated_at=now)


def erase_exams(student: Student, now: datetime) -> None:
    """Forget why somebody was passed; the outcome stays, for the exam counts it."""
    Candidate.objects.filter(student=student).update(override_reason="", updated_at=now)


def erase_eligibility(student: Student, _now: datetime) -> None:
    """Forget what last night's check said."""
    EligibilitySnapshot.objects.filter(student=student).delete()


def register() -> None:
    """Register what this app holds."""
    privacy.register("decisions", collect=collect_decisions, erase=erase_decisions)
    privacy.register("batches", collect=collect_batches, erase=erase_batches, models=(BatchItem,))
    privacy.register("exams", collect=collect_exams, erase=erase_exams, models=(Candidate,))
    privacy.register(
        "eligibility", collect=collect_eligibility, erase=erase_eligibility, models=(EligibilitySnapshot,)
    )
