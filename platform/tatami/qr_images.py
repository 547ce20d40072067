"""QR symbols as images. Imports no Django: certificates are printed in a process that has not loaded it."""

from base64 import b64encode
from io import BytesIO
from typing import Final

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pure import PyPNGImage
from qrcode.image.svg import SvgPathImage

QUIET_ZONE: Final = 4
"""White modules around a QR symbol, as ISO/IEC 18004 requires."""
PIXELS_PER_MODULE: Final = 8
SHORTEST_SEGMENT: Final = 20
"""Codes are stored in alphanumeric mode, five and a half bits a character, also where the text around them is not."""
MEDIA_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}


def qr_data_uri(text: str, image_format: str) -> str:
    """Return `text` as a QR symbol of level M, as a data URI in `svg` or `png`."""
    symbol = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=PIXELS_PER_MODULE, border=QUIET_ZONE)
    symbol.add_data(text, optimize=SHORTEST_SEGMENT)
    symbol.make(fit=True)
    picture = BytesIO()
    symbol.make_image(image_factory=SvgPathImage if image_format == "svg" else PyPNGImage).save(picture)
    return f"data:{MEDIA_TYPES[image_format]};base64,{b64encode(picture.getvalue()).decode()}"
