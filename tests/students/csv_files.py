"""CSV files for imports, requests that upload them, and their responses."""

import csv
import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.support.clients import Caller

STUDENTS = "/students/import"
RANK_EVENTS = "/rank-events/import"
FACTS = "/facts/import"


def upload(caller: Caller, content: bytes | str, path: str = STUDENTS, **headers: str) -> Any:
    """Upload a file; return the response."""
    content = content.encode() if isinstance(content, str) else content
    given = {"Host": caller.host, "Authorization": f"Bearer {caller.token}"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.client.post(path, {"file": SimpleUploadedFile("people.csv", content)}, headers=given)


def import_csv(caller: Caller, content: bytes | str, path: str = STUDENTS) -> Any:
    """Upload a file that is a valid table; return the report."""
    response = upload(caller, content, path)
    assert response.status_code == 200, response.content
    return response.json()


def outcomes(report: Any) -> list[str]:
    """Return the outcome of each line."""
    return [row["outcome"] for row in report["rows"]]


def file_errors(response: Any) -> list[str]:
    """Return the errors of a file that was refused as a whole."""
    assert response.status_code == 400, response.content
    return list(response.json()["error"]["details"]["file"])


def exported_rows(caller: Caller, query: str = "") -> list[dict[str, str]]:
    """Return the lines of the export, as cells by column."""
    response = caller.get(f"/students/export{query}")
    assert response.status_code == 200, response.content
    return list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def number_of_student_statements(captured: Any) -> int:
    """Return the number of statements on the tables of students; others depend on what is cached."""
    return sum('"students_' in query["sql"] for query in captured.captured_queries)


def csv_text(*rows: dict[str, str]) -> str:
    """Return rows as CSV, with the columns of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


LARGE_DOJO = 5_000
FAULTY_EVERY = 25
FAULTS = (
    ("email", "not an address"),
    ("birth_date", "31.13.2010"),
    ("first_name", ""),
    ("status", "on_hold"),
    ("rank", "purple sash"),
    ("external_id", "M-1"),
    ("guardian_1_email", "hana@"),
    ("opening_attendance", "many"),
)


def large_file(lines: int = LARGE_DOJO, system: str = "", rank: str = "") -> tuple[str, dict[int, str]]:
    """Return a file of students, and the faulty column by line number: every 25th line has one of eight faults."""
    rows, faulty = [], {}
    for number in range(1, lines + 1):
        row = {
            "external_id": f"M-{number}",
            "first_name": f"Mika {number}",
            "last_name": "Sato",
            "email": f"mika{number}@example.com",
            "phone": f"+49 30 {number}",
            "birth_date": f"{1960 + number % 55}-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "gender": "f",
            "status": "active",
            "joined_on": "2024-04-01",
            "medical_notes": "asthma" if number % 40 == 0 else "",
            "guardian_1_name": f"Hana {number // 2}",  # shared by two siblings
            "guardian_1_email": f"hana{number // 2}@example.com",
            "guardian_1_relation": "mother",
            "guardian_2_name": f"Jun {number}",
            "guardian_2_phone": f"030 {number}",
            "rank_system": system,
            "rank": rank,
            "rank_on": "2025-04-01" if rank else "",
            "opening_attendance": str(number % 200),
        }
        if number % FAULTY_EVERY == 0:
            column, text = FAULTS[number // FAULTY_EVERY % len(FAULTS)]
            row[column] = text
            faulty[number + 1] = column
        rows.append(row)
    return csv_text(*rows), faulty
