"""Codes and their images: an independent decoder reads every image, also from a bad photograph of a screen."""

import random
import re
from base64 import b64decode
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from tenant_apps.attendance.check_in.codes import ALPHABET
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import count_statements

PHOTOGRAPH_PIXELS = 300
"""Width and height of a photograph, most of which the phone's screen fills."""


@pytest.mark.parametrize("kind", ["rotating", "card"])
@pytest.mark.parametrize(("of", "holds"), [("student", "token"), ("session", "url")])
def test_the_image_holds_the_token_of_a_student_or_the_url_of_a_session(
    dojo: Dojo, mika: Any, evening: Any, of: str, holds: str, kind: str
) -> None:
    body = {"student": mika["id"]} if of == "student" else {"class_session": evening["id"]}
    code = ok(dojo.admin.post("/qr", {**body, "kind": kind, "format": "png"}), 201)
    assert set(code) == {"token", "url", "kind", "expires_at", "image"}
    assert code["kind"] == kind
    assert re.fullmatch(f"[{ALPHABET}]{{1,90}}", code["token"]), "what version 4 at level M holds"
    assert code["url"].startswith("http://aiki.localhost")
    symbol = decode(code["image"])
    assert symbol.text == code[holds]
    assert symbol.ec_level == "M"
    if of == "student":
        assert width_in_modules(code["image"]) <= 17 + 4 * 4


def test_a_rotating_code_expires_within_thirty_seconds(dojo: Dojo, mika: Any) -> None:
    code = ok(dojo.admin.post("/qr", {"student": mika["id"]}), 201)
    assert code["kind"] == "rotating"
    assert "2026-06-15T16:40:00Z" < code["expires_at"] <= "2026-06-15T16:40:30Z"
    assert code["image"].startswith("data:image/svg+xml;base64,")
    assert b"<svg" in b64decode(code["image"].partition(",")[2])


@pytest.mark.parametrize("body", [{}, {"kind": "card"}])
def test_a_code_is_of_one_student_or_one_session(
    dojo: Dojo, mika: Any, evening: Any, body: dict[str, str]
) -> None:
    assert_error(dojo.admin.post("/qr", body), 400, "validation_error")
    both = {**body, "student": mika["id"], "class_session": evening["id"]}
    assert_error(dojo.admin.post("/qr", both), 400, "validation_error")


@pytest.mark.parametrize(("field", "value"), [("kind", "eternal"), ("format", "jpeg")])
def test_an_unknown_kind_or_format_is_refused(dojo: Dojo, mika: Any, field: str, value: str) -> None:
    assert_invalid(dojo.admin.post("/qr", {"student": mika["id"], field: value}), field)


