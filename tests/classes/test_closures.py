"""Closures: sessions are cancelled together, those made later too; one mail for each recipient; reopening restores."""

from typing import Any

import pytest
from django.core import mail

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import ClassSession, ClosedClass, Closure
from tenant_apps.notifications.models import Delivery, Notification
from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    list_sessions,
    number_of_statements,
    record_attendance,
    session_on,
    store_attendance,
)
from tests.notifications.mail_factories import send_all
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok

SUMMER = {"from": "2026-07-06", "until": "2026-07-19", "reason": "Summer break"}
EVERY_DAY = {**MONDAYS, "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"]}


def close(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    answer = dojo.instructor.post("/closures", {**SUMMER, **fields})
    return dict(assert_created(dojo.instructor, answer))


def reopen(dojo: Dojo, closure: dict[str, Any]) -> None:
    assert dojo.instructor.delete(f"/closures/{closure['id']}").status_code == 204


def cancelled_days(
    dojo: Dojo, first: str = "2026-06-01", last: str = "2026-12-31", **query: str
) -> list[str]:
    return [one["local_date"] for one in list_sessions(dojo, first, last, status="cancelled", **query)]


def notifications(dojo: Dojo, kind: str) -> int:
    with tenant_scope(dojo.tenant):
        return Notification.objects.filter(kind=kind).count()


def test_all_sessions_of_the_days_are_cancelled_with_the_reason(dojo: Dojo) -> None:
    create_class(dojo)
    create_class(dojo, name="Kids", recurrence={**MONDAYS, "weekdays": ["we"], "start_time": "16:00"})
    factories.single_session(dojo, "2026-07-19T21:30:00Z", name="Late in Berlin")
    factories.single_session(dojo, "2026-07-19T22:30:00Z", name="The next day in Berlin")
    closure = close(dojo)
    assert closure["sessions"] == 5
    assert cancelled_days(dojo) == ["2026-07-06", "2026-07-08", "2026-07-13", "2026-07-15", "2026-07-19"]
    session = session_on(dojo, "2026-07-06")
    assert (session["cancellation"]["reason"], session["closure"]) == ("Summer break", closure["id"])
    assert session["cancellation"]["by"]["name"] == "Instructor"


def test_a_closure_of_some_classes_leaves_the_others_alone(dojo: Dojo) -> None:
    group = create_class(dojo)
    other = create_class(dojo, name="Kids", recurrence={**MONDAYS, "start_time": "16:00"})
    factories.single_session(dojo, "2026-07-07T16:30:00Z")
    closure = close(dojo, classes=[group["id"]])
    assert closure["classes"] == [{"id": group["id"], "name": "Evening"}]
    assert cancelled_days(dojo, **{"class": group["id"]}) == ["2026-07-06", "2026-07-13"]
    assert cancelled_days(dojo, **{"class": other["id"]}) == []
    assert closure["sessions"] == 2


def test_sessions_made_later_are_cancelled_from_the_start(dojo: Dojo) -> None:
    closure = close(dojo, **{"from": "2026-12-21", "until": "2027-01-03"})
    create_class(dojo, recurrence=EVERY_DAY)
    factories.single_session(dojo, "2026-12-24T10:00:00Z", name="Open mat")
    days = cancelled_days(dojo, "2026-12-01", "2027-01-31")
    assert (days[0], days[-1], len(days)) == ("2026-12-21", "2027-01-03", 15)
    assert ok(dojo.admin.get(f"/closures/{closure['id']}"))["sessions"] == 15
    reopen(dojo, closure)
    assert cancelled_days(dojo, "2026-12-01", "2027-01-31") == []


def test_a_changed_schedule_stays_cancelled_in_the_closure_and_leaves_no_ghosts(dojo: Dojo) -> None:
    group = create_class(dojo)
    closure = close(dojo)
    later = {**MONDAYS, "weekdays": ["tu"], "start_time": "19:00"}
    ok(dojo.admin.patch(f"/classes/{group['id']}", {"recurrence": later}))
    assert cancelled_days(dojo) == ["2026-07-07", "2026-07-14"]
    reopen(dojo, closure)
    days = [one["local_date"] for one in list_sessions(dojo, "2026-07-06", "2026-07-19")]
    assert days == ["2026-07-07", "2026-07-14"]


def test_reopening_restores_what_the_closure_cancelled_and_nothing_else(dojo: Dojo) -> None:
    create_class(dojo)
    own = session_on(dojo, "2026-07-06")
    ok(dojo.admin.post(f"/class-sessions/{own['id']}/cancellation", {"reason": "Flooded"}), 201)
    closure = close(dojo)
    assert closure["sessions"] == 1
    reopen(dojo, closure)
    assert_error(dojo.admin.delete(f"/closures/{closure['id']}"), 404, "not_found")
    assert cancelled_days(dojo) == ["2026-07-06"]
    restored = session_on(dojo, "2026-07-13")
    assert (restored["status"], restored["cancellation"], restored["closure"]) == ("scheduled", None, None)


def test_a_session_stays_cancelled_while_another_closure_covers_it(dojo: Dojo) -> None:
    create_class(dojo)
    first = close(dojo)
    second = close(dojo, **{"from": "2026-07-13", "until": "2026-07-26", "reason": "Building work"})
    reopen(dojo, first)
    assert cancelled_days(dojo) == ["2026-07-13", "2026-07-20"]
    session = session_on(dojo, "2026-07-13")
    assert (session["closure"], session["cancellation"]["reason"]) == (second["id"], "Building work")
    reopen(dojo, second)
    assert cancelled_days(dojo) == []


def test_a_session_can_take_place_in_spite_of_a_closure(dojo: Dojo) -> None:
    group = create_class(dojo)
    close(dojo)
    session = session_on(dojo, "2026-07-06")
    assert dojo.admin.delete(f"/class-sessions/{session['id']}/cancellation").status_code == 204
    ok(dojo.admin.patch(f"/classes/{group['id']}", {"location": "Mat 2"}))
    assert cancelled_days(dojo) == ["2026-07-13"]
    again = close(dojo)
    assert again["sessions"] == 1, "a new closure is about all scheduled sessions"
    reopen(dojo, again)
    assert cancelled_days(dojo) == ["2026-07-06", "2026-07-13"], "the first closure covers it still"


def test_a_session_that_is_moved_out_of_a_closure_takes_place(dojo: Dojo) -> None:
    create_class(dojo)
    close(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-07-13')['id']}"
    moved = ok(dojo.admin.patch(path, {"starts_at": "2026-07-20T18:30:00Z"}))
    assert (moved["status"], moved["closure"]) == ("scheduled", None)
    back = ok(dojo.admin.patch(path, {"starts_at": "2026-07-14T16:30:00Z"}))
    assert (back["status"], back["cancellation"]["reason"]) == ("cancelled", "Summer break")


def test_a_session_that_took_place_stays(dojo: Dojo) -> None:
    create_class(dojo)
    record_attendance(dojo, create_student(dojo), session_on(dojo, "2026-06-08"))
    closure = close(dojo, **{"from": "2026-06-01", "until": "2026-06-30"})
    assert cancelled_days(dojo) == ["2026-06-01", "2026-06-15", "2026-06-22", "2026-06-29"]
    assert closure["sessions"] == 4


def test_one_mail_for_each_recipient_whatever_the_number_of_sessions(dojo: Dojo) -> None:
    mother = {"name": "Hana", "email": "hana@example.com"}
    group = create_class(dojo, recurrence=EVERY_DAY)
    other = create_class(dojo, name="Kids", recurrence=MONDAYS)
    for name in ("Mika", "Ren"):
        child = create_student(dojo, name, birth_date="2016-01-01", guardians=[mother])
        enrol(dojo, group, child)
        enrol(dojo, other, child)
    enrol(dojo, group, create_student(dojo, "Aiko", email="aiko@example.com"))
    held, gone = create_student(dojo, "Held", email="h@example.com"), create_student(dojo, "Gone")
    enrol(dojo, group, held, gone)
    dojo.create(f"/students/{held['id']}/holds", {"from": "2026-07-01", "until": "2026-07-31"})
    dojo.admin.delete(f"/students/{gone['id']}")
    create_student(dojo, "Not enrolled", email="n@example.com")
    close(dojo)
    sent = send_all(dojo)
    assert sorted(one.to for one in sent) == [["aiko@example.com"], ["hana@example.com"]]
    assert {one.subject for one in sent} == {"No training: 6 July 2026 to 19 July 2026"}
    body = next(one.body for one in sent if one.to == ["hana@example.com"])
    assert "the dojo is closed from 6 July 2026 to 19 July 2026." in body
    assert "Summer break" in body
    assert "Mika Sato and Ren Sato" in body


def test_the_same_closure_again_tells_no_one_again(dojo: Dojo) -> None:
    group = create_class(dojo)
    enrol(dojo, group, create_student(dojo, email="mika@example.com"))
    for _ in range(2):
        close(dojo, classes=[group["id"]])
    (sent,) = send_all(dojo)
    assert "Evening: there is no training from 6 July 2026" in sent.body
    assert (notifications(dojo, "closure"), notifications(dojo, "class_cancelled")) == (1, 0)


@pytest.mark.parametrize(
    "fields", [{"from": "2026-06-01", "until": "2026-06-14"}, {"from": "2026-07-07", "until": "2026-07-12"}]
)
def test_no_mail_about_days_on_which_nothing_is_missed(dojo: Dojo, fields: Any) -> None:
    enrol(dojo, create_class(dojo), create_student(dojo, email="mika@example.com"), **{"from": "2026-06-01"})
    close(dojo, **fields)
    assert notifications(dojo, "closure") == 0


def test_a_closure_far_ahead_tells_those_who_are_enrolled(dojo: Dojo) -> None:
    enrol(dojo, create_class(dojo), create_student(dojo, email="mika@example.com"))
    close(dojo, **{"from": "2027-02-01", "until": "2027-02-07"})
    assert len(send_all(dojo)) == 1


def test_the_dojo_may_turn_the_mail_off(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"notify_class_cancelled": False}))
    enrol(dojo, create_class(dojo), create_student(dojo, email="mika@example.com"))
    close(dojo)
    assert send_all(dojo) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"until": "2026-07-05"}, "until"),
        ({"until": "2028-07-05"}, "until"),
        ({"from": "soon"}, "from"),
        ({"from": "2050-01-01", "until": "2050-01-02"}, "from"),
        ({"classes": ["x"]}, "classes.0"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"students": []}, "students"),
    ],
)
def test_an_invalid_closure_is_refused_and_changes_nothing(dojo: Dojo, fields: Any, field: str) -> None:
    create_class(dojo)
    assert_invalid(dojo.admin.post("/closures", {**SUMMER, **fields}), field)
    assert ok(dojo.admin.get("/closures"))["count"] == 0
    assert cancelled_days(dojo) == []


