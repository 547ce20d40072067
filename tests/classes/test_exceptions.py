"""Single sessions that differ from their class: moved, changed, cancelled; and what the rule may still do to them."""

from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.materialise import materialise_ahead
from tests.classes.schedules import MONDAYS, a_class, a_student, attend, session_on, sessions
from tests.support.clients import Dojo
from tests.support.now import NOW


def patch(dojo: Dojo, session: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = dojo.admin.patch(f"/class-sessions/{session['id']}", body)
    assert answer.status_code == 200, answer.content
    changed: dict[str, Any] = answer.json()
    return changed


def change_class(dojo: Dojo, group: dict[str, Any], **body: Any) -> None:
    answer = dojo.admin.patch(f"/classes/{group['id']}", body)
    assert answer.status_code == 200, answer.content


def materialise(dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        materialise_ahead(now=clock.now())


def starts(dojo: Dojo, first: str, last: str) -> list[str]:
    return [one["starts_at"] for one in sessions(dojo, first, last)]


def test_a_moved_session_keeps_its_length_and_is_not_made_again_at_its_old_time(dojo: Dojo) -> None:
    group = a_class(dojo)
    moved = patch(dojo, session_on(dojo, "2026-06-22"), starts_at="2026-06-24T17:00:00Z")
    assert (moved["ends_at"], moved["local_date"]) == ("2026-06-24T18:30:00Z", "2026-06-24")
    materialise(dojo)
    change_class(dojo, group, name="Advanced")
    assert starts(dojo, "2026-06-22", "2026-06-28") == ["2026-06-24T17:00:00Z"]


def test_what_was_set_for_one_session_outlasts_a_change_of_its_class(dojo: Dojo) -> None:
    group = a_class(dojo, location="Hall A", capacity=20)
    before = session_on(dojo, "2026-06-22")
    patch(dojo, before, location="Hall B", note="Bring a jo.", duration_minutes=45)
    change_class(dojo, group, location="Hall C", capacity=30, recurrence={**MONDAYS, "duration_minutes": 60})
    after, other = session_on(dojo, "2026-06-22"), session_on(dojo, "2026-06-29")
    assert (after["location"], after["note"], after["capacity"]) == ("Hall B", "Bring a jo.", 30)
    assert (after["duration_minutes"], other["duration_minutes"]) == (45, 60)
    assert (other["location"], other["capacity"]) == ("Hall C", 30)


def test_sessions_keep_their_ids_when_their_class_changes(dojo: Dojo) -> None:
    group = a_class(dojo)
    before = {one["local_date"]: one["id"] for one in sessions(dojo)}
    change_class(dojo, group, name="Advanced", recurrence={**MONDAYS, "weekdays": ["mo", "we"]})
    after = {one["local_date"]: one["id"] for one in sessions(dojo)}
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_a_moved_session_stays_when_its_slot_leaves_the_rule_and_an_edited_one_goes(dojo: Dojo) -> None:
    group = a_class(dojo)
    patch(dojo, session_on(dojo, "2026-06-22"), starts_at="2026-06-23T08:00:00Z")
    patch(dojo, session_on(dojo, "2026-06-29"), capacity=5)
    change_class(dojo, group, recurrence={**MONDAYS, "weekdays": ["th"]})
    assert starts(dojo, "2026-06-22", "2026-07-02") == [
        "2026-06-23T08:00:00Z", "2026-06-25T16:30:00Z", "2026-07-02T16:30:00Z"
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["moved", "cancelled", "attended"])
def test_what_stays_stands_in_for_the_new_session_of_its_day(dojo: Dojo, how: str) -> None:
    group = a_class(dojo)
    session = session_on(dojo, "2026-06-22")
    if how == "moved":
        patch(dojo, session, starts_at="2026-06-22T18:00:00Z")
    elif how == "cancelled":
        assert dojo.admin.post(f"/class-sessions/{session['id']}/cancellation").status_code == 201
    else:
        attend(dojo, a_student(dojo), session)
    change_class(dojo, group, recurrence={**MONDAYS, "start_time": "19:00"})
    assert [one["id"] for one in sessions(dojo, "2026-06-22", "2026-06-22")] == [session["id"]]
    assert starts(dojo, "2026-06-29", "2026-06-29") == ["2026-06-29T17:00:00Z"]


def test_a_session_cannot_be_moved_onto_another_of_its_class(dojo: Dojo) -> None:
    a_class(dojo)
    session = session_on(dojo, "2026-06-22")
    answer = dojo.admin.patch(f"/class-sessions/{session['id']}", {"starts_at": "2026-06-29T16:30:00Z"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert session_on(dojo, "2026-06-22")["starts_at"] == session["starts_at"]


def test_two_entries_of_a_rule_in_the_skipped_and_the_following_hour_are_one_session_on_that_day(
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


def test_a_rule_that_names_a_start_twice_is_refused(dojo: Dojo) -> None:
    more = [{"weekdays": ["mo", "tu"], "start_time": "18:30", "duration_minutes": 30}]
    answer = dojo.admin.post("/classes", {"name": "Twice", "recurrence": {**MONDAYS, "more_times": more}})
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]) == {"recurrence.more_times.0.start_time"}


def test_instructors_are_the_classs_unless_the_session_has_its_own(dojo: Dojo) -> None:
    head, guest = str(dojo.admin.user.pk), str(dojo.instructor.user.pk)
    group = a_class(dojo, instructors=[head])
    assert [one["id"] for one in session_on(dojo, "2026-06-22")["instructors"]] == [head]
    patch(dojo, session_on(dojo, "2026-06-22"), instructors=[guest])
    change_class(dojo, group, instructors=[])
    assert [one["id"] for one in session_on(dojo, "2026-06-08")["instructors"]] == [head]
    assert [one["id"] for one in session_on(dojo, "2026-06-22")["instructors"]] == [guest]
    assert session_on(dojo, "2026-06-29")["instructors"] == []
    assert [one["local_date"] for one in sessions(dojo, instructor=guest)] == ["2026-06-22"]


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
def test_a_bad_change_of_a_session_is_refused_and_changes_nothing(dojo: Dojo, body: dict, field: str) -> None:
    a_class(dojo)
    before = session_on(dojo, "2026-06-22")
    answer = dojo.admin.patch(f"/class-sessions/{before['id']}", {"note": "x", **body})
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]) == {field}
    assert session_on(dojo, "2026-06-22") == before


def test_a_session_of_the_other_dojo_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    a_class(other_dojo)
    path = f"/class-sessions/{session_on(other_dojo, '2026-06-22')['id']}"
    assert dojo.admin.patch(path, {"note": "x"}).status_code == 404
    assert dojo.admin.post(f"{path}/cancellation").status_code == 404
    assert dojo.admin.delete(f"{path}/cancellation").status_code == 404
