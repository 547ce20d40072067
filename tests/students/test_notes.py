"""Notes: all staff can read them; only the author or an admin can change them."""

import pytest

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done, invalid, made, refusal


@pytest.fixture
def note(dojo):
    made = dojo.instructor.post(f"/students/{factories.student(dojo)['id']}/notes", {"text": "Left wrist"})
    return done(made, 201), made.headers["Location"]


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant"])
def test_staff_can_read_a_note_with_get_and_head(dojo, note, role):
    shown, path = note
    reader = dojo.person(role, f"another {role}")
    assert done(reader.get(path)) == shown
    head = reader.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"text": "No"}), ("DELETE", None)])
def test_another_instructor_cannot_change_a_note(dojo, note, method, body):
    refusal(dojo.person("instructor", "another").request(method, note[1], body), 403, "permission_denied")
    assert done(dojo.instructor.get(note[1])) == note[0]


def test_notes_are_created_changed_and_deleted(dojo: Dojo) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    note = made(dojo.instructor, dojo.instructor.post(path, {"text": "Left knee"}))
    assert note["author"]["name"] == "Instructor"
    assert done(dojo.instructor.patch(f"{path}/{note['id']}", {"text": "Right knee"}))["text"] == "Right knee"
    done(dojo.instructor.delete(f"{path}/{note['id']}"), 204)
    assert done(dojo.admin.get(path))["results"] == []


def test_a_note_is_found_only_under_its_student(dojo: Dojo) -> None:
    who, other = factories.student(dojo), factories.student(dojo)
    note = dojo.create(f"/students/{who['id']}/notes", {"text": "Left knee"})
    refusal(dojo.admin.patch(f"/students/{other['id']}/notes/{note['id']}", {"text": "x"}), 404, "not_found")


@pytest.mark.parametrize("field", ["author", "student", "id"])
def test_the_author_of_a_note_cannot_be_set(dojo: Dojo, field: str) -> None:
    path = f"/students/{factories.student(dojo)['id']}/notes"
    invalid(dojo.admin.post(path, {"text": "x", field: factories.nobody()}), field)