def test_closures_are_listed_by_their_days_and_belong_to_one_dojo(dojo: Dojo, other_dojo: Dojo) -> None:
    group = create_class(dojo)
    summer, winter = close(dojo), close(dojo, **{"from": "2026-12-24", "until": "2027-01-02"})
    some = close(dojo, **{"from": "2026-09-01", "until": "2026-09-01"}, classes=[group["id"]])

    def listed(query: str = "") -> list[str]:
        return [row["id"] for row in ok(dojo.student.get(f"/closures{query}"))["results"]]

    assert listed() == [winter["id"], some["id"], summer["id"]]
    assert listed("?from=2026-07-19&to=2026-08-31") == [summer["id"]]
    assert listed("?from=2026-07-20") == [winter["id"], some["id"]]
    assert listed(f"?class={group['id']}") == [some["id"]]
    assert ok(other_dojo.admin.get("/closures"))["count"] == 0
    assert other_dojo.admin.get(f"/closures/{summer['id']}").status_code == 404
    assert other_dojo.admin.delete(f"/closures/{summer['id']}").status_code == 404
    assert dojo.student.post("/closures", SUMMER).status_code == 403


def test_a_closed_class_leaves_nothing_behind(dojo: Dojo) -> None:
    group = create_class(dojo)
    closure = close(dojo, classes=[group["id"]])
    reopen(dojo, closure)
    with tenant_scope(dojo.tenant):
        assert not Closure.objects.exists()
        assert not ClosedClass.objects.exists()
        assert not ClassSession.objects.filter(closure__isnull=False).exists()


