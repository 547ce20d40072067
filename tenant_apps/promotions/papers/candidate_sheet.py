"""A candidate's sheet: what is examined, with room for marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tenant_apps.dojo.dates import Language, long_date
from tenant_apps.promotions.papers.printable import line, paragraphs
from tenant_apps.promotions.papers.typesetting import typeset
from tenant_apps.promotions.papers.words import EXAM, SIGNATURES_ON_EXAM_PAPERS, letters


@dataclass(frozen=True, kw_only=True)
class CandidateSheet:
    """What one candidate's sheet says.

    `syllabus` is plain text: an empty line parts paragraphs, "- " begins an item of a list, which gets a box for its
    mark. Location, rank now, the rank's native name and syllabus may be empty;
    twelve examiners at most are printed.
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


def candidate_sheet_pdf(sheet: CandidateSheet) -> bytes:
    """Return the sheet as a PDF of A4 pages, as many as the syllabus needs. Equal sheets make equal files."""
    data = letters(sheet.language) | {
        "words": EXAM[sheet.language],
        "dojo": line(sheet.dojo_name),
        "exam": line(sheet.exam_name),
        "date": long_date(sheet.held_on, sheet.language),
        "location": line(sheet.location),
        "candidate": line(sheet.candidate_name),
        "now": line(sheet.rank_now),
        "sought": line(sheet.rank_sought),
        "native": line(sheet.rank_sought_native_name),
        "syllabus": paragraphs(sheet.syllabus),
        "examiners": [line(name) for name in sheet.examiners[:SIGNATURES_ON_EXAM_PAPERS]],
    }
    return typeset("candidate_sheet.typ", data, dated=sheet.held_on)
