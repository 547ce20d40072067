"""Certificates, candidates' sheets and the examiners' list, read back as any reader would."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from typing import Any

import psutil
import pypdfium2
import pytest
import zxingcpp
from PIL import Image, ImageChops, PngImagePlugin
from pypdf import PdfReader

from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.logo import BadLogo, read_logo
from tenant_apps.promotions.papers import (
    MOST_IN_ONE_FILE,
    Candidate,
    CandidateSheet,
    Certificate,
    ExaminersList,
    NothingToPrint,
    TooManyCertificates,
    candidate_sheet_pdf,
    certificates_pdf,
    examiners_list_pdf,
)
from tenant_apps.promotions.papers.printable import line, paragraphs
from tenant_apps.promotions.papers.words import CERTIFICATE, EXAM
from tests.promotions.papers_read import text_of

THREE_SCRIPTS = "Łukasz 田中 김민준"
VERIFY_URL = "https://kita.example.org/certificates/7QK2M9XW4RT8PZ3VB6NH"
MARGIN_MM = 8.5
HOSTILE_NAMES = {
    "markup": '<b>Bold</b> &amp; "quoted" #panic() $x$ *a* _b_ `c` \\n [d] @e // f',
    "control characters": "Mika\x00\x07\x1b[31m \tSato\r\n",
    "bidi overrides": "Mika \u202eotaS\u202c \u2066x\u2069",
    "lone surrogate": "Mika \ud800Sato",
    "right to left": "דוד כהן",
    "one word of 300 letters": "W" * 300,
    "300 characters": "Maximiliana von und zu " * 13,
    "300 ideographs": "田中" * 150,
    "nothing": "",
}


def certificate(**differs: Any) -> Certificate:
    said = {
        "dojo_name": "Kita Aikidō",
        "logo": None,
        "student_name": "Mika Sato",
        "rank_name": "1st dan",
        "rank_native_name": "初段",
        "discipline_or_system_name": "Aikido · Aikikai",
        "awarded_on": date(2026, 6, 15),
        "number": "2026-0042",
        "examiners": ("Hiroshi Tanaka", "Anna Kowalczyk"),
        "verify_url": VERIFY_URL,
        "language": "en",
    }
    return Certificate(**(said | differs))


def sheet(**differs: Any) -> CandidateSheet:
    said = {
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
    return CandidateSheet(**(said | differs))


def examiners_list(count: int, **differs: Any) -> ExaminersList:
    candidates = [
        Candidate(number=number, name=f"{THREE_SCRIPTS} {number}", rank_now="2nd kyu", rank_sought="1st kyu")
        for number in range(1, count + 1)
    ]
    said = {
        "dojo_name": "Kita Aikidō",
        "exam_name": "Summer grading",
        "held_on": date(2026, 6, 15),
        "location": "Main hall",
        "examiners": ("Hiroshi Tanaka", "Anna Kowalczyk"),
        "candidates": candidates,
        "language": "en",
    }
    return ExaminersList(**(said | differs))


def printed(*certificates: Certificate) -> bytes:
    return b"".join(certificates_pdf(certificates))


def pictures(pdf: bytes, *, dots_per_inch: int = 150) -> list[Image.Image]:
    return [
        page.render(scale=dots_per_inch / 72).to_pil().convert("RGB") for page in pypdfium2.PdfDocument(pdf)
    ]


def picture(pdf: bytes, *, dots_per_inch: int = 150) -> Image.Image:
    (page,) = pictures(pdf, dots_per_inch=dots_per_inch)
    return page


def margins_are_white(page: Image.Image) -> bool:
    """Nothing is drawn outside the border."""
    margin = round(MARGIN_MM / 25.4 * 150)
    inner = Image.new("RGB", (page.width - 2 * margin, page.height - 2 * margin), "white")
    page.paste(inner, (margin, margin))
    return ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox() is None


def drawing(
    mode: str = "RGB", size: tuple[int, int] = (400, 300), file_format: str = "PNG", **saved: Any
) -> bytes:
    kept = BytesIO()
    Image.new(mode, size, "red" if mode.startswith("RGB") else None).save(kept, file_format, **saved)
    return kept.getvalue()


def test_a_certificate_says_who_was_awarded_what_when_and_by_whom():
    (page,) = text_of(printed(certificate()))
    for words in (
        "Kita Aikidō",
        "This is to certify that Mika Sato has been awarded the rank of 初段 1st dan Aikido · Aikikai",
        "15 June 2026",
        "2026-0042",
        "Hiroshi Tanaka",
        "Anna Kowalczyk",
        VERIFY_URL.removeprefix("https://"),
    ):
        assert words in page


def test_a_certificate_is_written_in_portuguese():
    (page,) = text_of(
        printed(certificate(language="pt-br", dojo_name="Associação São João", awarded_on=date(2026, 3, 1)))
    )
    for words in (
        "Associação São João",
        "Certificamos que",
        "alcançou a graduação de",
        "1º de março de 2026",
    ):
        assert words in page


@pytest.mark.parametrize("native", ["初段", "四段 師範", "초단", "9단", "黒帯くろおびクロオビ"])
def test_the_rank_is_in_the_arts_own_script(native):
    assert native in text_of(printed(certificate(rank_native_name=native)))[0]


def test_a_name_in_three_scripts_is_printed_fully():
    pdf = printed(certificate(student_name=THREE_SCRIPTS))
    assert THREE_SCRIPTS in text_of(pdf)[0]
    used = {
        font.get_object()["/BaseFont"]
        for font in PdfReader(BytesIO(pdf)).pages[0]["/Resources"]["/Font"].values()
    }
    assert {name.split("+")[1].split("-")[0] for name in used} >= {
        "LibertinusSerif",
        "NotoSerifJP",
        "NotoSerifKR",
    }


def test_the_code_read_from_the_printed_page_leads_to_the_certificate():
    (read,) = zxingcpp.read_barcodes(picture(printed(certificate())))
    assert read.text == VERIFY_URL


def test_a_long_address_is_still_read():
    address = f"https://{'very-long-name-of-a-dojo.' * 4}example.org/certificates/{'7QK2M9XW' * 6}"
    (read,) = zxingcpp.read_barcodes(picture(printed(certificate(verify_url=address)), dots_per_inch=300))
    assert read.text == address


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_no_name_breaks_the_page(name):
    pdf = printed(
        certificate(
            dojo_name=name,
            student_name=name,
            rank_name=name,
            rank_native_name=name,
            discipline_or_system_name=name,
            number=name,
            examiners=[name] * 9,
        )
    )
    assert len(text_of(pdf)) == 1
    assert margins_are_white(picture(pdf))
    (read,) = zxingcpp.read_barcodes(picture(pdf))
    assert read.text == VERIFY_URL


def test_markup_in_a_name_is_printed_as_it_is():
    assert HOSTILE_NAMES["markup"] in text_of(printed(certificate(student_name=HOSTILE_NAMES["markup"])))[0]


def test_a_long_name_is_printed_to_its_end():
    name = "Maximiliana Wolfeschlegelsteinhausen-Bergerdorff " * 5
    (page,) = text_of(printed(certificate(student_name=name, language="pt-br")))
    assert name.replace(" ", "") in page.replace(" ", "")


def test_a_word_wider_than_the_page_is_printed_to_its_end():
    (page,) = text_of(printed(certificate(student_name="W" * 300)))
    assert "W" * 300 in page.replace(" ", "")


def test_what_cannot_be_seen_is_left_out_of_a_line():
    assert line(HOSTILE_NAMES["control characters"]) == "Mika[31m Sato"
    assert line(HOSTILE_NAMES["bidi overrides"]) == "Mika otaS x"
    assert line(HOSTILE_NAMES["lone surrogate"]) == "Mika Sato"
    assert line("e\u0301a\u200b\ufeff") == "éa"
    assert line("W" * 301) == "W" * 299 + "…"


def test_a_certificate_printed_twice_is_the_same_file():
    assert printed(certificate(logo=drawing())) == printed(certificate(logo=drawing()))


def test_a_certificate_stays_small():
    assert len(printed(certificate(student_name=THREE_SCRIPTS, logo=drawing()))) < 100_000


def test_two_hundred_certificates_are_one_file_of_two_hundred_pages():
    taken = 0

    def all_of_them() -> Iterator[Certificate]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield certificate(student_name=f"{THREE_SCRIPTS} {number}", number=str(number), logo=drawing())

    printed(certificate())
    before = psutil.Process().memory_info().rss
    chunks = list(certificates_pdf(all_of_them()))
    assert psutil.Process().memory_info().rss - before < 150 * 1024 * 1024
    assert taken == 200
    assert max(map(len, chunks)) <= 64 * 1024
    pages = text_of(b"".join(chunks))
    assert len(pages) == 200
    assert all(f"{THREE_SCRIPTS} {number} has been" in page for number, page in enumerate(pages))


def test_a_logo_is_in_the_file_once_however_many_certificates_bear_it():
    noise = BytesIO()
    Image.effect_noise((300, 300), 80).save(noise, "PNG")
    one, ten = (len(printed(*[certificate(logo=noise.getvalue())] * count)) for count in (1, 10))
    assert one > 60_000
    assert ten < 1.8 * one


def test_no_more_is_taken_than_fits_into_one_file():
    endless = iter(certificate, None)
    with pytest.raises(TooManyCertificates):
        certificates_pdf(endless)


def test_without_a_certificate_there_is_no_file():
    assert MOST_IN_ONE_FILE >= 200
    with pytest.raises(NothingToPrint):
        certificates_pdf([])


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1964, 2, 29), date(9999, 12, 31)])
def test_any_date_can_be_printed(day):
    assert long_date(day, "en") in text_of(printed(certificate(awarded_on=day)))[0]


def test_printing_in_a_child_of_a_process_that_printed_fails_rather_than_hangs():
    program = """