def test_the_number_of_statements_does_not_depend_on_the_number_of_sessions(dojo: Dojo) -> None:
    def cost() -> tuple[int, int]:
        posted = number_of_statements(dojo.admin, "POST", "/closures", SUMMER, 201)
        closure = ok(dojo.admin.get("/closures"))["results"][0]
        return posted, number_of_statements(dojo.admin, "DELETE", f"/closures/{closure['id']}", status=204)

    ok(dojo.admin.patch("/settings", {"language": "en"}))  # saves the row of the settings, which is done once
    enrol(dojo, create_class(dojo), create_student(dojo))
    few = cost()
    for n in range(4):
        group = create_class(dojo, name=f"Class {n}", recurrence=EVERY_DAY)
        enrol(dojo, group, create_student(dojo, f"Student {n}"))
    many = cost()
    assert many == few
    with tenant_scope(dojo.tenant):
        assert Delivery.objects.filter(notification__kind="closure").count() == 1 + 5
    assert mail.outbox == []


# --- what leaves a closure out --------------------------------------------------------------------------------------


def test_rosters_expect_no_one_in_a_closure(dojo: Dojo) -> None:
    enrol(dojo, create_class(dojo), create_student(dojo))
    close(dojo)
    roster = ok(dojo.admin.get(f"/class-sessions/{session_on(dojo, '2026-07-06')['id']}"))["roster"]
    assert roster == []


