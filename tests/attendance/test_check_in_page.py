"""The page that the camera of a phone opens: on the right dojo, and without personal data."""

from typing import Any

import pytest
from django.contrib.staticfiles import finders

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, ok, url_path


def page(dojo: Dojo, url: str) -> Any:
    assert url.startswith(f"http://{dojo.host}")
    answer = dojo.anonymous.get(url_path(url), Accept="text/html,*/*;q=0.8")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    return answer.content.decode()


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_the_code_of_a_session_opens_a_page_to_check_in(dojo: Dojo, kind: str) -> None:
    session = factories.single_session(dojo, name="Open <mat>")
    code = factories.session_qr_code(dojo.admin, session, kind=kind)
    text = page(dojo, code["url"])
    for wanted in (
        "Seishin Dojo",
        "Open &lt;mat&gt;",
        "Monday 15 June, 18:30",
        f'data-token="{code["token"]}"',
    ):
        assert wanted in text
    assert "<script>" not in text
    for file in ("attendance/check-in.js", "attendance/check-in.css"):
        assert f"/static/{file}" in text
        assert finders.find(file)


def test_the_page_is_in_the_language_of_the_dojo(dojo: Dojo) -> None:
    session = factories.single_session(dojo, name="Open mat")
    code = factories.session_qr_code(dojo.admin, session)
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    text = page(dojo, code["url"])
    assert '<html lang="pt-br">' in text
    assert "Entrar e fazer o check-in" in text
    assert "segunda-feira, 15 de junho, 18:30" in text.lower()


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_the_code_of_a_student_shows_nothing_about_the_student(dojo: Dojo, kind: str) -> None:
    mika = factories.student(dojo)
    code = ok(dojo.admin.post("/qr", {"student": mika["id"], "kind": kind}), 201)
    text = page(dojo, code["url"])
    assert "Seishin Dojo" in text
    assert "Mika" not in text
    assert "<script" not in text


def test_an_invalid_code_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    theirs = factories.session_qr_code(other_dojo.admin, factories.single_session(other_dojo))["token"]
    for token in ("garbage", theirs, theirs[:-1], "ü" * 50):
        assert_error(dojo.anonymous.get(f"/check-in/{token}"), 404, "not_found")
