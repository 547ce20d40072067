"""Dojos' logos: read carefully, and made fit for print. Pure."""

from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from tatami.errors import DomainError

LARGEST_FILE: Final = 2 * 1024 * 1024
"""Bytes."""
LARGEST_SIDE: Final = 4096
"""Pixels: of more, nothing is unpacked."""
PRINTED: Final = (1000, 360)
"""Pixels, width and height: 360 dots an inch on the certificate. What is larger is made smaller."""
BROKEN: Final = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises for pictures that are none."""


class BadLogo(DomainError):
    """The logo is not a PNG or JPEG picture that can be read."""

    code = "bad_logo"
    status = 400


def read_logo(picture: bytes) -> bytes:
    """Return the logo as it is kept and printed: PNG or JPEG, upright, of 1,000 by 360 pixels at most.

    Nothing of the file but the picture is kept, so neither where a photograph was taken nor what hides behind it.
    BadLogo: over 2 MiB, over 4,096 pixels a side, another format, or broken.
    """
    if len(picture) > LARGEST_FILE:
        raise BadLogo(f"The logo is larger than {LARGEST_FILE // 1024 // 1024} MiB.")
    try:
        with Image.open(BytesIO(picture), formats=("PNG", "JPEG")) as opened:
            if max(opened.size) > LARGEST_SIDE:
                raise BadLogo(f"The logo has more than {LARGEST_SIDE} pixels on a side.")
            return _printed(opened)
    except BROKEN as broken:
        raise BadLogo from broken


def _printed(opened: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(opened)
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    plain.thumbnail(PRINTED)
    kept = BytesIO()
    if opened.format == "JPEG":
        plain.save(kept, "JPEG", quality=90)
    else:
        plain.save(kept, "PNG", optimize=True)
    return kept.getvalue()


def printable_logo(picture: bytes | None) -> bytes | None:
    """Return the logo for print, or None where there is none that can be read: a certificate does not fail by it."""
    try:
        return read_logo(picture) if picture else None
    except BadLogo:
        return None
