"""The calendar feed: a secret URL for each user, read by an independent parser."""

from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar import Calendar

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.calendar_feed import delete_feeds_of_inactive_users
from tenant_apps.classes.models import CalendarFeed
from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    number_of_statements,
    session_on,
)
from tests.support.clients import Caller, Dojo


def feed_path(caller: Caller) -> str:
    answer = caller.post("/me/calendar")
    assert answer.status_code == 201, answer.content
    url = answer.json()["url"]
    return str(url[url.index("/calendar.ics") :])


def events(dojo: Dojo, path: str) -> list[Any]:
    answer = dojo.anonymous.get(path)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def test_a_calendar_shows_each_session_at_its_time(dojo: Dojo) -> None:
    create_class(dojo, location="Hall A, upstairs; left", instructors=[str(dojo.instructor.user.pk)])
    session = session_on(dojo, "2026-06-22")
    found = events(dojo, feed_path(dojo.admin))
    assert [one.decoded("dtstart") for one in found][:3] == [
        datetime(2026, 6, day, 16, 30, tzinfo=UTC) for day in (1, 8, 15)
    ]
    one = next(one for one in found if str(one["uid"]).startswith(session["id"]))
    assert one.decoded("dtend") == datetime(2026, 6, 22, 18, 0, tzinfo=UTC)
    assert (str(one["summary"]), str(one["location"])) == ("Evening", "Hall A, upstairs; left")
    assert (str(one["status"]), str(one["description"])) == ("CONFIRMED", "Instructor")


def test_a_calendar_has_thirty_days_back_and_ninety_ahead(dojo: Dojo) -> None:
    create_class(
        dojo,
        recurrence={**MONDAYS, "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"], "from": "2026-01-01"},
    )
    days = [one.decoded("dtstart").date().isoformat() for one in events(dojo, feed_path(dojo.admin))]
    assert (days[0], days[-1], len(days)) == ("2026-05-16", "2026-09-13", 121)


def test_a_cancelled_session_is_marked_and_keeps_its_uid(dojo: Dojo) -> None:
    create_class(dojo)
    session, path = session_on(dojo, "2026-06-22"), feed_path(dojo.admin)
    before = {str(one["uid"]) for one in events(dojo, path)}
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation", {"reason": "Flooded"})
    after = events(dojo, path)
    assert {str(one["uid"]) for one in after} == before
    assert [str(one["description"]) for one in after if one["status"] == "CANCELLED"] == ["Flooded"]


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Cancelled: Evening"), ("pt-br", "Cancelada: Evening")]
)
def test_the_title_of_a_cancelled_session_says_so(dojo: Dojo, language: str, title: str) -> None:
    create_class(dojo)
    dojo.admin.patch("/settings", {"language": language})
    session, path = session_on(dojo, "2026-06-22"), feed_path(dojo.admin)
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation")
    found = {str(one["uid"]).partition("@")[0]: str(one["summary"]) for one in events(dojo, path)}
    assert found.pop(session["id"]) == title
    assert set(found.values()) == {"Evening"}
    dojo.admin.delete(f"/class-sessions/{session['id']}/cancellation")
    assert {str(one["summary"]) for one in events(dojo, path)} == {"Evening"}


def test_sessions_in_a_closure_are_left_out_until_it_reopens(dojo: Dojo) -> None:
    create_class(dojo)
    path = feed_path(dojo.student)
    before = [str(one["uid"]) for one in events(dojo, path)]
    closure = dojo.create("/closures", {"from": "2026-06-22", "until": "2026-07-05"})
    assert len(events(dojo, path)) == len(before) - 2
    dojo.admin.delete(f"/closures/{closure['id']}")
    assert [str(one["uid"]) for one in events(dojo, path)] == before


def test_the_coming_sessions_of_an_archived_class_are_gone(dojo: Dojo) -> None:
    group = create_class(dojo)
    path = feed_path(dojo.admin)
    cancelled, moved = session_on(dojo, "2026-06-22"), session_on(dojo, "2026-06-29")
    dojo.admin.post(f"/class-sessions/{cancelled['id']}/cancellation")
    dojo.admin.patch(f"/class-sessions/{moved['id']}", {"starts_at": "2026-06-30T16:30:00Z"})
    assert dojo.admin.delete(f"/classes/{group['id']}").status_code == 204
    assert [one.decoded("dtstart").day for one in events(dojo, path)] == [1, 8, 15]


