"""Done-point 3: every image that we make is read by an independent decoder from a bad photograph of a screen."""

import random
import re
from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done

PHOTOGRAPH = 300
"""Pixels across: the phone's screen fills most of it."""


def drawn(data_uri: str) -> Image.Image:
    """Return the picture in a data URI. Of an SVG, which is one path of squares, we draw the path."""
    kind, _, content = data_uri.removeprefix("data:").partition(";base64,")
    raw = b64decode(content)
    if kind == "image/png":
        return Image.open(BytesIO(raw)).convert("L")
    text = raw.decode()
    (size,) = re.findall(r'viewBox="0 0 ([0-9.]+) \1"', text)
    (path,) = re.findall(r' d="([^"]+)"', text)
    squares = re.findall(r"M([0-9.]+),([0-9.]+)H([0-9.]+)V([0-9.]+)H\1z", path)
    assert "".join(f"M{x},{y}H{right}V{low}H{x}z" for x, y, right, low in squares) == path
    pixels = round(float(size) * 10)  # a module is 0.8 units wide
    picture = Image.new("L", (pixels, pixels), 255)
    for square in squares:
        left, top, right, bottom = (round(float(edge) * 10) for edge in square)
        ImageDraw.Draw(picture).rectangle((left, top, right - 1, bottom - 1), fill=0)
    return picture


def photographed(symbol: Image.Image, seed: int) -> Image.Image:
    """Return 300 × 300 pixels as a hand-held camera sees a phone: turned, out of focus, badly lit, grainy."""
    rng = random.Random(seed)
    screen = symbol.resize((215, 215), Image.Resampling.BILINEAR).point(lambda shade: 45 + shade * 160 // 255)
    photograph = Image.new("L", (PHOTOGRAPH, PHOTOGRAPH), 120)
    photograph.paste(screen, (42, 43))
    turned = photograph.rotate(rng.uniform(-35, 35), Image.Resampling.BICUBIC, fillcolor=120)
    blurred = turned.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9)))
    light = Image.linear_gradient("L").resize((PHOTOGRAPH, PHOTOGRAPH)).rotate(rng.choice([0, 90, 180, 270]))
    noise = Image.effect_noise((PHOTOGRAPH, PHOTOGRAPH), 24)
    return Image.blend(Image.blend(blurred, light, 0.12), noise, 0.15)


@pytest.mark.parametrize("image_format", ["svg", "png"])
@pytest.mark.parametrize("kind", ["rotating", "card"])
@pytest.mark.parametrize(("of", "holds"), [("student", "token"), ("class_session", "url")])
def test_every_image_is_read_from_a_photograph(
    dojo: Dojo, of: str, holds: str, kind: str, image_format: str
) -> None:
    subject = factories.student(dojo) if of == "student" else factories.single_session(dojo)
    code = done(dojo.admin.post("/qr", {of: subject["id"], "kind": kind, "format": image_format}), 201)
    symbol = drawn(code["image"])
    for seed in range(10):
        read = [one.text for one in zxingcpp.read_barcodes(photographed(symbol, seed))]
        assert read == [code[holds]], f"photograph {seed}"
    assert version(symbol) <= (4 if of == "student" else 7)
    assert len(code["token"].encode()) <= 62


def version(symbol: Image.Image) -> int:
    """Return the version of a symbol drawn with 8 pixels a module and 4 modules of white around it."""
    (read,) = zxingcpp.read_barcodes(symbol)
    assert read.ec_level == "M"
    return int((symbol.width / 8 - 8 - 17) / 4)


def test_a_card_is_shown_again_as_it_was(dojo: Dojo) -> None:
    mika = factories.student(dojo)
    first, second = (
        done(dojo.admin.post("/qr", {"student": mika["id"], "kind": "card"}), 201) for _ in range(2)
    )
    assert first == second


def test_what_a_photograph_says_is_scanned(dojo: Dojo) -> None:
    mika: Any = factories.student(dojo)
    factories.single_session(dojo)
    image = done(dojo.admin.post("/qr", {"student": mika["id"], "format": "png"}), 201)["image"]
    (read,) = zxingcpp.read_barcodes(photographed(drawn(image), seed=1))
    assert done(dojo.admin.post("/attendance/scan", {"token": read.text}), 201)["student"]["id"] == mika["id"]