def test_the_same_card_is_shown_again(dojo: Dojo) -> None:
    mika = factories.student(dojo)
    first, second = (
        ok(dojo.admin.post("/qr", {"student": mika["id"], "kind": "card"}), 201) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("image_format", ["svg", "png"])
@pytest.mark.parametrize("kind", ["rotating", "card"])
@pytest.mark.parametrize(("of", "holds"), [("student", "token"), ("class_session", "url")])
def test_every_image_is_read_from_a_photograph(
    dojo: Dojo, of: str, holds: str, kind: str, image_format: str
) -> None:
    subject = factories.student(dojo) if of == "student" else factories.single_session(dojo)
    code = ok(dojo.admin.post("/qr", {of: subject["id"], "kind": kind, "format": image_format}), 201)
    symbol = draw(code["image"])
    for seed in range(10):
        read = [one.text for one in zxingcpp.read_barcodes(photograph(symbol, seed))]
        assert read == [code[holds]], f"photograph {seed}"
    assert symbol_version(symbol) <= (4 if of == "student" else 6)


def test_a_code_read_from_a_photograph_is_scanned(dojo: Dojo) -> None:
    mika: Any = factories.student(dojo)
    factories.single_session(dojo)
    image = ok(dojo.admin.post("/qr", {"student": mika["id"], "format": "png"}), 201)["image"]
    (read,) = zxingcpp.read_barcodes(photograph(draw(image), seed=1))
    assert ok(dojo.admin.post("/attendance/scan", {"token": read.text}), 201)["student"]["id"] == mika["id"]


def draw(data_uri: str) -> Image.Image:
    """Return the picture in a data URI. An SVG is a path of lines, which this function draws."""
    kind, _, content = data_uri.removeprefix("data:").partition(";base64,")
    raw = b64decode(content)
    if kind == "image/png":
        return Image.open(BytesIO(raw)).convert("L")
    text = raw.decode()
    (size,) = re.findall(r'viewBox="0 0 ([0-9]+) \1"', text)
    (path,) = re.findall(r' stroke="#000" d="([^"]+)"', text)
    runs = re.findall(r"M([0-9]+) ([0-9]+)\.5h([0-9]+)", path)
    assert "".join(f"M{x} {y}.5h{width}" for x, y, width in runs) == path
    picture = Image.new("L", (int(size) * 8, int(size) * 8), 255)
    for x, y, width in (map(int, run) for run in runs):
        ImageDraw.Draw(picture).rectangle((x * 8, y * 8, (x + width) * 8 - 1, y * 8 + 7), fill=0)
    return picture


def photograph(symbol: Image.Image, seed: int) -> Image.Image:
    """Return 300 × 300 pixels as a hand-held camera sees a phone: turned, out of focus, badly lit, grainy."""
    rng = random.Random(seed)
    screen = symbol.resize((215, 215), Image.Resampling.BILINEAR).point(lambda shade: 45 + shade * 160 // 255)
    photograph = Image.new("L", (PHOTOGRAPH_PIXELS, PHOTOGRAPH_PIXELS), 120)
    photograph.paste(screen, (42, 43))
    turned = photograph.rotate(rng.uniform(-35, 35), Image.Resampling.BICUBIC, fillcolor=120)
    blurred = turned.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9)))
    light = (
        Image.linear_gradient("L")
        .resize((PHOTOGRAPH_PIXELS, PHOTOGRAPH_PIXELS))
        .rotate(rng.choice([0, 90, 180, 270]))
    )
    # Seeded, unlike `Image.effect_noise`: uniform noise around 128 with a standard deviation of 24.
    grain = Image.frombytes("L", (PHOTOGRAPH_PIXELS, PHOTOGRAPH_PIXELS), rng.randbytes(PHOTOGRAPH_PIXELS**2))
    noise = grain.point(lambda shade: 86 + shade * 84 // 255)
    return Image.blend(Image.blend(blurred, light, 0.12), noise, 0.15)


def symbol_version(symbol: Image.Image) -> int:
    """Return the version of a symbol drawn with 8 pixels a module and 4 modules of white around it."""
    (read,) = zxingcpp.read_barcodes(symbol)
    assert read.ec_level == "M"
    return int((symbol.width / 8 - 8 - 17) / 4)


def png_image(data_uri: str) -> Any:
    from io import BytesIO

    from PIL import Image

    assert data_uri.startswith("data:image/png;base64,")
    return Image.open(BytesIO(b64decode(data_uri.partition(",")[2]))).convert("L")


def decode(data_uri: str) -> Any:
    import zxingcpp

    (symbol,) = zxingcpp.read_barcodes(png_image(data_uri))
    return symbol


def width_in_modules(data_uri: str) -> int:
    """Return the width of a symbol in modules, without its quiet zone, from its first finder pattern (7 modules)."""
    image = png_image(data_uri)
    box = image.point(lambda shade: 255 - shade).getbbox()
    row = [image.getpixel((x, box[1])) for x in range(box[0], box[2])]
    module = next(place for place, shade in enumerate(row) if shade > 127) / 7
    return round((box[2] - box[0]) / module)


def test_the_rotating_code_of_a_student_needs_two_statements(dojo: Dojo, mika: Any) -> None:
    factories.link_user(dojo, dojo.student, mika)
    for caller in (dojo.admin, dojo.student):
        number = count_statements(lambda caller=caller: ok(caller.post("/qr", {"student": mika["id"]}), 201))
        assert number == 2  # the caller, the student


def test_usual_and_other_bodies_get_the_same_code(dojo: Dojo, mika: Any) -> None:
    """Only what phones usually send is read without a serializer."""
    usual = ok(dojo.admin.post("/qr", {"student": mika["id"]}), 201)
    for more in ({"student": mika["id"].upper()}, {"format": "svg"}, {"kind": "rotating", "format": "svg"}):
        assert ok(dojo.admin.post("/qr", {"student": mika["id"], **more}), 201) == usual
    for bad in ({"format": "gif"}, {"kind": "x"}, {"format": []}, {"more": 1}, {"student": str(uuid4())}):
        assert_error(dojo.admin.post("/qr", {"student": mika["id"], **bad}), 400, "validation_error")
