"""Assertions about responses. An error response is always the error envelope, and nothing else."""

import re
from typing import Any

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that `response` is this error, in the error envelope; return its details."""
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
        assert details, "empty details must be left out"
    if code == "validation_error":
        assert details
        for path, messages in details.items():
            assert isinstance(path, str)
            assert isinstance(messages, list)
            assert all(isinstance(message, str) and message for message in messages), details
    return details


def assert_invalid(response: Any, *fields: str) -> dict[str, Any]:
    """Assert that `response` is a `validation_error` with exactly these dotted paths; return its details."""
    details = assert_error(response, 400, "validation_error")
    assert sorted(details) == sorted(fields), details
    return details


def ok(response: Any, status: int = 200) -> Any:
    """Assert the status of a response; return its JSON, or `None` for an empty body."""
    assert response.status_code == status, (response.status_code, response.content)
    assert REQUEST_ID.fullmatch(response.headers["X-Request-ID"])
    return response.json() if response.content else None


def assert_created(caller: Any, response: Any) -> Any:
    """Assert a 201 whose `Location` the caller can read; return the body."""
    body = ok(response, 201)
    assert ok(caller.get(url_path(response.headers["Location"]))) is not None
    return body


def url_path(url: str) -> str:
    """Return path and query of a URL or a path."""
    return re.sub(r"^https?://[^/]+", "", url)


def results_of(caller: Any, path: str) -> list[dict[str, Any]]:
    """Return the results on the first page of a list."""
    results: list[dict[str, Any]] = ok(caller.get(path))["results"]
    return results
