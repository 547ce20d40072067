"""Classes: list, one class, its form, archive, enrolments."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.classes.models import TrainingClass
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

STATEMENTS_OF_CLASS = 9
STATEMENTS_OF_LIST = 4
NEW = {
    "name": "Children",
    "class_type": "",
    "discipline": "",
    "location": "",
    "weekdays": ["tu", "th"],
    "start_time": "17:00",
    "duration_minutes": "60",
    "starts_on": "2026-06-15",
    "until": "",
    "every_weeks": "1",
    "capacity": "",
    "min_rank": "",
    "counts_toward_promotion": "on",
}


@pytest.fixture
def evening_class(dojo: Dojo) -> dict[str, Any]:
    return factories.training_class(dojo)


def page_of(found: dict[str, Any], more: str = "") -> str:
    return f"/desk/schedule/classes/{found['id']}{more}"


def form_of(found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the form of the evening class as a browser sends it, but for `changes`."""
    entered = {
        **NEW,
        "name": found["name"],
        "weekdays": ["mo"],
        "start_time": "18:30",
        "duration_minutes": "90",
    }
    return {**entered, "starts_on": "2026-06-01", "apply_from": "2026-06-15", **changes}


def classes(dojo: Dojo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dojo.admin.get("/classes").json()["results"]
    return found


def starts(dojo: Dojo, first: str, last: str) -> list[str]:
    return [one["starts_at"] for one in factories.list_sessions(dojo, **{"from": first, "to": last})]


def test_a_class_is_added_with_all_its_times(dojo: Dojo) -> None:
    system = factories.rank_system(dojo)
    more = {"more-0-weekdays": ["sa"], "more-0-start_time": "10:30", "more-0-duration_minutes": "90"}
    blank = {"more-1-start_time": "", "more-1-duration_minutes": "60"}
    values = {
        **NEW,
        **more,
        **blank,
        "capacity": "20",
        "min_rank": factories.rank_id(system, "5-kyu"),
        "opens_minutes_before": "10",
        "percent": "80",
        "instructors": [str(dojo.instructor.user.pk)],
    }
    sent = visitor(dojo, "instructor").post("/desk/schedule/classes/new", values)
    (added,) = classes(dojo)
    assert sent["Location"] == page_of(added)
    assert added["recurrence"] == {
        "weekdays": ["tu", "th"],
        "start_time": "17:00",
        "duration_minutes": 60,
        "from": "2026-06-15",
        "until": None,
        "every_weeks": 1,
        "more_times": [{"weekdays": ["sa"], "start_time": "10:30", "duration_minutes": 90}],
    }
    assert (added["capacity"], added["min_rank"]["name"]) == (20, "5th kyu")
    assert added["check_in_window"]["opens_minutes_before"] == 10
    assert added["expected_attendance"] == {"rate": 0.8}
    assert [one["name"] for one in added["instructors"]] == ["Instructor"]
    assert added["counts_toward_promotion"] is True


def test_errors_stand_beside_their_fields_and_what_was_entered_is_kept(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    refused = browser.post("/desk/schedule/classes/new", {**NEW, "until": "2026-06-01"})
    assert refused.status_code == 400
    assert "This is before `from`." in text_of(refused)
    assert 'value="Children"' in refused.content.decode()
    same_start = {"more-0-weekdays": ["tu"], "more-0-start_time": "17:00", "more-0-duration_minutes": "45"}
    doubled = browser.post("/desk/schedule/classes/new", {**NEW, **same_start})
    assert doubled.status_code == 400
    error = doubled.content.decode().partition("The class starts at this time already")[0]
    assert 'name="more-0-start_time"' in error
    assert 'name="more-0-duration_minutes"' not in error  # the message stands at the start of that row
    assert classes(dojo) == []


def test_a_class_without_days_is_refused(dojo: Dojo) -> None:
    refused = visitor(dojo, "instructor").post("/desk/schedule/classes/new", {**NEW, "weekdays": []})
    assert refused.status_code == 400
    assert 'id="id_weekdays_error"' in refused.content.decode()


def test_another_time_is_added_with_and_without_scripts(dojo: Dojo) -> None:
    browser = visitor(dojo, "instructor")
    row = browser.fragment("/desk/schedule/classes/new?more=0").content.decode()
    assert 'name="more-0-start_time"' in row
    assert 'hx-get="?more=1"' in row
    again = browser.post("/desk/schedule/classes/new", {**NEW, "add_time": "1"})
    assert 'name="more-0-start_time"' in again.content.decode()
    assert classes(dojo) == []


def test_a_change_applies_from_the_day_that_is_named(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    sent = visitor(dojo, "instructor").post(
        page_of(evening_class, "/edit"), form_of(evening_class, start_time="19:00", apply_from="2026-06-22")
    )
    assert sent["Location"] == page_of(evening_class)
    assert starts(dojo, "2026-06-15", "2026-06-22") == ["2026-06-15T16:30:00Z", "2026-06-22T17:00:00Z"]


def test_a_change_of_one_value_leaves_the_recurrence_alone(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    # It began long ago. As a new recurrence it would be refused, for it is too many years away.
    with tenant_scope(dojo.tenant):
        TrainingClass.objects.update(recurrence={**factories.SCHEDULE, "from": "2010-01-04"})
    blank = {"more-0-start_time": "", "more-0-duration_minutes": "60"}
    values = form_of(evening_class, capacity="15", starts_on="2010-01-04", **blank)
    sent = visitor(dojo, "instructor").post(page_of(evening_class, "/edit"), values)
    assert sent.status_code == 302
    assert (classes(dojo)[0]["capacity"], classes(dojo)[0]["recurrence"]["from"]) == (15, "2010-01-04")


def test_values_that_can_no_longer_be_chosen_are_kept(dojo: Dojo) -> None:
    aikido, system, teacher = (
        factories.discipline(dojo),
        factories.rank_system(dojo),
        dojo.person("instructor", "Ingo"),
    )
    values = {
        "discipline": aikido["id"],
        "min_rank": factories.rank_id(system, "5-kyu"),
        "instructors": [str(teacher.user.pk)],
    }
    found = factories.training_class(dojo, **values)
    for path in (
        f"/disciplines/{aikido['id']}",
        f"/rank-systems/{system['id']}",
        f"/users/{teacher.user.pk}",
    ):
        assert dojo.admin.delete(path).status_code == 204, path
    browser = visitor(dojo, "instructor")
    page = browser.get(page_of(found, "/edit")).content.decode()
    assert f'<option value="{aikido["id"]}" selected>' in page
    assert f'<option value="{values["min_rank"]}" selected>' in page
    sent = browser.post(page_of(found, "/edit"), form_of(found, capacity="15", **values))
    assert sent.status_code == 302
    (changed,) = classes(dojo)
    assert (changed["capacity"], changed["discipline"]["id"], changed["min_rank"]["id"]) == (
        15,
        values["discipline"],
        values["min_rank"],
    )
    assert [one["id"] for one in changed["instructors"]] == values["instructors"]


def test_an_additional_time_is_taken_away_by_emptying_it(dojo: Dojo) -> None:
    more = [{"weekdays": ["sa"], "start_time": "10:30", "duration_minutes": 90}]
    found = factories.training_class(dojo, recurrence={**factories.SCHEDULE, "more_times": more})
    browser = visitor(dojo, "instructor")
    assert 'name="more-0-start_time" value="10:30"' in browser.get(page_of(found, "/edit")).content.decode()
    emptied = {"more-0-start_time": "", "more-0-duration_minutes": "90"}
    browser.post(page_of(found, "/edit"), form_of(found, **emptied))
    assert classes(dojo)[0]["recurrence"].get("more_times", []) == []


def test_a_class_is_archived_after_a_question_and_restored(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    browser = visitor(dojo, "instructor")
    assert "Archive “Evening class”?" in text_of(browser.fragment(page_of(evening_class, "/archive")))
    assert len(classes(dojo)) == 1
    browser.post(page_of(evening_class, "/archive"))
    assert classes(dojo) == []
    assert "Evening class" in text_of(browser.get("/desk/schedule/classes?archived=true"))
    browser.post(page_of(evening_class, "/archive"), {"restore": "1"})
    assert len(classes(dojo)) == 1


def test_all_enrolled_students_are_listed_by_pages(
    dojo: Dojo, evening_class: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenant_apps.desk.schedule.classes.view.ENROLLED_SHOWN", 2)
    for name in ("Ana", "Bea", "Cleo"):
        one = factories.student(dojo, first_name=name)
        dojo.admin.post(f"/classes/{evening_class['id']}/enrolments", {"student": one["id"]})
    browser, page = visitor(dojo, "assistant"), f"/desk/schedule/classes/{evening_class['id']}"
    first, second = text_of(browser.get(page)), text_of(browser.get(f"{page}?page=2"))
    assert "Page 1 of 2" in first
    assert ("Bea" in first, "Cleo" in first, "Cleo" in second) == (True, False, True)


@pytest.mark.parametrize("more", ["x", "²", "-1", "9" * 5000])
def test_a_number_of_start_times_that_is_none_asks_for_no_fields(dojo: Dojo, more: str) -> None:
    assert visitor(dojo, "admin").fragment(f"/desk/schedule/classes/new?more={more}").status_code == 200


def test_a_student_is_found_and_enrolled_from_a_day_on(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    student = factories.student(dojo)
    browser = visitor(dojo, "assistant")
    assert "Mika Sato" in text_of(browser.fragment(page_of(evening_class, "/enrolments?search=sato")))
    values = {"student": student["id"], "from": "2026-06-08"}
    answer = browser.post(page_of(evening_class, "/enrolments"), values, HX_Request="true")
    assert "Mika Sato since 8 Jun 2026" in text_of(answer)
    found = browser.fragment(page_of(evening_class, "/enrolments?search=sato"))
    assert "Mika Sato enrolled" in text_of(found)


def test_an_enrolment_ends_on_a_day_and_rosters_of_the_past_stay(
    dojo: Dojo, evening_class: dict[str, Any]
) -> None:
    student = factories.student(dojo)
    path = f"/classes/{evening_class['id']}/enrolments"
    dojo.create(path, {"student": student["id"], "from": "2026-06-01"})
    browser, page = visitor(dojo, "assistant"), page_of(evening_class, f"/enrolments/{student['id']}")
    assert "Remove Mika Sato from “Evening class”?" in text_of(browser.fragment(page))
    future = browser.post(page, {"until": "2026-06-20"})
    assert (future.status_code, "This is in the future." in text_of(future)) == (400, True)
    assert browser.post(page, {"until": "2026-06-10"})["Location"] == page_of(evening_class)
    assert dojo.admin.get(path).json()["count"] == 0
    past = factories.list_sessions(
        dojo, **{"class": evening_class["id"], "from": "2026-06-08", "to": "2026-06-08"}
    )[0]
    assert len(dojo.admin.get(f"/class-sessions/{past['id']}").json()["roster"]) == 1


def test_an_enrolment_that_is_refused_is_said_on_the_page(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    browser = visitor(dojo, "assistant")
    sent = browser.post(page_of(evening_class, "/enrolments"), {"student": factories.unknown_id()})
    assert "notice error" in browser.get(sent["Location"]).content.decode()


def test_assistants_see_classes_and_change_none(dojo: Dojo, evening_class: dict[str, Any]) -> None:
    browser = visitor(dojo, "assistant")
    assert "New class" not in text_of(browser.get("/desk/schedule/classes"))
    assert "Archive" not in text_of(browser.get(page_of(evening_class)))
    assert browser.post("/desk/schedule/classes/new", NEW).status_code == 403
    assert browser.post(page_of(evening_class, "/archive")).status_code == 403
    assert browser.get(page_of(evening_class, "/edit")).status_code == 403
    assert len(classes(dojo)) == 1


def test_the_class_of_another_dojo_is_404(
    dojo: Dojo, other_dojo: Dojo, evening_class: dict[str, Any]
) -> None:
    stranger = visitor(other_dojo, "admin")
    for more in ("", "/edit", "/archive", "/enrolments?search=mika", f"/enrolments/{factories.unknown_id()}"):
        assert stranger.fragment(page_of(evening_class, more)).status_code == 404, more
    assert stranger.post(page_of(evening_class, "/archive")).status_code == 404
    assert len(classes(dojo)) == 1


def test_the_statements_do_not_grow_with_students_and_classes(
    dojo: Dojo, evening_class: dict[str, Any]
) -> None:
    browser, system = visitor(dojo, "admin"), factories.rank_system(dojo)

    def enrol(name: str) -> None:
        student = factories.student(dojo, first_name=name)
        factories.rank_event(dojo, student, factories.rank_id(system, "5-kyu"), "2026-01-10")
        dojo.create(f"/classes/{evening_class['id']}/enrolments", {"student": student["id"]})

    enrol("Mika")
    one = count_statements(lambda: browser.get(page_of(evening_class)))
    for number in range(4):
        enrol(f"Aki{number}")
        factories.training_class(dojo, name=f"Class {number}")
    assert one == count_statements(lambda: browser.get(page_of(evening_class))) == STATEMENTS_OF_CLASS
    assert count_statements(lambda: browser.get("/desk/schedule/classes")) == STATEMENTS_OF_LIST
