"""How the tables of this app are merged when two records of one student become one (see `students.merging`)."""

from typing import Any

from tenant_apps.promotions.models import BatchItem, Candidate
from tenant_apps.students.merging import Merge, drop_clashing, move_rows, register


def register_rules() -> None:
    """Register the rules of this app."""
    register(Candidate, rule=merge_candidates)
    register(BatchItem, rule=drop_clashing(BatchItem, "batch_items", show="state"))


def merge_candidates(merge: Merge) -> None:
    """Move the candidacies. At one exam a student is a candidate once: the one with an award, else with an outcome."""
    rows = Candidate.objects.select_related("exam", "target")
    there = {row.exam_id: row for row in rows.filter(student=merge.kept)}
    dropped = []
    for row in rows.filter(student=merge.duplicate):
        if (other := there.get(row.exam_id)) is not None:
            kept, lost = sorted((other, row), key=lambda one: (not one.event_id, not one.outcome, one is row))
            dropped.append(lost.pk)
            merge.report("exams", "one_candidacy", kept=_shown(kept), dropped=_shown(lost))
    Candidate.objects.filter(pk__in=dropped).delete()
    move_rows(merge, Candidate.objects.filter(student=merge.duplicate), "exams")


def _shown(row: Candidate) -> dict[str, Any]:
    exam = {"id": row.exam_id, "name": row.exam.name}
    return {"id": row.pk, "exam": exam, "target_rank": row.target.name, "outcome": row.outcome}