def test_expected_attendance_leaves_out_closures_and_cancelled_sessions(dojo: Dojo) -> None:
    since = {"from": "2026-05-01"}
    every = {**MONDAYS, "from": "2026-05-04", "weekdays": ["mo", "th"]}
    rate = create_class(dojo, name="Rate", recurrence=every)
    weekly = create_class(
        dojo, name="Weekly", recurrence={**every, "start_time": "09:00"}, expected_attendance={"per_week": 2}
    )
    students = [create_student(dojo, name) for name in ("Aiko", "Ben")]
    for group in (rate, weekly):
        enrol(dojo, group, *students, **since)
    late = create_student(dojo, "Late")
    enrol(dojo, rate, late, **{"from": "2026-05-28"})

    def expected() -> dict[str, tuple[int, int, float]]:
        rows = ok(dojo.admin.get("/reports/expected-attendance?from=2026-05-04&to=2026-05-31"))["results"]
        return {row["class"]["name"]: (row["enrolled"], row["sessions"], row["expected"]) for row in rows}

    assert expected() == {"Rate": (3, 8, 17.0), "Weekly": (2, 8, 16.0)}
    close(dojo, **{"from": "2026-05-11", "until": "2026-05-17"})
    assert expected() == {"Rate": (3, 6, 13.0), "Weekly": (2, 6, 12.0)}
    (session,) = list_sessions(dojo, "2026-05-28", "2026-05-28", **{"class": rate["id"]})
    ok(dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)
    assert expected() == {"Rate": (3, 5, 10.0), "Weekly": (2, 6, 12.0)}
    close(dojo, **{"from": "2026-05-01", "until": "2026-05-31"})
    assert expected() == {"Rate": (3, 0, 0.0), "Weekly": (2, 0, 0.0)}


def absentees(dojo: Dojo, days: int) -> list[str]:
    rows = ok(dojo.admin.get(f"/reports/absentees?days={days}"))["results"]
    return [row["student"]["name"].split()[0] for row in rows]


def test_the_days_of_a_closure_of_the_dojo_are_no_absence(dojo: Dojo) -> None:
    mika = create_student(dojo)
    record_attendance(dojo, mika, factories.single_session(dojo, "2026-05-26T16:30:00Z"))
    assert absentees(dojo, 20) == ["Mika"]
    close(dojo, **{"from": "2026-06-01", "until": "2026-06-05"})
    close(dojo, **{"from": "2026-06-04", "until": "2026-06-06"})
    group = create_class(dojo)
    close(dojo, **{"from": "2026-06-07", "until": "2026-06-14"}, classes=[group["id"]])
    assert absentees(dojo, 15) == []
    assert absentees(dojo, 14) == ["Mika"]


def test_absence_is_counted_by_the_date_of_the_session(dojo: Dojo) -> None:
    """A session of long ago that is entered today does not hide the visit of yesterday, and is no visit of today."""
    mika, ren = create_student(dojo), create_student(dojo, "Ren")
    yesterday = factories.single_session(dojo, "2026-06-14T16:30:00Z")
    long_ago = factories.single_session(dojo, "2026-04-01T16:30:00Z")
    record_attendance(dojo, mika, yesterday)
    for who in (mika, ren):
        record_attendance(dojo, who, long_ago, checked_in_at="2026-06-15T16:00:00Z")
    row = ok(dojo.admin.get("/reports/absentees?days=1"))["results"][0]
    assert (row["student"]["name"], row["last_visit"], row["days"]) == ("Ren Sato", "2026-04-01", 75)
    rows = ok(dojo.admin.get("/reports/absentees?days=1"))["results"]
    assert [one["last_visit"] for one in rows] == ["2026-04-01", "2026-06-14"]


def test_an_attendance_of_the_future_is_no_visit_yet(dojo: Dojo) -> None:
    mika = create_student(dojo, joined_on="2026-01-01")
    store_attendance(dojo, mika, factories.single_session(dojo, "2026-07-25T16:30:00Z"))
    assert absentees(dojo, 14) == ["Mika"]


def test_who_comes_back_from_a_hold_was_not_absent_meanwhile(dojo: Dojo) -> None:
    mika = create_student(dojo)
    record_attendance(dojo, mika, factories.single_session(dojo, "2026-03-01T16:30:00Z"))
    dojo.create(f"/students/{mika['id']}/holds", {"from": "2026-03-02", "until": "2026-06-07"})
    assert absentees(dojo, 9) == []
    assert absentees(dojo, 8) == ["Mika"]


def test_who_enrolled_lately_and_never_came_is_not_absent_yet(dojo: Dojo) -> None:
    mika = create_student(dojo)
    assert absentees(dojo, 14) == ["Mika"]
    enrol(dojo, create_class(dojo), mika, **{"from": "2026-06-10"})
    assert absentees(dojo, 14) == []
    assert absentees(dojo, 5) == ["Mika"]
