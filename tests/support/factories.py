"""Factories: each creates an object with HTTP requests, as users of a dojo do."""

from typing import Any
from uuid import uuid4

from tests.support.clients import Caller, Dojo

SCHEDULE = {
    "weekdays": ["mo"],
    "start_time": "18:30",
    "duration_minutes": 90,
    "from": "2026-06-01",
}
"""Mondays at 18:30 in Berlin. At `NOW` (Monday 18:40) check-in is open."""


RED_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA"
    "DUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def student(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    return dojo.create("/students", {"first_name": "Mika", "last_name": "Sato", **fields})


def training_class(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    return dojo.create("/classes", {"name": "Evening class", "recurrence": SCHEDULE, **fields})


def list_sessions(dojo: Dojo, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    found: list[dict[str, Any]] = dojo.admin.get(f"/class-sessions?{asked}").json()["results"]
    return found


def session_today(dojo: Dojo, of: dict[str, Any]) -> dict[str, Any]:
    """Return today's session of a class."""
    return list_sessions(dojo, **{"class": of["id"], "from": "2026-06-15", "to": "2026-06-15"})[0]


def single_session(dojo: Dojo, starts_at: str = "2026-06-15T16:30:00Z", **fields: Any) -> dict[str, Any]:
    body = {"name": "Open mat", "starts_at": starts_at, "duration_minutes": 60, **fields}
    return dojo.create("/class-sessions", body)


def qr_token(caller: Caller, student: dict[str, Any], **more: str) -> str:
    """Create a QR code for a student as `caller`; return its token."""
    response = caller.post("/qr", {"student": student["id"], **more})
    assert response.status_code == 201, response.content
    return str(response.json()["token"])


def session_qr_code(caller: Caller, session: dict[str, Any], **more: str) -> dict[str, Any]:
    response = caller.post("/qr", {"class_session": session["id"], **more})
    assert response.status_code == 201, response.content
    return dict(response.json())


def discipline(dojo: Dojo, name: str = "Aikido") -> dict[str, Any]:
    return dojo.create("/disciplines", {"name": name})


def rank_system(dojo: Dojo, preset: str = "aikikai", **fields: Any) -> dict[str, Any]:
    return dojo.create("/rank-systems", {"preset": preset, **fields})


def rank_id(system: dict[str, Any], code: str) -> str:
    """Return the id of the rank with this code."""
    return str(next(one["id"] for one in system["ranks"] if one["code"] == code))


def rank_event(
    dojo: Dojo, student: dict[str, Any], rank_id: str, on: str, kind: str = "import"
) -> dict[str, Any]:
    body = {"rank": rank_id, "kind": kind, "effective_on": on}
    return dojo.create(f"/students/{student['id']}/rank-events", body)


def notification(dojo: Dojo, *students: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Queue a notification to students."""
    body = {"subject": "News for {{ student }}", "body": "Dear {{ recipient }}", **fields}
    audience = {"students": [one["id"] for one in students]}
    response = dojo.admin.post("/notifications", {"audience": audience, **body})
    assert response.status_code == 202, response.content
    return dict(response.json())


def exam(dojo: Dojo, system: dict[str, Any], date: str = "2026-06-10", **fields: Any) -> dict[str, Any]:
    return dojo.create("/exams", {"name": "Grading", "date": date, "rank_system": system["id"], **fields})


def candidate(dojo: Dojo, exam: dict[str, Any], student: dict[str, Any], rank_id: str) -> dict[str, Any]:
    """Add a student as candidate to an exam."""
    body = {"candidates": [{"student": student["id"], "target_rank": rank_id}]}
    (invited,) = dojo.create(f"/exams/{exam['id']}/candidates", body)["results"]
    return dict(invited)


def passed_exam(
    dojo: Dojo, system: dict[str, Any], student: dict[str, Any], rank_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a finished exam that a student passed by an override, and the awarded rank event."""
    held = exam(dojo, system)
    passed = {
        "candidate": candidate(dojo, held, student, rank_id)["id"],
        "outcome": "passed",
        "override_reason": "Seminar",
    }
    path = f"/exams/{held['id']}"
    for step, body in (("results", {"results": [passed]}), ("finish", {})):
        response = dojo.admin.post(f"{path}/{step}", body)
        assert response.status_code == 200, response.content
    return held, response.json()["rank_events"][0]


def conditional_pass(
    dojo: Dojo, system: dict[str, Any], student: dict[str, Any], rank_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a finished exam and the candidate who passed it on a condition."""
    held = exam(dojo, system)
    passed = candidate(dojo, held, student, rank_id)
    result = {
        "candidate": passed["id"],
        "outcome": "passed",
        "condition": {"text": "Hand in the essay", "until": "2026-09-30"},
        "override_reason": "Seminar",
    }
    path = f"/exams/{held['id']}"
    for step, body in (("results", {"results": [result]}), ("finish", {})):
        response = dojo.admin.post(f"{path}/{step}", body)
        assert response.status_code == 200, response.content
    return held, passed


def batch(dojo: Dojo, *students: dict[str, Any], award: bool = True, **fields: Any) -> dict[str, Any]:
    """Queue a batch for students, or for a filter in `fields`."""
    named = {"students": [one["id"] for one in students]} if students else {}
    response = dojo.admin.post("/promotions/batches", {**named, "award": award, **fields})
    assert response.status_code == 202, response.content
    return dict(response.json())


def fact(
    dojo: Dojo, student: dict[str, Any], kind: str, value: Any, on: str, **fields: Any
) -> dict[str, Any]:
    return dojo.create(f"/students/{student['id']}/facts", {"kind": kind, "value": value, "on": on, **fields})


def attendance(dojo: Dojo, student: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    response = dojo.admin.post("/attendance", {"student": student["id"], "class_session": session["id"]})
    assert response.status_code == 201, response.content
    return dict(response.json()["attendance"])


def link_user(dojo: Dojo, caller: Caller, *students: dict[str, Any]) -> None:
    """Link a user to students, so that the user can act for them."""
    assert caller.user is not None
    response = dojo.admin.patch(f"/users/{caller.user.pk}", {"students": [one["id"] for one in students]})
    assert response.status_code == 200, response.content


def hold(dojo: Dojo, student: dict[str, Any], since: str, until: str, **fields: Any) -> dict[str, Any]:
    return dojo.create(f"/students/{student['id']}/holds", {"from": since, "until": until, **fields})


def unpaired_device(dojo: Dojo, name: str = "Front door", **fields: Any) -> dict[str, Any]:
    """Create a device; return its id and its pairing code."""
    return dojo.create("/devices", {"name": name, **fields})


def paired_device(dojo: Dojo, **fields: Any) -> tuple[Caller, str]:
    """Return a paired device as a caller, and its id. Its first request, which stores `last_seen`, has been made."""
    code = unpaired_device(dojo, **fields)["pairing_code"]
    response = dojo.anonymous.post("/devices/pairing", {"code": code})
    assert response.status_code == 201, response.content
    paired = response.json()
    caller = Caller(dojo.host, token=paired["access"])
    assert caller.get("/me").json()["role"] == "device"
    return caller, str(paired["device"]["id"])


def calendar_feed_token(caller: Caller) -> str:
    """Return the token of the caller's calendar feed."""
    response = caller.post("/me/calendar")
    assert response.status_code == 201, response.content
    return str(response.json()["url"].partition("?token=")[2])


def put_on_hold(dojo: Dojo, student: dict[str, Any]) -> None:
    """Put a student on hold from today (`NOW`) on."""
    dojo.create(f"/students/{student['id']}/holds", {"from": "2026-06-15"})


def unknown_id() -> str:
    """Return an id that no object has."""
    return str(uuid4())
