"""A Monday class and what belongs to it, made over HTTP; and counting the statements of a request."""

from typing import Any

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Attendance
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.statements import sent_statements

MONDAYS = {"weekdays": ["mo"], "start_time": "18:30", "duration_minutes": 90, "from": "2026-06-01"}


def create_class(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    """Return a new class on Monday evenings."""
    return dojo.create("/classes", {"name": "Evening", "recurrence": MONDAYS, **fields})


def list_sessions(
    dojo: Dojo, first: str = "2026-06-01", last: str = "2026-07-31", **query: str
) -> list[dict[str, Any]]:
    """Return the sessions from one day to another, both included."""
    filters = "".join(f"&{name}={value}" for name, value in query.items())
    answer = dojo.admin.get(f"/class-sessions?page_size=200&from={first}&to={last}{filters}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def session_on(dojo: Dojo, day: str, **query: str) -> dict[str, Any]:
    """Return the only session on a day."""
    (found,) = list_sessions(dojo, day, day, **query)
    return found


def create_student(dojo: Dojo, first_name: str = "Mika", **fields: Any) -> dict[str, Any]:
    return dojo.create("/students", {"first_name": first_name, "last_name": "Sato", **fields})


def enrol(dojo: Dojo, group: dict[str, Any], *students: dict[str, Any], **fields: str) -> None:
    """Enrol students from today on, or from the date in `fields`: `**{"from": "2026-06-01"}`."""
    for one in students:
        answer = dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": one["id"], **fields})
        assert answer.status_code == 201, answer.content


def record_attendance(
    dojo: Dojo, student: dict[str, Any], session: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """Return a new attendance, recorded by hand."""
    body = {"student": student["id"], "class_session": session["id"], **fields}
    answer = dojo.admin.post("/attendance", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json()["attendance"])


def store_attendance(dojo: Dojo, student: dict[str, Any], session: dict[str, Any]) -> None:
    """Store an attendance that cannot be recorded any more: at a future session, or at one that was moved since."""
    with tenant_scope(dojo.tenant):
        Attendance.objects.create(
            student_id=student["id"], class_session_id=session["id"], checked_in_at=NOW, method="manual"
        )


def number_of_statements(caller: Caller, method: str, path: str, body: Any = None, status: int = 200) -> int:
    """Return how many statements a request needs, without those of the transaction and of the host's look-up."""
    host_resolver.cache_clear()  # So that the host is read now, and not again within half a second.
    caller.get("/me")
    with sent_statements() as sent:
        answer = caller.request(method, path, body)
    assert answer.status_code == status, answer.content
    others = ("SAVEPOINT", "SET LOCAL", "COMMIT", "ROLLBACK", "tenants_")
    return sum(not any(other in one for other in others) for one in sent)
