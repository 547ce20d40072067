"""Concurrent changes of the schedule, on a committed dojo.

Each call has a client of its own, because a client belongs to one thread.
"""
# ruff: noqa: B008 - a default argument binds the client when the call is written down

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import CalendarFeed, ClassSession, TrainingClass
from tenant_apps.classes.session_generation import generate_sessions
from tests.classes.factories import MONDAYS, create_class, create_student, list_sessions, session_on
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently


@pytest.fixture
def dojo(real_dojo: Dojo) -> Dojo:
    """The committed dojo, without the classes of earlier tests."""
    for group in real_dojo.admin.get("/classes").json()["results"]:
        real_dojo.admin.delete(f"/classes/{group['id']}")
    return real_dojo


@pytest.fixture
def client(dojo: Dojo, new_client: Any) -> Any:
    """Return a function that opens another client for the admin."""
    return lambda: new_client(dojo.admin)


def run_race(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same time; return what each returned. Raises the first error."""
    answers = run_concurrently(calls)
    raise_first_error(answers)
    return answers


def test_concurrent_generation_makes_each_session_once(dojo: Dojo) -> None:
    group = create_class(dojo)
    with tenant_scope(dojo.tenant):
        TrainingClass.objects.filter(pk=group["id"]).update(materialised_until=date(2026, 6, 20))
        ClassSession.objects.filter(training_class=group["id"], local_date__gt=date(2026, 6, 20)).delete()

    def make() -> int:
        with tenant_scope(dojo.tenant):
            return generate_sessions(until=date(2026, 12, 31), now=NOW)

    assert sum(run_race(*[make] * 6)) == 1
    found = Counter(
        one["local_date"] for one in list_sessions(dojo, "2026-06-01", "2026-12-31", **{"class": group["id"]})
    )
    assert len(found) == 31
    assert set(found.values()) == {1}


def test_concurrent_changes_of_different_fields_are_all_kept(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    for n in range(5):
        session = session_on(dojo, "2026-06-22", **{"class": group["id"]})
        path = f"/class-sessions/{session['id']}"
        bodies = [{"note": f"Note {n}"}, {"capacity": 10 + n}, {"location": f"Hall {n}"}]
        answers = run_race(*[lambda b=body, p=path, c=client(): c.patch(p, b) for body in bodies])
        assert [one.status_code for one in answers] == [200] * 3
        after = session_on(dojo, "2026-06-22", **{"class": group["id"]})
        assert (after["note"], after["capacity"], after["location"]) == (f"Note {n}", 10 + n, f"Hall {n}")


def test_one_of_several_concurrent_sessions_at_one_time_is_created(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    body = {"class": group["id"], "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60}
    answers = run_race(*[lambda c=client(): c.post("/class-sessions", body) for _ in range(4)])
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]


def test_a_class_and_its_sessions_can_be_changed_concurrently(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    wanted = {"class": group["id"]}
    for start in ("19:00", "18:30", "20:00"):
        session = session_on(dojo, "2026-06-29", **wanted)
        calls = [
            lambda c=client(), s=start: c.patch(
                f"/classes/{group['id']}", {"recurrence": {**MONDAYS, "start_time": s}}
            ),
            lambda c=client(), i=session["id"]: c.patch(f"/class-sessions/{i}", {"note": "x"}),
            lambda c=client(): c.get("/class-sessions?from=2026-06-01&to=2026-12-31"),
            lambda c=client(), i=session["id"]: c.post(f"/class-sessions/{i}/cancellation"),
        ]
        answers = run_race(*calls)
        assert all(one.status_code < 500 for one in answers), [one.content for one in answers]
        assert answers[0].status_code == answers[2].status_code == 200
        assert {answers[1].status_code, answers[3].status_code} <= {200, 201, 404}
        days = Counter(one["local_date"] for one in list_sessions(dojo, "2026-06-16", **wanted))
        assert set(days.values()) == {1}


def test_a_session_moved_during_check_in_keeps_the_attendance(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    session = session_on(dojo, "2026-06-15", **{"class": group["id"]})
    students = [create_student(dojo, f"Aki {n}") for n in range(3)]
    tokens = [dojo.admin.post("/qr", {"student": who["id"]}).json()["token"] for who in students]
    scans = [
        lambda c=client(), t=token: c.post("/attendance/scan", {"token": t, "class_session": session["id"]})
        for token in tokens
    ]
    moves = [
        lambda c=client(): c.patch(f"/class-sessions/{session['id']}", {"starts_at": "2026-06-15T16:35:00Z"}),
        lambda c=client(): c.patch(f"/classes/{group['id']}", {"name": "Renamed"}),
    ]
    answers = run_race(*scans, *moves)
    assert [one.status_code for one in answers] == [201, 201, 201, 200, 200]
    shown = dojo.admin.get(f"/class-sessions/{session['id']}").json()
    assert len(shown["roster"]) == 3
    assert shown["starts_at"] == "2026-06-15T16:35:00Z"


def test_concurrent_requests_create_one_feed(dojo: Dojo, client: Any) -> None:
    answers = run_race(*[lambda c=client(): c.post("/me/calendar") for _ in range(4)])
    assert [one.status_code for one in answers] == [201] * 4
    with tenant_scope(dojo.tenant):
        assert CalendarFeed.objects.count() == 1
    addresses = {one.json()["url"].partition("localhost")[2] for one in answers}
    found = [dojo.anonymous.get(url[url.index("/") :]).status_code for url in addresses]
    assert sorted(found) == [200, 404, 404, 404]


def test_rosters_saved_concurrently_leave_one_attendance_for_each_student(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    session = session_on(dojo, "2026-06-15", **{"class": group["id"]})
    students = [create_student(dojo, f"Ren {n}") for n in range(5)]
    states = ["present", "late", "present", "late"]
    bodies = [{"entries": [{"student": who["id"], "state": state} for who in students]} for state in states]
    path = f"/class-sessions/{session['id']}/roster"
    for _ in range(3):
        answers = run_race(*[lambda b=body, c=client(): c.put(path, b) for body in bodies])
        assert [one.status_code for one in answers] == [200] * 4
        roster = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
        assert len({line["attendance"] for line in roster}) == len(roster) == 5
        assert len({line["state"] for line in roster}) == 1


def test_no_session_is_made_beside_a_closure_without_seeing_it(dojo: Dojo, client: Any) -> None:
    group = create_class(dojo)
    days = {"from": "2026-09-01", "until": "2026-09-30"}
    single = {"name": "Open mat", "starts_at": "2026-09-05T08:00:00Z", "duration_minutes": 60}
    late = session_on(dojo, "2026-08-31", **{"class": group["id"]})
    daily = {**MONDAYS, "weekdays": ["mo", "we", "fr"]}
    calls = [
        lambda c=client(): c.post("/closures", days),
        lambda c=client(): c.post("/class-sessions", single),
        lambda c=client(): c.post("/closures", {**days, "classes": [group["id"]]}),
        lambda c=client(): c.patch(f"/classes/{group['id']}", {"recurrence": daily}),
        lambda c=client(): c.patch(f"/class-sessions/{late['id']}", {"starts_at": "2026-09-01T08:00:00Z"}),
        lambda c=client(): c.get("/class-sessions?to=2026-12-31"),
    ]
    answers = run_race(*calls)
    assert [one.status_code for one in answers] == [201, 201, 201, 200, 200, 200]
    in_september = list_sessions(dojo, "2026-09-01", "2026-09-30")
    assert {one["status"] for one in in_september} == {"cancelled"}
    assert len(in_september) == 1 + 1 + 13
    both = [one["id"] for one in dojo.admin.get("/closures").json()["results"]]
    answers = run_race(*[lambda c=client(), i=one: c.delete(f"/closures/{i}") for one in both * 2])
    assert sorted(one.status_code for one in answers) == [204, 204, 404, 404]
    assert {one["status"] for one in list_sessions(dojo, "2026-09-01", "2026-09-30")} == {"scheduled"}
    for one in in_september:
        if one["class"] is None:
            dojo.admin.post(f"/class-sessions/{one['id']}/cancellation")
