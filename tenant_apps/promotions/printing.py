"""What is printed for an exam, from what is recorded: certificates, candidates' sheets, the examiners' list."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from shared_apps.accounts.models import User
from tatami.tenancy.addresses import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.logo_storage import stored_logo
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions import papers
from tenant_apps.promotions.exams import answers_for, attach_examiners
from tenant_apps.promotions.models import Candidate, Certificate, Exam

_OF: Final = (
    "event__student",
    "event__rank",
    "event__system__discipline",
    "event__recorded_by",
    "event__candidate__exam",
)


def standing_certificates() -> QuerySet[Certificate]:
    """Return the certificates that may be printed: of ranks that were not voided, of people who were not erased."""
    found = Certificate.objects.filter(event__voided_at__isnull=True, event__student__erased_at__isnull=True)
    return found.select_related(*_OF).order_by("event__student__search_name", "id")


def certificates_pdf(certificates: Sequence[Certificate]) -> Iterator[bytes]:
    """Return one PDF of `certificates`, in chunks. Two statements.

    Raises what `papers.certificates_pdf` raises, before the first chunk.
    """
    settings, dojo = DojoSettings.current(), current_tenant()
    logo = stored_logo(settings)
    users = User.objects.in_bulk({user for one in certificates for user in _examiner_ids(one)})
    return papers.certificates_pdf(
        papers.Certificate(
            dojo_name=dojo.name,
            logo=logo,
            student_name=one.event.student.name,
            rank_name=one.event.rank.name,
            rank_native_name=one.event.rank.native_name,
            discipline_or_system_name=(one.event.system.discipline or one.event.system).name,
            awarded_on=one.event.effective_on,
            number=one.code,
            examiners=_examiners(one, users),
            verify_url=f"{origin()}/certificates/{one.code}",
            language=settings.language_code,
        )
        for one in certificates
    )


def candidate_sheet_pdf(exam: Exam, candidate: Candidate) -> bytes:
    """Return the sheet on which a candidate's exam is marked. A fixed number of statements."""
    attach_examiners([exam])
    answer = answers_for(exam, [candidate])[candidate.pk]
    description = next(
        (rank for rank in answer.rules.definition.ranks if rank.code == candidate.target.code), None
    )
    return papers.candidate_sheet_pdf(
        papers.CandidateSheet(
            dojo_name=current_tenant().name,
            exam_name=exam.name,
            held_on=exam.date,
            location=exam.location,
            candidate_name=candidate.student.name,
            rank_now=answer.current_rank_name,
            rank_sought=candidate.target.name,
            rank_sought_native_name=candidate.target.native_name,
            syllabus=(description.syllabus if description else None) or "",
            examiners=_names(exam),
            language=DojoSettings.current().language_code,
        )
    )


def examiners_list_pdf(exam: Exam, candidates: Sequence[Candidate]) -> bytes:
    """Return the list on which the examiners mark all candidates. A fixed number of statements."""
    attach_examiners([exam])
    answers = answers_for(exam, candidates)
    return papers.examiners_list_pdf(
        papers.ExaminersList(
            dojo_name=current_tenant().name,
            exam_name=exam.name,
            held_on=exam.date,
            location=exam.location,
            examiners=_names(exam),
            candidates=[
                papers.Candidate(
                    number=number,
                    name=candidate.student.name,
                    rank_now=answers[candidate.pk].current_rank_name,
                    rank_sought=candidate.target.name,
                )
                for number, candidate in enumerate(candidates, start=1)
            ],
            language=DojoSettings.current().language_code,
        )
    )


def _names(exam: Exam) -> list[str]:
    users: list[User] = exam.examined_by  # type: ignore[attr-defined]
    return [*(user.name for user in users), *exam.guest_examiners]


def _exam_of(certificate: Certificate) -> Exam | None:
    candidate = getattr(certificate.event, "candidate", None)
    return candidate.exam if candidate else None


def _examiner_ids(certificate: Certificate) -> list[UUID]:
    exam = _exam_of(certificate)
    return exam.examiner_ids if exam else []


def _examiners(certificate: Certificate, users: dict[UUID, User]) -> list[str]:
    """The examiners of the exam; without one, or none named, whoever recorded the award."""
    exam, by = _exam_of(certificate), certificate.event.recorded_by
    named = (
        [*(users[user].name for user in exam.examiner_ids if user in users), *exam.guest_examiners]
        if exam
        else []
    )
    return named or ([by.name] if by else [])
