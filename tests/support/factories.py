"""What tests make before they ask: each by HTTP, as a dojo's people would."""

from typing import Any
from uuid import uuid4

from tests.support.clients import Caller, Dojo

SCHEDULE = {
    "weekdays": ["mo"],
    "start_time": "18:30",
    "duration_minutes": 90,
    "from": "2026-06-01",
}
"""Mondays at 18:30 in Berlin; at the tests' present (Monday 18:40) check-in is open."""


RED_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA"
    "DUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def student(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    return dojo.create("/students", {"first_name": "Mika", "last_name": "Sato", **fields})


def training_class(dojo: Dojo, **fields: Any) -> dict[str, Any]:
    return dojo.create("/classes", {"name": "Evening class", "recurrence": SCHEDULE, **fields})


def sessions(dojo: Dojo, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    found: list[dict[str, Any]] = dojo.admin.get(f"/class-sessions?{asked}").json()["results"]
    return found


def session_today(dojo: Dojo, of: dict[str, Any]) -> dict[str, Any]:
    """Return today's session of a class."""
    return sessions(dojo, **{"class": of["id"], "from": "2026-06-15", "to": "2026-06-15"})[0]


def single_session(dojo: Dojo, starts_at: str = "2026-06-15T16:30:00Z", **fields: Any) -> dict[str, Any]:
    body = {"name": "Open mat", "starts_at": starts_at, "duration_minutes": 60, **fields}
    return dojo.create("/class-sessions", body)


def code_of(caller: Caller, who: dict[str, Any], **more: str) -> str:
    """Return the token of a student's code, made by `caller`."""
    answer = caller.post("/qr", {"student": who["id"], **more})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["token"])


def code_of_session(caller: Caller, session: dict[str, Any], **more: str) -> dict[str, Any]:
    answer = caller.post("/qr", {"class_session": session["id"], **more})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def discipline(dojo: Dojo, name: str = "Aikido") -> dict[str, Any]:
    return dojo.create("/disciplines", {"name": name})


def rank_system(dojo: Dojo, preset: str = "aikikai", **fields: Any) -> dict[str, Any]:
    return dojo.create("/rank-systems", {"preset": preset, **fields})


def rank(system: dict[str, Any], code: str) -> str:
    """Return the id of a rank by its code."""
    return str(next(one["id"] for one in system["ranks"] if one["code"] == code))


def rank_event(
    dojo: Dojo, who: dict[str, Any], rank_id: str, on: str, kind: str = "import"
) -> dict[str, Any]:
    body = {"rank": rank_id, "kind": kind, "effective_on": on}
    return dojo.create(f"/students/{who['id']}/rank-events", body)


def notification(dojo: Dojo, *students: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Queue a letter to students."""
    body = {"subject": "News for {{ student }}", "body": "Dear {{ recipient }}", **fields}
    audience = {"students": [one["id"] for one in students]}
    answer = dojo.admin.post("/notifications", {"audience": audience, **body})
    assert answer.status_code == 202, answer.content
    return dict(answer.json())


def exam(dojo: Dojo, system: dict[str, Any], date: str = "2026-06-10", **fields: Any) -> dict[str, Any]:
    return dojo.create("/exams", {"name": "Grading", "date": date, "rank_system": system["id"], **fields})


def candidate(dojo: Dojo, exam: dict[str, Any], who: dict[str, Any], rank_id: str) -> dict[str, Any]:
    """Invite a student to an exam."""
    body = {"candidates": [{"student": who["id"], "target_rank": rank_id}]}
    (invited,) = dojo.create(f"/exams/{exam['id']}/candidates", body)["results"]
    return dict(invited)


def finished_exam(
    dojo: Dojo, system: dict[str, Any], who: dict[str, Any], rank_id: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an exam that a student has passed, past the rules, and what was awarded."""
    held = exam(dojo, system)
    passed = {
        "candidate": candidate(dojo, held, who, rank_id)["id"],
        "outcome": "passed",
        "override_reason": "Seminar",
    }
    path = f"/exams/{held['id']}"
    for step, body in (("results", {"results": [passed]}), ("finish", {})):
        answer = dojo.admin.post(f"{path}/{step}", body)
        assert answer.status_code == 200, answer.content
    return held, answer.json()["rank_events"][0]


def batch(dojo: Dojo, *students: dict[str, Any], award: bool = True, **fields: Any) -> dict[str, Any]:
    """Queue a batch for students, or for a filter."""
    named = {"students": [one["id"] for one in students]} if students else {}
    answer = dojo.admin.post("/promotions/batches", {**named, "award": award, **fields})
    assert answer.status_code == 202, answer.content
    return dict(answer.json())


def fact(dojo: Dojo, who: dict[str, Any], kind: str, value: Any, on: str, **fields: Any) -> dict[str, Any]:
    return dojo.create(f"/students/{who['id']}/facts", {"kind": kind, "value": value, "on": on, **fields})


def attendance(dojo: Dojo, who: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    answer = dojo.admin.post("/attendance", {"student": who["id"], "class_session": session["id"]})
    assert answer.status_code == 201, answer.content
    return dict(answer.json()["attendance"])


def speaks_for(dojo: Dojo, caller: Caller, *students: dict[str, Any]) -> None:
    """Link a user with the students he speaks for."""
    assert caller.user is not None
    answer = dojo.admin.patch(f"/users/{caller.user.pk}", {"students": [one["id"] for one in students]})
    assert answer.status_code == 200, answer.content


def hold(dojo: Dojo, who: dict[str, Any], since: str, until: str, **fields: Any) -> dict[str, Any]:
    return dojo.create(f"/students/{who['id']}/holds", {"from": since, "until": until, **fields})


def unpaired_device(dojo: Dojo, name: str = "Front door", **fields: Any) -> dict[str, Any]:
    """Return a new device's id, and the code that pairs it."""
    return dojo.create("/devices", {"name": name, **fields})


def device(dojo: Dojo, **fields: Any) -> tuple[Caller, str]:
    """Return a paired device as a caller, and its id. It has been seen already: that is written once a minute."""
    code = unpaired_device(dojo, **fields)["pairing_code"]
    answer = dojo.anonymous.post("/devices/pairing", {"code": code})
    assert answer.status_code == 201, answer.content
    paired = answer.json()
    caller = Caller(dojo.host, token=paired["access"])
    assert caller.get("/me").json()["role"] == "device"
    return caller, str(paired["device"]["id"])


def feed_token(caller: Caller) -> str:
    """Return the secret of the caller's calendar feed."""
    answer = caller.post("/me/calendar")
    assert answer.status_code == 201, answer.content
    return str(answer.json()["url"].partition("?token=")[2])


def put_on_hold(dojo: Dojo, who: dict[str, Any]) -> None:
    """Put a student on hold from today on."""
    dojo.create(f"/students/{who['id']}/holds", {"from": "2026-06-15"})


def nobody() -> str:
    """Return an id that nothing has."""
    return str(uuid4())
