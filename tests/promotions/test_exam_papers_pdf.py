"""Candidates' sheets and examiners' lists as PDF files."""

from datetime import date
from typing import Any

import pytest
from PIL import Image

from tenant_apps.promotions.pdf.exam_papers import (
    CandidateRow,
    CandidateSheet,
    ExaminersList,
    candidate_sheet_pdf,
    examiners_list_pdf,
)
from tenant_apps.promotions.pdf.text import exam_words, paragraphs
from tests.promotions.pdf_reading import (
    HOSTILE_NAMES,
    THREE_SCRIPTS,
    margins_are_white,
    page_images,
    page_texts,
)

pytestmark = pytest.mark.slow


def sheet(**fields: Any) -> CandidateSheet:
    defaults = {
        "dojo_name": "Kita Aikidō",
        "exam_name": "Summer grading",
        "held_on": date(2026, 6, 15),
        "location": "Main hall",
        "candidate_name": THREE_SCRIPTS,
        "rank_now": "1st kyu",
        "rank_sought": "1st dan",
        "rank_sought_native_name": "初段",
        "syllabus": "Shown in this order:\n\n- Ikkyo\n- Shiho-nage 四方投げ\n\nThen questions.",
        "examiners": ("Hiroshi Tanaka", "Anna Kowalczyk"),
        "language": "en",
    }
    return CandidateSheet(**(defaults | fields))


def examiners_list(count: int, **fields: Any) -> ExaminersList:
    candidates = [
        CandidateRow(
            number=number, name=f"{THREE_SCRIPTS} {number}", rank_now="2nd kyu", rank_sought="1st kyu"
        )
        for number in range(1, count + 1)
    ]
    defaults = {
        "dojo_name": "Kita Aikidō",
        "exam_name": "Summer grading",
        "held_on": date(2026, 6, 15),
        "location": "Main hall",
        "examiners": ("Hiroshi Tanaka", "Anna Kowalczyk"),
        "candidates": candidates,
        "language": "en",
    }
    return ExaminersList(**(defaults | fields))


@pytest.fixture(scope="module")
def plain_sheet() -> bytes:
    """The sheet with the default fields."""
    return candidate_sheet_pdf(sheet())


def test_a_sheet_says_who_is_examined_in_what(plain_sheet: bytes) -> None:
    (page,) = page_texts(plain_sheet)
    for words in (
        "Summer grading",
        THREE_SCRIPTS,
        "1st kyu",
        "1st dan · 初段",
        "15 June 2026",
        "Main hall",
        "Ikkyo",
        "Shiho-nage 四方投げ",
        "Then questions.",
        "Passed Failed Absent",
        "Anna Kowalczyk",
        "Page 1 of 1",
    ):
        assert words in page


def test_a_long_syllabus_fills_several_pages() -> None:
    syllabus = "\n".join(f"- Technique {number}, omote and ura" for number in range(60))
    pages = page_texts(candidate_sheet_pdf(sheet(syllabus=syllabus, language="pt-br")))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert f"Página {number} de {len(pages)}" in page
        assert THREE_SCRIPTS in page
    text = " ".join(pages)
    assert all(f"Technique {number}," in text for number in range(60))


def test_a_sheet_without_a_syllabus_says_so() -> None:
    assert "No syllabus is written down" in page_texts(candidate_sheet_pdf(sheet(syllabus=" \n ")))[0]


def pages_with(name: str) -> list[Image.Image]:
    """Return the pages of a sheet and of a list with the name in every field."""
    exam = {"dojo_name": name, "exam_name": name, "location": name, "examiners": [name] * 30}
    syllabus = f"{name}\n\n- {name}\n- {name * 20}"
    one = sheet(candidate_name=name, rank_now=name, rank_sought=name, syllabus=syllabus, **exam)
    row = CandidateRow(number=1, name=name, rank_now=name, rank_sought=name)
    nine_rows = examiners_list(0, **(exam | {"candidates": [row] * 9}))
    return [*page_images(candidate_sheet_pdf(one)), *page_images(examiners_list_pdf(nine_rows))]


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_name_does_not_break_the_papers_of_an_exam(name: str) -> None:
    assert all(margins_are_white(page) for page in pages_with(name))


def test_plain_text_has_paragraphs_and_lists() -> None:
    text = "Kihon\nand kata.\n\n\nThen:\n- one\n  goes on\n- \x07two\n\n• three\nEnd."
    assert paragraphs(text) == [
        {"text": "Kihon\nand kata."},
        {"text": "Then:"},
        {"items": ["one goes on", "two", "three"]},
        {"text": "End."},
    ]


def test_a_list_of_sixty_candidates_has_its_header_on_each_page() -> None:
    pages = page_texts(examiners_list_pdf(examiners_list(60)))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert "Rank now Rank sought Passed Failed Absent Remarks" in page
        assert f"Page {number} of {len(pages)}" in page
    text = " ".join(pages)
    assert all(f"{number} {THREE_SCRIPTS} {number} 2nd kyu 1st kyu" in text for number in range(1, 61))
    assert "Hiroshi Tanaka, Anna Kowalczyk" in pages[0]


def test_papers_of_an_exam_printed_twice_are_the_same_file(plain_sheet: bytes) -> None:
    assert candidate_sheet_pdf(sheet()) == plain_sheet
    assert examiners_list_pdf(examiners_list(3)) == examiners_list_pdf(examiners_list(3))


def test_exam_papers_have_every_word_in_both_languages() -> None:
    english, portuguese = exam_words("en"), exam_words("pt-br")
    assert english.keys() == portuguese.keys()
    assert all(portuguese[name] != text for name, text in english.items())
