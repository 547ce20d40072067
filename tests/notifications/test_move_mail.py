"""Moving a session or an exam tells the people concerned, once and only if the request asks for it."""

from typing import Any

import pytest

from tests.classes.factories import create_class, enrol, session_on
from tests.notifications.mail_factories import CHILD_BIRTH_DATE, guardian, send_all, student
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok

MOVE = {"starts_at": "2026-06-23T17:00:00Z", "location": "Mat 2", "notify": True}


@pytest.fixture
def session(dojo: Dojo) -> dict[str, Any]:
    """The session of 22 June. An adult and two siblings are expected; another student is on hold that day."""
    group = create_class(dojo)
    parent = [guardian("Hana", "hana@example.com")]
    enrol(dojo, group, student(dojo, "Aiko", email="aiko@example.com"))
    for name in ("Mika", "Ren"):
        enrol(dojo, group, student(dojo, name, born=CHILD_BIRTH_DATE, guardians=parent))
    held = student(dojo, "Held", email="held@example.com")
    enrol(dojo, group, held)
    factories.hold(dojo, held, "2026-06-20", "2026-06-24")
    return session_on(dojo, "2026-06-22")


def patch(dojo: Dojo, session: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return dict(ok(dojo.instructor.patch(f"/class-sessions/{session['id']}", fields)))


def test_those_who_were_expected_are_told_once(dojo: Dojo, session: Any) -> None:
    for _ in range(2):
        assert "notify" not in patch(dojo, session, **MOVE)
    sent = send_all(dojo)
    assert sorted(one.to for one in sent) == [["aiko@example.com"], ["hana@example.com"]]
    assert {one.subject for one in sent} == {"Moved: Evening, 22 June 2026 to 23 June 2026"}
    assert "on 22 June 2026 at 18:30 takes place on 23 June 2026 at 19:00 (Mat 2) instead." in sent[0].body


@pytest.mark.parametrize(
    "fields",
    [
        {"starts_at": "2026-06-23T17:00:00Z"},
        {"starts_at": "2026-06-23T17:00:00Z", "notify": False},
        {"note": "Bring a jo.", "capacity": 5, "notify": True},
        {"notify": True},
    ],
)
def test_no_mail_unless_the_session_moved_and_the_request_asks(dojo: Dojo, session: Any, fields: Any) -> None:
    patch(dojo, session, **fields)
    assert send_all(dojo) == []


def test_another_place_is_told_too(dojo: Dojo, session: Any) -> None:
    patch(dojo, session, location="Park", notify=True)
    assert "(Park)" in send_all(dojo)[0].body


def test_a_correction_of_the_past_is_not_told(dojo: Dojo, session: Any) -> None:
    past = session_on(dojo, "2026-06-08")
    patch(dojo, past, starts_at="2026-06-09T16:30:00Z", notify=True)
    assert send_all(dojo) == []


def test_a_cancelled_session_that_moves_is_not_told(dojo: Dojo, session: Any) -> None:
    ok(dojo.admin.patch("/settings", {"notify_class_cancelled": False}))
    ok(dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)
    patch(dojo, session, **MOVE)
    assert send_all(dojo) == []


def test_a_new_session_has_nothing_to_notify(dojo: Dojo) -> None:
    body = {"name": "Open mat", "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60, "notify": True}
    assert_invalid(dojo.admin.post("/class-sessions", body), "notify")


def test_the_candidates_of_an_exam_are_told_once_that_it_moved(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"notify_exam_invitation": False}))
    system = factories.rank_system(dojo)
    exam = factories.exam(dojo, system, "2026-06-27", name="Summer grading")
    mika = student(dojo, "Mika", email="mika@example.com")
    factories.candidate(dojo, exam, mika, factories.rank_id(system, "5-kyu"))
    student(dojo, "Ren", email="ren@example.com")
    path = f"/exams/{exam['id']}"
    ok(dojo.instructor.patch(path, {"name": "Summer exam", "notify": True}))
    assert send_all(dojo) == []
    for _ in range(2):
        changed = ok(dojo.instructor.patch(path, {"date": "2026-07-04", "notify": True}))
        assert "notify" not in changed
    (sent,) = send_all(dojo)
    assert (sent.to, sent.subject) == (["mika@example.com"], "Changed: Summer exam, 4 July 2026")
    assert 'the grading "Summer exam", planned for 27 June 2026, takes place on 4 July 2026.' in sent.body
    ok(dojo.instructor.patch(path, {"date": "2026-07-11"}))
    assert len(send_all(dojo)) == 1
    body = {"name": "x", "date": "2026-07-04", "rank_system": system["id"], "notify": True}
    assert_invalid(dojo.instructor.post("/exams", body), "notify")
