"""The week view: sessions as columns or as a list, cancelled and moved ones, closures."""

from datetime import date
from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

STATEMENTS = 10


@pytest.fixture
def evening_class(dojo: Dojo) -> dict[str, Any]:
    return factories.training_class(dojo, location="Main hall")


def test_a_dojo_without_classes_is_told_what_to_do_first(dojo: Dojo) -> None:
    page = visitor(dojo, "admin").get("/desk/schedule")
    assert "Add the first class" in text_of(page)
    assert "Add the first class" not in text_of(visitor(dojo, "assistant").get("/desk/schedule"))


def test_the_week_shows_local_times_and_how_many_come(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    student = factories.student(dojo)
    dojo.create(
        f"/classes/{evening_class['id']}/enrolments", {"student": student["id"], "from": "2026-06-01"}
    )
    factories.attendance(dojo, student, factories.session_today(dojo, evening_class))
    shown = text_of(visitor(dojo, "assistant").get("/desk/schedule"))
    assert "Week 25: 15 Jun 2026 – 21 Jun 2026" in shown
    assert "18:30 –20:00 Evening class 1 here · 1 expected Main hall" in shown


@pytest.mark.parametrize("day", ["2026-06-22", "2026-06-24", "2026-06-28"])
def test_any_day_opens_its_week(dojo: Dojo, evening_class: dict[str, Any], day: str) -> None:
    assert "Week 26: 22 Jun 2026 – 28 Jun 2026" in text_of(
        visitor(dojo, "admin").get(f"/desk/schedule?day={day}")
    )


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_opens_this_week(dojo: Dojo, evening_class: dict[str, Any], day: str) -> None:
    page = visitor(dojo, "admin").get(f"/desk/schedule?day={day}")
    assert page.status_code == 200
    assert "Week 25:" in text_of(page)


def test_a_week_too_far_ahead_says_so(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    page = visitor(dojo, "admin").get("/desk/schedule?day=2031-01-06")
    assert page.status_code == 200
    assert "notice warning" in page.content.decode()


def test_cancelled_and_moved_sessions_are_seen(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    first, second = (
        factories.list_sessions(dojo, **{"class": evening_class["id"], "from": day, "to": day})[0]
        for day in ("2026-06-15", "2026-06-22")
    )
    dojo.admin.post(f"/class-sessions/{first['id']}/cancellation", {"reason": "Storm"})
    dojo.admin.patch(f"/class-sessions/{second['id']}", {"starts_at": "2026-06-24T17:00:00Z"})
    assert "Evening class cancelled" in text_of(visitor(dojo, "admin").get("/desk/schedule"))
    assert "Evening class moved from Mon 22, 18:30" in text_of(
        visitor(dojo, "admin").get("/desk/schedule?day=2026-06-24")
    )


def test_closed_days_are_seen(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    dojo.create("/closures", {"from": "2026-06-19", "until": "2026-06-20", "reason": "Midsummer"})
    assert text_of(visitor(dojo, "admin").get("/desk/schedule")).count("Closed Midsummer") == 2


def test_sessions_of_one_place_are_shown_alone(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    factories.single_session(dojo, location="Gym")
    shown = text_of(visitor(dojo, "admin").get("/desk/schedule?location=Gym"))
    assert "Open mat" in shown
    assert "Evening class" not in shown


def test_sessions_at_the_same_time_stand_side_by_side(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    factories.single_session(dojo, "2026-06-15T17:00:00Z")
    page = visitor(dojo, "admin").get("/desk/schedule").content.decode()
    # 18:30–20:00 in the first lane; 19:00–20:00 in the second. Rows of five minutes from 18:00 on.
    assert ".e0 { grid-area: 7 / 1 / 25 / 2; }" in page
    assert ".e1 { grid-area: 13 / 2 / 25 / 3; }" in page


def test_a_session_across_midnight_ends_at_the_bottom_of_its_day(dojo: Dojo) -> None:
    factories.single_session(dojo, "2026-06-15T21:00:00Z", duration_minutes=120)
    page = visitor(dojo, "admin").get("/desk/schedule").content.decode()
    assert ".e0 { grid-area: 37 / 1 / 49 / 2; }" in page


def test_only_those_who_may_add_sessions_are_offered_to(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    assert "Single session" in text_of(visitor(dojo, "instructor").get("/desk/schedule"))
    assert "Single session" not in text_of(visitor(dojo, "assistant").get("/desk/schedule"))
    assert visitor(dojo, "student").get("/desk/schedule").status_code == 403


def test_another_dojo_sees_nothing_of_it(dojo: Dojo, other_dojo: Dojo, evening_class: dict[str, Any]) -> None:
    assert "Evening class" not in text_of(visitor(other_dojo, "admin").get("/desk/schedule"))


def test_the_statements_do_not_grow_with_the_sessions(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    few = count_statements(lambda: browser.get("/desk/schedule"))
    for day in range(15, 20):
        factories.single_session(
            dojo, f"{date(2026, 6, day)}T08:00:00Z", instructors=[str(dojo.admin.user.pk)]
        )
    many = count_statements(lambda: browser.get("/desk/schedule"))
    assert many - few <= 1  # the names of the instructors, once there are any
    assert many == STATEMENTS


def test_today_leads_to_the_session(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    session = factories.session_today(dojo, evening_class)
    assert (
        f'href="/desk/schedule/sessions/{session["id"]}"'
        in visitor(dojo, "assistant").get("/desk").content.decode()
    )
