"""The page that the camera of a phone opens: on the right dojo, and without personal data."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import assert_error, ok, url_path
from tests.support.statements import count_statements


@pytest.fixture
def code(dojo: Dojo) -> dict[str, Any]:
    """The code of a session that is open now."""
    return factories.session_qr_code(dojo.admin, factories.single_session(dojo, name="Open <mat>"))


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_the_code_of_a_session_leads_through_the_sign_in_back_to_it(dojo: Dojo, kind: str) -> None:
    session = factories.single_session(dojo, name="Open <mat>")
    url = factories.session_qr_code(dojo.admin, session, kind=kind)["url"]
    assert url.startswith(f"http://{dojo.host}")
    page = visitor(dojo).get(url_path(url))
    assert page.status_code == 200
    for words in ("Seishin Dojo", "Open <mat>", "Monday, 15 June, 18:30", "Sign in and check in"):
        assert words in text_of(page)
    assert f"/sign-in?next={url_path(url).replace('/', '%2F')}" in page.content.decode()


def test_the_page_is_in_the_language_of_the_dojo(dojo: Dojo, code: dict[str, Any]) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    page = visitor(dojo).get(url_path(code["url"]))
    assert '<html lang="pt-br">' in page.content.decode()
    assert "Entrar e fazer check-in" in text_of(page)


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_the_code_of_a_student_shows_nothing_about_the_student(dojo: Dojo, kind: str) -> None:
    mika = factories.student(dojo)
    url = ok(dojo.admin.post("/qr", {"student": mika["id"], "kind": kind}), 201)["url"]
    page = visitor(dojo, "student").get(url_path(url))
    assert "Opening it here does not check anyone in." in text_of(page)
    assert "Mika" not in page.content.decode()


def test_an_invalid_code_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    theirs = factories.session_qr_code(other_dojo.admin, factories.single_session(other_dojo))["token"]
    for token in ("garbage", theirs, theirs[:-1], "ü" * 50):
        assert_error(dojo.anonymous.get(f"/check-in/{token}"), 404, "not_found")
        assert visitor(dojo, "student").post(f"/check-in/{token}").status_code == 404


def test_one_touch_checks_in_each_child_of_a_parent(dojo: Dojo, code: dict[str, Any]) -> None:
    children = [factories.student(dojo, first_name=name) for name in ("Lena", "Max")]
    factories.link_user(dojo, dojo.student, *children)
    browser, path = visitor(dojo, "student"), url_path(code["url"])
    shown = text_of(browser.get(path))
    assert "Check in Lena Sato" in shown
    assert "Check in Max Sato" in shown
    for child in children:
        sent = browser.post(path, {"student": child["id"], "nonce": "same-page"})
        assert (sent.status_code, sent["Location"]) == (302, path)
        assert f"{child['name']} is checked in." in text_of(browser.get(path))
    present = dojo.admin.get("/attendance").json()["results"]
    assert sorted(one["student"]["name"] for one in present) == ["Lena Sato", "Max Sato"]


def test_a_second_touch_says_that_they_are_checked_in(dojo: Dojo, code: dict[str, Any]) -> None:
    lena = factories.student(dojo, first_name="Lena")
    factories.link_user(dojo, dojo.student, lena)
    browser, path = visitor(dojo, "student"), url_path(code["url"])
    for nonce in ("first", "second"):
        browser.post(path, {"student": lena["id"], "nonce": nonce})
        shown = text_of(browser.get(path))
    assert "Lena Sato was already checked in." in shown


@pytest.mark.parametrize("role", ["admin", "student"])
def test_the_page_of_a_students_code_checks_no_one_in(dojo: Dojo, role: str) -> None:
    factories.single_session(dojo)
    lena = factories.student(dojo, first_name="Lena")
    factories.link_user(dojo, dojo.student, lena)
    token = factories.qr_token(dojo.admin, lena, kind="card")
    sent = visitor(dojo, role).post(f"/check-in/{token}", {"student": lena["id"], "nonce": "n"})
    assert sent.status_code == 404
    assert dojo.admin.get("/attendance").json()["results"] == []


def test_a_parent_does_not_check_in_another_child(dojo: Dojo, code: dict[str, Any]) -> None:
    factories.link_user(dojo, dojo.student, factories.student(dojo, first_name="Lena"))
    other = factories.student(dojo, first_name="Otto")
    refused = visitor(dojo, "student").post(url_path(code["url"]), {"student": other["id"]})
    assert 400 <= refused.status_code < 500
    assert dojo.admin.get("/attendance").json()["results"] == []


def test_a_refusal_is_a_sentence_on_the_page(dojo: Dojo) -> None:
    lena = factories.student(dojo, first_name="Lena")
    factories.link_user(dojo, dojo.student, lena)
    later = factories.single_session(dojo, "2026-06-20T16:30:00Z")
    path = url_path(factories.session_qr_code(dojo.admin, later)["url"])
    refused = visitor(dojo, "student").post(path, {"student": lena["id"], "nonce": "n"})
    assert refused.status_code == 409
    assert "Check-in for this class session is not open now." in text_of(refused)


def test_a_user_without_students_is_told_what_to_do(dojo: Dojo, code: dict[str, Any]) -> None:
    assert "Ask the desk" in text_of(visitor(dojo, "student").get(url_path(code["url"])))


def test_the_page_has_a_fixed_number_of_statements(dojo: Dojo, code: dict[str, Any]) -> None:
    browser, path = visitor(dojo, "student"), url_path(code["url"])
    counts = []
    for number in (1, 4):
        children = [factories.student(dojo, first_name=f"Child {one}") for one in range(number)]
        factories.link_user(dojo, dojo.student, *children)
        counts.append(count_statements(lambda: browser.get(path)))
    assert counts == [3, 3]
