"""The list of students, the export of it, and cards to print."""

import gzip
import re
from typing import Any

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.statements import count_statements

pytestmark = pytest.mark.slow

People = dict[str, dict[str, Any]]


def statements_of(browser: Visitor, path: str) -> int:
    return count_statements(lambda: browser.get(path))


def names_in(response: Any) -> list[str]:
    return re.findall(r'class="who"><strong>(.*?)</strong>', response.content.decode())


@pytest.fixture
def people(dojo: Dojo, other_dojo: Dojo) -> People:
    factories.student(other_dojo, first_name="Elsewhere")
    return {
        name: factories.student(dojo, first_name=name, last_name="Sato", **fields)
        for name, fields in {
            "Aiko": {"birth_date": "2014-05-01", "joined_on": "2025-01-01"},
            "Ben": {"status": "trial", "joined_on": "2026-01-01"},
            "Zoë": {"birth_date": "1990-01-01"},
        }.items()
    }


@pytest.mark.usefixtures("people")
def test_the_list_shows_the_students_of_the_dojo_by_name(dojo: Dojo) -> None:
    page = visitor(dojo, "assistant").get("/desk/students")
    assert names_in(page) == ["Aiko Sato", "Ben Sato", "Zoë Sato"]
    assert "3 students" in text_of(page)
    assert "age 12" in text_of(page)


@pytest.mark.usefixtures("people")
def test_typing_a_name_reloads_only_the_list(dojo: Dojo) -> None:
    part = visitor(dojo, "admin").fragment("/desk/students?search=zoe")
    assert names_in(part) == ["Zoë Sato"]
    assert b"<html" not in part.content


