"""How answers are read: a refusal is always the contract's envelope, and nothing else."""

import re
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def refusal(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that `response` is this refusal, in the contract's envelope; return its details."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert {"code", "message"} <= set(error) <= {"code", "message", "details"}, error
    assert error["code"] == code, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert REQUEST_ID.fullmatch(response.headers["X-Request-ID"])
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    details: dict[str, Any] = error.get("details", {})
    if "details" in error:
        assert details, "details stand only where there is something to say"
    if code == "validation_error":
        assert details
        for path, messages in details.items():
            assert isinstance(path, str)
            assert isinstance(messages, list)
            assert all(isinstance(message, str) and message for message in messages), details
    return details


def invalid(response: Any, *fields: str) -> dict[str, Any]:
    """Assert that `response` is a `validation_error` at exactly these dotted paths."""
    details = refusal(response, 400, "validation_error")
    assert sorted(details) == sorted(fields), details
    return details


def done(response: Any, status: int = 200) -> Any:
    """Assert the status of an answer; return its body, None for an empty one."""
    assert response.status_code == status, (response.status_code, response.content)
    assert REQUEST_ID.fullmatch(response.headers["X-Request-ID"])
    return response.json() if response.content else None


def made(caller: Any, response: Any) -> Any:
    """Assert a 201 whose `Location` answers the same caller; return the body."""
    body = done(response, 201)
    assert done(caller.get(path_of(response.headers["Location"]))) is not None
    return body


def path_of(url: str) -> str:
    """Return path and query of a URL, or of a path."""
    return re.sub(r"^https?://[^/]+", "", url)


def statements(caller: Any, path: str) -> int:
    """Return how many statements a GET costs."""
    return counted(lambda: done(caller.get(path)))


def counted(deed: Callable[[], Any]) -> int:
    """Return how many statements a deed costs, without those by which a process finds the host, once a second."""
    deed()
    with CaptureQueriesContext(connection) as captured:
        deed()
    return sum("tenants_" not in query["sql"] for query in captured)
