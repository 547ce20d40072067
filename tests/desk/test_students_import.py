"""The import of a file: a preview line by line, then the same file to confirm."""

import re
from base64 import b64encode
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

PATH = "/desk/students/import"
FILE = "first_name,last_name,birth_date\nMika,Sato,2014-05-01\nRen,Sato,soon\n"


def send(browser: Visitor, text: str, *, htmx: bool = True, kind: str = "students", **more: str) -> Any:
    file = SimpleUploadedFile("list.csv", text.encode())
    headers = {"HX_Request": "true"} if htmx else {}
    return browser.post(PATH, {"kind": kind, "date_format": "auto", "file": file, **more}, **headers)


def digest_in(response: Any) -> str:
    (found,) = re.findall(r'name="confirm" value="([0-9a-f]{64})"', response.content.decode())
    return str(found)


def names(dojo: Dojo) -> list[str]:
    return [one["name"] for one in ok(dojo.admin.get("/students"))["results"]]


def test_the_preview_shows_each_line_and_saves_nothing(dojo: Dojo) -> None:
    factories.student(dojo, first_name="Aya", birth_date="2010-01-01")
    preview = send(visitor(dojo, "admin"), FILE + "Aya,Sato,2010-01-01\n")
    shown = text_of(preview)
    assert b"<html" not in preview.content
    for text in (
        "Preview: nothing is saved yet",
        "Mika · Sato · 2014-05-01 new",
        "birth_date:",
        "there already Aya Sato",
    ):
        assert text in shown
    assert shown.index("Ren · Sato") < shown.index("Mika · Sato")  # what needs a look comes first
    assert names(dojo) == ["Aya Sato"]


def test_the_same_file_confirms_the_preview(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    done = send(browser, FILE, confirm=digest_in(send(browser, FILE)))
    assert "Done" in text_of(done)
    assert names(dojo) == ["Mika Sato"]


def test_another_file_or_another_option_is_previewed_again(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    digest = digest_in(send(browser, FILE))
    for again in (
        send(browser, FILE + "Aya,Sato,\n", confirm=digest),
        send(browser, FILE, confirm=digest, allow_duplicates="on"),
    ):
        assert "have changed since the preview" in text_of(again)
    assert names(dojo) == []


def test_without_scripts_the_form_carries_the_file(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    preview = send(browser, FILE, htmx=False)
    (content,) = re.findall(r'name="content" value="([^"]+)"', preview.content.decode())
    assert content == b64encode(FILE.encode()).decode()
    confirmed = {"kind": "students", "date_format": "auto", "content": content, "confirm": digest_in(preview)}
    assert "Done" in text_of(browser.post(PATH, confirmed))
    assert names(dojo) == ["Mika Sato"]


def test_content_that_is_no_base64_is_no_file(dojo: Dojo) -> None:
    refused = visitor(dojo, "admin").post(PATH, {"kind": "students", "date_format": "auto", "content": "%%%"})
    assert refused.status_code == 400
    assert "The file is empty." in text_of(refused)


def test_no_file_and_a_file_that_is_no_table_are_said_at_the_field(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    missing = browser.post(PATH, {"kind": "students", "date_format": "auto"})
    assert missing.status_code == 400
    assert "This field is required." in text_of(missing)
    refused = send(browser, "colour\nred\n", htmx=False)
    assert refused.status_code == 400
    assert "There is no column" in text_of(refused)


def test_rank_histories_facts_and_visits_are_imported_in_the_same_way(dojo: Dojo) -> None:
    system = factories.rank_system(dojo)
    student = factories.student(dojo, external_id="A-1")
    session = factories.single_session(dojo, "2026-06-12T16:30:00Z")
    browser = visitor(dojo, "admin")
    for kind, text, route in (
        (
            "rank-events",
            f"external_id,rank_system,rank,kind,effective_on\nA-1,{system['name']},{system['ranks'][0]['code']},import,2026-01-01\n",
            "rank-events",
        ),
        ("facts", "external_id,kind,value,on\nA-1,document,Consent,2026-01-01\n", "facts"),
        ("attendance", f"external_id,class_session_id\nA-1,{session['id']}\n", "attendance"),
    ):
        preview = send(browser, text, kind=kind)
        send(browser, text, kind=kind, confirm=digest_in(preview))
        assert ok(dojo.admin.get(f"/students/{student['id']}/{route}"))["results"], kind


def test_a_large_file_shows_the_first_lines(dojo: Dojo) -> None:
    lines = "".join(f"Mika,{number},\n" for number in range(250))
    shown = text_of(send(visitor(dojo, "admin"), "first_name,last_name,birth_date\n" + lines))
    assert "The first 200 of 250 lines" in shown
    assert "Import 250 lines" in shown


def test_the_preview_needs_a_fixed_number_of_statements(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    head = "first_name,last_name,birth_date\n"
    few, many = (head + "".join(f"Mika,{n},\n" for n in range(most)) for most in (2, 50))
    assert count_statements(lambda: send(browser, few)) == count_statements(lambda: send(browser, many))
