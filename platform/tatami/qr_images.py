"""QR symbols as images. Imports no Django: certificates are printed in a process that has not loaded it."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from itertools import groupby
from typing import Any, Final

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pure import PyPNGImage

QUIET_ZONE: Final = 4
"""White modules around a QR symbol, as ISO/IEC 18004 requires."""
PIXELS_PER_MODULE: Final = 8
SHORTEST_SEGMENT: Final = 20
"""Codes are stored in alphanumeric mode, five and a half bits a character, also where the text around them is not."""
MEDIA_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}


def qr_data_uri(text: str, image_format: str) -> str:
    """Return `text` as a QR symbol of level M, as a data URI in `svg` or `png`."""
    picture = qr_svg(text).encode() if image_format == "svg" else _png(text)
    return f"data:{MEDIA_TYPES[image_format]};base64,{b64encode(picture).decode()}"


def qr_svg(text: str) -> str:
    """Return `text` as a QR symbol of level M, as an SVG element: black squares on white, a unit for each module.

    It is a line for each run of dark modules, so that a page with many symbols stays small.
    """
    rows = _symbol(text).get_matrix()
    lines = "".join(_lines(row, y) for y, row in enumerate(rows))
    size, pixels = len(rows), len(rows) * PIXELS_PER_MODULE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{pixels}" height="{pixels}" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/>'
        f'<path stroke="#000" d="{lines}"/></svg>'
    )


def _lines(row: Sequence[bool], y: int) -> str:
    """Return the runs of dark modules of a row, as lines through their middle."""
    found, x = "", 0
    for is_dark, run in groupby(row):
        width = len(list(run))
        if is_dark:
            found += f"M{x} {y}.5h{width}"
        x += width
    return found


def _symbol(text: str) -> qrcode.QRCode[Any]:
    symbol = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=PIXELS_PER_MODULE, border=QUIET_ZONE)
    symbol.add_data(text, optimize=SHORTEST_SEGMENT)
    symbol.make(fit=True)
    return symbol


def _png(text: str) -> bytes:
    picture = BytesIO()
    _symbol(text).make_image(image_factory=PyPNGImage).save(picture)
    return picture.getvalue()
