"""Read PDF documents as people do: their text, their pages as images, and QR codes as a camera reads them."""

from collections.abc import Iterator
from io import BytesIO

import pypdfium2
import zxingcpp
from PIL import Image, ImageChops
from pypdf import PdfReader
from pypdf.generic import ContentStream

DOTS_PER_INCH = 150
MARGIN_MM = 8.5

THREE_SCRIPTS = "Łukasz 田中 김민준"
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


def page_texts(pdf: bytes) -> list[str]:
    """Return the text of each page, with single spaces."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def page_images(pdf: bytes, *, dots_per_inch: int = DOTS_PER_INCH) -> list[Image.Image]:
    """Return each page as an image."""
    return [
        page.render(scale=dots_per_inch / 72).to_pil().convert("RGB") for page in pypdfium2.PdfDocument(pdf)
    ]


def qr_codes(pdf: bytes, *, dots_per_inch: int = DOTS_PER_INCH) -> list[str]:
    """Return the texts of the QR codes of all pages."""
    return [
        code.text
        for page in page_images(pdf, dots_per_inch=dots_per_inch)
        for code in zxingcpp.read_barcodes(page)
    ]


def margins_are_white(page: Image.Image) -> bool:
    """Return whether nothing is drawn in the margins of a page of 150 dots per inch."""
    margin = round(MARGIN_MM / 25.4 * DOTS_PER_INCH)
    page = page.copy()
    page.paste(
        Image.new("RGB", (page.width - 2 * margin, page.height - 2 * margin), "white"), (margin, margin)
    )
    return ImageChops.difference(page, Image.new("RGB", page.size, "white")).getbbox() is None


def missing_glyphs(pdf: bytes) -> int:
    """Return how many glyphs of all pages are glyph 0 of their typeface, which is a box: `.notdef`."""
    reader = PdfReader(BytesIO(pdf))
    return sum(
        text[start : start + 2] == b"\0\0"
        for page in reader.pages
        for text in _shown_texts(ContentStream(page.get_contents(), reader))
        for start in range(0, len(text), 2)
    )


def _shown_texts(content: ContentStream) -> Iterator[bytes]:
    """Yield the operands of the operators that show text: two bytes a glyph, for all typefaces are composite."""
    for operands, operator in content.operations:
        if operator in {b"Tj", b"TJ"}:
            shown = operands[0] if operator == b"TJ" else operands
            yield from (one.original_bytes for one in shown if not isinstance(one, (int, float)))
