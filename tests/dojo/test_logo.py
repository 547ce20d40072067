"""The logo of a dojo: validated, reduced to print size, stored under the id of the dojo."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.models import DojoSettings
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    """An empty storage for each test."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": place}
    return tmp_path


def picture(size: tuple[int, int], kind: str = "PNG", colour: str = "red") -> str:
    content = BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def stored(files: Path) -> list[str]:
    return sorted(str(one.relative_to(files)) for one in files.rglob("*") if one.is_file())


def opened(uri: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_logo_is_stored_and_shown(dojo: Dojo, kind: str) -> None:
    assert_error(dojo.assistant.get("/settings/logo"), 404, "not_found")
    shown = ok(dojo.admin.put("/settings/logo", {"image": picture((40, 20), kind)}))
    assert opened(shown["image"]).size == (40, 20)
    assert ok(dojo.assistant.get("/settings/logo")) == shown


def test_a_large_logo_is_reduced_to_print_size(dojo: Dojo) -> None:
    shown = ok(dojo.admin.put("/settings/logo", {"image": picture((3_000, 3_000))}))
    assert opened(shown["image"]).size == (360, 360)


SHADES = [0, 64, 128, 192, 255]


def shaded(mode: str, **saved: Any) -> str:
    """Return a PNG of one row with five shades of grey, dark to light, in a mode of Pillow."""
    image = Image.new(mode, (len(SHADES), 1))
    for x, shade in enumerate(SHADES):
        image.putpixel((x, 0), value_of(mode, shade))
    content = BytesIO()
    image.save(content, "PNG", **saved)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def value_of(mode: str, shade: int) -> Any:
    if mode == "I;16":
        return shade * 257
    return {"L": shade, "LA": (shade, 255), "RGB": (shade,) * 3, "RGBA": (*(shade,) * 3, 255)}[mode]


@pytest.mark.parametrize("mode", ["I;16", "L", "LA", "RGB", "RGBA"])
def test_a_logo_keeps_its_shades_at_every_depth(dojo: Dojo, mode: str) -> None:
    shown = opened(ok(dojo.admin.put("/settings/logo", {"image": shaded(mode)}))["image"]).convert("L")
    for x, shade in enumerate(SHADES):
        found = shown.getpixel((x, 0))
        assert isinstance(found, int)
        assert abs(found - shade) <= 1, f"{mode}: {shade} became {found}"


@pytest.mark.parametrize(("mode", "transparent"), [("I;16", 64 * 257), ("L", 64)])
def test_the_transparent_shade_of_a_grey_logo_stays_transparent(
    dojo: Dojo, mode: str, transparent: int
) -> None:
    image = shaded(mode, transparency=transparent)
    shown = opened(ok(dojo.admin.put("/settings/logo", {"image": image}))["image"])
    assert [shown.getchannel("A").getpixel((x, 0)) for x in range(len(SHADES))] == [255, 0, 255, 255, 255]


def test_files_are_stored_under_the_id_of_the_dojo(dojo: Dojo, files: Path) -> None:
    for _ in range(2):
        ok(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    (name,) = stored(files)
    assert name.startswith(f"{dojo.tenant.tenant_id}/logo-")


def test_a_replaced_logo_is_deleted_after_the_commit(
    dojo: Dojo, files: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        ok(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
        ok(dojo.admin.put("/settings/logo", {"image": picture((4, 4), colour="blue")}))
    assert len(stored(files)) == 1
    with django_capture_on_commit_callbacks(execute=True):
        ok(dojo.admin.delete("/settings/logo"), 204)
    assert stored(files) == []
    assert_error(dojo.admin.get("/settings/logo"), 404, "not_found")
    with tenant_scope(dojo.tenant):
        assert DojoSettings.current().logo == ""


@pytest.mark.parametrize(
    "image",
    [
        "data:image/png;base64,",
        "data:image/png;base64,AAAA",
        "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=",
        "data:text/html,<p>",
        "https://example.org/logo.png",
        factories.RED_PIXEL[:-60],
        factories.RED_PIXEL + "\u00e9",
    ],
)
def test_an_invalid_picture_is_refused_and_changes_nothing(dojo: Dojo, image: str, files: Path) -> None:
    assert_error(dojo.admin.put("/settings/logo", {"image": image}), 400, "bad_logo")
    assert stored(files) == []


def test_an_invalid_body_is_refused_by_field(dojo: Dojo) -> None:
    assert_invalid(dojo.admin.put("/settings/logo", {}), "image")
    assert_invalid(dojo.admin.put("/settings/logo", {"image": factories.RED_PIXEL, "name": "../x"}), "name")


def test_a_logo_larger_than_allowed_is_refused(dojo: Dojo) -> None:
    assert_error(dojo.admin.put("/settings/logo", {"image": "x" * 5_000_000}), 413, "payload_too_large")


def test_a_missing_file_counts_as_no_logo(dojo: Dojo, files: Path) -> None:
    ok(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    for name in stored(files):
        (files / name).unlink()
    assert_error(dojo.admin.get("/settings/logo"), 404, "not_found")


def test_dojos_have_separate_logos(dojo: Dojo, other_dojo: Dojo) -> None:
    ok(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    assert_error(other_dojo.admin.get("/settings/logo"), 404, "not_found")
