"""The page of today."""

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
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


def test_birthdays_of_the_week_and_a_leap_day_are_shown(dojo: Dojo) -> None:
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


def test_the_live_part_is_sent_only_if_something_changed(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    page = desk.get("/desk").content.decode()
    live = page.split('hx-get="')[1].split('"')[0]
    assert desk.fragment(live).status_code == 204
    session = factories.session_today(dojo, factories.training_class(dojo))
    changed = desk.fragment(live)
    assert changed.status_code == 200
    assert "Evening class" in text_of(changed)
    student = factories.student(dojo)
    dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"]})
    assert desk.fragment(changed.content.decode().split('hx-get="')[1].split('"')[0]).status_code == 200


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
