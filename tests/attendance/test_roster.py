"""The roster of a session: which students are expected and which came; staff save it as one document."""

from typing import Any
from uuid import uuid4

import pytest

from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    number_of_statements,
    record_attendance,
    session_on,
)
from tests.support.clients import Dojo
from tests.support.responses import assert_error, ok

TODAY, LAST_WEEK = "2026-06-15", "2026-06-08"
SINCE_JUNE = {"from": "2026-06-01"}


def path_of(session: dict[str, Any]) -> str:
    return f"/class-sessions/{session['id']}"


def states(dojo: Dojo, session: dict[str, Any]) -> dict[str, str]:
    roster = dojo.admin.get(path_of(session)).json()["roster"]
    return {line["student"]["name"].split()[0]: line["state"] for line in roster}


def save(dojo: Dojo, session: dict[str, Any], *entries: tuple[dict[str, Any], str], **more: Any) -> Any:
    body = {"entries": [{"student": who["id"], "state": state} for who, state in entries], **more}
    return dojo.instructor.put(f"{path_of(session)}/roster", body)


def attendances_of(dojo: Dojo, session: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dojo.admin.get(f"/attendance?class_session={session['id']}").json()[
        "results"
    ]
    return sorted(found, key=lambda row: row["id"])


@pytest.fixture
def people(dojo: Dojo) -> list[dict[str, Any]]:
    return [create_student(dojo, name) for name in ("Aiko", "Ben", "Cem", "Dan")]


def test_enrolled_students_are_expected_until_the_session_is_over_and_absent_then(
    dojo: Dojo, people: list
) -> None:
    enrol(dojo, create_class(dojo), *people[:3], **SINCE_JUNE)
    record_attendance(dojo, people[1], session_on(dojo, TODAY), late=True)
    record_attendance(dojo, people[3], session_on(dojo, TODAY), late=False)
    expected = {"Aiko": "expected", "Ben": "late", "Cem": "expected", "Dan": "present"}
    assert states(dojo, session_on(dojo, TODAY)) == expected
    assert states(dojo, session_on(dojo, LAST_WEEK)) == {"Aiko": "absent", "Ben": "absent", "Cem": "absent"}


def test_staff_see_the_roster_and_students_do_not(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people)
    session = session_on(dojo, TODAY)
    for role in ("admin", "instructor", "assistant"):
        assert len(dojo.person(role).get(path_of(session)).json()["roster"]) == 4
    assert "roster" not in dojo.student.get(path_of(session)).json()
    assert "roster" in dojo.instructor.patch(path_of(session), {"note": "x"}).json()


def test_students_who_are_inactive_archived_or_on_hold_are_not_expected(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people, **SINCE_JUNE)
    dojo.admin.patch(f"/students/{people[0]['id']}", {"status": "inactive"})
    assert dojo.admin.delete(f"/students/{people[1]['id']}").status_code == 204
    hold = {"from": "2026-06-10", "until": "2026-06-20"}
    assert dojo.admin.post(f"/students/{people[2]['id']}/holds", hold).status_code == 201
    assert states(dojo, session_on(dojo, TODAY)) == {"Dan": "expected"}
    wanted = {"Ben": "absent", "Cem": "absent", "Dan": "absent"}
    assert states(dojo, session_on(dojo, LAST_WEEK)) == wanted, "who was archived today was there last week"


def test_no_one_is_expected_at_a_cancelled_session(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people)
    dojo.admin.post(f"{path_of(session_on(dojo, LAST_WEEK))}/cancellation")
    assert states(dojo, session_on(dojo, LAST_WEEK)) == {}


def test_a_roster_is_saved_in_one_request(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people, **SINCE_JUNE)
    session = session_on(dojo, LAST_WEEK)
    answer = save(dojo, session, (people[0], "present"), (people[1], "late"), (people[2], "absent"))
    assert answer.status_code == 200, answer.content
    wanted = {"Aiko": "present", "Ben": "late", "Cem": "absent", "Dan": "absent"}
    assert {line["student"]["name"].split()[0]: line["state"] for line in answer.json()["roster"]} == wanted
    assert states(dojo, session) == wanted
    assert [(row["method"], row["checked_in_at"]) for row in attendances_of(dojo, session)] == [
        ("manual", session["starts_at"])
    ] * 2


def test_saving_the_same_roster_again_changes_nothing(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people)
    session = session_on(dojo, TODAY)
    entries = [(people[0], "present"), (people[1], "late"), (people[2], "absent")]
    first = save(dojo, session, *entries).json()
    before = attendances_of(dojo, session)
    assert save(dojo, session, *entries).json() == first
    assert attendances_of(dojo, session) == before


def test_a_later_save_corrects_an_earlier_one(dojo: Dojo, people: list) -> None:
    enrol(dojo, create_class(dojo), *people)
    session = session_on(dojo, TODAY)
    save(dojo, session, (people[0], "present"), (people[1], "late"), (people[2], "present"))
    save(
        dojo,
        session,
        (people[0], "late"),
        (people[1], "present"),
        (people[2], "absent"),
        reason="Left early.",
    )
    assert states(dojo, session) == {"Aiko": "late", "Ben": "present", "Cem": "expected", "Dan": "expected"}
    voided = [row for row in attendances_of(dojo, session) if row["voided"]]
    assert [(row["student"]["id"], row["void_reason"]) for row in voided] == [
        (people[2]["id"], "Left early.")
    ]
    save(dojo, session, (people[2], "present"))
    assert len(attendances_of(dojo, session)) == 4


def test_a_scan_keeps_its_method_when_the_roster_corrects_it(dojo: Dojo, people: list) -> None:
    create_class(dojo)
    session = session_on(dojo, TODAY)
    token = dojo.admin.post("/qr", {"student": people[0]["id"]}).json()["token"]
    assert (
        dojo.admin.post("/attendance/scan", {"token": token, "class_session": session["id"]}).status_code
        == 201
    )
    save(dojo, session, (people[0], "present"))
    assert [(row["method"], row["late"]) for row in attendances_of(dojo, session)] == [("qr_rotating", False)]


def test_unknown_and_repeated_students_are_refused_by_their_place(dojo: Dojo, people: list) -> None:
    create_class(dojo)
    session = session_on(dojo, TODAY)
    answer = save(
        dojo, session, (people[0], "present"), ({"id": str(uuid4())}, "late"), (people[0], "absent")
    )
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]) == {"entries.1.student", "entries.2.student"}
    assert attendances_of(dojo, session) == []


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"state": "present"}, "entries.0.student"),
        ({"student": "x", "state": "present"}, "entries.0.student"),
        ({"state": "expected"}, "entries.0.state"),
        ({"state": "present", "late": True}, "entries.0.late"),
    ],
)
def test_a_bad_entry_is_refused(dojo: Dojo, people: list, entry: dict, field: str) -> None:
    create_class(dojo)
    body = {"entries": [{"student": people[0]["id"], **entry} if "student" not in field else entry]}
    answer = dojo.admin.put(f"{path_of(session_on(dojo, TODAY))}/roster", body)
    assert (answer.status_code, set(answer.json()["error"]["details"])) == (400, {field})


