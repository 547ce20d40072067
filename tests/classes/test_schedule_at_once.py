"""What happens to the schedule when several do something at the same moment."""
# ruff: noqa: B008 - a window is opened where the deed is written down: each belongs to one thread

from collections import Counter
from datetime import date
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.materialise import materialise
from tenant_apps.classes.models import CalendarFeed, ClassSession, TrainingClass
from tests.classes.schedules import MONDAYS, a_class, a_student, session_on, sessions
from tests.support.clients import Dojo
from tests.support.now import NOW

pytestmark = pytest.mark.usefixtures("real_dojo")


@pytest.fixture
def dojo(real_dojo: Dojo) -> Dojo:
    """The committed dojo, without the classes of the tests before."""
    for group in real_dojo.admin.get("/classes").json()["results"]:
        real_dojo.admin.delete(f"/classes/{group['id']}")
    return real_dojo


@pytest.fixture
def window(dojo: Dojo, another: Any) -> Any:
    """Return what opens another window of the admin's."""
    return lambda: another(dojo.admin)


def test_sessions_made_at_once_are_made_once(dojo: Dojo, at_once: Any) -> None:
    group = a_class(dojo)
    with tenant_scope(dojo.tenant):
        TrainingClass.objects.filter(pk=group["id"]).update(materialised_until=date(2026, 6, 20))
        ClassSession.objects.filter(training_class=group["id"], local_date__gt=date(2026, 6, 20)).delete()

    def make() -> int:
        with tenant_scope(dojo.tenant):
            return materialise(until=date(2026, 12, 31), now=NOW)

    assert sum(at_once(*[make] * 6)) == 1
    found = Counter(
        one["local_date"] for one in sessions(dojo, "2026-06-01", "2026-12-31", **{"class": group["id"]})
    )
    assert len(found) == 31
    assert set(found.values()) == {1}


def test_two_changes_of_one_session_both_last(dojo: Dojo, at_once: Any, window: Any) -> None:
    group = a_class(dojo)
    for n in range(5):
        session = session_on(dojo, "2026-06-22", **{"class": group["id"]})
        path = f"/class-sessions/{session['id']}"
        bodies = [{"note": f"Note {n}"}, {"capacity": 10 + n}, {"location": f"Hall {n}"}]
        answers = at_once(*[lambda b=body, p=path, c=window(): c.patch(p, b) for body in bodies])
        assert [one.status_code for one in answers] == [200] * 3
        after = session_on(dojo, "2026-06-22", **{"class": group["id"]})
        assert (after["note"], after["capacity"], after["location"]) == (f"Note {n}", 10 + n, f"Hall {n}")


def test_of_two_sessions_of_a_class_at_one_time_one_is_made(dojo: Dojo, at_once: Any, window: Any) -> None:
    group = a_class(dojo)
    body = {"class": group["id"], "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60}
    answers = at_once(*[lambda c=window(): c.post("/class-sessions", body) for _ in range(4)])
    assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]


def test_a_class_changes_while_its_sessions_do_and_nothing_is_in_anothers_way(
    dojo: Dojo, at_once: Any, window: Any
) -> None:
    group = a_class(dojo)
    wanted = {"class": group["id"]}
    for start in ("19:00", "18:30", "20:00"):
        session = session_on(dojo, "2026-06-29", **wanted)
        deeds = [
            lambda c=window(), s=start: c.patch(
                f"/classes/{group['id']}", {"recurrence": {**MONDAYS, "start_time": s}}
            ),
            lambda c=window(), i=session["id"]: c.patch(f"/class-sessions/{i}", {"note": "x"}),
            lambda c=window(): c.get("/class-sessions?from=2026-06-01&to=2026-12-31"),
            lambda c=window(), i=session["id"]: c.post(f"/class-sessions/{i}/cancellation"),
        ]
        answers = at_once(*deeds)
        assert all(one.status_code < 500 for one in answers), [one.content for one in answers]
        assert answers[0].status_code == answers[2].status_code == 200
        assert {answers[1].status_code, answers[3].status_code} <= {200, 201, 404}
        days = Counter(one["local_date"] for one in sessions(dojo, "2026-06-16", **wanted))
        assert set(days.values()) == {1}


def test_a_session_that_is_moved_while_somebody_checks_in_keeps_the_attendance(
    dojo: Dojo, at_once: Any, window: Any
) -> None:
    group = a_class(dojo)
    session = session_on(dojo, "2026-06-15", **{"class": group["id"]})
    students = [a_student(dojo, f"Aki {n}") for n in range(3)]
    tokens = [dojo.admin.post("/qr", {"student": who["id"]}).json()["token"] for who in students]
    scans = [
        lambda c=window(), t=token: c.post("/attendance/scan", {"token": t, "class_session": session["id"]})
        for token in tokens
    ]
    moves = [
        lambda c=window(): c.patch(f"/class-sessions/{session['id']}", {"starts_at": "2026-06-15T16:35:00Z"}),
        lambda c=window(): c.patch(f"/classes/{group['id']}", {"name": "Renamed"}),
    ]
    answers = at_once(*scans, *moves)
    assert [one.status_code for one in answers] == [201, 201, 201, 200, 200]
    shown = dojo.admin.get(f"/class-sessions/{session['id']}").json()
    assert len(shown["roster"]) == 3
    assert shown["starts_at"] == "2026-06-15T16:35:00Z"


def test_a_feed_made_twice_at_once_is_one(dojo: Dojo, at_once: Any, window: Any) -> None:
    answers = at_once(*[lambda c=window(): c.post("/me/calendar") for _ in range(4)])
    assert [one.status_code for one in answers] == [201] * 4
    with tenant_scope(dojo.tenant):
        assert CalendarFeed.objects.count() == 1
    addresses = {one.json()["url"].partition("localhost")[2] for one in answers}
    found = [dojo.anonymous.get(url[url.index("/") :]).status_code for url in addresses]
    assert sorted(found) == [200, 404, 404, 404]


def test_rosters_saved_at_once_leave_one_attendance_each(dojo: Dojo, at_once: Any, window: Any) -> None:
    group = a_class(dojo)
    session = session_on(dojo, "2026-06-15", **{"class": group["id"]})
    students = [a_student(dojo, f"Ren {n}") for n in range(5)]
    states = ["present", "late", "present", "late"]
    bodies = [{"entries": [{"student": who["id"], "state": state} for who in students]} for state in states]
    path = f"/class-sessions/{session['id']}/roster"
    for _ in range(3):
        answers = at_once(*[lambda b=body, c=window(): c.put(path, b) for body in bodies])
        assert [one.status_code for one in answers] == [200] * 4
        roster = dojo.admin.get(f"/class-sessions/{session['id']}").json()["roster"]
        assert len({line["attendance"] for line in roster}) == len(roster) == 5
        assert len({line["state"] for line in roster}) == 1
