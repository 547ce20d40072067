"""Bodies that are cheap to send are cheap to refuse: sizes are checked before any value is."""

from typing import Any

import orjson
import pytest

from tatami.errors import MAX_FAULTS
from tenant_apps.classes.recurrence import WEEKDAYS
from tests.students.csv_files import upload
from tests.support.clients import Caller, Dojo
from tests.support.cpu import CpuBudget
from tests.support.responses import assert_error, assert_invalid

pytestmark = pytest.mark.slow

MEBIBYTE = 1024 * 1024
MOST_CPU_SECONDS = 1.0
PUBLIC = [
    "/auth/login",
    "/auth/refresh",
    "/auth/password/reset",
    "/auth/password/reset/confirm",
    "/devices/pairing",
]


def unknown_keys(size: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % number for number in range(size // 11)) + b"}"


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("size", [15 * 1024, MEBIBYTE - 1])
def test_unknown_keys_cost_a_client_without_a_token_more_than_us(dojo: Dojo, path: str, size: int) -> None:
    caller = Caller(dojo.host)
    caller.post(path)
    with CpuBudget(MOST_CPU_SECONDS):
        answer = caller.post(path, unknown_keys(size))
    assert answer.status_code in {400, 413}
    assert len(answer.content) < 16 * 1024


def test_at_most_fifty_faults_are_listed(dojo: Dojo) -> None:
    body = {f"unknown-{number}": 1 for number in range(500)}
    details = assert_error(dojo.admin.post("/students", body), 400, "validation_error")
    assert len(details) <= MAX_FAULTS


WEEKLY = {"from": "2026-06-01", "weekdays": ["monday"], "start_time": "18:30", "duration_minutes": 60}


def illegal_bodies(dojo: Dojo) -> dict[str, tuple[str, Any]]:
    """Return routes with bodies that are a hundred times too large, but within the size of a body."""
    return {
        "weekdays": ("/classes", {"name": "x", "recurrence": {**WEEKLY, "weekdays": ["monday"] * 40_000}}),
        "invalid weekdays": ("/classes", {"name": "x", "recurrence": {**WEEKLY, "weekdays": ["x"] * 40_000}}),
        "more times": ("/classes", {"name": "x", "recurrence": {**WEEKLY, "more_times": [{}] * 20_000}}),
        "instructors": ("/classes", {"name": "x", "recurrence": WEEKLY, "instructors": ["x"] * 40_000}),
        "guardians": ("/students", {"first_name": "x", "last_name": "y", "guardians": [{}] * 20_000}),
        "guest examiners": ("/exams", {"date": "2026-07-01", "guest_examiners": [1] * 40_000}),
        "ranks": ("/rank-systems", {"name": "x", "ranks": [{"junk": 1}] * 20_000}),
        "invalid ranks": (
            "/rank-systems",
            {"name": "x", "ranks": [{"junk": 1}] * 200, "steps": [[]] * 20_000},
        ),
        "paths": ("/rank-systems", {"name": "x", "steps": [{"paths": [{"criteria": [{}]}] * 10_000}]}),
        "nested arrays": ("/students", {"first_name": [[]] * 20_000}),
        "scans": ("/attendance/sync", {"scans": [{}] * 20_000}),
        "values": ("/students", {"facts": [0] * 400_000}),
        "braces": ("/notification-templates/promotion", {"subject": "x", "body": "{{" * 4_900}),
    }


@pytest.mark.parametrize("name", list(illegal_bodies(None)))  # type: ignore[arg-type]
def test_a_body_that_is_much_too_large_is_refused_at_little_cost(dojo: Dojo, name: str) -> None:
    path, body = illegal_bodies(dojo)[name]
    content = orjson.dumps(body)
    method = "PUT" if "templates" in path else "POST"
    dojo.admin.request(method, path, {})
    with CpuBudget(MOST_CPU_SECONDS):
        answer = dojo.admin.request(method, path, content)
    assert answer.status_code in {400, 413}, answer.content[:300]
    assert len(answer.json()["error"].get("details", ())) <= MAX_FAULTS
    assert len(answer.content) < 64 * 1024


def test_a_file_of_blank_lines_is_refused_at_little_cost(dojo: Dojo) -> None:
    content = b"first_name,last_name\n" + b"\n" * (9 * MEBIBYTE)
    with CpuBudget(MOST_CPU_SECONDS):
        answer = upload(dojo.admin, content, "/students/import?dry_run=true")
    assert_invalid(answer, "file")


def test_a_class_may_not_have_thousands_of_sessions_in_the_past(dojo: Dojo) -> None:
    times = [
        {
            "weekdays": list(WEEKDAYS),
            "start_time": f"{hour:02}:00",
            "duration_minutes": 45,
        }
        for hour in range(8, 18)
    ]
    body = {"name": "Open mat", "recurrence": {**times[0], "from": "2017-01-01", "more_times": times[1:]}}
    with CpuBudget(MOST_CPU_SECONDS):
        answer = dojo.admin.post("/classes", body)
    assert_invalid(answer, "recurrence.from")
    daily = {**WEEKLY, "from": "2021-06-01", "weekdays": times[0]["weekdays"]}
    assert dojo.admin.post("/classes", {"name": "Daily", "recurrence": daily}).status_code == 201


def test_a_request_without_a_token_learns_nothing_about_media_types(dojo: Dojo) -> None:
    answer = Caller(dojo.host).client.post(
        "/students/import", b"x", content_type="text/x-unknown", headers={"Host": dojo.host}
    )
    assert_error(answer, 401, "not_authenticated")
