"""What a federation wants to know of a grading: the exam, its examiners, and each candidate with the result."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tatami.tenancy.scope import current_tenant
from tenant_apps.promotions.models import Candidate, Exam, attach_examiners
from tenant_apps.students.models import RankEvent

EXAM_COLUMNS: Final = ("dojo", "exam", "date", "location", "rank_system", "examiners", "status")
CANDIDATE_COLUMNS: Final = (
    "number", "student_id", "external_id", "licence_number", "last_name", "first_name", "name", "birth_date", "gender",
    "rank_before", "rank_sought", "outcome", "rank_awarded", "awarded_on", "certificate_number",
)  # fmt: skip


def federation_report(exam: Exam) -> dict[str, Any]:
    """Return the report of an exam: `exam` and, by name, `results`. Three statements.

    `rank_before` is the rank held before this exam: for an award, the one that it follows; else the rank held on the
    day. `rank_awarded` and the two columns after it are empty unless the exam is finished and the candidate passed.
    """
    attach_examiners([exam])
    candidates = list(
        Candidate.objects.not_erased()
        .filter(exam=exam)
        .select_related(
            "student", "target", "event__rank", "event__follows__rank", "event__certificate__numbering"
        )
    )
    students = [one.student_id for one in candidates]
    held = RankEvent.objects.current(students=students, as_of=exam.date).filter(system=exam.rank_system_id)
    ranks = {event.student_id: event.rank.name for event in held}
    return {
        "exam": {
            "dojo": current_tenant().name,
            "exam": exam.name,
            "date": exam.date,
            "location": exam.location,
            "rank_system": exam.rank_system.name,
            "examiners": exam.examiner_names,
            "status": "finished" if exam.finished_at else "open",
        },
        "results": [
            _line(number, candidate, ranks.get(candidate.student_id, ""))
            for number, candidate in enumerate(candidates, start=1)
        ],
    }


def federation_rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the report as rows of a table: each candidate with the columns of the exam."""
    exam = {**report["exam"], "examiners": ", ".join(report["exam"]["examiners"])}
    for line in report["results"]:
        yield exam | line


def _line(number: int, candidate: Candidate, rank_held: str) -> dict[str, Any]:
    student, event = candidate.student, candidate.event
    follows = event.follows if event else None
    certificate = getattr(event, "certificate", None)
    return {
        "number": number,
        "student_id": student.pk,
        "external_id": student.external_id or "",
        "licence_number": student.licence_number,
        "last_name": student.last_name,
        "first_name": student.first_name,
        "name": student.name,
        "birth_date": student.birth_date,
        "gender": student.gender,
        "rank_before": (follows.rank.name if follows else "") if event else rank_held,
        "rank_sought": candidate.target.name,
        "outcome": candidate.outcome or None,
        "rank_awarded": event.rank.name if event else "",
        "awarded_on": event.effective_on if event else None,
        "certificate_number": certificate.number if certificate else "",
    }
