"""Print certificates and the papers of exams from the rows of the dojo."""

from collections.abc import Iterator, Sequence
from typing import cast

from django.db.models import QuerySet

from shared_apps.accounts.models import Role
from tatami.clock import tenant_date
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.logo_storage import stored_logo
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.exam_decisions import attach_eligibility
from tenant_apps.promotions.federation_report import federation_report
from tenant_apps.promotions.models import Candidate, Certificate, Exam, attach_examiners
from tenant_apps.promotions.pdf.certificate import CertificatePage, certificates_pdf
from tenant_apps.promotions.pdf.exam_papers import (
    CandidateRow,
    CandidateSheet,
    ExaminersList,
    FederationReport,
    FederationRow,
    candidate_sheet_pdf,
    examiners_list_pdf,
    federation_report_pdf,
)
from tenant_apps.promotions.pdf.typefaces import HanForm, han_form_of_zone
from tenant_apps.ranks.services import rules_in_force


def certificates_to_print() -> QuerySet[Certificate]:
    """Return the certificates of students who were not erased, by name. Those of voided ranks are printed as void."""
    return (
        Certificate.objects.not_erased()
        .select_related(
            "event__student",
            "event__rank",
            "event__system__discipline",
            "event__recorded_by",
            "event__candidate__exam",
            "numbering",
        )
        .order_by("event__student__search_name", "id")
    )


def printable_certificates() -> QuerySet[Certificate]:
    """Return the certificates of ranks that were not voided, of students who were not erased, ordered by name."""
    return certificates_to_print().filter(event__voided_at__isnull=True)


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
            number=one.number,
            licence_number=one.event.student.licence_number,
            examiners=_examiner_names(one, settings),
            verify_url=f"{origin()}/certificates/{one.code}",
            language=settings.language_code,
            second_language=settings.second_language,
            title=settings.certificate_title,
            before_name=settings.certificate_before_name,
            before_rank=settings.certificate_before_rank,
            closing=settings.certificate_closing,
            voided_on=tenant_date(one.event.voided_at) if one.event.voided_at else None,
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


def print_federation_report(exam: Exam) -> bytes:
    """Return the PDF of the report to the federation. A fixed number of statements."""
    report = federation_report(exam)
    settings = DojoSettings.current()
    return federation_report_pdf(
        FederationReport(
            dojo_name=current_tenant().name,
            exam_name=exam.name,
            held_on=exam.date,
            location=exam.location,
            examiners=exam.examiner_names,
            is_finished=exam.finished_at is not None,
            candidates=[
                FederationRow(
                    outcome=line["outcome"] or "",
                    **{
                        name: line[name]
                        for name in (
                            "number", "name", "birth_date", "licence_number", "rank_before", "rank_sought",
                            "certificate_number",
                        )
                    },
                )
                for line in report["results"]
            ],
            language=settings.language_code,
            han_form=_han_form(settings),
        )
    )  # fmt: skip


def _han_form(settings: DojoSettings) -> HanForm:
    chosen = settings.chinese_characters
    return cast("HanForm", chosen) if chosen else han_form_of_zone(current_tenant().timezone)


def _exam_of(certificate: Certificate) -> Exam | None:
    candidate = getattr(certificate.event, "candidate", None)
    return candidate.exam if candidate else None


def _examiner_names(certificate: Certificate, settings: DojoSettings) -> list[str]:
    """Return who signs: the examiners of the exam, else those of the settings, else the instructor who awarded it.

    An admin who entered an award is not its examiner: then the line to sign on has no name.
    """
    exam, recorded_by = _exam_of(certificate), certificate.event.recorded_by
    names = exam.examiner_names if exam else []
    instructor = [recorded_by.name] if recorded_by and recorded_by.role == Role.INSTRUCTOR else []
    return names or settings.certificate_examiners or instructor
