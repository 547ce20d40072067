"""The papers of an exam: a sheet for each candidate, the examiners' list, and the report to the federation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from tenant_apps.dojo.dates import Language, long_date
from tenant_apps.promotions.pdf.text import exam_words, one_line, paragraphs, typst_language
from tenant_apps.promotions.pdf.typefaces import DEFAULT_HAN_FORM, HanForm
from tenant_apps.promotions.pdf.typesetting import typeset

SIGNATURES_ON_EXAM_PAPERS: Final = 12
"""The papers have room for so many signatures."""


@dataclass(frozen=True, kw_only=True)
class CandidateSheet:
    """The content of one candidate's sheet: what is examined, with room for marks.

    `syllabus` is plain text (see `paragraphs`); each list item gets a box for its mark. Location, `rank_now`, the
    rank's native name and the syllabus may be empty. At most twelve examiners are printed.
    """

    dojo_name: str
    exam_name: str
    held_on: date
    location: str
    candidate_name: str
    rank_now: str
    rank_sought: str
    rank_sought_native_name: str
    syllabus: str
    examiners: Sequence[str]
    language: Language
    han_form: HanForm = DEFAULT_HAN_FORM


def candidate_sheet_pdf(sheet: CandidateSheet) -> bytes:
    """Return the sheet as a PDF of A4 pages, as many as the syllabus needs. Equal sheets result in equal files.

    Raises `MissingGlyphs` for text that no typeface can print.
    """
    data = typst_language(sheet.language) | {
        "words": exam_words(sheet.language),
        "dojo": one_line(sheet.dojo_name),
        "exam": one_line(sheet.exam_name),
        "date": long_date(sheet.held_on, sheet.language),
        "location": one_line(sheet.location),
        "candidate": one_line(sheet.candidate_name),
        "now": one_line(sheet.rank_now),
        "sought": _joined(sheet.rank_sought, sheet.rank_sought_native_name),
        "foot": _joined(sheet.candidate_name, sheet.exam_name),
        "syllabus": paragraphs(sheet.syllabus),
        "examiners": [one_line(name) for name in sheet.examiners[:SIGNATURES_ON_EXAM_PAPERS]],
    }
    return typeset("candidate_sheet.typ", data, dated=sheet.held_on, default_form=sheet.han_form)


@dataclass(frozen=True, kw_only=True)
class CandidateRow:
    """One row of the list; `rank_now` may be empty."""

    number: int
    name: str
    rank_now: str
    rank_sought: str


@dataclass(frozen=True, kw_only=True)
class ExaminersList:
    """The content of the list. Location and examiners may be empty. At most twelve examiners are printed."""

    dojo_name: str
    exam_name: str
    held_on: date
    location: str
    examiners: Sequence[str]
    candidates: Sequence[CandidateRow]
    language: Language
    han_form: HanForm = DEFAULT_HAN_FORM


def examiners_list_pdf(paper: ExaminersList) -> bytes:
    """Return the list as a PDF, A4 landscape, with the header on each page. Equal lists result in equal files.

    Raises `MissingGlyphs` for text that no typeface can print.
    """
    examiners = [one_line(name) for name in paper.examiners[:SIGNATURES_ON_EXAM_PAPERS]]
    data = typst_language(paper.language) | {
        "words": exam_words(paper.language),
        "dojo": one_line(paper.dojo_name),
        "exam": one_line(paper.exam_name),
        "date": long_date(paper.held_on, paper.language),
        "location": one_line(paper.location),
        "examiners": examiners,
        "examiner_names": ", ".join(examiners),
        "foot": _joined(paper.exam_name, long_date(paper.held_on, paper.language)),
        "candidates": [
            {
                "number": str(candidate.number),
                "name": one_line(candidate.name),
                "now": one_line(candidate.rank_now),
                "sought": one_line(candidate.rank_sought),
            }
            for candidate in paper.candidates
        ],
    }
    return typeset("examiners_list.typ", data, dated=paper.held_on, default_form=paper.han_form)


@dataclass(frozen=True, kw_only=True)
class FederationRow:
    """One row of the report. All but number, name and rank sought may be empty; so is `outcome` without a result."""

    number: int
    name: str
    birth_date: date | None
    licence_number: str
    rank_before: str
    rank_sought: str
    outcome: str
    certificate_number: str


@dataclass(frozen=True, kw_only=True)
class FederationReport:
    """The content of the report. Location and examiners may be empty. At most twelve examiners sign."""

    dojo_name: str
    exam_name: str
    held_on: date
    location: str
    examiners: Sequence[str]
    is_finished: bool
    candidates: Sequence[FederationRow]
    language: Language
    han_form: HanForm = DEFAULT_HAN_FORM


def federation_report_pdf(report: FederationReport) -> bytes:
    """Return the report as a PDF, A4 landscape, with the header on each page. Equal reports result in equal files.

    Raises `MissingGlyphs` for text that no typeface can print.
    """
    words = exam_words(report.language)
    examiners = [one_line(name) for name in report.examiners[:SIGNATURES_ON_EXAM_PAPERS]]
    counts = dict.fromkeys(("passed", "failed", "absent"), 0)
    for row in report.candidates:
        if row.outcome:
            counts[row.outcome] += 1
    day = long_date(report.held_on, report.language)
    data = typst_language(report.language) | {
        "words": words,
        "dojo": one_line(report.dojo_name),
        "exam": one_line(report.exam_name),
        "date": day,
        "location": one_line(report.location),
        "examiners": examiners,
        "examiner_names": ", ".join(examiners),
        "foot": _joined(report.exam_name, day),
        "provisional": not report.is_finished,
        "summary": _joined(
            str(len(report.candidates)), *(f"{words[name]}: {number}" for name, number in counts.items())
        ),
        "candidates": [
            {
                "number": str(row.number),
                "name": one_line(row.name),
                "born": row.birth_date.isoformat() if row.birth_date else "",
                "licence": one_line(row.licence_number),
                "before": one_line(row.rank_before),
                "sought": one_line(row.rank_sought),
                "result": words[row.outcome] if row.outcome else "",
                "certificate": one_line(row.certificate_number),
            }
            for row in report.candidates
        ],
    }
    return typeset("federation_report.typ", data, dated=report.held_on, default_form=report.han_form)


def _joined(*texts: str) -> str:
    return " · ".join(line for text in texts if (line := one_line(text)))
