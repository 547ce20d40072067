"""Certificates of rank, one page each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import islice
from typing import Any, Final

import qrcode
from django.utils.translation import gettext
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M

from tatami.qr_images import QUIET_ZONE
from tenant_apps.dojo.dates import Language, long_date
from tenant_apps.dojo.logo import printable_logo
from tenant_apps.promotions.errors import NothingToPrint, TooManyCertificates
from tenant_apps.promotions.pdf.text import certificate_words, one_line, typst_language
from tenant_apps.promotions.pdf.typefaces import DEFAULT_HAN_FORM, HanForm
from tenant_apps.promotions.pdf.typesetting import typeset

MOST_IN_ONE_FILE: Final = 500
CHUNK_BYTES: Final = 64 * 1024
SIGNATURES_ON_CERTIFICATE: Final = 6
"""A certificate has room for so many signatures."""


@dataclass(frozen=True, kw_only=True)
class CertificatePage:
    """The content of one certificate.

    `rank_native_name`, `discipline_or_system_name` and `licence_number` may be empty. Each examiner has a line to sign
    on, at most six of them; without examiners there is one line without a name. `logo` is the result of `read_logo`, or
    None. `title`, `before_name`, `before_rank` replace the words of the language, and `closing` is a line below the
    rank. The wording is repeated in smaller lines in `second_language`. A certificate with `voided_on` says that it is
    void.
    """

    dojo_name: str
    logo: bytes | None
    student_name: str
    rank_name: str
    rank_native_name: str
    discipline_or_system_name: str
    awarded_on: date
    number: str
    examiners: Sequence[str]
    verify_url: str
    language: Language
    han_form: HanForm = DEFAULT_HAN_FORM
    licence_number: str = ""
    title: str = ""
    before_name: str = ""
    before_rank: str = ""
    closing: str = ""
    second_language: Language | None = None
    voided_on: date | None = None


def certificates_pdf(certificates: Iterable[CertificatePage]) -> Iterator[bytes]:
    """Return one PDF of all certificates, A4 landscape, one page each, in chunks of at most 64 KiB.

    The certificates are read one at a time. The PDF is complete before this function returns, so errors are raised
    before the first byte is sent. It takes about 0.7 MB of memory a page. Equal certificates result in equal files. A
    logo that cannot be read is left out. Raises `NothingToPrint` for no certificate, `TooManyCertificates` for more
    than 500, `MissingGlyphs` for text that no typeface can print. Chinese characters of all pages have the form of the
    first page, unless their text suggests another.
    """
    logos: dict[bytes, int | None] = {}
    images: list[bytes] = []
    pages: list[dict[str, Any]] = []
    latest, form = date.min, DEFAULT_HAN_FORM
    for certificate in islice(certificates, MOST_IN_ONE_FILE + 1):
        if len(pages) == MOST_IN_ONE_FILE:
            raise TooManyCertificates(
                gettext("At most {most_in_one_file} certificates fit into one file.").format(
                    most_in_one_file=MOST_IN_ONE_FILE
                )
            )
        latest = max(latest, certificate.awarded_on)
        form = form if pages else certificate.han_form
        pages.append(_page(certificate) | {"logo": _logo_index(certificate.logo, logos, images)})
    if not pages:
        raise NothingToPrint
    data = {"certificates": pages, "logos": [list(image) for image in images]}
    pdf = typeset("certificate.typ", data, dated=latest, default_form=form)
    return (pdf[start : start + CHUNK_BYTES] for start in range(0, len(pdf), CHUNK_BYTES))


def _page(certificate: CertificatePage) -> dict[str, Any]:
    language, second = certificate.language, certificate.second_language
    voided_on = certificate.voided_on
    return typst_language(language) | {
        "words": _words(certificate),
        "second": {**certificate_words(second), **typst_language(second)} if second else None,
        "dojo": one_line(certificate.dojo_name),
        "student": one_line(certificate.student_name),
        "rank": one_line(certificate.rank_name),
        "native": one_line(certificate.rank_native_name),
        "art": one_line(certificate.discipline_or_system_name),
        "closing": one_line(certificate.closing),
        "date": long_date(certificate.awarded_on, language),
        "second_date": long_date(certificate.awarded_on, second) if second else "",
        "number": one_line(certificate.number),
        "licence": one_line(certificate.licence_number),
        "voided_on": long_date(voided_on, language) if voided_on else "",
        "examiners": [one_line(name) for name in certificate.examiners[:SIGNATURES_ON_CERTIFICATE]] or [""],
        "address": one_line(certificate.verify_url.partition("://")[2] or certificate.verify_url),
        "qr": list(qr_png(certificate.verify_url)),
    }


def _words(certificate: CertificatePage) -> dict[str, str]:
    """Return the fixed words, with those of the dojo in place of the language's."""
    own = {
        "title": certificate.title,
        "certify": certificate.before_name,
        "awarded": certificate.before_rank,
    }
    words = certificate_words(certificate.language)
    return words | {name: one_line(text) for name, text in own.items() if text}


def _logo_index(logo: bytes | None, known: dict[bytes, int | None], images: list[bytes]) -> int | None:
    """Return the index of the logo in `images`, and add it if it is new: each logo is read and embedded once."""
    if logo is None:
        return None
    if logo not in known:
        printable = printable_logo(logo)
        known[logo] = None if printable is None else len(images)
        images += [printable] if printable else []
    return known[logo]


PIXELS_PER_MODULE: Final = 3
"""Few, because hundreds of symbols are in memory at once. They are enlarged without smoothing."""


def qr_png(text: str) -> bytes:
    """Return `text` as a QR code of error correction level M with a quiet zone: a PNG with one bit a pixel."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text, optimize=0)
    rows = code.get_matrix()
    side = len(rows)
    image = Image.new("1", (side, side))
    image.putdata([0 if dark else 255 for row in rows for dark in row])
    png = BytesIO()
    image.resize((side * PIXELS_PER_MODULE,) * 2, Image.Resampling.NEAREST).save(png, "PNG")
    return png.getvalue()
