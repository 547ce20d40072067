"""How many statements the schedule needs: fixed numbers, whatever its size."""

import pytest

from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    number_of_statements,
    session_on,
)
from tests.support.clients import Dojo

EVERY_DAY = {**MONDAYS, "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"]}
LIST = "/class-sessions?page_size=200&from=2026-06-01&to=2026-07-31"


def test_the_list_of_sessions_needs_four_statements(dojo: Dojo) -> None:
    create_class(dojo, instructors=[str(dojo.instructor.user.pk)])
    before = number_of_statements(dojo.admin, "GET", LIST)
    for n in range(4):
        create_class(dojo, name=f"Class {n}", recurrence=EVERY_DAY, instructors=[str(dojo.admin.user.pk)])
    # The user, the classes without sessions, the rows with their count, the instructors.
    assert number_of_statements(dojo.admin, "GET", LIST) == before == 4


@pytest.mark.parametrize("recurrence", [MONDAYS, EVERY_DAY])
def test_creating_a_class_needs_at_most_16_statements(dojo: Dojo, recurrence: dict) -> None:
    body = {"name": "Kids", "recurrence": recurrence, "instructors": [str(dojo.admin.user.pk)]}
    assert number_of_statements(dojo.admin, "POST", "/classes", body, 201) <= 16


@pytest.mark.parametrize("recurrence", [MONDAYS, EVERY_DAY])
def test_changing_a_class_needs_at_most_24_statements(dojo: Dojo, recurrence: dict) -> None:
    path = f"/classes/{create_class(dojo, recurrence=recurrence)['id']}"
    body = {"name": "Later", "recurrence": {**recurrence, "start_time": "19:00"}}
    assert number_of_statements(dojo.admin, "PATCH", path, body) <= 24


def test_a_session_with_its_roster_needs_four_statements(dojo: Dojo) -> None:
    group = create_class(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}"
    enrol(dojo, group, create_student(dojo))
    before = number_of_statements(dojo.admin, "GET", path)
    enrol(dojo, group, *[create_student(dojo, f"Student {n}") for n in range(6)])
    # The user, the session, the enrolments, the attendances.
    assert number_of_statements(dojo.admin, "GET", path) == before == 4


def test_the_enrolments_of_a_class_need_three_statements(dojo: Dojo) -> None:
    group = create_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    enrol(dojo, group, create_student(dojo))
    before = number_of_statements(dojo.admin, "GET", path)
    enrol(dojo, group, *[create_student(dojo, f"Student {n}") for n in range(6)])
    assert number_of_statements(dojo.admin, "GET", path) == before == 3