def test_a_parent_sees_the_classes_of_their_children_and_sessions_without_a_class(dojo: Dojo) -> None:
    child = create_student(dojo)
    kids, others = create_class(dojo, name="Kids"), create_class(dojo, name="Others")
    dojo.create(
        "/class-sessions", {"name": "Seminar", "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60}
    )
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [child["id"]]})
    path = feed_path(dojo.student)
    assert {str(one["summary"]) for one in events(dojo, path)} == {"Kids", "Others", "Seminar"}
    enrol(dojo, kids, child)
    assert {str(one["summary"]) for one in events(dojo, path)} == {"Kids", "Seminar"}
    enrol(dojo, others, create_student(dojo, "Ren"))
    assert {str(one["summary"]) for one in events(dojo, path)} == {"Kids", "Seminar"}


def test_a_new_url_replaces_the_previous_one_and_delete_ends_it(dojo: Dojo) -> None:
    first = feed_path(dojo.admin)
    second = feed_path(dojo.admin)
    assert dojo.anonymous.get(first).status_code == 404
    assert dojo.anonymous.get(second).status_code == 200
    for _ in range(2):
        assert dojo.admin.delete("/me/calendar").status_code == 204
    assert dojo.anonymous.get(second).status_code == 404


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=" + "x" * 5000])
def test_a_wrong_token_is_not_found(dojo: Dojo, query: str) -> None:
    feed_path(dojo.admin)
    answer = dojo.anonymous.get(f"/calendar.ics{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_token_of_another_dojo_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    path = feed_path(other_dojo.admin)
    assert dojo.anonymous.get(path).status_code == 404
    assert other_dojo.anonymous.get(path).status_code == 200


def test_the_feed_of_an_inactive_user_is_deleted(dojo: Dojo) -> None:
    path = feed_path(dojo.instructor)
    user = f"/users/{dojo.instructor.user.pk}"
    dojo.admin.patch(user, {"is_active": False})
    assert dojo.anonymous.get(path).status_code == 404
    with tenant_scope(dojo.tenant):
        assert delete_feeds_of_inactive_users() == 1
    dojo.admin.patch(user, {"is_active": True})
    assert dojo.anonymous.get(path).status_code == 404


def test_the_token_is_not_stored(dojo: Dojo) -> None:
    token = feed_path(dojo.admin).partition("token=")[2]
    with tenant_scope(dojo.tenant):
        feed = CalendarFeed.objects.get()
    assert token.encode() not in bytes(feed.token_hash)
    assert len(bytes(feed.token_hash)) == 32


def test_an_unchanged_schedule_is_not_sent_again(dojo: Dojo) -> None:
    create_class(dojo)
    path = feed_path(dojo.admin)
    first = dojo.anonymous.get(path)
    again = dojo.anonymous.get(path, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    dojo.admin.patch(f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}", {"note": "x"})
    assert dojo.anonymous.get(path, If_None_Match=first.headers["ETag"]).status_code == 200


def test_every_accept_header_of_a_calendar_program_works(dojo: Dojo) -> None:
    path = feed_path(dojo.admin)
    for accepted in ("text/calendar", "*/*", "text/calendar, text/plain;q=0.5"):
        assert dojo.anonymous.get(path, Accept=accepted).status_code == 200


def test_a_calendar_needs_three_statements_whatever_its_size(dojo: Dojo) -> None:
    create_class(dojo, instructors=[str(dojo.instructor.user.pk)])
    path = feed_path(dojo.admin)
    before = number_of_statements(dojo.anonymous, "GET", path)
    for n in range(5):
        create_class(dojo, name=f"Class {n}", instructors=[str(dojo.admin.user.pk)])
    assert number_of_statements(dojo.anonymous, "GET", path) == before == 3