import os
from tests.promotions.test_papers import certificate, printed
printed(certificate())
child = os.fork()
if child == 0:
    try:
        printed(certificate())
    except RuntimeError:
        os._exit(7)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("file_format", "mode", "kept_as"),
    [
        ("PNG", "RGBA", "PNG"),
        ("PNG", "P", "PNG"),
        ("PNG", "L", "PNG"),
        ("JPEG", "RGB", "JPEG"),
        ("JPEG", "CMYK", "JPEG"),
    ],
)
def test_a_logo_is_kept_in_its_format_at_the_size_of_print(file_format, mode, kept_as):
    with Image.open(BytesIO(read_logo(drawing(mode, (2000, 1800), file_format)))) as kept:
        assert kept.format == kept_as
        assert kept.size == (400, 360)
        assert kept.mode in {"RGB", "RGBA"}


def test_a_logo_is_printed():
    page = picture(printed(certificate(logo=read_logo(drawing()))))
    assert page.getpixel((page.width // 2, round(30 / 25.4 * 150))) == (255, 0, 0)


def test_nothing_but_the_picture_is_kept_of_a_logo():
    remark = PngImagePlugin.PngInfo()
    remark.add_text("Comment", "taken at home")
    assert b"home" not in read_logo(drawing(pnginfo=remark) + b"and a tail from home")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        drawing()[:200],
        drawing(file_format="JPEG")[:300],
        drawing(file_format="GIF", mode="P"),
        drawing(size=(4097, 1)),
        drawing() + b"\0" * 2 * 1024 * 1024,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0\xbbp@\xb9",
    ],
    ids=["empty", "text", "svg", "half a png", "half a jpeg", "gif", "too wide", "too heavy", "bomb"],
)
def test_a_broken_logo_is_refused_when_it_is_uploaded_and_left_out_in_print(broken):
    with pytest.raises(BadLogo):
        read_logo(broken)
    assert printed(certificate(logo=broken)) == printed(certificate(logo=None))


