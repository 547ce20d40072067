"""What the schedule costs in statements: fixed numbers, whatever there is."""

import pytest

from tests.classes.schedules import MONDAYS, a_class, a_student, cost, enrol, session_on
from tests.support.clients import Dojo

EVERY_DAY = {**MONDAYS, "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"]}
LIST = "/class-sessions?page_size=200&from=2026-06-01&to=2026-07-31"


def test_the_list_of_sessions(dojo: Dojo) -> None:
    a_class(dojo, instructors=[str(dojo.instructor.user.pk)])
    before = cost(dojo.admin, "GET", LIST)
    for n in range(4):
        a_class(dojo, name=f"Class {n}", recurrence=EVERY_DAY, instructors=[str(dojo.admin.user.pk)])
    assert cost(dojo.admin, "GET", LIST) == before == 5  # the caller, what is due, count, rows, instructors


@pytest.mark.parametrize("recurrence", [MONDAYS, EVERY_DAY])
def test_making_a_class(dojo: Dojo, recurrence: dict) -> None:
    body = {"name": "Kids", "recurrence": recurrence, "instructors": [str(dojo.admin.user.pk)]}
    assert cost(dojo.admin, "POST", "/classes", body, 201) <= 16


@pytest.mark.parametrize("recurrence", [MONDAYS, EVERY_DAY])
def test_changing_a_class(dojo: Dojo, recurrence: dict) -> None:
    path = f"/classes/{a_class(dojo, recurrence=recurrence)['id']}"
    body = {"name": "Later", "recurrence": {**recurrence, "start_time": "19:00"}}
    assert cost(dojo.admin, "PATCH", path, body) <= 24


def test_one_session_with_its_roster(dojo: Dojo) -> None:
    group = a_class(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}"
    enrol(dojo, group, a_student(dojo))
    before = cost(dojo.admin, "GET", path)
    enrol(dojo, group, *[a_student(dojo, f"Student {n}") for n in range(6)])
    assert (
        cost(dojo.admin, "GET", path) == before == 4
    )  # the caller, the session, the enrolled, those who came


def test_the_enrolments_of_a_class(dojo: Dojo) -> None:
    group = a_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    enrol(dojo, group, a_student(dojo))
    before = cost(dojo.admin, "GET", path)
    enrol(dojo, group, *[a_student(dojo, f"Student {n}") for n in range(6)])
    assert cost(dojo.admin, "GET", path) == before == 4
