"""The family page: what students and parents see of their own, and not of others."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tenant_apps.desk.family.progress import progress_of
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.statements import count_statements

STATEMENTS = {"/family": 18, "/family/{}": 23, "/family/{}/code": 9}
"""Of each page, for any number of students, sessions and visits. The sign-in of the cookie is one of them."""


@pytest.fixture
def lena(dojo: Dojo) -> dict[str, Any]:
    """A child who has a rank and is enrolled in the class of tonight."""
    lena = factories.student(dojo, first_name="Lena", preferred_name="Leni")
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, lena, factories.rank_id(system, "5-kyu"), "2026-01-10")
    evening = factories.training_class(dojo)
    dojo.admin.post(f"/classes/{evening['id']}/enrolments", {"student": lena["id"], "from": "2026-06-01"})
    factories.attendance(dojo, lena, factories.session_today(dojo, evening))
    return lena


@pytest.fixture
def parent(dojo: Dojo, lena: dict[str, Any]) -> Visitor:
    """A browser of a parent of Lena."""
    factories.link_user(dojo, dojo.student, lena)
    return visitor(dojo, "student")


def statements(browser: Visitor, path: str) -> int:
    def load() -> None:
        response = browser.get(path)
        assert response.status_code == 200, response.content[:400]

    return count_statements(load)


def test_a_parent_begins_at_the_family_page(parent: Visitor) -> None:
    assert parent.get("/")["Location"] == "/family"


def test_a_parent_sees_rank_progress_and_next_class_of_their_child(
    parent: Visitor, lena: dict[str, Any]
) -> None:
    shown = text_of(parent.get("/family"))
    for words in (
        "Lena Sato",
        "5th kyu",
        "On the way to 4th kyu",
        "Next class: Evening class",
        "Monday, 15 June",
    ):
        assert words in shown
    details = text_of(parent.get(f"/family/{lena['id']}"))
    for words in ("since 10 January 2026", "Not known:", "days of training", "Evening class", "Ranks"):
        assert words in details


def test_a_cancelled_class_is_marked(dojo: Dojo, parent: Visitor) -> None:
    (coming,) = factories.list_sessions(dojo, **{"from": "2026-06-22", "to": "2026-06-22"})
    dojo.admin.post(f"/class-sessions/{coming['id']}/cancellation", {"reason": "Seminar"})
    assert parent.get("/family").content.decode().count('class="cancelled"') == 1


def test_a_family_without_enrolments_sees_the_classes_of_the_dojo(dojo: Dojo) -> None:
    factories.link_user(dojo, dojo.student, factories.student(dojo, first_name="Max"))
    factories.training_class(dojo, name="Open class")
    shown = text_of(visitor(dojo, "student").get("/family"))
    assert "The next classes" in shown
    assert "Open class" in shown


def test_a_parent_does_not_see_other_children(dojo: Dojo, parent: Visitor) -> None:
    other = factories.student(dojo, first_name="Otto")
    assert "Otto" not in text_of(parent.get("/family"))
    for path in ("", "/code", "/code/image"):
        assert parent.get(f"/family/{other['id']}{path}").status_code == 404


def test_children_of_another_dojo_are_not_found(other_dojo: Dojo, parent: Visitor) -> None:
    elsewhere = factories.student(other_dojo)
    for path in ("", "/code", "/code/image"):
        assert parent.get(f"/family/{elsewhere['id']}{path}").status_code == 404


def test_a_user_without_students_is_told_what_to_do(dojo: Dojo) -> None:
    assert "Ask the desk of the dojo" in text_of(visitor(dojo, "student").get("/family"))


def test_the_code_of_a_child_checks_them_in(dojo: Dojo, parent: Visitor, lena: dict[str, Any]) -> None:
    page = parent.get(f"/family/{lena['id']}/code")
    assert "Leni" in text_of(page)
    renewed = parent.fragment(f"/family/{lena['id']}/code/image").content.decode()
    for shown in (page.content.decode(), renewed):
        assert 'src="data:image/svg+xml' in shown
        assert 1 <= int(re.findall(r'data-seconds="(\d+)"', shown)[0]) <= 30


def test_the_page_of_a_code_leads_to_the_siblings(dojo: Dojo, parent: Visitor, lena: dict[str, Any]) -> None:
    assert b"siblings" not in parent.get(f"/family/{lena['id']}/code").content
    brother = factories.student(dojo, first_name="Max")
    factories.link_user(dojo, dojo.student, lena, brother)
    shown = parent.get(f"/family/{lena['id']}/code").content.decode()
    assert f"/family/{brother['id']}/code" in shown
    assert "Max" in shown


def test_a_script_whose_session_has_ended_is_led_to_the_sign_in(dojo: Dojo, lena: dict[str, Any]) -> None:
    response = visitor(dojo).fragment(f"/family/{lena['id']}/code/image")
    assert response.status_code == 204
    assert response["HX-Redirect"].startswith("/sign-in")


def test_a_parent_opens_the_certificate_of_their_child_and_no_other(
    dojo: Dojo, parent: Visitor, lena: dict[str, Any]
) -> None:
    system = dojo.admin.get("/rank-systems").json()["results"][0]
    system = dojo.admin.get(f"/rank-systems/{system['id']}").json()
    _, event = factories.passed_exam(dojo, system, lena, factories.rank_id(system, "4-kyu"))
    other = factories.student(dojo, first_name="Otto")
    _, of_other = factories.passed_exam(dojo, system, other, factories.rank_id(system, "5-kyu"))
    assert f"/family/certificates/{event['id']}" in parent.get(f"/family/{lena['id']}").content.decode()
    paper = parent.get(f"/family/certificates/{event['id']}")
    assert (paper.status_code, paper["Content-Type"]) == (200, "application/pdf")
    assert parent.get(f"/family/certificates/{of_other['id']}").status_code == 404


def test_a_rank_without_a_certificate_has_no_link_to_one(parent: Visitor, lena: dict[str, Any]) -> None:
    assert b"/family/certificates/" not in parent.get(f"/family/{lena['id']}").content


def test_a_calendar_address_is_shown_once_and_can_be_ended(dojo: Dojo, parent: Visitor) -> None:
    made = parent.post("/family/calendar", {"action": "create"}).content.decode()
    address = re.findall(r"/calendar\.ics\?token=[\w-]+", made)[0]
    assert dojo.anonymous.get(address).status_code == 200
    assert address not in parent.get("/family").content.decode()
    assert parent.post("/family/calendar", {"action": "end"})["Location"] == "/family"
    assert dojo.anonymous.get(address).status_code == 404


def test_visits_are_shown_page_by_page(dojo: Dojo, parent: Visitor, lena: dict[str, Any]) -> None:
    for day in range(1, 13):
        single = factories.single_session(dojo, f"2026-05-{day:02}T16:00:00Z", name=f"Day {day}")
        factories.attendance(dojo, lena, single)
    first = parent.get(f"/family/{lena['id']}").content.decode()
    assert "Day 12" in first
    assert "Day 1<" not in first
    (earlier,) = re.findall(r'href="(\?cursor=[^"#]+)', first)
    assert "Day 1<" in parent.get(f"/family/{lena['id']}{earlier}").content.decode()


@pytest.fixture
def more_rows(dojo: Dojo, lena: dict[str, Any], parent: Visitor) -> Callable[[], None]:
    """A function that adds siblings, classes, visits and ranks."""

    def add() -> None:
        siblings = [factories.student(dojo, first_name=f"Sibling {number}") for number in range(3)]
        factories.link_user(dojo, dojo.student, lena, *siblings)
        other = factories.training_class(dojo, name="Other class")
        system = dojo.admin.get("/rank-systems").json()["results"][0]
        system = dojo.admin.get(f"/rank-systems/{system['id']}").json()
        for one in (lena, *siblings):
            dojo.admin.post(
                f"/classes/{other['id']}/enrolments", {"student": one["id"], "from": "2026-06-01"}
            )
            factories.attendance(dojo, one, factories.session_today(dojo, other))
        for one in siblings:
            factories.rank_event(dojo, one, factories.rank_id(system, "5-kyu"), "2026-02-10")

    return add


@pytest.mark.parametrize("page", STATEMENTS)
def test_a_page_has_a_fixed_number_of_statements(
    page: str, parent: Visitor, lena: dict[str, Any], more_rows: Callable[[], None]
) -> None:
    path = page.format(lena["id"])
    before = statements(parent, path)
    more_rows()
    assert (before, statements(parent, path)) == (STATEMENTS[page], STATEMENTS[page])


def criterion(
    status: str, have: Any = None, need: Any = None, kind: str = "attendance_count"
) -> dict[str, Any]:
    return {"kind": kind, "status": status, "have": have, "need": need, "message": ""}


@pytest.mark.parametrize(
    ("criteria", "percent"),
    [
        ([criterion("not_met", 25, 50)], 50),
        ([criterion("not_met", 25, 50), criterion("met", 1, 1, "standing")], 50),
        ([criterion("met", 60, 50), criterion("not_met", "none", "an approval")], 50),
        ([criterion("unknown", None, 50)], 0),
        ([criterion("not_met", have=False, need=True)], 0),
        ([], 100),
    ],
)
def test_the_bar_counts_each_criterion_alike(criteria: list[dict[str, Any]], percent: int) -> None:
    result = {
        "student": {"id": "x"}, "current_rank": None, "target_rank": {"id": "y", "name": "y"}, "type": "promote",
        "status": "not_eligible", "earliest_on": None, "criteria": criteria, "paths": [],
    }  # fmt: skip
    ((step,),) = progress_of([result]).values()
    assert step.percent == percent


def test_the_family_page_can_be_installed_as_an_app(dojo: Dojo, parent: Visitor) -> None:
    assert b'rel="manifest" href="/family/manifest.json"' in parent.get("/family").content
    manifest = parent.get("/family/manifest.json").json()
    assert (manifest["start_url"], manifest["display"]) == ("/family", "standalone")
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        response = parent.get(icon["src"])
        response.close()
        assert response.status_code == 200