def test_a_sheet_says_who_is_examined_in_what():
    (page,) = text_of(candidate_sheet_pdf(sheet()))
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


def test_a_long_syllabus_goes_on_over_the_pages():
    syllabus = "\n".join(f"- Technique {number}, omote and ura" for number in range(60))
    pages = text_of(candidate_sheet_pdf(sheet(syllabus=syllabus, language="pt-br")))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert f"Página {number} de {len(pages)}" in page
        assert THREE_SCRIPTS in page
    everything = " ".join(pages)
    assert all(f"Technique {number}," in everything for number in range(60))


def test_a_sheet_without_a_syllabus_says_so():
    assert "No syllabus is written down" in text_of(candidate_sheet_pdf(sheet(syllabus=" \n ")))[0]


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_no_name_breaks_a_paper_of_the_exam(name):
    said = {"dojo_name": name, "exam_name": name, "location": name, "examiners": [name] * 30}
    syllabus = f"{name}\n\n- {name}\n- {name * 20}"
    one = sheet(candidate_name=name, rank_now=name, rank_sought=name, syllabus=syllabus, **said)
    row = Candidate(number=1, name=name, rank_now=name, rank_sought=name)
    for pdf in (
        candidate_sheet_pdf(one),
        examiners_list_pdf(examiners_list(0, **(said | {"candidates": [row] * 9}))),
    ):
        assert all(margins_are_white(page) for page in pictures(pdf))


def test_plain_text_has_paragraphs_and_lists():
    text = "Kihon\nand kata.\n\n\nThen:\n- one\n  goes on\n- \x07two\n\n• three\nEnd."
    assert paragraphs(text) == [
        {"text": "Kihon\nand kata."},
        {"text": "Then:"},
        {"items": ["one goes on", "two", "three"]},
        {"text": "End."},
    ]


def test_sixty_candidates_stand_in_a_list_whose_head_is_on_each_page():
    pages = text_of(examiners_list_pdf(examiners_list(60)))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert "Rank now Rank sought Passed Failed Absent Remarks" in page
        assert f"Page {number} of {len(pages)}" in page
    everything = " ".join(pages)
    assert all(f"{number} {THREE_SCRIPTS} {number} 2nd kyu 1st kyu" in everything for number in range(1, 61))
    assert "Hiroshi Tanaka, Anna Kowalczyk" in pages[0]


def test_papers_of_an_exam_printed_twice_are_the_same_file():
    assert candidate_sheet_pdf(sheet()) == candidate_sheet_pdf(sheet())
    assert examiners_list_pdf(examiners_list(3)) == examiners_list_pdf(examiners_list(3))


def test_both_languages_have_every_word():
    for words in (CERTIFICATE, EXAM):
        assert words["en"].keys() == words["pt-br"].keys()
        assert all(words["pt-br"].values())
