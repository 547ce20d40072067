"""The page of a session: its roster, marked by taps; visitors; corrections."""

from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.statements import count_statements

STATEMENTS_OF_SESSION = 13
STATEMENTS_OF_TAP = 20
STATEMENTS_WHILE_NOTHING_CHANGES = 4


@pytest.fixture
def student(dojo: Dojo) -> dict[str, Any]:
    return factories.student(dojo)


@pytest.fixture
def session(dojo: Dojo, student: dict[str, Any]) -> dict[str, Any]:
    """Today's session, which runs now. Mika is enrolled."""
    training_class = factories.training_class(dojo)
    dojo.create(
        f"/classes/{training_class['id']}/enrolments", {"student": student["id"], "from": "2026-06-01"}
    )
    return factories.session_today(dojo, training_class)


def page_of(session: dict[str, Any], more: str = "") -> str:
    return f"/desk/schedule/sessions/{session['id']}{more}"


def state_of(dojo: Dojo, session: dict[str, Any], student: dict[str, Any]) -> str | None:
    roster = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
    return next((one["state"] for one in roster if one["student"]["id"] == student["id"]), None)


def tap(browser: Visitor, session: dict[str, Any], student: dict[str, Any], state: str, **more: str) -> Any:
    return browser.post(
        page_of(session, "/mark"), {"mark": f"{student['id']}:{state}", **more}, HX_Request="true"
    )


def test_the_roster_shows_who_is_expected_with_rank_and_local_times(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, student, factories.rank_id(system, "5-kyu"), "2026-01-10")
    shown = text_of(visitor(dojo, "assistant").get(page_of(session)))
    assert "Mika Sato" in shown
    assert "5th kyu" in shown
    assert "Monday, 15 June, 18:30–20:00" in shown
    assert "expected" in shown