def test_an_assistant_voids_only_what_they_recorded_today(dojo: Dojo, people: list) -> None:
    create_class(dojo)
    session = session_on(dojo, TODAY)
    path = f"{path_of(session)}/roster"
    record_attendance(dojo, people[0], session)
    both = [{"student": people[0]["id"], "state": "absent"}, {"student": people[1]["id"], "state": "present"}]
    refused = dojo.assistant.put(path, {"entries": both})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
    assert refused.json()["error"]["details"] == {"students": [people[0]["id"]]}
    assert [row["student"]["id"] for row in attendances_of(dojo, session)] == [people[0]["id"]], (
        "nothing is saved"
    )
    assert dojo.assistant.put(path, {"entries": both[1:]}).status_code == 200
    assert dojo.assistant.put(path, {"entries": [{**both[1], "state": "absent"}]}).status_code == 200


def test_a_roster_ignores_window_capacity_enrolment_and_rank(dojo: Dojo, people: list) -> None:
    dojo.admin.patch("/settings", {f"{name}_policy": "enforce" for name in ("enrolment", "capacity", "rank")})
    create_class(dojo, capacity=1)
    session = session_on(dojo, LAST_WEEK)
    assert save(dojo, session, *[(who, "present") for who in people]).status_code == 200
    assert len(attendances_of(dojo, session)) == 4


