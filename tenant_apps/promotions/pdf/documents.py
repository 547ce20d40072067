"""Print certificates, candidates' sheets and examiners' lists from the rows of the dojo."""

from collections.abc import Iterator, Sequence
from typing import cast

from django.db.models import QuerySet

from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.logo_storage import stored_logo
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.exam_decisions import attach_eligibility
from tenant_apps.promotions.models import Candidate, Certificate, Exam, attach_examiners
from tenant_apps.promotions.pdf.certificate import CertificatePage, certificates_pdf
from tenant_apps.promotions.pdf.exam_papers import (
    CandidateRow,
    CandidateSheet,
    ExaminersList,
    candidate_sheet_pdf,
    examiners_list_pdf,
)
from tenant_apps.promotions.pdf.typefaces import HanForm, han_form_of_zone
from tenant_apps.ranks.services import rules_in_force


def printable_certificates() -> QuerySet[Certificate]:
    """Return the certificates of ranks that were not voided, of students who were not erased, ordered by name."""
    certificates = Certificate.objects.not_erased().filter(event__voided_at__isnull=True)
    return certificates.select_related(
        "event__student",
        "event__rank",
        "event__system__discipline",
        "event__recorded_by",
        "event__candidate__exam",
    ).order_by("event__student__search_name", "id")


def print_certificates(certificates: Sequence[Certificate]) -> Iterator[bytes]:
    """Return one PDF of `certificates`, in chunks. Two statements.

    Raises `NothingToPrint`, `TooManyCertificates` or `MissingGlyphs` before the first chunk.
    """
    settings, dojo = DojoSettings.current(), current_tenant()
    logo = stored_logo(settings)
    attach_examiners(exam for one in certificates if (exam := _exam_of(one)))
    return certificates_pdf(
        CertificatePage(
            dojo_name=dojo.name,
            logo=logo,
            student_name=one.event.student.name,
            rank_name=one.event.rank.name,
            rank_native_name=one.event.rank.native_name,
            discipline_or_system_name=(one.event.system.discipline or one.event.system).name,
            awarded_on=one.event.effective_on,
            number=one.code,
            examiners=_examiner_names(one),
            verify_url=f"{origin()}/certificates/{one.code}",
            language=settings.language_code,
            han_form=_han_form(settings),
        )
        for one in certificates
    )


def print_candidate_sheet(exam: Exam, candidate: Candidate) -> bytes:
    """Return the PDF of the sheet on which a candidate's exam is marked. A fixed number of statements."""
    attach_examiners([exam])
    settings = DojoSettings.current()
    attach_eligibility(exam, [candidate])
    (rules,) = rules_in_force(on=exam.date, only=exam.rank_system)
    rank = next((rank for rank in rules.definition.ranks if rank.code == candidate.target.code), None)
    return candidate_sheet_pdf(
        CandidateSheet(
            dojo_name=current_tenant().name,
            exam_name=exam.name,
            held_on=exam.date,
            location=exam.location,
            candidate_name=candidate.student.name,
            rank_now=_rank_before(candidate),
            rank_sought=candidate.target.name,
            rank_sought_native_name=candidate.target.native_name,
            syllabus=(rank.syllabus if rank else None) or "",
            examiners=exam.examiner_names,
            language=settings.language_code,
            han_form=_han_form(settings),
        )
    )


def print_examiners_list(exam: Exam, candidates: Sequence[Candidate]) -> bytes:
    """Return the PDF of the list on which the examiners mark all candidates. A fixed number of statements."""
    attach_examiners([exam])
    settings = DojoSettings.current()
    attach_eligibility(exam, candidates)
    return examiners_list_pdf(
        ExaminersList(
            dojo_name=current_tenant().name,
            exam_name=exam.name,
            held_on=exam.date,
            location=exam.location,
            examiners=exam.examiner_names,
            candidates=[
                CandidateRow(
                    number=number,
                    name=candidate.student.name,
                    rank_now=_rank_before(candidate),
                    rank_sought=candidate.target.name,
                )
                for number, candidate in enumerate(candidates, start=1)
            ],
            language=settings.language_code,
            han_form=_han_form(settings),
        )
    )


def _rank_before(candidate: Candidate) -> str:
    """Return the name of the rank that a candidate holds, or held when the exam was decided; empty for none."""
    held = candidate.shown["current_rank"]
    return str(held["name"]) if held else ""


def _han_form(settings: DojoSettings) -> HanForm:
    chosen = settings.chinese_characters
    return cast("HanForm", chosen) if chosen else han_form_of_zone(current_tenant().timezone)


def _exam_of(certificate: Certificate) -> Exam | None:
    candidate = getattr(certificate.event, "candidate", None)
    return candidate.exam if candidate else None


def _examiner_names(certificate: Certificate) -> list[str]:
    """Return the examiners of the exam. Without an exam or examiners: the user who recorded the award."""
    exam, recorded_by = _exam_of(certificate), certificate.event.recorded_by
    names = exam.examiner_names if exam else []
    return names or ([recorded_by.name] if recorded_by else [])
