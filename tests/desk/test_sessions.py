"""One session beside its roster: added, changed, moved, cancelled, and its code for the wall."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor

NEW = {
    "name": "Seminar",
    "day": "2026-06-20",
    "start_time": "10:00",
    "duration_minutes": "120",
    "training_class": "",
    "discipline": "",
}


@pytest.fixture
def session(dojo: Dojo) -> dict[str, Any]:
    return factories.session_today(dojo, factories.training_class(dojo, location="Main hall"))


def read(dojo: Dojo, session: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = dojo.admin.get(f"/class-sessions/{session['id']}").json()
    return found


def page_of(session: dict[str, Any], more: str) -> str:
    return f"/desk/schedule/sessions/{session['id']}{more}"


def form_of(session: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the form as a browser sends it: all fields as they are, but for `changes`. The session is at 18:30."""
    return {
        "name": session["name"],
        "day": session["local_date"],
        "start_time": "18:30",
        "duration_minutes": session["duration_minutes"],
        "location": session["location"],
        "capacity": session["capacity"] or "",
        "note": session["note"],
        **changes,
    }


def test_a_single_session_is_added_at_a_local_time(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    assert "Seminar" not in text_of(browser.get("/desk/schedule"))
    sent = browser.post("/desk/schedule/sessions/new", NEW)
    assert sent.status_code == 302
    (added,) = factories.list_sessions(dojo, **{"from": "2026-06-20", "to": "2026-06-20"})
    assert (added["name"], added["starts_at"]) == ("Seminar", "2026-06-20T08:00:00Z")
    assert sent["Location"] == page_of(added, "")


def test_one_more_session_of_a_class_takes_its_values_from_the_class(dojo: Dojo) -> None:
    training_class = factories.training_class(dojo, location="Main hall", capacity=12)
    values = {**NEW, "name": "", "training_class": training_class["id"]}
    visitor(dojo, "instructor").post("/desk/schedule/sessions/new", values)
    (added,) = factories.list_sessions(dojo, **{"from": "2026-06-20", "to": "2026-06-20"})
    assert (added["name"], added["location"], added["capacity"]) == ("Evening class", "Main hall", 12)


def test_what_is_missing_or_wrong_is_said_beside_its_field_and_what_was_entered_is_kept(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    values = {**NEW, "name": "", "note": "Bring a jo", "start_time": "25:00"}
    refused = browser.post("/desk/schedule/sessions/new", values)
    assert refused.status_code == 400
    assert "Enter a valid time." in text_of(refused)
    assert "Bring a jo" in refused.content.decode()
    nameless = browser.post("/desk/schedule/sessions/new", {**NEW, "name": ""})
    assert (nameless.status_code, "A session without a class needs a name." in text_of(nameless)) == (
        400,
        True,
    )
    assert factories.list_sessions(dojo, **{"from": "2026-06-20", "to": "2026-06-20"}) == []


def test_a_session_on_a_closed_day_is_added_as_cancelled_and_that_is_said(dojo: Dojo) -> None:
    dojo.create("/closures", {"from": "2026-06-20", "until": "2026-06-20"})
    browser = visitor(dojo, "instructor")
    sent = browser.post("/desk/schedule/sessions/new", NEW)
    assert "This day is closed, so the session is cancelled." in text_of(browser.get(sent["Location"]))


def test_a_session_is_moved_and_the_rest_of_it_keeps_following_its_class(
    dojo: Dojo, session: dict[str, Any]
) -> None:
    browser = visitor(dojo, "instructor")
    sent = browser.post(page_of(session, "/edit"), form_of(session, day="2026-06-16", start_time="19:15"))
    assert sent["Location"] == page_of(session, "")
    assert read(dojo, session)["starts_at"] == "2026-06-16T17:15:00Z"
    assert "moved from Monday, 15 June, 18:30" in text_of(browser.get(page_of(session, "")))
    dojo.admin.patch(f"/classes/{session['class']['id']}", {"location": "Gym"})
    moved = read(dojo, session)
    assert (moved["starts_at"], moved["location"]) == ("2026-06-16T17:15:00Z", "Gym")


def test_a_move_to_a_taken_time_is_refused_with_a_sentence(dojo: Dojo, session: dict[str, Any]) -> None:
    refused = visitor(dojo, "instructor").post(page_of(session, "/edit"), form_of(session, day="2026-06-22"))
    assert refused.status_code == 409
    assert "The class has a session at this time already." in text_of(refused)
    assert read(dojo, session)["starts_at"] == session["starts_at"]


def test_a_cancellation_asks_first_and_can_be_undone(dojo: Dojo, session: dict[str, Any]) -> None:
    browser = visitor(dojo, "instructor")
    asked = browser.fragment(page_of(session, "/cancel"))
    assert "Cancel “Evening class”?" in text_of(asked)
    assert "<html" not in asked.content.decode()
    assert read(dojo, session)["status"] == "scheduled"

    browser.post(page_of(session, "/cancel"), {"reason": "Storm"})
    assert read(dojo, session)["cancellation"]["reason"] == "Storm"
    shown = text_of(browser.get(page_of(session, "")))
    assert "Cancelled by Instructor" in shown
    assert "Storm" in shown

    browser.post(page_of(session, "/reinstate"))
    assert read(dojo, session)["status"] == "scheduled"


def test_a_cancellation_says_who_gets_an_e_mail(dojo: Dojo) -> None:
    training_class = factories.training_class(dojo)
    student = factories.student(dojo)
    dojo.create(f"/classes/{training_class['id']}/enrolments", {"student": student["id"]})
    coming = factories.list_sessions(
        dojo, **{"class": training_class["id"], "from": "2026-06-22", "to": "2026-06-22"}
    )[0]
    browser = visitor(dojo, "instructor")
    assert "1 student is expected and gets an e-mail." in text_of(browser.get(page_of(coming, "/cancel")))
    dojo.admin.patch("/settings", {"notify_class_cancelled": False})
    assert "No e-mail is sent." in text_of(browser.get(page_of(coming, "/cancel")))


def test_the_code_for_the_wall_checks_in_at_this_session(dojo: Dojo, session: dict[str, Any]) -> None:
    page = visitor(dojo, "assistant").get(page_of(session, "/code"))
    assert "Scan to check in" in text_of(page)
    assert 'src="data:image/svg+xml' in page.content.decode()


def test_assistants_change_no_session(dojo: Dojo, session: dict[str, Any]) -> None:
    browser = visitor(dojo, "assistant")
    assert "Change or move" not in text_of(browser.get(page_of(session, "")))
    for more in ("/edit", "/cancel"):
        assert browser.get(page_of(session, more)).status_code == 403
    assert browser.post(page_of(session, "/cancel"), {"reason": "x"}).status_code == 403
    assert browser.post("/desk/schedule/sessions/new", NEW).status_code == 403
    assert read(dojo, session)["status"] == "scheduled"
