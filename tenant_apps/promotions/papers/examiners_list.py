"""The examiners' list: all candidates of an exam, with boxes for their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tenant_apps.dojo.dates import Language, long_date
from tenant_apps.promotions.papers.printable import line
from tenant_apps.promotions.papers.typesetting import typeset
from tenant_apps.promotions.papers.words import EXAM, SIGNATURES_ON_EXAM_PAPERS, letters


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One row of the list; `rank_now` may be empty."""

    number: int
    name: str
    rank_now: str
    rank_sought: str


@dataclass(frozen=True, kw_only=True)
class ExaminersList:
    """What the list says; location and examiners may be empty; twelve examiners at most are printed."""

    dojo_name: str
    exam_name: str
    held_on: date
    location: str
    examiners: Sequence[str]
    candidates: Sequence[Candidate]
    language: Language


def examiners_list_pdf(paper: ExaminersList) -> bytes:
    """Return the list as a PDF, A4 landscape, its head on each page. Equal lists make equal files."""
    data = letters(paper.language) | {
        "words": EXAM[paper.language],
        "dojo": line(paper.dojo_name),
        "exam": line(paper.exam_name),
        "date": long_date(paper.held_on, paper.language),
        "location": line(paper.location),
        "examiners": [line(name) for name in paper.examiners[:SIGNATURES_ON_EXAM_PAPERS]],
        "candidates": [
            {
                "number": str(candidate.number),
                "name": line(candidate.name),
                "now": line(candidate.rank_now),
                "sought": line(candidate.rank_sought),
            }
            for candidate in paper.candidates
        ],
    }
    return typeset("examiners_list.typ", data, dated=paper.held_on)
