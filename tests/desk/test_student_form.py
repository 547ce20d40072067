"""Entering and changing students; archiving, erasing and merging them."""

from html.parser import HTMLParser
from typing import Any

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import assert_error, ok
from tests.support.statements import count_statements

NEW = "/desk/students/new"


class _Fields(HTMLParser):
    """Collects the fields of a page and their values, as a browser sends them."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag in {"select", "textarea"}:
            self._within = name
            self.values.setdefault(name, "")
        elif tag == "option" and "selected" in found:
            self.values[self._within] = found.get("value") or ""
        elif tag == "input" and name:
            self.values[name] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._within = ""


def path_of(student: dict[str, Any], rest: str = "") -> str:
    return f"/desk/students/{student['id']}{rest}"


def students_of(dojo: Dojo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(dojo.admin.get("/students"))["results"]
    return found


def shown_fields(browser: Visitor, path: str) -> dict[str, str]:
    """Return what a browser would send if nothing was changed: the values of the form that is shown."""
    form = browser.get(path).content.decode()
    fields = _Fields()
    fields.feed(form)
    return fields.values


def test_a_student_is_entered_with_guardians(dojo: Dojo) -> None:
    entered = {
        "first_name": "Mika",
        "last_name": "Sato",
        "birth_date": "2014-05-01",
        "status": "trial",
        "guardians-0-name": "Yuki Sato",
        "guardians-0-relation": "Mother",
        "guardians-2-name": "Ren Sato",
    }
    sent = visitor(dojo, "assistant").post(NEW, entered)
    (student,) = students_of(dojo)
    assert sent["Location"] == path_of(student)
    assert (student["name"], student["birth_date"], student["status"]) == ("Mika Sato", "2014-05-01", "trial")
    assert [(one["name"], one["relation"]) for one in student["guardians"]] == [
        ("Yuki Sato", "Mother"),
        ("Ren Sato", ""),
    ]


def test_several_students_are_entered_one_after_the_other(dojo: Dojo) -> None:
    sent = visitor(dojo, "assistant").post(NEW, {"first_name": "Mika", "status": "active", "another": "yes"})
    assert sent["Location"] == NEW


def test_faults_stand_at_their_fields_and_what_was_entered_stays(dojo: Dojo) -> None:
    entered = {
        "first_name": "Mika",
        "status": "active",
        "birth_date": "2030-01-01",
        "guardians-0-name": "Yuki",
        "guardians-0-email": "no address",
    }
    refused = visitor(dojo, "assistant").post(NEW, entered)
    form = refused.content.decode()
    assert refused.status_code == 400
    assert 'id="id_birth_date_error">This day has not come yet.' in form
    assert 'id="id_guardians-0-email_error">Enter a valid email address.' in form
    assert 'value="Mika"' in form
    assert 'value="no address"' in form
    assert students_of(dojo) == []


def test_a_name_is_needed(dojo: Dojo) -> None:
    refused = visitor(dojo, "assistant").post(NEW, {"first_name": "", "status": "active"})
    assert refused.status_code == 400
    assert "This field is required." in text_of(refused)


def test_buttons_add_and_remove_rows_of_guardians_and_save_nothing(dojo: Dojo) -> None:
    browser = visitor(dojo, "assistant")
    entered = {
        "first_name": "Mika",
        "status": "active",
        "guardians-0-name": "Yuki",
        "guardians-1-name": "Ren",
    }
    more = browser.post(NEW, {**entered, "add_guardian": "yes"}).content.decode()
    assert 'name="guardians-2-name"' in more
    entered = {
        **entered,
        "guardians-1-name": "",
        "guardians-2-name": "Ren",
    }  # rows that are empty are left out
    fewer = browser.post(NEW, {**entered, "remove_guardian": "0"}).content.decode()
    assert 'value="Ren"' in fewer
    assert 'value="Yuki"' not in fewer
    assert 'value="Mika"' in fewer
    assert students_of(dojo) == []


def test_the_guardian_of_a_sibling_is_found_and_shared(dojo: Dojo) -> None:
    sibling = factories.student(dojo, guardians=[{"name": "Yuki Sato", "phone": "0301"}])
    guardian = sibling["guardians"][0]["id"]
    browser = visitor(dojo, "assistant")
    found = browser.fragment("/desk/students/guardians?guardian_search=yuki")
    assert f'value="{guardian}"' in found.content.decode()
    entered = {"first_name": "Ren", "status": "active", "guardian_search": "yuki", "link_guardian": guardian}
    form = browser.post(NEW, entered).content.decode()
    assert f'name="guardians-0-id" value="{guardian}"' in form
    browser.post(
        NEW,
        {
            "first_name": "Ren",
            "status": "active",
            "guardians-0-id": guardian,
            "guardians-0-name": "Yuki Sato",
            "guardians-0-phone": "0301",
        },
    )
    assert {one["guardians"][0]["id"] for one in students_of(dojo)} == {guardian}


def test_possible_duplicates_are_shown_before_anything_is_saved(dojo: Dojo) -> None:
    factories.student(dojo, birth_date="2014-05-01")
    browser = visitor(dojo, "assistant")
    entered = {"first_name": "Mika", "last_name": "Sato", "status": "active"}
    asked = browser.post(NEW, entered)
    assert "Is this the same person?" in text_of(asked)
    assert len(students_of(dojo)) == 1
    browser.post(NEW, {**entered, "anyway": "yes"})
    assert len(students_of(dojo)) == 2


def test_another_birth_date_is_another_person(dojo: Dojo) -> None:
    factories.student(dojo, birth_date="2014-05-01")
    entered = {"first_name": "Mika", "last_name": "Sato", "birth_date": "2012-05-01", "status": "active"}
    assert visitor(dojo, "assistant").post(NEW, entered).status_code == 302


def test_only_what_was_changed_is_sent(dojo: Dojo) -> None:
    student = factories.student(dojo, phone="0301", guardians=[{"name": "Yuki"}])
    browser = visitor(dojo, "assistant")
    shown = shown_fields(browser, path_of(student, "/edit"))
    # Meanwhile another person changes the phone and adds a guardian.
    ok(
        dojo.admin.patch(
            f"/students/{student['id']}", {"phone": "0302", "guardians": [{"name": "Yuki"}, {"name": "Ren"}]}
        )
    )
    assert browser.post(path_of(student, "/edit"), {**shown, "last_name": "Suzuki"}).status_code == 302
    (changed,) = students_of(dojo)
    assert (changed["last_name"], changed["phone"], len(changed["guardians"])) == ("Suzuki", "0302", 2)


def test_fields_are_emptied_and_guardians_removed(dojo: Dojo) -> None:
    student = factories.student(
        dojo, external_id="A-1", birth_date="2014-05-01", guardians=[{"name": "Yuki"}]
    )
    browser = visitor(dojo, "assistant")
    shown = shown_fields(browser, path_of(student, "/edit"))
    emptied = {**shown, "external_id": "", "birth_date": "", "guardians-0-id": "", "guardians-0-name": ""}
    browser.post(path_of(student, "/edit"), emptied)
    (changed,) = students_of(dojo)
    assert (changed["external_id"], changed["birth_date"], changed["guardians"]) == (None, None, [])


def test_a_student_on_hold_can_be_changed(dojo: Dojo) -> None:
    student = factories.student(dojo)
    factories.put_on_hold(dojo, student)
    browser = visitor(dojo, "assistant")
    shown = shown_fields(browser, path_of(student, "/edit"))
    assert shown["status"] == "on_hold"
    assert browser.post(path_of(student, "/edit"), {**shown, "phone": "0301"}).status_code == 302


def test_medical_notes_are_written_by_teachers_and_only_read_by_assistants(dojo: Dojo) -> None:
    student = factories.student(dojo, medical_notes="Asthma")
    for role, writes in (("assistant", False), ("instructor", True)):
        browser = visitor(dojo, role)
        assert ('name="medical_notes"' in browser.get(path_of(student, "/edit")).content.decode()) is writes
        assert "Asthma" in text_of(browser.get(path_of(student)))


def test_the_forms_need_a_fixed_number_of_statements(dojo: Dojo) -> None:
    student = factories.student(dojo)
    browser = visitor(dojo, "admin")
    assert count_statements(lambda: browser.get(NEW)) == 1
    before = count_statements(lambda: browser.get(path_of(student, "/edit")))
    factories.student(dojo, guardians=[{"name": f"Parent {number}"} for number in range(5)])
    assert count_statements(lambda: browser.get(path_of(student, "/edit"))) == before == 4


# --- archive, erase, merge ----------------------------------------------------------------------------------------


def test_archiving_asks_first_and_can_be_undone(dojo: Dojo) -> None:
    student = factories.student(dojo)
    browser = visitor(dojo, "instructor")
    assert "Archive this student?" in text_of(browser.get(path_of(student, "/archive")))
    browser.post(path_of(student, "/archive"))
    assert "This student is archived" in text_of(browser.get(path_of(student)))
    assert students_of(dojo) == []
    browser.post(path_of(student, "/restore"))
    assert len(students_of(dojo)) == 1


def test_erasing_needs_the_name(dojo: Dojo) -> None:
    student = factories.student(dojo)
    browser = visitor(dojo, "admin")
    refused = browser.post(path_of(student, "/erase"), {"name": "Mika"})
    assert refused.status_code == 400
    assert "Type the name as it is written above." in text_of(refused)
    ok(dojo.admin.get(f"/students/{student['id']}"))
    assert browser.post(path_of(student, "/erase"), {"name": "mika sato"})["Location"] == "/desk/students"
    assert_error(dojo.admin.get(f"/students/{student['id']}"), 404, "not_found")


def test_a_merge_is_shown_before_it_is_done(dojo: Dojo) -> None:
    kept, twin = factories.student(dojo, phone="0301"), factories.student(dojo, phone="0302")
    dojo.create(f"/students/{twin['id']}/notes", {"text": "Ukemi"})
    browser, path = visitor(dojo, "admin"), path_of(kept, "/merge")
    assert "may be a second record of this person" in text_of(browser.get(path_of(kept)))
    assert f'value="{twin["id"]}"' in browser.get(path).content.decode()
    shown = text_of(browser.post(path, {"duplicate": twin["id"]}))
    for text in ("Notes 1", "Phone kept: 0301 · dropped: 0302", "A merge cannot be undone."):
        assert text in shown
    assert len(students_of(dojo)) == 2
    browser.post(path, {"duplicate": twin["id"], "confirmed": "yes"})
    (left,) = students_of(dojo)
    assert left["id"] == kept["id"]


def test_a_record_of_another_name_is_found_by_typing(dojo: Dojo) -> None:
    kept, other = factories.student(dojo), factories.student(dojo, first_name="Mikah")
    found = visitor(dojo, "admin").get(path_of(kept, "/merge?search=mikah")).content.decode()
    assert f'value="{other["id"]}"' in found


def test_a_record_of_another_dojo_cannot_be_merged(dojo: Dojo, other_dojo: Dojo) -> None:
    kept, stranger = factories.student(dojo), factories.student(other_dojo, first_name="Elsewhere")
    browser = visitor(dojo, "admin")
    for step in ({}, {"confirmed": "yes"}):
        refused = browser.post(path_of(kept, "/merge"), {"duplicate": stranger["id"], **step})
        assert (refused.status_code, "Elsewhere" in text_of(refused)) == (400, False)
    assert browser.post(path_of(kept, "/merge"), {"duplicate": "x"}).status_code == 404
