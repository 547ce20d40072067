"""Certificates as PDF files, and the logos on them."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from PIL import Image, PngImagePlugin
from pypdf import PdfReader

from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.logo import BadLogo, read_logo
from tenant_apps.promotions.errors import NothingToPrint, TooManyCertificates
from tenant_apps.promotions.pdf import certificate as certificate_module
from tenant_apps.promotions.pdf.certificate import MOST_IN_ONE_FILE, CertificatePage, certificates_pdf
from tenant_apps.promotions.pdf.text import certificate_words, one_line
from tests.promotions.pdf_reading import (
    HOSTILE_NAMES,
    THREE_SCRIPTS,
    margins_are_white,
    page_images,
    page_texts,
    qr_codes,
)
from tests.support.sizes import small_or_full

pytestmark = pytest.mark.slow

VERIFY_URL = "https://kita.example.org/certificates/7QK2M9XW4RT8PZ3VB6NH"


def certificate(**fields: Any) -> CertificatePage:
    defaults = {
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
    return CertificatePage(**(defaults | fields))


def printed(*certificates: CertificatePage) -> bytes:
    return b"".join(certificates_pdf(certificates))


def logo(
    mode: str = "RGB", size: tuple[int, int] = (400, 300), file_format: str = "PNG", **saved: Any
) -> bytes:
    """Return an image file, red where it has colours."""
    file = BytesIO()
    Image.new(mode, size, "red" if mode.startswith("RGB") else None).save(file, file_format, **saved)
    return file.getvalue()


@pytest.fixture(scope="module")
def plain() -> bytes:
    """The certificate with the default fields."""
    return printed(certificate())


# --- text -----------------------------------------------------------------------------------------------------


def test_a_certificate_says_who_was_awarded_what_when_and_by_whom(plain: bytes) -> None:
    (page,) = page_texts(plain)
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


def test_a_certificate_is_written_in_portuguese() -> None:
    in_portuguese = certificate(
        language="pt-br", dojo_name="Associação São João", awarded_on=date(2026, 3, 1)
    )
    (page,) = page_texts(printed(in_portuguese))
    for words in (
        "Associação São João",
        "Certificamos que",
        "alcançou a graduação de",
        "1º de março de 2026",
    ):
        assert words in page


def test_the_certificate_has_every_word_in_both_languages() -> None:
    english, portuguese = certificate_words("en"), certificate_words("pt-br")
    assert english.keys() == portuguese.keys()
    assert all(portuguese[name] != text for name, text in english.items())


def test_the_wording_of_the_dojo_replaces_that_of_the_language() -> None:
    own = {
        "title": "Diploma of merit",
        "before_name": "The board of examiners declares that",
        "before_rank": "is worthy of the grade of",
        "closing": "In the spirit of harmony",
    }
    (page,) = page_texts(printed(certificate(**own)))
    assert "DIPLOMAOFMERIT" in page.replace(" ", "")  # wide letters read as several words
    assert f"{own['before_name']} Mika Sato {own['before_rank']} 初段 1st dan" in page
    assert own["closing"] in page
    assert "This is to certify" not in page


def test_a_second_language_repeats_wording_labels_and_date() -> None:
    (page,) = page_texts(printed(certificate(second_language="pt-br", licence_number="DAB-20417")))
    for words in (
        "This is to certify that Certificamos que Mika Sato",
        "has been awarded the rank of alcançou a graduação de",
        "15 June 2026 · 15 de junho de 2026",
        "LICENCE · REGISTRO DAB-20417",
        "EXAMINER · EXAMINADOR(A)",
    ):
        assert words in page


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "plain"])
def test_a_crowded_certificate_has_one_page_and_white_margins(name: str) -> None:
    text = HOSTILE_NAMES.get(name, "Mika Sato")
    crowded = certificate(
        logo=logo(),
        student_name=text,
        closing=text,
        title=text,
        licence_number=text[:60],
        examiners=[text or "Anna"] * 6,
        second_language="pt-br",
    )
    (page,) = page_images(printed(crowded))
    assert margins_are_white(page)


def test_a_voided_certificate_says_so_across_the_page() -> None:
    plain, voided = certificate(), certificate(voided_on=date(2026, 7, 1))
    (page,) = page_texts(printed(voided))
    assert "VOID" in page
    assert "Voided on 1 July 2026" in page
    assert "VOID" not in page_texts(printed(plain))[0]
    (portuguese,) = page_texts(printed(certificate(voided_on=date(2026, 7, 1), language="pt-br")))
    assert "ANULADO" in portuguese
    assert "Anulado em 1º de julho de 2026" in portuguese


def test_a_certificate_without_examiners_has_one_line_to_sign_on(plain: bytes) -> None:
    (page,) = page_texts(printed(certificate(examiners=())))
    assert page.count("EXAMINER") == 1
    assert page_texts(plain)[0].count("EXAMINER") == 2


def test_the_rank_is_printed_in_the_script_of_the_art() -> None:
    names = ["初段", "四段 師範", "초단", "9단", "黒帯くろおびクロオビ"]
    pages = page_texts(printed(*(certificate(rank_native_name=name) for name in names)))
    for name, page in zip(names, pages, strict=True):
        assert name in page


def test_a_name_in_three_scripts_is_printed_fully() -> None:
    pdf = printed(certificate(student_name=THREE_SCRIPTS))
    assert THREE_SCRIPTS in page_texts(pdf)[0]
    fonts = PdfReader(BytesIO(pdf)).pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    used = {font.get_object()["/BaseFont"] for font in fonts}
    assert {name.split("+")[1].split("-")[0] for name in used} >= {
        "LibertinusSerif",
        "NotoSerifJP",
        "NotoSerifKR",
    }


def test_any_date_is_printed() -> None:
    days = [date(1, 1, 1), date(1964, 2, 29), date(9999, 12, 31)]
    pages = page_texts(printed(*(certificate(awarded_on=day) for day in days)))
    for day, page in zip(days, pages, strict=True):
        assert long_date(day, "en") in page


# --- the QR code ----------------------------------------------------------------------------------------------


def test_the_qr_code_leads_to_the_check_of_the_certificate(plain: bytes) -> None:
    assert qr_codes(plain) == [VERIFY_URL]


def test_the_qr_code_of_a_long_address_can_be_read() -> None:
    address = f"https://{'very-long-name-of-a-dojo.' * 4}example.org/certificates/{'7QK2M9XW' * 6}"
    assert qr_codes(printed(certificate(verify_url=address)), dots_per_inch=300) == [address]


# --- hostile names --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_pages() -> dict[str, Image.Image]:
    """One certificate for each hostile name, with the name in every field: the page as an image."""
    pages = [
        certificate(
            dojo_name=name,
            student_name=name,
            rank_name=name,
            rank_native_name=name,
            discipline_or_system_name=name,
            number=name,
            examiners=[name] * 9,
        )
        for name in HOSTILE_NAMES.values()
    ]
    return dict(zip(HOSTILE_NAMES, page_images(printed(*pages)), strict=True))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_does_not_break_the_page(hostile_pages: dict[str, Image.Image], name: str) -> None:
    """The fixture has checked that each certificate is one page."""
    assert margins_are_white(hostile_pages[name])
    (code,) = zxingcpp.read_barcodes(hostile_pages[name])
    assert code.text == VERIFY_URL


def test_markup_in_a_name_is_printed_as_it_is() -> None:
    (page,) = page_texts(printed(certificate(student_name=HOSTILE_NAMES["markup"])))
    assert HOSTILE_NAMES["markup"] in page


def test_a_long_name_is_printed_to_its_end() -> None:
    name = "Maximiliana Wolfeschlegelsteinhausen-Bergerdorff " * 5
    (page,) = page_texts(printed(certificate(student_name=name, language="pt-br")))
    assert name.replace(" ", "") in page.replace(" ", "")


def test_a_word_wider_than_the_page_is_printed_to_its_end() -> None:
    (page,) = page_texts(printed(certificate(student_name="W" * 300)))
    assert "W" * 300 in page.replace(" ", "")


def test_invisible_characters_are_removed_from_a_line() -> None:
    assert one_line(HOSTILE_NAMES["control characters"]) == "Mika[31m Sato"
    assert one_line(HOSTILE_NAMES["bidi overrides"]) == "Mika otaS x"
    assert one_line(HOSTILE_NAMES["lone surrogate"]) == "Mika Sato"
    assert one_line("e\u0301a\u200b\ufeff") == "éa"
    assert one_line("W" * 301) == "W" * 299 + "…"


# --- the file -------------------------------------------------------------------------------------------------


def test_a_certificate_printed_twice_is_the_same_file() -> None:
    assert printed(certificate(logo=logo())) == printed(certificate(logo=logo()))


def test_a_certificate_is_a_small_file() -> None:
    assert len(printed(certificate(student_name=THREE_SCRIPTS, logo=logo()))) < 100_000


@small_or_full("number", small=20, full=200)
def test_many_certificates_are_one_file_with_a_page_for_each(number: int, plain: bytes) -> None:
    taken = 0

    def certificates() -> Iterator[CertificatePage]:
        nonlocal taken
        for n in range(number):
            taken += 1
            yield certificate(student_name=f"{THREE_SCRIPTS} {n}", number=str(n), logo=logo())

    chunks = list(certificates_pdf(certificates()))
    assert taken == number
    assert max(map(len, chunks)) <= 64 * 1024
    pages = page_texts(b"".join(chunks))
    assert len(pages) == number
    assert all(f"{THREE_SCRIPTS} {n} has been" in page for n, page in enumerate(pages))


@small_or_full("number", small=20, full=200)
def test_many_certificates_need_less_than_150_mebibytes(number: int) -> None:
    """Measured in a process of its own, because what ran before in this one would change the result."""
    program = """
