"""Papers as a person has them: their text, and the codes on them as a phone's camera reads them."""

from io import BytesIO

import pypdfium2
import zxingcpp
from pypdf import PdfReader

DOTS_PER_INCH = 150


def text_of(pdf: bytes) -> list[str]:
    """Return the text of each page, with single blanks."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def codes_on(pdf: bytes) -> list[str]:
    """Return what the codes of all pages say."""
    pages = (page.render(scale=DOTS_PER_INCH / 72).to_pil() for page in pypdfium2.PdfDocument(pdf))
    return [code.text for page in pages for code in zxingcpp.read_barcodes(page.convert("RGB"))]
