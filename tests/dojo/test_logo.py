"""A dojo's logo: read carefully, kept under the dojo's own id, printed on its papers."""

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
from tests.support.responses import done, invalid, refusal


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    """Files of this test alone."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": place}
    return tmp_path


def picture(size: tuple[int, int], kind: str = "PNG", colour: str = "red") -> str:
    content = BytesIO()
    Image.new("RGB", size, colour).save(content, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def kept(files: Path) -> list[str]:
    return sorted(str(one.relative_to(files)) for one in files.rglob("*") if one.is_file())


def opened(uri: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_logo_is_kept_and_shown(dojo: Dojo, kind: str) -> None:
    refusal(dojo.assistant.get("/settings/logo"), 404, "not_found")
    shown = done(dojo.admin.put("/settings/logo", {"image": picture((40, 20), kind)}))
    assert opened(shown["image"]).size == (40, 20)
    assert done(dojo.assistant.get("/settings/logo")) == shown


def test_a_large_logo_is_made_fit_for_print(dojo: Dojo) -> None:
    shown = done(dojo.admin.put("/settings/logo", {"image": picture((3_000, 3_000))}))
    assert opened(shown["image"]).size == (360, 360)


def test_files_are_kept_under_the_dojos_id(dojo: Dojo, files: Path) -> None:
    for _ in range(2):
        done(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    (name,) = kept(files)
    assert name.startswith(f"{dojo.tenant.tenant_id}/logo-")


def test_a_logo_that_nobody_names_any_more_is_removed(
    dojo: Dojo, files: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        done(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
        done(dojo.admin.put("/settings/logo", {"image": picture((4, 4), colour="blue")}))
    assert len(kept(files)) == 1
    with django_capture_on_commit_callbacks(execute=True):
        done(dojo.admin.delete("/settings/logo"), 204)
    assert kept(files) == []
    refusal(dojo.admin.get("/settings/logo"), 404, "not_found")
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
def test_what_is_no_picture_is_refused_and_changes_nothing(dojo: Dojo, image: str, files: Path) -> None:
    refusal(dojo.admin.put("/settings/logo", {"image": image}), 400, "bad_logo")
    assert kept(files) == []


def test_a_bad_body_is_refused_by_its_field(dojo: Dojo) -> None:
    invalid(dojo.admin.put("/settings/logo", {}), "image")
    invalid(dojo.admin.put("/settings/logo", {"image": factories.RED_PIXEL, "name": "../x"}), "name")


def test_a_logo_larger_than_allowed_is_refused(dojo: Dojo) -> None:
    refusal(dojo.admin.put("/settings/logo", {"image": "x" * 5_000_000}), 413, "payload_too_large")


def test_a_lost_file_is_no_logo(dojo: Dojo, files: Path) -> None:
    done(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    for name in kept(files):
        (files / name).unlink()
    refusal(dojo.admin.get("/settings/logo"), 404, "not_found")


def test_another_dojo_has_its_own(dojo: Dojo, other_dojo: Dojo) -> None:
    done(dojo.admin.put("/settings/logo", {"image": picture((4, 4))}))
    refusal(other_dojo.admin.get("/settings/logo"), 404, "not_found")