@pytest.mark.usefixtures("people")
def test_filters_select_by_status_and_orderings_sort(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    assert names_in(browser.get("/desk/students?status=trial")) == ["Ben Sato"]
    assert names_in(browser.get("/desk/students?ordering=-birth_date&status=active")) == [
        "Aiko Sato",
        "Zoë Sato",
    ]


def test_filters_select_by_class_and_by_rank_held(dojo: Dojo, people: People) -> None:
    browser = visitor(dojo, "admin")
    evening, system = factories.training_class(dojo), factories.rank_system(dojo)
    dojo.create(f"/classes/{evening['id']}/enrolments", {"student": people["Ben"]["id"]})
    factories.rank_event(dojo, people["Aiko"], system["ranks"][0]["id"], "2026-01-01")
    page = browser.get("/desk/students")
    assert "Evening class" in text_of(page)
    assert system["ranks"][0]["name"] in text_of(page)
    assert names_in(browser.get(f"/desk/students?class={evening['id']}")) == ["Ben Sato"]
    assert names_in(browser.get(f"/desk/students?rank={system['ranks'][0]['id']}")) == ["Aiko Sato"]


def test_archived_students_are_in_their_own_list(dojo: Dojo, people: People) -> None:
    dojo.admin.delete(f"/students/{people['Ben']['id']}")
    browser = visitor(dojo, "admin")
    assert "Ben Sato" not in names_in(browser.get("/desk/students"))
    assert names_in(browser.get("/desk/students?status=archived")) == ["Ben Sato"]


@pytest.mark.usefixtures("people")
def test_a_filter_that_the_api_refuses_is_a_page_that_says_so(dojo: Dojo) -> None:
    assert visitor(dojo, "admin").get("/desk/students?rank=nonsense").status_code == 400


def test_the_list_turns_its_pages_and_keeps_the_filters(dojo: Dojo) -> None:
    for number in range(51):
        factories.student(dojo, first_name=f"S{number:02}")
    page = visitor(dojo, "admin").get("/desk/students?status=active")
    assert "Page 1 of 2" in text_of(page)
    assert 'rel="next" href="?status=active&amp;page=2"' in page.content.decode()
    assert names_in(visitor(dojo, "admin").get("/desk/students?status=active&page=2")) == ["S50 Sato"]


def test_an_empty_dojo_is_told_what_to_do_first(dojo: Dojo) -> None:
    assert "No students yet" in text_of(visitor(dojo, "admin").get("/desk/students"))
    assert "Import a list" not in text_of(visitor(dojo, "assistant").get("/desk/students"))


@pytest.mark.usefixtures("people")
def test_only_admins_see_import_and_export(dojo: Dojo) -> None:
    for role, sees in (("admin", True), ("instructor", False), ("assistant", False)):
        browser = visitor(dojo, role)
        shown = browser.get("/desk/students").content.decode()
        assert ("/desk/students/import" in shown, "/desk/students/export" in shown) == (sees, sees)
        assert (browser.get("/desk/students/import").status_code == 200) is sees
        assert (browser.get("/desk/students/export").status_code == 200) is sees


def test_students_and_parents_do_not_see_the_list(dojo: Dojo) -> None:
    assert visitor(dojo, "student").get("/desk/students").status_code == 403


@pytest.mark.usefixtures("people")
def test_the_export_is_a_file_of_what_the_filters_select(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    file = browser.get("/desk/students/export?status=trial&format=csv")
    content = b"".join(file.streaming_content).decode()
    assert ("Ben" in content, "Aiko" in content) == (True, False)
    assert file["Content-Disposition"] == 'attachment; filename="students.csv"'
    assert browser.get("/desk/students/export?format=xlsx").content[:2] == b"PK"


def test_the_list_needs_a_fixed_number_of_statements(dojo: Dojo, people: People) -> None:
    system = factories.rank_system(dojo)
    factories.training_class(dojo)
    factories.rank_event(dojo, people["Aiko"], system["ranks"][0]["id"], "2026-01-01")
    browser = visitor(dojo, "admin")
    before = statements_of(browser, "/desk/students")
    for number in range(5):
        student = factories.student(dojo, first_name=f"More {number}", guardians=[{"name": "Parent"}])
        factories.rank_event(dojo, student, system["ranks"][0]["id"], "2026-01-01")
        factories.training_class(dojo, name=f"Class {number}")
    assert statements_of(browser, "/desk/students") == before == 12


# --- cards --------------------------------------------------------------------------------------------------------


def images_in(response: Any) -> list[str]:
    return re.findall(r'<path stroke="#000" d="([^"]+)"', response.content.decode())


def test_a_card_has_the_same_code_however_often_it_is_printed(dojo: Dojo, people: People) -> None:
    browser, path = visitor(dojo, "assistant"), f"/desk/students/{people['Aiko']['id']}/card"
    (first,), (again,) = images_in(browser.get(path)), images_in(browser.get(path))
    assert first == again


def test_a_replaced_card_has_another_code(dojo: Dojo, people: People) -> None:
    browser, path = visitor(dojo, "assistant"), f"/desk/students/{people['Aiko']['id']}/card"
    lost = factories.qr_token(dojo.admin, people["Aiko"], kind="card")
    before = images_in(browser.get(path))
    assert browser.post(path)["Location"] == path
    assert images_in(browser.get(path)) != before
    refused = dojo.admin.post("/attendance/scan", {"token": lost})
    assert refused.json()["error"]["code"] == "qr_revoked"


def test_a_sheet_has_the_cards_of_the_selected_and_of_nobody_else(
    dojo: Dojo, other_dojo: Dojo, people: People
) -> None:
    stranger = factories.student(other_dojo)
    ids = [people["Aiko"]["id"], people["Zoë"]["id"], stranger["id"]]
    sheet = visitor(dojo, "assistant").get(
        "/desk/students/cards?selected=yes&" + "&".join(f"student={one}" for one in ids)
    )
    assert re.findall(r'class="name">(.*?)<', sheet.content.decode()) == ["Aiko Sato", "Zoë Sato"]
    alone = visitor(dojo, "assistant").get(f"/desk/students/{people['Aiko']['id']}/card")
    assert images_in(alone)[0] == images_in(sheet)[0]


@pytest.mark.usefixtures("people")
def test_a_sheet_of_all_takes_the_filters_of_the_list(dojo: Dojo) -> None:
    sheet = visitor(dojo, "assistant").get("/desk/students/cards?status=trial")
    assert re.findall(r'class="name">(.*?)<', sheet.content.decode()) == ["Ben Sato"]


def test_a_full_sheet_weighs_little(dojo: Dojo) -> None:
    for number in range(50):
        factories.student(dojo, first_name=f"S{number:02}")
    sheet = visitor(dojo, "assistant").get("/desk/students/cards")
    assert len(images_in(sheet)) == 50
    assert len(gzip.compress(sheet.content)) < 60 * 1024


def test_a_sheet_of_nobody_and_a_mistyped_one_say_so(dojo: Dojo) -> None:
    browser = visitor(dojo, "assistant")
    assert "No students selected" in text_of(browser.get("/desk/students/cards?search=missing"))
    assert browser.get("/desk/students/cards?selected=yes&student=x").status_code == 400


@pytest.mark.usefixtures("people")
def test_a_sheet_of_the_selected_is_not_one_of_all_if_nobody_is_selected(dojo: Dojo) -> None:
    assert "No students selected" in text_of(
        visitor(dojo, "assistant").get("/desk/students/cards?selected=yes")
    )


@pytest.mark.usefixtures("people")
def test_a_sheet_needs_a_fixed_number_of_statements(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    before = statements_of(browser, "/desk/students/cards")
    for number in range(5):
        factories.student(dojo, first_name=f"More {number}")
    assert statements_of(browser, "/desk/students/cards") == before == 5
