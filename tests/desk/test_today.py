"""The page of today."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tatami import clock
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.civil_dates import birthday, births_celebrated
from tests.attendance.scanning import scan
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, text_of, visitor
from tests.support.statements import count_statements


def test_it_shows_the_sessions_of_the_day_with_their_numbers(dojo: Dojo) -> None:
    one, two = factories.student(dojo), factories.student(dojo, first_name="Ren")
    evening = factories.training_class(dojo)
    for student in (one, two):
        dojo.admin.post(f"/classes/{evening['id']}/enrolments", {"student": student["id"]})
    session = factories.session_today(dojo, evening)
    dojo.admin.post("/attendance", {"student": one["id"], "class_session": session["id"]})
    shown = text_of(visitor(dojo, "assistant").get("/desk"))
    assert "18:30 Evening class" in shown
    assert "present 1 expected 2" in shown


def test_a_day_without_sessions_leads_to_the_week(dojo: Dojo) -> None:
    page = visitor(dojo, "assistant").get("/desk")
    assert "There are no sessions today. See the week" in text_of(page)
    assert '<a href="/desk/schedule">See the week</a>' in page.content.decode()


def test_months_are_written_as_the_language_writes_them(dojo: Dojo) -> None:
    assert "Monday, 15 June" in text_of(visitor(dojo, "assistant").get("/desk"))
    assert dojo.admin.patch("/settings", {"language": "pt-br"}).status_code == 200
    assert "Segunda-feira, 15 de junho" in text_of(visitor(dojo, "assistant").get("/desk"))


def test_birthdays_of_the_week_are_shown(dojo: Dojo) -> None:
    factories.student(dojo, birth_date="2000-06-15")
    factories.student(dojo, first_name="Ren", birth_date="2010-06-20")
    factories.student(dojo, first_name="Aki", birth_date="2010-07-20")
    answer = visitor(dojo, "admin").get("/desk")
    page, shown = answer.content.decode(), text_of(answer)
    assert "Mika Sato turns 26 today" in shown
    assert "Ren Sato turns 16" in shown
    birthdays = page.partition('id="birthdays-title"')[2].partition("</section>")[0]
    assert birthdays.count('href="/desk/students/') == 2
    assert "Aki" not in shown.partition("Birthdays")[2].partition("Away for long")[0]


@pytest.mark.parametrize(
    ("setting", "today", "shown"),
    [
        ("mar1", date(2027, 2, 28), "turns 19 Monday, 1 March"),
        ("mar1", date(2027, 3, 1), "turns 19 today"),
        ("mar1", date(2027, 3, 2), ""),
        ("feb28", date(2027, 2, 28), "turns 19 today"),
        ("feb28", date(2027, 3, 1), ""),
        ("mar1", date(2028, 2, 28), "turns 20 Tuesday, 29 February"),
        ("feb28", date(2028, 2, 29), "turns 20 today"),
        ("mar1", date(2028, 3, 1), ""),
    ],
)
def test_a_birthday_on_29_february_is_on_the_day_that_the_dojo_has_chosen(
    dojo: Dojo, setting: str, today: date, shown: str
) -> None:
    assert dojo.admin.patch("/settings", {"leap_day_birthday": setting}).status_code == 200
    factories.student(dojo, birth_date="2008-02-29")
    with clock.fixed(datetime.combine(today, NOW.timetz())):
        birthdays = _section(visitor(dojo, "assistant"), "Birthdays", "Away for long")
    assert birthdays == (f"Mika Sato {shown}" if shown else "No birthdays within a week.")


@pytest.mark.parametrize("setting", LeapDayBirthday)
def test_each_birth_is_celebrated_on_one_day_of_each_year(setting: LeapDayBirthday) -> None:
    for year in (2027, 2028):
        first = date(year, 1, 1)
        days = [first + timedelta(days=number) for number in range(date(year, 12, 31).timetuple().tm_yday)]
        found = [(birth, day) for day in days for birth in births_celebrated(day, setting)]
        assert len(found) == len({birth for birth, _ in found}) == 366
        assert all(birthday(date(2000, *birth), year, setting) == day for birth, day in found)


def _section(desk: Visitor, heading: str, following: str) -> str:
    """Return the text of the page between two headings."""
    text = text_of(desk.get("/desk")).partition("Due for promotion")[2]
    return text.partition(heading)[2].partition(following)[0].strip()


class _Live:
    """The live part of a page that stays open: each call asks for it with what the browser has last seen."""

    def __init__(self, dojo: Dojo) -> None:
        self.desk = visitor(dojo, "admin")
        self.address = ""
        self._remember(self.desk.get("/desk").content.decode())

    def _remember(self, page: str) -> None:
        self.address = page.partition('hx-get="/desk/live')[2].partition('"')[0]

    def ask(self) -> str | None:
        """Return the text of the new part, or `None` if nothing has changed."""
        response = self.desk.fragment(f"/desk/live{self.address}")
        if response.status_code == 204:
            return None
        assert response.status_code == 200
        self._remember(response.content.decode())
        return text_of(response)


def test_the_live_part_is_sent_only_if_something_changed(dojo: Dojo) -> None:
    live = _Live(dojo)
    assert live.ask() is None
    session = factories.session_today(dojo, factories.training_class(dojo))
    assert "Evening class" in str(live.ask())
    student = factories.student(dojo)
    dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"]})
    assert "present 1" in str(live.ask())
    assert live.ask() is None


def test_the_live_part_follows_the_clock(dojo: Dojo) -> None:
    """The class is from 18:30 until 20:00 in Berlin. Nothing is written meanwhile."""
    factories.session_today(dojo, factories.training_class(dojo))

    def at(hour: int, minute: int, second: int = 0) -> str | None:
        with clock.fixed(datetime(2026, 6, 15, hour - 2, minute, second, tzinfo=UTC)):
            return live.ask()

    with clock.fixed(datetime(2026, 6, 15, 16, 0, tzinfo=UTC)):
        live = _Live(dojo)
    assert at(18, 29, 59) is None
    assert "Evening class now" in str(at(18, 30))
    assert at(18, 30) is None
    assert at(19, 59, 59) is None
    ended = at(20, 0)
    assert ended is not None
    assert "Evening class now" not in ended
    assert at(23, 59) is None
    with clock.fixed(datetime(2026, 6, 15, 22, 0, tzinfo=UTC)):
        assert "There are no sessions today." in str(live.ask())


def test_the_live_part_follows_what_changes_who_is_expected(dojo: Dojo) -> None:
    evening = factories.training_class(dojo)
    factories.session_today(dojo, evening)
    student = factories.student(dojo)
    enrolments = f"/classes/{evening['id']}/enrolments"
    live = _Live(dojo)
    dojo.admin.post(enrolments, {"student": student["id"]})
    assert "expected 1" in str(live.ask())
    hold = dojo.create(f"/students/{student['id']}/holds", {"from": "2026-06-15", "reason": "Knee"})
    assert "expected 0" in str(live.ask())
    assert dojo.admin.delete(f"/students/{student['id']}/holds/{hold['id']}").status_code == 204
    assert "expected 1" in str(live.ask())
    dojo.admin.patch(f"/students/{student['id']}", {"status": "inactive"})
    assert "expected 0" in str(live.ask())
    dojo.admin.patch(f"/students/{student['id']}", {"status": "active"})
    assert "expected 1" in str(live.ask())
    assert dojo.admin.delete(f"{enrolments}/{student['id']}").status_code == 204
    assert live.ask() is not None
    assert live.ask() is None


def test_the_live_part_follows_refused_scans(dojo: Dojo) -> None:
    live = _Live(dojo)
    _refused(dojo, factories.student(dojo))
    text = str(live.ask())
    assert "Mika Sato No class session is open for check-in now." in text
    assert "1 refused scan in 7 days" in text
    assert live.ask() is None


def test_a_poll_without_a_change_costs_two_statements(dojo: Dojo) -> None:
    """One reads the session of the user, as on every page, and one compares."""
    factories.session_today(dojo, factories.training_class(dojo))
    live = _Live(dojo)
    assert live.ask() is None
    assert count_statements(live.ask) == 2


def _refused(dojo: Dojo, student: dict[str, object]) -> None:
    token = factories.qr_token(dojo.admin, student)
    assert scan(dojo.person("assistant"), token).status_code == 409


def test_refused_scans_lead_to_all_of_the_last_days(dojo: Dojo) -> None:
    for _ in range(8):
        _refused(dojo, factories.student(dojo))
    desk = visitor(dojo, "assistant")
    page = desk.get("/desk").content.decode()
    assert page.count("No class session is open for check-in now.") == 6
    assert "8 refused scans in 7 days" in page
    link = page.split('href="/desk/refusals')[1].split('"')[0]
    assert link == "?from=2026-06-09"
    assert desk.get(f"/desk/refusals{link}").content.decode().count("<time datetime=") == 8
    with clock.fixed(NOW + timedelta(days=6)):
        assert "8 refused scans in 7 days" in text_of(visitor(dojo, "assistant").get("/desk"))
    with clock.fixed(NOW + timedelta(days=7)):
        assert "refused" not in text_of(visitor(dojo, "assistant").get("/desk"))


def test_the_number_of_statements_does_not_depend_on_the_rows(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    desk.get("/desk")
    few = count_statements(lambda: desk.get("/desk"))
    evening = factories.training_class(dojo)
    session = factories.session_today(dojo, evening)
    for number in range(12):
        student = factories.student(dojo, first_name=f"Mika {number}", birth_date="2000-06-16")
        dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"]})
    assert count_statements(lambda: desk.get("/desk")) <= few + 2


def test_the_first_steps_are_offered_to_admins_until_someone_came(dojo: Dojo) -> None:
    assert "Set up the dojo" in text_of(visitor(dojo, "admin").get("/desk"))
    assert "Set up the dojo" not in text_of(visitor(dojo, "instructor").get("/desk"))
    session = factories.session_today(dojo, factories.training_class(dojo))
    dojo.admin.post("/attendance", {"student": factories.student(dojo)["id"], "class_session": session["id"]})
    assert "Set up the dojo" not in text_of(visitor(dojo, "admin").get("/desk"))