def test_one_tap_marks_present_a_second_late_and_a_third_takes_the_mark_away(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    browser, seen = visitor(dojo, "instructor"), []
    for _ in range(3):
        page = browser.get(page_of(session)).content.decode()
        state = page.partition(f'value="{student["id"]}:')[2].partition('"')[0]
        assert tap(browser, session, student, state).status_code == 200
        seen.append(state_of(dojo, session, student))
    assert seen == ["present", "late", "expected"]


def test_a_tap_is_answered_with_the_row_the_numbers_and_an_undo(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    browser = visitor(dojo, "instructor")
    answer = tap(browser, session, student, "present").content.decode()
    assert answer.lstrip().startswith("{#") is False
    assert f'<li id="s-{student["id"]}" class="present">' in answer
    assert 'id="summary"' in answer
    assert "Mika Sato: present." in answer
    assert f'name="mark" value="{student["id"]}:absent"' in answer  # the undo
    tap(browser, session, student, "absent", whole="1", undone="1")
    assert state_of(dojo, session, student) == "expected"


def test_an_undo_restores_the_time_of_a_check_in_that_was_taken_away(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    body = {"student": student["id"], "class_session": session["id"], "checked_in_at": "2026-06-15T16:21:00Z"}
    assert dojo.admin.post("/attendance", body).status_code == 201
    browser = visitor(dojo, "instructor")
    answer = tap(browser, session, student, "absent").content.decode()
    assert 'name="checked_in_at" value="2026-06-15T16:21:00Z"' in answer
    tap(browser, session, student, "present", whole="1", checked_in_at="2026-06-15T16:21:00Z")
    (entry,) = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
    assert (entry["state"], entry["checked_in_at"]) == ("present", "2026-06-15T16:21:00Z")


def test_marking_works_without_scripts(dojo: Dojo, session: dict[str, Any], student: dict[str, Any]) -> None:
    sent = visitor(dojo, "assistant").post(page_of(session, "/mark"), {"mark": f"{student['id']}:late"})
    assert (sent.status_code, sent["Location"]) == (302, page_of(session) + f"#s-{student['id']}")
    assert state_of(dojo, session, student) == "late"


@pytest.mark.parametrize("mark", ["", "no-one:present", "{id}:sleeping", "{id}"])
def test_a_mark_that_names_no_student_or_state_changes_nothing(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any], mark: str
) -> None:
    values = {"mark": mark.format(id=student["id"])}
    assert visitor(dojo, "admin").post(page_of(session, "/mark"), values).status_code == 400
    assert state_of(dojo, session, student) == "expected"


def test_an_assistant_cannot_take_away_what_others_recorded_and_is_told_so(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    factories.attendance(dojo, student, session)
    refused = tap(visitor(dojo, "assistant"), session, student, "absent")
    assert refused.status_code == 403
    assert refused["HX-Retarget"] == "#toasts"
    assert "You may void only what you recorded yourself" in text_of(refused)
    assert state_of(dojo, session, student) == "late"


def test_the_roster_of_a_session_to_come_says_from_when_on_it_can_be_marked(dojo: Dojo) -> None:
    training_class = factories.training_class(dojo)
    coming = factories.list_sessions(
        dojo, **{"class": training_class["id"], "from": "2026-06-22", "to": "2026-06-22"}
    )[0]
    student = factories.student(dojo)
    dojo.create(f"/classes/{training_class['id']}/enrolments", {"student": student["id"]})
    browser = visitor(dojo, "instructor")
    page = browser.get(page_of(coming))
    assert "The roster can be marked from 22 Jun 2026, 17:45 on." in text_of(page)
    assert b'name="mark"' not in page.content
    assert tap(browser, coming, student, "present").status_code == 409
    assert state_of(dojo, coming, student) == "expected"


def test_a_student_is_found_as_one_types_and_added(dojo: Dojo, session: dict[str, Any]) -> None:
    guest = factories.student(dojo, first_name="Søren", last_name="Gärtner")
    browser = visitor(dojo, "assistant")
    found = browser.fragment(page_of(session, "/visitors?search=soren"))
    assert "Søren Gärtner" in text_of(found)
    added = tap(browser, session, guest, "present", whole="1")
    assert added["HX-Retarget"] == "#roster"
    assert "Søren Gärtner" in text_of(added)
    assert "visitor" in text_of(added)
    assert state_of(dojo, session, guest) == "present"


def test_a_visitor_is_added_in_two_fields_on_trial_and_present(dojo: Dojo, session: dict[str, Any]) -> None:
    browser = visitor(dojo, "assistant")
    offered = browser.fragment(page_of(session, "/visitors?search=Anna+Kim")).content.decode()
    assert 'value="Anna"' in offered
    assert 'value="Kim"' in offered
    sent = browser.post(
        page_of(session, "/visitors"), {"first_name": "Anna", "last_name": "Kim"}, HX_Request="true"
    )
    assert "Anna Kim is added as a visitor and marked present." in text_of(sent)
    (anna,) = dojo.admin.get("/students?search=anna").json()["results"]
    assert anna["status"] == "trial"
    assert state_of(dojo, session, anna) == "present"


def test_a_visitor_without_a_name_is_refused_beside_the_field(dojo: Dojo, session: dict[str, Any]) -> None:
    refused = visitor(dojo, "assistant").post(page_of(session, "/visitors"), {"last_name": "Kim"})
    assert refused.status_code == 400
    assert "This field is required." in text_of(refused)
    assert dojo.admin.get("/students?search=kim").json()["count"] == 0


def test_a_check_in_is_voided_with_a_reason_and_added_by_hand(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    browser, path = visitor(dojo, "instructor"), page_of(session, f"/students/{student['id']}")
    assert "Add a check-in by hand" in text_of(browser.get(path))
    assert browser.post(path, {"time": "18:33"})["Location"] == page_of(session)
    (entry,) = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
    assert (entry["state"], entry["checked_in_at"]) == ("present", "2026-06-15T16:33:00Z")

    without_reason = browser.post(path, {"reason": ""})
    assert (without_reason.status_code, state_of(dojo, session, student)) == (400, "present")
    assert "This field is required." in text_of(without_reason)

    assert browser.post(path, {"reason": "Wrong twin"})["Location"] == page_of(session)
    (voided,) = dojo.admin.get(f"/attendance?student={student['id']}").json()["results"]
    assert (voided["voided"], voided["void_reason"]) == (True, "Wrong twin")


def test_a_check_in_in_the_future_is_refused_beside_its_time(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    refused = visitor(dojo, "instructor").post(
        page_of(session, f"/students/{student['id']}"), {"time": "19:10"}
    )
    assert refused.status_code == 400
    assert "This is in the future." in text_of(refused)
    assert state_of(dojo, session, student) == "expected"


def test_a_roster_that_has_not_changed_costs_almost_nothing(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    browser = visitor(dojo, "instructor")
    seen = browser.get(page_of(session)).content.decode().partition("/live?seen=")[2].partition('"')[0]
    live = page_of(session, f"/live?seen={seen}")
    assert browser.fragment(live).status_code == 204
    assert count_statements(lambda: browser.fragment(live)) == STATEMENTS_WHILE_NOTHING_CHANGES
    factories.attendance(dojo, student, session)
    changed = browser.fragment(live)
    assert changed.status_code == 200
    assert f'<li id="s-{student["id"]}" class="late">' in changed.content.decode()


def test_the_statements_of_a_session_do_not_grow_with_its_roster(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, student, factories.rank_id(system, "5-kyu"), "2026-01-10")
    browser = visitor(dojo, "instructor")
    few = count_statements(lambda: browser.get(page_of(session)))
    for number in range(5):
        more = factories.student(dojo, first_name=f"Aki{number}")
        factories.rank_event(dojo, more, factories.rank_id(system, "4-kyu"), "2026-01-10")
        factories.attendance(dojo, more, session)
    assert few == count_statements(lambda: browser.get(page_of(session))) == STATEMENTS_OF_SESSION


def test_the_statements_of_a_tap_do_not_grow_with_the_roster(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    browser = visitor(dojo, "instructor")
    few = count_statements(lambda: tap(browser, session, student, "present"))
    for number in range(5):
        factories.attendance(dojo, factories.student(dojo, first_name=f"Aki{number}"), session)
    assert few == count_statements(lambda: tap(browser, session, student, "late")) == STATEMENTS_OF_TAP


def test_a_check_in_after_midnight_belongs_to_the_session_of_the_evening(
    dojo: Dojo, student: dict[str, Any]
) -> None:
    recurrence = {**factories.SCHEDULE, "weekdays": ["su"], "start_time": "23:00", "duration_minutes": 180}
    training_class = factories.training_class(dojo, recurrence=recurrence)
    dojo.create(
        f"/classes/{training_class['id']}/enrolments", {"student": student["id"], "from": "2026-06-01"}
    )
    query = {"class": training_class["id"], "from": "2026-06-14", "to": "2026-06-14"}
    (session,) = factories.list_sessions(dojo, **query)
    visitor(dojo, "instructor").post(page_of(session, f"/students/{student['id']}"), {"time": "00:30"})
    (entry,) = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
    assert entry["checked_in_at"] == "2026-06-14T22:30:00Z"


def test_the_session_of_another_dojo_is_404(dojo: Dojo, other_dojo: Dojo, session: dict[str, Any]) -> None:
    stranger = visitor(other_dojo, "admin")
    for more in ("", "/live", "/visitors?search=mika", "/edit", "/cancel", "/code"):
        assert stranger.fragment(page_of(session, more)).status_code == 404, more
    theirs = factories.student(other_dojo)
    assert tap(stranger, session, theirs, "present").status_code == 404


def test_a_student_of_another_dojo_cannot_be_marked(
    dojo: Dojo, other_dojo: Dojo, session: dict[str, Any]
) -> None:
    theirs = factories.student(other_dojo)
    assert tap(visitor(dojo, "admin"), session, theirs, "present").status_code == 400
    assert state_of(dojo, session, theirs) is None


def test_students_see_no_roster(dojo: Dojo, session: dict[str, Any]) -> None:
    browser = visitor(dojo, "student")
    for more in ("", "/live", "/visitors", "/code"):
        assert browser.get(page_of(session, more)).status_code == 403, more


def test_the_dialog_of_a_check_in_changes_whether_it_was_late(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    assistant, path = visitor(dojo, "assistant"), page_of(session, f"/students/{student['id']}")
    dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"], "late": True})
    for offered, mark in (("Mark as present", "present"), ("Mark as late", "late")):
        assert f'value="{student["id"]}:{mark}">{offered}' in assistant.get(path).content.decode()
        assistant.post(page_of(session, "/mark"), {"mark": f"{student['id']}:{mark}"})
        assert state_of(dojo, session, student) == mark


def test_an_assistant_is_offered_to_void_only_what_they_recorded_today(
    dojo: Dojo, session: dict[str, Any], student: dict[str, Any]
) -> None:
    assistant, path = visitor(dojo, "assistant"), page_of(session, f"/students/{student['id']}")
    dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"]})
    shown = text_of(assistant.get(path))
    assert "by hand" in shown
    assert "Take back" not in shown
    assert "Ask an instructor or an admin to correct this check-in." in shown
    assert "Take back" in text_of(visitor(dojo, "instructor").get(path))
    visitor(dojo, "instructor").post(path, {"reason": "Wrong twin"})
    assistant.post(path, {"time": "18:33"})
    assert "Take back" in text_of(assistant.get(path))
