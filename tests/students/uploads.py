"""Files as a front desk uploads them, and what the answer says."""

import csv
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.support.clients import Caller

STUDENTS = "/students/import"
RANK_EVENTS = "/rank-events/import"


def upload(caller: Caller, content: bytes | str, path: str = STUDENTS, **headers: str) -> Any:
    """Send a file; return the response."""
    content = content.encode() if isinstance(content, str) else content
    given = {"Host": caller.host, "Authorization": f"Bearer {caller.token}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.client.post(path, {"file": SimpleUploadedFile("people.csv", content)}, headers=given)


def imported(caller: Caller, content: bytes | str, path: str = STUDENTS) -> Any:
    """Send a file that is a table; return the body."""
    answer = upload(caller, content, path)
    assert answer.status_code == 200, answer.content
    return answer.json()


def outcomes(body: Any) -> list[str]:
    return [row["outcome"] for row in body["rows"]]


def faults(answer: Any) -> list[str]:
    """Return what is wrong with a file that was refused."""
    assert answer.status_code == 400, answer.content
    return list(answer.json()["error"]["details"]["file"])


def roll(caller: Caller, query: str = "") -> list[dict[str, str]]:
    """Return the exported lines, as cells."""
    answer = caller.get(f"/students/export{query}")
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def about_students(captured: Any) -> int:
    """Return how many statements asked our tables: whether a host is looked up anew depends on the time of day."""
    return sum('"students_' in query["sql"] for query in captured.captured_queries)


def table(*rows: dict[str, str]) -> str:
    """Return rows as CSV, with the columns of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
