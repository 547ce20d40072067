"""Single sessions: created by hand, moved, changed, cancelled; and which changes of their class still reach them."""

from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.session_generation import generate_to_horizon
from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    list_sessions,
    record_attendance,
    session_on,
    store_attendance,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_created, assert_error, assert_invalid, ok, url_path


def change_session(dojo: Dojo, session: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = dojo.admin.patch(f"/class-sessions/{session['id']}", body)
    assert answer.status_code == 200, answer.content
    changed: dict[str, Any] = answer.json()
    return changed


def change_class(dojo: Dojo, group: dict[str, Any], **body: Any) -> None:
    answer = dojo.admin.patch(f"/classes/{group['id']}", body)
    assert answer.status_code == 200, answer.content


def generate(dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        generate_to_horizon(now=clock.now())


def starts(dojo: Dojo, first: str, last: str) -> list[str]:
    return [one["starts_at"] for one in list_sessions(dojo, first, last)]


# --- created by hand ----------------------------------------------------------------------------------------


def test_a_single_session_is_created(dojo: Dojo) -> None:
    teacher = dojo.instructor.user
    assert teacher is not None
    body = {
        "name": "Seminar",
        "discipline": factories.discipline(dojo)["id"],
        "starts_at": "2026-06-20T10:00:00+02:00",
        "duration_minutes": 120,
        "instructors": [str(teacher.pk)],
        "capacity": 40,
        "location": "Hall B",
        "note": "Bring a jo.",
    }
    session = assert_created(dojo.admin, dojo.admin.post("/class-sessions", body))
    assert session["starts_at"] == "2026-06-20T08:00:00Z"
    assert session["ends_at"] == "2026-06-20T10:00:00Z"
    assert session["instructors"] == [{"id": str(teacher.pk), "name": "Instructor"}]
    assert (session["class"], session["capacity"], session["note"]) == (None, 40, "Bring a jo.")


def test_a_session_of_a_class_copies_its_values(dojo: Dojo) -> None:
    group = factories.training_class(dojo, location="Hall A", capacity=12)
    body = {"class": group["id"], "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60}
    session = dojo.create("/class-sessions", body)
    assert (session["name"], session["location"], session["capacity"]) == ("Evening class", "Hall A", 12)
    assert_error(dojo.admin.post("/class-sessions", body), 409, "conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"starts_at": "2026-06-20"}, "starts_at"),
        ({"starts_at": "2026-06-20T10:00:00"}, "starts_at"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"class": "x"}, "class"),
        ({"ends_at": "2026-06-20T10:00:00Z"}, "ends_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
    ],
)
def test_a_session_with_a_bad_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    body = {"name": "Seminar", "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60, **change}
    assert_invalid(dojo.admin.post("/class-sessions", body), field)


# --- moved and changed --------------------------------------------------------------------------------------


def test_a_moved_session_keeps_its_duration_and_its_slot_stays_empty(dojo: Dojo) -> None:
    group = create_class(dojo)
    moved = change_session(dojo, session_on(dojo, "2026-06-22"), starts_at="2026-06-24T17:00:00Z")
    assert (moved["ends_at"], moved["local_date"]) == ("2026-06-24T18:30:00Z", "2026-06-24")
    generate(dojo)
    change_class(dojo, group, name="Advanced")
    assert starts(dojo, "2026-06-22", "2026-06-28") == ["2026-06-24T17:00:00Z"]


def test_what_was_set_for_one_session_outlasts_a_change_of_its_class(dojo: Dojo) -> None:
    group = create_class(dojo, location="Hall A", capacity=20)
    before = session_on(dojo, "2026-06-22")
    change_session(dojo, before, location="Hall B", note="Bring a jo.", duration_minutes=45)
    change_class(dojo, group, location="Hall C", capacity=30, recurrence={**MONDAYS, "duration_minutes": 60})
    after, other = session_on(dojo, "2026-06-22"), session_on(dojo, "2026-06-29")
    assert (after["location"], after["note"], after["capacity"]) == ("Hall B", "Bring a jo.", 30)
    assert (after["duration_minutes"], other["duration_minutes"]) == (45, 60)
    assert (other["location"], other["capacity"]) == ("Hall C", 30)


def test_without_its_slot_a_moved_session_stays_and_an_edited_one_is_deleted(dojo: Dojo) -> None:
    group = create_class(dojo)
    change_session(dojo, session_on(dojo, "2026-06-22"), starts_at="2026-06-23T08:00:00Z")
    change_session(dojo, session_on(dojo, "2026-06-29"), capacity=5)
    change_class(dojo, group, recurrence={**MONDAYS, "weekdays": ["th"]})
    assert starts(dojo, "2026-06-22", "2026-07-02") == [
        "2026-06-23T08:00:00Z", "2026-06-25T16:30:00Z", "2026-07-02T16:30:00Z"
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["moved", "cancelled", "attended"])
def test_a_session_that_stays_replaces_the_new_one_of_its_day(dojo: Dojo, how: str) -> None:
    group = create_class(dojo)
    session = session_on(dojo, "2026-06-22")
    if how == "moved":
        change_session(dojo, session, starts_at="2026-06-22T18:00:00Z")
    elif how == "cancelled":
        assert dojo.admin.post(f"/class-sessions/{session['id']}/cancellation").status_code == 201
    else:
        store_attendance(dojo, create_student(dojo), session)
    change_class(dojo, group, recurrence={**MONDAYS, "start_time": "19:00"})
    assert [one["id"] for one in list_sessions(dojo, "2026-06-22", "2026-06-22")] == [session["id"]]
    assert starts(dojo, "2026-06-29", "2026-06-29") == ["2026-06-29T17:00:00Z"]


def test_a_session_cannot_be_moved_to_the_time_of_another_of_its_class(dojo: Dojo) -> None:
    create_class(dojo)
    session = session_on(dojo, "2026-06-22")
    answer = dojo.admin.patch(f"/class-sessions/{session['id']}", {"starts_at": "2026-06-29T16:30:00Z"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert session_on(dojo, "2026-06-22")["starts_at"] == session["starts_at"]


def test_starts_in_the_skipped_and_in_the_following_hour_are_one_session_that_day(
    dojo: Dojo,
) -> None:
    rule = {"weekdays": ["su"], "start_time": "02:30", "duration_minutes": 30, "from": "2027-03-01"}
    more = [{"weekdays": ["su"], "start_time": "03:30", "duration_minutes": 30}]
    with clock.fixed(NOW.replace(year=2027, month=3, day=1)):
        later = Dojo(dojo.tenant).person("admin", "later")
        assert (
            later.post("/classes", {"name": "Night", "recurrence": {**rule, "more_times": more}}).status_code
            == 201
        )
        found = later.get("/class-sessions?from=2027-03-27&to=2027-04-04").json()["results"]
    assert [one["starts_at"] for one in found] == [
        "2027-03-28T01:30:00Z", "2027-04-04T00:30:00Z", "2027-04-04T01:30:00Z"
    ]  # fmt: skip


def test_a_session_has_the_instructors_of_its_class_unless_it_has_its_own(dojo: Dojo) -> None:
    head, guest = str(dojo.admin.user.pk), str(dojo.instructor.user.pk)
    group = create_class(dojo, instructors=[head])
    assert [one["id"] for one in session_on(dojo, "2026-06-22")["instructors"]] == [head]
    change_session(dojo, session_on(dojo, "2026-06-22"), instructors=[guest])
    change_class(dojo, group, instructors=[])
    assert [one["id"] for one in session_on(dojo, "2026-06-08")["instructors"]] == [head]
    assert [one["id"] for one in session_on(dojo, "2026-06-22")["instructors"]] == [guest]
    assert session_on(dojo, "2026-06-29")["instructors"] == []
    assert [one["local_date"] for one in list_sessions(dojo, instructor=guest)] == ["2026-06-22"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"starts_at": "2026-06-24"}, "starts_at"),
        ({"starts_at": None}, "starts_at"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"status": "cancelled"}, "status"),
        ({"class": "x"}, "class"),
        ({"local_date": "2026-06-24"}, "local_date"),
        ({"instructors": ["x"]}, "instructors.0"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(dojo: Dojo, body: dict, field: str) -> None:
    create_class(dojo)
    before = session_on(dojo, "2026-06-22")
    answer = dojo.admin.patch(f"/class-sessions/{before['id']}", {"note": "x", **body})
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]) == {field}
    assert session_on(dojo, "2026-06-22") == before


def test_a_session_of_another_dojo_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    create_class(other_dojo)
    path = f"/class-sessions/{session_on(other_dojo, '2026-06-22')['id']}"
    assert dojo.admin.patch(path, {"note": "x"}).status_code == 404
    assert dojo.admin.post(f"{path}/cancellation").status_code == 404
    assert dojo.admin.delete(f"{path}/cancellation").status_code == 404


# --- cancelled ----------------------------------------------------------------------------------------------


def test_a_session_is_cancelled_and_reinstated(dojo: Dojo) -> None:
    session = factories.single_session(dojo)
    path = f"/class-sessions/{session['id']}"
    answer = dojo.admin.post(f"{path}/cancellation")
    assert ok(answer, 201)["status"] == "cancelled"
    assert ok(dojo.admin.get(url_path(answer.headers["Location"])))["status"] == "cancelled"
    ok(dojo.admin.delete(f"{path}/cancellation"), 204)
    assert ok(dojo.admin.get(path))["status"] == "scheduled"


def test_the_first_cancellation_is_kept_with_user_and_reason(dojo: Dojo) -> None:
    create_class(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}/cancellation"
    first = dojo.instructor.post(path, {"reason": "The hall is flooded."})
    assert first.status_code == 201
    assert first.json()["cancellation"] == {
        "reason": "The hall is flooded.",
        "by": {"id": str(dojo.instructor.user.pk), "name": "Instructor"},
        "at": "2026-06-15T16:40:00Z",
    }
    again = dojo.admin.post(path, {"reason": "Another."})
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_reinstated_session_is_as_before_and_repeating_has_no_effect(dojo: Dojo) -> None:
    create_class(dojo)
    before = session_on(dojo, "2026-06-22")
    path = f"/class-sessions/{before['id']}/cancellation"
    assert dojo.admin.post(path).status_code == 201
    for _ in range(2):
        assert dojo.admin.delete(path).status_code == 204
    after = session_on(dojo, "2026-06-22")
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


def test_a_cancellation_keeps_attendance(dojo: Dojo) -> None:
    create_class(dojo)
    session = session_on(dojo, "2026-06-15")
    row = record_attendance(dojo, create_student(dojo), session)
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation")
    shown = dojo.admin.get(f"/class-sessions/{session['id']}").json()
    assert [(line["attendance"], line["state"]) for line in shown["roster"]] == [(row["id"], "late")]


def test_the_audit_names_the_reason_of_a_cancellation(dojo: Dojo) -> None:
    create_class(dojo)
    session = session_on(dojo, "2026-06-22")
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation", {"reason": "Flooded."})
    row = dojo.admin.get(f"/audit?object={session['id']}").json()["results"][0]
    assert (row["action"], row["reason"]) == ("class-session-cancellation.post", "Flooded.")
