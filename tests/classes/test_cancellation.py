"""A session that does not take place, by whom and why; and its reversal."""

from tests.classes.schedules import a_class, a_student, attend, session_on
from tests.support.clients import Dojo


def test_who_cancelled_and_why_is_kept_and_twice_the_first_stands(dojo: Dojo) -> None:
    a_class(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}/cancellation"
    first = dojo.instructor.post(path, {"reason": "The hall is flooded."})
    assert first.status_code == 201
    assert first.json()["cancellation"] == {
        "reason": "The hall is flooded.",
        "by": {"id": str(dojo.instructor.user.pk), "name": "Instructor"},
        "at": "2026-06-15T16:40:00Z",
    }
    again = dojo.admin.post(path, {"reason": "Another."})
    assert (again.status_code, again.json()) == (200, first.json())


def test_taken_back_it_is_as_before_and_twice_changes_nothing(dojo: Dojo) -> None:
    a_class(dojo)
    before = session_on(dojo, "2026-06-22")
    path = f"/class-sessions/{before['id']}/cancellation"
    assert dojo.admin.post(path).status_code == 201
    for _ in range(2):
        assert dojo.admin.delete(path).status_code == 204
    after = session_on(dojo, "2026-06-22")
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


def test_attendance_is_kept(dojo: Dojo) -> None:
    a_class(dojo)
    session = session_on(dojo, "2026-06-15")
    row = attend(dojo, a_student(dojo), session)
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation")
    shown = dojo.admin.get(f"/class-sessions/{session['id']}").json()
    assert [(line["attendance"], line["state"]) for line in shown["roster"]] == [(row["id"], "late")]


def test_the_audit_names_the_reason(dojo: Dojo) -> None:
    a_class(dojo)
    session = session_on(dojo, "2026-06-22")
    dojo.admin.post(f"/class-sessions/{session['id']}/cancellation", {"reason": "Flooded."})
    row = dojo.admin.get(f"/audit?object={session['id']}").json()["results"][0]
    assert (row["action"], row["reason"]) == ("class-session-cancellation.post", "Flooded.")