def test_sessions_and_students_of_another_dojo_are_not_found(
    dojo: Dojo, other_dojo: Dojo, people: list
) -> None:
    create_class(dojo)
    create_class(other_dojo)
    theirs = create_student(other_dojo)
    assert save(dojo, session_on(other_dojo, TODAY), (people[0], "present")).status_code == 404
    answer = save(dojo, session_on(dojo, TODAY), (theirs, "present"))
    assert set(answer.json()["error"]["details"]) == {"entries.0.student"}


@pytest.mark.parametrize("state", ["present", "late"])
def test_no_one_can_be_added_to_a_cancelled_session(dojo: Dojo, people: list, state: str) -> None:
    create_class(dojo)
    session = session_on(dojo, LAST_WEEK)
    record_attendance(dojo, people[0], session)
    ok(dojo.admin.post(f"{path_of(session)}/cancellation"), 201)
    before = attendances_of(dojo, session)
    refused = save(dojo, session, (people[0], "absent"), (people[1], state))
    assert assert_error(refused, 409, "session_cancelled") == {"students": [people[1]["id"]]}
    assert attendances_of(dojo, session) == before, "nothing is saved"


def test_the_roster_of_a_cancelled_session_may_be_corrected(dojo: Dojo, people: list) -> None:
    create_class(dojo)
    session = session_on(dojo, LAST_WEEK)
    for who in people[:3]:
        record_attendance(dojo, who, session)
    ok(dojo.admin.post(f"{path_of(session)}/cancellation"), 201)
    entries = zip(people, ("absent", "present", "late", "absent"), strict=True)
    assert save(dojo, session, *entries).status_code == 200
    assert states(dojo, session) == {"Ben": "present", "Cem": "late"}
    ok(dojo.admin.delete(f"{path_of(session)}/cancellation"), 204)
    assert save(dojo, session, (people[0], "present")).status_code == 200


@pytest.mark.parametrize("size", [1, 12])
def test_a_session_with_its_roster_needs_four_statements_whatever_its_size(dojo: Dojo, size: int) -> None:
    group = create_class(dojo, recurrence=MONDAYS)
    session = session_on(dojo, TODAY)
    for number in range(2 * size):
        student = create_student(dojo, f"Student {number}")
        enrol(dojo, group, student, **SINCE_JUNE)
        if number % 2:
            record_attendance(dojo, student, session)
    # The caller, the session, the students who are expected, those who came.
    assert number_of_statements(dojo.admin, "GET", path_of(session)) == 4
    assert number_of_statements(dojo.student, "GET", path_of(session)) == 2


def test_a_session_with_its_roster_is_shown_as_documented(dojo: Dojo, people: list) -> None:
    group = create_class(dojo, recurrence=MONDAYS, instructors=[str(dojo.instructor.user.pk)])
    session = session_on(dojo, TODAY)
    enrol(dojo, group, people[0], **SINCE_JUNE)
    enrol(dojo, group, people[1], **SINCE_JUNE)
    attendance = record_attendance(dojo, people[0], session, late=False)
    (listed,) = [
        one for one in ok(dojo.admin.get("/class-sessions"))["results"] if one["id"] == session["id"]
    ]
    shown = ok(dojo.admin.get(path_of(session)))
    came, expected = shown.pop("roster")
    assert shown == listed == ok(dojo.student.get(path_of(session)))
    assert came == {
        "student": {"id": people[0]["id"], "name": "Aiko Sato"},
        "state": "present",
        "enrolled": True,
        "trial": False,
        "attendance": attendance["id"],
        "checked_in_at": attendance["checked_in_at"],
        "method": "manual",
    }
    assert {name: expected[name] for name in ("state", "attendance", "checked_in_at", "method")} == {
        "state": "expected",
        "attendance": None,
        "checked_in_at": None,
        "method": None,
    }
    assert ok(dojo.admin.patch(path_of(session), {"note": "Bring a jo."}))["roster"] == [came, expected]


@pytest.mark.parametrize("size", [1, 12])
def test_saving_a_roster_needs_twelve_statements_whatever_its_size(dojo: Dojo, size: int) -> None:
    create_class(dojo, recurrence=MONDAYS)
    students = [create_student(dojo, f"Student {n}") for n in range(3 * size)]
    path = f"{path_of(session_on(dojo, TODAY))}/roster"
    marks = ["present", "late", "absent"] * size
    entries = [{"student": who["id"], "state": mark} for who, mark in zip(students, marks, strict=True)]
    assert number_of_statements(dojo.admin, "PUT", path, {"entries": entries}) == 12
