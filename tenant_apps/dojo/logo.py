"""Validate the logo of the dojo, and reduce it to print size. No Django, because documents are printed without it."""

from io import BytesIO
from typing import Final

from django.utils.translation import gettext
from PIL import Image, ImageMath, ImageOps

from tatami.errors import DomainError

LARGEST_FILE: Final = 2 * 1024 * 1024
"""Bytes."""
LARGEST_SIDE: Final = 4096
"""Pixels. Larger pictures are not decoded."""
PRINTED: Final = (1000, 360)
"""Pixels, width and height: 360 dots per inch on the certificate. Larger logos are reduced."""
PILLOW_ERRORS: Final = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""The exceptions that Pillow raises for files that are not valid pictures."""


def read_logo(picture: bytes) -> bytes:
    """Return the logo as it is stored and printed: PNG or JPEG, upright, at most 1,000 by 360 pixels.

    Only the picture is kept, without metadata such as the place where a photograph was taken. Raises `BadLogo` for
    files over 2 MiB, over 4,096 pixels a side, of another format, or damaged.
    """
    if len(picture) > LARGEST_FILE:
        raise BadLogo(
            gettext("The logo is larger than {number} MiB.").format(number=LARGEST_FILE // 1024 // 1024)
        )
    try:
        with Image.open(BytesIO(picture), formats=("PNG", "JPEG")) as opened:
            if max(opened.size) > LARGEST_SIDE:
                raise BadLogo(
                    gettext("The logo has more than {largest_side} pixels on a side.").format(
                        largest_side=LARGEST_SIDE
                    )
                )
            return _print_size(opened)
    except PILLOW_ERRORS as error:
        raise BadLogo from error


def _print_size(opened: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith("I"):
        upright = _eight_bits(upright)
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    plain.thumbnail(PRINTED)
    content = BytesIO()
    if opened.format == "JPEG":
        plain.save(content, "JPEG", quality=90)
    else:
        plain.save(content, "PNG", optimize=True)
    return content.getvalue()


def _eight_bits(grey: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits with 8 bits. Pillow's own conversion cuts, so that nearly all becomes white."""
    values = grey.convert("I")
    shades = values.point(lambda value: value * (1 / 257)).convert("L")
    transparent = grey.info.get("transparency")
    if transparent is None:
        return shades
    opaque = ImageMath.lambda_eval(
        lambda images: images["convert"]((images["values"] != transparent) * 255, "L"), values=values
    )
    return Image.merge("LA", (shades, opaque))


def printable_logo(picture: bytes | None) -> bytes | None:
    """Return the logo for print, or None if it cannot be read, so that certificates are printed without it."""
    try:
        return read_logo(picture) if picture else None
    except BadLogo:
        return None


class BadLogo(DomainError):
    """The logo is not a PNG or JPEG picture that can be read."""

    code = "bad_logo"
    status = 400
