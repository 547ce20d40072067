"""The QR symbol of a certificate, drawn for print."""

from io import BytesIO
from typing import Final

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M

from tenant_apps.attendance.cards import QUIET_ZONE

PIXELS_PER_MODULE: Final = 3
"""Few, for hundreds of them are in memory at once; they are enlarged without smoothing."""


def symbol(text: str) -> bytes:
    """Return `text` as a QR symbol of level M with its quiet zone: a PNG of one bit a pixel."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text, optimize=0)
    rows = code.get_matrix()
    side = len(rows)
    drawn = Image.new("1", (side, side))
    drawn.putdata([0 if dark else 255 for row in rows for dark in row])
    kept = BytesIO()
    drawn.resize((side * PIXELS_PER_MODULE,) * 2, Image.Resampling.NEAREST).save(kept, "PNG")
    return kept.getvalue()