import sys
import django
import psutil
django.setup()
from tests.promotions.test_certificate_pdf import THREE_SCRIPTS, certificate, certificates_pdf, logo, printed
printed(certificate(student_name=THREE_SCRIPTS, logo=logo()))
before = psutil.Process().memory_info().rss
certificates = (
    certificate(student_name=f"{THREE_SCRIPTS} {n}", number=str(n), logo=logo()) for n in range(int(sys.argv[1]))
)
chunks = list(certificates_pdf(certificates))
print(psutil.Process().memory_info().rss - before)
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(number)]
    child = subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert int(child.stdout) < 150 * 1024 * 1024


@small_or_full("most", small=5, full=MOST_IN_ONE_FILE)
def test_only_so_many_certificates_as_fit_into_one_file_are_read(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate_module, "MOST_IN_ONE_FILE", most)
    endless = iter(certificate, None)
    with pytest.raises(TooManyCertificates):
        certificates_pdf(endless)


def test_without_a_certificate_there_is_no_file() -> None:
    assert MOST_IN_ONE_FILE >= 200
    with pytest.raises(NothingToPrint):
        certificates_pdf([])


def test_printing_in_a_forked_child_raises_an_error_instead_of_hanging() -> None:
    program = """
import os
import django
django.setup()
from tests.promotions.test_certificate_pdf import certificate, printed
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
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)


# --- logos ----------------------------------------------------------------------------------------------------


def test_a_logo_is_printed() -> None:
    (page,) = page_images(printed(certificate(logo=read_logo(logo()))))
    assert page.getpixel((page.width // 2, round(30 / 25.4 * 150))) == (255, 0, 0)


def test_a_logo_is_in_the_file_once_for_all_certificates() -> None:
    noise = BytesIO()
    Image.effect_noise((300, 300), 80).save(noise, "PNG")
    one, ten = (len(printed(*[certificate(logo=noise.getvalue())] * count)) for count in (1, 10))
    assert one > 60_000
    assert ten < 1.8 * one


@pytest.mark.parametrize(
    ("file_format", "mode", "stored_format"),
    [
        ("PNG", "RGBA", "PNG"),
        ("PNG", "P", "PNG"),
        ("PNG", "L", "PNG"),
        ("JPEG", "RGB", "JPEG"),
        ("JPEG", "CMYK", "JPEG"),
    ],
)
def test_a_logo_is_stored_in_its_format_at_the_size_of_print(
    file_format: str, mode: str, stored_format: str
) -> None:
    with Image.open(BytesIO(read_logo(logo(mode, (2000, 1800), file_format)))) as stored:
        assert stored.format == stored_format
        assert stored.size == (400, 360)
        assert stored.mode in {"RGB", "RGBA"}


def test_only_the_image_of_a_logo_is_stored() -> None:
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "taken at home")
    assert b"home" not in read_logo(logo(pnginfo=comment) + b"and a tail from home")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        logo()[:200],
        logo(file_format="JPEG")[:300],
        logo(file_format="GIF", mode="P"),
        logo(size=(4097, 1)),
        logo() + b"\0" * 2 * 1024 * 1024,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0\xbbp@\xb9",
    ],
    ids=["empty", "text", "svg", "half a png", "half a jpeg", "gif", "too wide", "too heavy", "bomb"],
)
def test_a_broken_logo_is_refused_at_upload_and_left_out_in_print(broken: bytes, plain: bytes) -> None:
    with pytest.raises(BadLogo):
        read_logo(broken)
    assert printed(certificate(logo=broken)) == plain
