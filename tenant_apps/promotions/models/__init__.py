"""What was decided about promotions: decisions and certificates, batches, exams."""

from tenant_apps.promotions.models.batch import Batch, BatchItem, BatchQuerySet, count_items
from tenant_apps.promotions.models.certificate import Certificate
from tenant_apps.promotions.models.decision import Decision
from tenant_apps.promotions.models.exam import Candidate, CandidateQuerySet, Exam, ExamQuerySet

__all__ = [
    "Batch",
    "BatchItem",
    "BatchQuerySet",
    "Candidate",
    "CandidateQuerySet",
    "Certificate",
    "Decision",
    "Exam",
    "ExamQuerySet",
    "count_items",
]
