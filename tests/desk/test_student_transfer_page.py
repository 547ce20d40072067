"""A student comes from another dojo: the preview, then the same file to confirm."""

import re
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.students.test_transfer import exported_person, renamed_system
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import Visitor, text_of, visitor
from tests.support.responses import ok

PATH = "/desk/students/transfer"


def send(browser: Visitor, content: bytes, *, htmx: bool = True, **more: str) -> Any:
    file = SimpleUploadedFile("person.json", content)
    return browser.post(PATH, {"file": file, **more}, **({"HX_Request": "true"} if htmx else {}))


def digest_in(response: Any) -> str:
    (found,) = re.findall(r'name="confirm" value="([0-9a-f]{64})"', response.content.decode())
    return str(found)


def test_a_student_is_previewed_and_taken_in(dojo: Dojo, other_dojo: Dojo) -> None:
    content = orjson.dumps(exported_person(dojo))
    renamed_system(other_dojo)
    browser = visitor(other_dojo, "admin")
    preview = send(browser, content)
    counts = dict(re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", preview.content.decode()))
    assert (counts["Days of training"], counts["Ranks"], counts["Guardians"]) == ("6", "2", "1")
    assert "Facts: Test" in text_of(preview)
    assert ok(other_dojo.admin.get("/students"))["count"] == 0
    done = send(browser, content, confirm=digest_in(preview))
    (one,) = ok(other_dojo.admin.get("/students"))["results"]
    assert done["HX-Redirect"] == f"/desk/students/{one['id']}"
    assert "has been transferred" in text_of(browser.get(done["HX-Redirect"]))


def test_without_scripts_the_form_carries_the_file(other_dojo: Dojo) -> None:
    browser = visitor(other_dojo, "admin")
    preview = send(browser, b'{"student": {"first_name": "Jigoro"}}', htmx=False)
    content = re.search(r'name="content" value="([^"]+)"', preview.content.decode())
    assert content
    done = browser.post(PATH, {"content": content[1], "confirm": digest_in(preview)})
    assert done.status_code == 302
    assert ok(other_dojo.admin.get("/students"))["results"][0]["name"] == "Jigoro"


def test_another_file_is_previewed_again(other_dojo: Dojo) -> None:
    browser = visitor(other_dojo, "admin")
    digest = digest_in(send(browser, b'{"student": {"first_name": "Jigoro"}}'))
    again = send(browser, b'{"student": {"first_name": "Morihei"}}', confirm=digest)
    assert "have changed since the preview" in text_of(again)
    assert ok(other_dojo.admin.get("/students"))["count"] == 0


def test_a_namesake_is_a_question(other_dojo: Dojo) -> None:
    factories.student(other_dojo, first_name="Jigoro", last_name="Kano")
    browser = visitor(other_dojo, "admin")
    content = b'{"student": {"first_name": "Jigoro", "last_name": "Kano"}}'
    asked = send(browser, content)
    assert asked.status_code == 409
    assert "Is it one of these? Jigoro Kano" in text_of(asked)
    preview = send(browser, content, allow_duplicates="on")
    done = send(browser, content, allow_duplicates="on", confirm=digest_in(preview))
    assert done.status_code == 200
    assert ok(other_dojo.admin.get("/students"))["count"] == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"{", "JSON"),
        (b'{"student": {"first_name": "A"}, "belts": []}', "belts: There is no such field."),
        (b'{"student": {"first_name": "A", "birth_date": "soon"}}', "student.birth_date"),
        (b"PK\x03\x04", "JSON"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_a_sentence(
    other_dojo: Dojo, content: bytes, said: str
) -> None:
    refused = send(visitor(other_dojo, "admin"), content)
    assert refused.status_code in {400, 422}
    assert said in text_of(refused)
    assert ok(other_dojo.admin.get("/students"))["count"] == 0


def test_only_admins_take_in_students(dojo: Dojo) -> None:
    assert PATH in visitor(dojo, "admin").get("/desk/students").content.decode()
    desk = visitor(dojo, "instructor")
    assert PATH not in desk.get("/desk/students").content.decode()
    assert desk.get(PATH).status_code == 403
