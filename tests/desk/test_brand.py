"""The dojo's colour and logo: readable whatever the colour, on every page, changed by admins."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from tatami.tenancy.scope import tenant_scope
from tenant_apps.desk.brand.colours import (
    DARK_GROUNDS,
    LIGHT_GROUNDS,
    MIN_CONTRAST,
    contrast,
    dark_palette,
    light_palette,
)
from tests.repository.pages import ROOT
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import assert_invalid, ok
from tests.support.statements import count_statements

PAGE = "/desk/settings/appearance"
STYLES = ROOT / "tenant_apps" / "desk" / "static" / "desk" / "desk.css"
COLOURS = st.binary(min_size=3, max_size=3).map(lambda parts: "#" + parts.hex())


def png() -> bytes:
    from base64 import b64decode

    return b64decode(factories.RED_PIXEL.partition(",")[2])


@given(COLOURS)
def test_texts_are_readable_in_each_colour(colour: str) -> None:
    for palette, grounds in (
        (light_palette(colour), LIGHT_GROUNDS),
        (dark_palette(colour), DARK_GROUNDS),
    ):
        assert contrast(palette.accent, palette.on_accent) >= MIN_CONTRAST
        assert contrast(palette.accent_strong, palette.on_accent) >= MIN_CONTRAST
        for ground in grounds:
            assert contrast(palette.accent, ground) >= MIN_CONTRAST
        for ground in (*grounds, palette.accent_soft):
            assert contrast(palette.accent_strong, ground) >= MIN_CONTRAST


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == pytest.approx(1)


def test_a_colour_that_reads_well_stays_as_it_is() -> None:
    assert light_palette("#7a1f2b").accent == "#7a1f2b"
    assert dark_palette("#ffd166").accent == "#ffd166"


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    looks = STYLES.read_text(encoding="utf-8").split("prefers-color-scheme: dark")[:2]
    for look, grounds in zip(looks, (LIGHT_GROUNDS, DARK_GROUNDS), strict=True):
        tokens = dict(re.findall(r"--(ground|surface|raised|sunken): (#[0-9a-f]{6})", look))
        assert tuple(tokens[name] for name in ("ground", "surface", "raised", "sunken")) == grounds


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", "#12345g", "123456", "url(x)", 7])
def test_what_is_no_colour_is_refused(dojo: Dojo, colour: Any) -> None:
    assert_invalid(dojo.admin.patch("/settings", {"accent_color": colour}), "accent_color")
    assert ok(dojo.admin.get("/settings"))["accent_color"] == ""


def test_a_colour_is_saved_and_taken_back(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    assert visitor(dojo).get("/brand.css").content == b""
    saved = desk.post(PAGE, {"use_own": "on", "accent_color": "#7A1F2B"})
    assert saved["Location"] == PAGE
    assert ok(dojo.admin.get("/settings"))["accent_color"] == "#7a1f2b"
    style = visitor(dojo).get("/brand.css")
    assert "--accent: #7a1f2b;" in style.content.decode()
    assert style["Content-Type"].startswith("text/css")
    desk.post(PAGE, {"accent_color": "#7a1f2b"})
    assert visitor(dojo).get("/brand.css").content == b""


def test_a_colour_that_was_chosen_is_saved_without_the_tick(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    desk.post(PAGE, {"accent_color": "#1d5c49"})
    assert ok(dojo.admin.get("/settings"))["accent_color"] == ""
    desk.post(PAGE, {"accent_color": "#7a1f2b"})
    assert ok(dojo.admin.get("/settings"))["accent_color"] == "#7a1f2b"


def test_a_fault_stands_at_its_field(dojo: Dojo) -> None:
    refused = visitor(dojo, "admin").post(PAGE, {"use_own": "on", "accent_color": "green"})
    assert refused.status_code == 400
    assert 'id="id_accent_color_error"' in refused.content.decode()


def test_a_logo_is_uploaded_shown_and_removed(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    assert visitor(dojo).get("/logo").status_code == 404
    assert desk.post(PAGE, {"logo": "", "image": SimpleUploadedFile("logo.png", png())}).status_code == 302
    logo = visitor(dojo).get("/logo")
    assert (logo["Content-Type"], logo["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert logo.content.startswith(b"\x89PNG")
    assert "/logo?v=" in visitor(dojo).get("/brand.css").content.decode()
    assert '"/logo"' in visitor(dojo).get("/kiosk/worker.js").content.decode()
    assert desk.post(PAGE, {"remove": ""}).status_code == 302
    assert visitor(dojo).get("/logo").status_code == 404


@pytest.mark.parametrize(
    "content", [b"<svg onload='alert(1)'/>", b"GIF89a", b"\x89PNG\r\n", b"x" * 5_000_000]
)
def test_what_is_no_picture_is_refused(dojo: Dojo, content: bytes) -> None:
    file = SimpleUploadedFile("logo.png", content, content_type="image/png")
    refused = visitor(dojo, "admin").post(PAGE, {"logo": "", "image": file})
    assert refused.status_code in {400, 409, 413}
    assert visitor(dojo).get("/logo").status_code == 404


def test_the_look_of_one_dojo_is_not_that_of_another(dojo: Dojo, other_dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"accent_color": "#7a1f2b"}))
    ok(dojo.admin.put("/settings/logo", {"image": factories.RED_PIXEL}))
    assert visitor(other_dojo).get("/brand.css").content == b""
    assert visitor(other_dojo).get("/logo").status_code == 404


@pytest.mark.parametrize(
    ("page", "role"), [("/sign-in", None), ("/desk", "admin"), ("/family", "student"), ("/kiosk", None)]
)
def test_each_kind_of_page_links_the_look(dojo: Dojo, page: str, role: str | None) -> None:
    assert 'href="/brand.css' in visitor(dojo, role).get(page).content.decode()


def test_only_admins_change_it(dojo: Dojo) -> None:
    assert PAGE in visitor(dojo, "admin").get("/desk/settings").content.decode()
    desk = visitor(dojo, "instructor")
    assert desk.post(PAGE, {"use_own": "on", "accent_color": "#7a1f2b"}).status_code == 403
    assert "Appearance" not in text_of(desk.get("/desk/settings"))


def test_the_look_costs_one_statement_and_pages_none(dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        pass
    assert count_statements(lambda: visitor(dojo).get("/brand.css")) == 1
