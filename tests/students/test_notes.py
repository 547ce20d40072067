"""Notes: all staff read them, their author or an admin changes them."""

import pytest

from tests.support import factories
from tests.support.responses import done, refusal


@pytest.fixture
def note(dojo):
    made = dojo.instructor.post(f"/students/{factories.student(dojo)['id']}/notes", {"text": "Her wrist"})
    return done(made, 201), made.headers["Location"]


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant"])
def test_staff_read_a_note_and_ask_for_its_head(dojo, note, role):
    shown, path = note
    reader = dojo.person(role, f"another {role}")
    assert done(reader.get(path)) == shown
    head = reader.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"text": "No"}), ("DELETE", None)])
def test_another_instructor_does_not_change_it(dojo, note, method, body):
    refusal(dojo.person("instructor", "another").request(method, note[1], body), 403, "permission_denied")
    assert done(dojo.instructor.get(note[1])) == note[0]
