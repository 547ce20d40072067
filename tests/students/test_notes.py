"""Notes: all staff can read them; only the author or an admin can change them."""

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok


@pytest.fixture
def note(dojo):
    path = f"/students/{factories.student(dojo)['id']}/notes"
    response = dojo.instructor.post(path, {"text": "Left wrist"})
    return ok(response, 201), response.headers["Location"]


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant"])
def test_staff_can_read_a_note_with_get_and_head(dojo, note, role):
    shown, path = note
    reader = dojo.person(role, f"another {role}")
    assert ok(reader.get(path)) == shown
    head = reader.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"text": "No"}), ("DELETE", None)])
def test_another_instructor_cannot_change_a_note(dojo, note, method, body):
    assert_error(
        dojo.person("instructor", "another").request(method, note[1], body), 403, "permission_denied"
    )
    assert ok(dojo.instructor.get(note[1])) == note[0]


def test_notes_are_created_changed_and_deleted(dojo: Dojo) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    note = assert_created(dojo.instructor, dojo.instructor.post(path, {"text": "Left knee"}))
    assert note["author"]["name"] == "Instructor"
    assert ok(dojo.instructor.patch(f"{path}/{note['id']}", {"text": "Right knee"}))["text"] == "Right knee"
    ok(dojo.instructor.delete(f"{path}/{note['id']}"), 204)
    assert ok(dojo.admin.get(path))["results"] == []


def test_a_note_is_found_only_under_its_student(dojo: Dojo) -> None:
    who, other = factories.student(dojo), factories.student(dojo)
    note = dojo.create(f"/students/{who['id']}/notes", {"text": "Left knee"})
    assert_error(
        dojo.admin.patch(f"/students/{other['id']}/notes/{note['id']}", {"text": "x"}), 404, "not_found"
    )


@pytest.mark.parametrize("field", ["author", "student", "id"])
def test_the_author_of_a_note_cannot_be_set(dojo: Dojo, field: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    assert_invalid(dojo.admin.post(path, {"text": "x", field: factories.unknown_id()}), field)
