"""The page on which an admin exports the dojo."""

import re

import pytest

from shared_apps.tenants import tasks
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.tenants.test_own_exports import finish_export, read_file

PAGE = "/desk/settings/exports"


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "wake_export_worker", lambda: None)


def test_an_export_is_made_watched_downloaded_and_deleted(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    assert "No exports yet" in text_of(desk.get(PAGE))
    assert desk.post(PAGE)["Location"] == PAGE
    waiting = desk.get(PAGE)
    assert "waits for its turn" in text_of(waiting)
    live = re.search(r'hx-get="([^"]+)"', waiting.content.decode())
    assert live
    assert desk.fragment(live[1]).status_code == 204
    key = ok(dojo.admin.get("/exports"))["results"][0]["id"]
    finish_export(key)
    part = desk.fragment(live[1])
    assert "Download" in text_of(part)
    assert "hx-get" not in part.content.decode()
    file = desk.get(f"{PAGE}/{key}/file")
    assert read_file(file) == b"PK\x05\x06"
    assert "attachment" in file["Content-Disposition"]
    assert "The data of the dojo is kept" in text_of(desk.get(f"{PAGE}/{key}/delete"))
    for _ in range(2):
        assert desk.post(f"{PAGE}/{key}/delete")["Location"] == PAGE
    assert "No exports yet" in text_of(desk.get(PAGE))


def test_a_second_request_is_refused_in_a_sentence(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    desk.post(PAGE)
    refused = desk.post(PAGE)
    assert refused.status_code == 409
    assert "An export is being built" in text_of(refused)


def test_another_dojos_archive_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    key = ok(other_dojo.admin.post("/exports"), 202)["id"]
    desk = visitor(dojo, "admin")
    assert desk.get(f"{PAGE}/{key}/file").status_code == 404
    assert desk.get(f"{PAGE}/{key}/delete").status_code == 404
    desk.post(f"{PAGE}/{key}/delete")
    ok(other_dojo.admin.get(f"/exports/{key}"))


def test_only_admins_find_the_page(dojo: Dojo) -> None:
    assert PAGE in visitor(dojo, "admin").get("/desk/settings").content.decode()
    desk = visitor(dojo, "instructor")
    assert PAGE not in desk.get("/desk/settings").content.decode()
    assert desk.post(PAGE).status_code == 403
