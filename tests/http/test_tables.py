"""Lists and reports as tables for spreadsheets: CSV with a byte order mark, and `.xlsx`."""

import csv
import io
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from tatami.api import tables
from tatami.spreadsheets import csv_bytes, xlsx_bytes
from tatami.tenancy import hosts
from tests.classes.factories import number_of_statements
from tests.promotions.factories import ExamDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
NAME = "Zoë Ünal 田中"


@pytest.fixture
def exam_dojo(dojo: Dojo) -> ExamDojo:
    return ExamDojo(dojo)


def attend(dojo: Dojo, student: dict[str, Any]) -> None:
    factories.attendance(dojo, student, factories.single_session(dojo))


@pytest.fixture
def filled(exam_dojo: ExamDojo) -> ExamDojo:
    """A dojo with an exam, and a student with formulas as name and note, with an attendance and a rank event."""
    dojo = exam_dojo.dojo
    exam_dojo.pass_exam(exam_dojo.ready)
    student = factories.student(
        dojo, first_name="=1+1", last_name=NAME, external_id="0001", birth_date="1990-01-02"
    )
    attend(dojo, student)
    event = {"rank": exam_dojo.rank("white"), "kind": "import", "effective_on": "2025-02-03", "note": "+1;=2"}
    dojo.create(f"/students/{student['id']}/rank-events", event)
    return exam_dojo


TABLES = {
    "/attendance": "attendance",
    "/attendance/refusals": "refusals",
    "/rank-events": "rank-events",
    "/exams": "exams",
    "/promotions/snapshot": "eligibility",
    "/reports/attendance": "attendance",
    "/reports/absentees": "absentees",
    "/reports/ranks": "ranks",
    "/reports/expected-attendance": "expected-attendance",
    "candidates": "candidates",
    "check": "eligibility",
}


def fetch(exam_dojo: ExamDojo, what: str, query: str = "", **headers: str) -> Any:
    admin = exam_dojo.dojo.admin
    if what == "check":
        return admin.post(f"/promotions/check?{query}", {}, **headers)
    path = f"{exam_dojo.path}/candidates" if what == "candidates" else what
    return admin.get(f"{path}?{query}", **headers)


def rows_of_csv(answer: Any, delimiter: str = ",") -> list[list[str]]:
    assert answer.status_code == 200, answer.content
    content = answer.content
    assert content.startswith(b"\xef\xbb\xbf"), "spreadsheets read UTF-8 with a byte order mark only"
    return list(
        csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True)
    )


def rows_of_xlsx(content: bytes) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    (sheet,) = book.worksheets
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


# --- every table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", TABLES)
def test_a_table_is_available_as_csv_and_xlsx(filled: ExamDojo, what: str) -> None:
    by_comma = rows_of_csv(fetch(filled, what, "format=csv"))
    assert len({len(row) for row in by_comma}) == 1
    for delimiter, named in ((";", "semicolon"), (";", "%3B"), ("\t", "tab"), ("\t", "%09"), (",", "comma")):
        assert rows_of_csv(fetch(filled, what, f"format=csv&delimiter={named}"), delimiter) == by_comma
    answer = fetch(filled, what, "format=xlsx")
    assert answer.headers["Content-Type"] == tables.XLSX
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{TABLES[what]}.xlsx"'
    cells = rows_of_xlsx(answer.content)
    assert cells[0] == by_comma[0]
    assert len(cells) == len(by_comma)
    accepted = fetch(filled, what, Accept="text/csv")
    assert accepted.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert accepted.headers["Vary"] == "Accept"
    assert accepted.headers["Content-Disposition"] == f'attachment; filename="{TABLES[what]}.csv"'
    assert rows_of_csv(accepted) == by_comma
    assert fetch(filled, what, Accept=tables.XLSX).headers["Content-Type"] == tables.XLSX


@pytest.mark.parametrize("what", TABLES)
@pytest.mark.parametrize(
    ("query", "field"),
    [("format=pdf", "format"), ("format=csv&delimiter=x", "delimiter"), ("format=csv&delimiter=", "delimiter"),
     ("format=xlsx&delimiter=tab", "delimiter"), ("delimiter=tab", "delimiter")],
)  # fmt: skip
def test_an_unknown_format_or_delimiter_is_refused(
    filled: ExamDojo, what: str, query: str, field: str
) -> None:
    assert_invalid(fetch(filled, what, query), field)


@pytest.mark.parametrize("what", TABLES)
def test_without_a_format_the_answer_is_json(filled: ExamDojo, what: str) -> None:
    assert ok(fetch(filled, what)) == ok(fetch(filled, what, "format=json"))


# --- what is in them ------------------------------------------------------------------------------------------------


def dicts(rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_attendances_name_the_student_the_class_and_the_day(filled: ExamDojo) -> None:
    (row,) = dicts(rows_of_csv(fetch(filled, "/attendance", "format=csv")))
    assert (row["external_id"], row["first_name"], row["last_name"]) == ("0001", "'=1+1", NAME)
    assert row["birth_date"] == "1990-01-02"
    assert (row["method"], row["late"], row["voided_at"]) == ("manual", "true", "")
    (cells,) = dicts(rows_of_xlsx(fetch(filled, "/attendance", "format=xlsx").content))
    assert cells["first_name"] == "=1+1", "text, which is no formula"
    assert cells["date"] == datetime.fromisoformat(row["date"])
    assert cells["birth_date"] == datetime.fromisoformat("1990-01-02")
    assert cells["late"] is True
    assert cells["external_id"] == "0001", "text keeps its zeros"


def test_rank_events_name_the_rank_and_its_code(filled: ExamDojo) -> None:
    query = "kind=import&to=2025-12-31"
    (row,) = dicts(rows_of_csv(fetch(filled, "/rank-events", f"format=csv&{query}")))
    assert (row["rank"], row["rank_code"], row["effective_on"]) == ("White", "white", "2025-02-03")
    (cells,) = dicts(rows_of_xlsx(fetch(filled, "/rank-events", f"format=xlsx&{query}").content))
    assert cells["note"] == "+1;=2"


def test_candidates_have_their_outcome_and_what_is_missing(filled: ExamDojo) -> None:
    rows = {row["first_name"]: row for row in dicts(rows_of_csv(fetch(filled, "candidates", "format=csv")))}
    assert rows["Ready"]["target_rank"] == "Yellow"
    assert rows["Ready"]["outcome"] == "passed"


def test_the_check_says_who_may_be_promoted_and_what_is_missing(filled: ExamDojo) -> None:
    answer = ok(fetch(filled, "check"))["results"]
    rows = dicts(rows_of_csv(fetch(filled, "check", "format=csv")))
    assert [(row["student_id"], row["status"]) for row in rows] == [
        (one["student"]["id"], one["status"]) for one in answer
    ]
    for row, one in zip(rows, answer, strict=True):
        assert (row["missing"] == "") == all(item["status"] == "met" for item in one["criteria"])


def test_a_table_has_all_rows_and_the_filters_apply(dojo: Dojo) -> None:
    sato, ito = (factories.student(dojo, last_name=name) for name in ("Sato", "Ito"))
    for _ in range(3):
        attend(dojo, sato)
    attend(dojo, ito)
    everything = "/attendance?format=csv&page_size=2"
    assert len(rows_of_csv(dojo.admin.get(everything))) == 1 + 4
    assert len(rows_of_csv(dojo.admin.get(f"{everything}&student={ito['id']}"))) == 1 + 1
    assert len(rows_of_csv(dojo.admin.get(f"/students/{sato['id']}/attendance?format=csv"))) == 1 + 3
    assert_invalid(dojo.admin.get("/attendance?format=csv&student=x"), "student")


def test_a_table_of_too_many_rows_is_refused(dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_TABLE_ROWS", 2)
    sato = factories.student(dojo)
    for _ in range(2):
        attend(dojo, sato)
    assert len(rows_of_csv(dojo.admin.get("/attendance?format=csv"))) == 3
    attend(dojo, sato)
    assert_error(dojo.admin.get("/attendance?format=csv"), 409, "too_many_rows")
    assert len(ok(dojo.admin.get("/attendance"))["results"]) == 3


def test_the_student_list_is_csv_with_a_delimiter_or_xlsx(filled: ExamDojo) -> None:
    admin = filled.dojo.admin
    by_comma = rows_of_stream(admin.get("/students/export"), ",")
    assert rows_of_stream(admin.get("/students/export?format=csv&delimiter=semicolon"), ";") == by_comma
    answer = admin.get("/students/export?format=xlsx")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="students.xlsx"'
    cells = rows_of_xlsx(answer.content)
    assert cells[0] == by_comma[0]
    rows = {row["external_id"]: row for row in dicts(cells)}
    assert (rows["0001"]["first_name"], rows["0001"]["last_name"]) == ("=1+1", NAME)
    assert rows["0001"]["birth_date"] == datetime.fromisoformat("1990-01-02")
    assert rows["0001"]["rank_on"] == datetime.fromisoformat("2025-02-03")
    assert len(cells) == len(by_comma)
    assert_invalid(admin.get("/students/export?format=json"), "format")
    assert_invalid(admin.get("/students/export?format=xlsx&delimiter=tab"), "delimiter")
    assert admin.get("/students/export", Accept="application/pdf").status_code == 406


@pytest.mark.parametrize("path", ["/students/export", "/attendance", "/reports/attendance", "/students"])
def test_who_is_not_signed_in_is_told_so_whatever_they_accept(dojo: Dojo, path: str) -> None:
    assert_error(dojo.anonymous.get(f"{path}?format=x"), 401, "not_authenticated")
    assert_error(dojo.anonymous.get(path, Accept="application/pdf"), 401, "not_authenticated")


def rows_of_stream(answer: Any, delimiter: str) -> list[list[str]]:
    assert answer.headers["Content-Disposition"] == 'attachment; filename="students.csv"'
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


@pytest.mark.parametrize("path", ["/attendance", "/rank-events"])
def test_the_number_of_statements_does_not_depend_on_the_rows(
    filled: ExamDojo, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "EPOCH_TTL_SECONDS", 3_600)  # a process reads the routing epoch twice a second
    before = number_of_statements(filled.dojo.admin, "GET", f"{path}?format=csv")
    for _ in range(3):
        attend(filled.dojo, factories.student(filled.dojo, last_name="Ito"))
    assert number_of_statements(filled.dojo.admin, "GET", f"{path}?format=csv") == before


def test_students_export_their_own_rows_only(filled: ExamDojo) -> None:
    dojo = filled.dojo
    own = factories.student(dojo)
    attend(dojo, own)
    factories.link_user(dojo, dojo.student, own)
    (row,) = dicts(rows_of_csv(dojo.student.get("/attendance?format=csv")))
    assert row["student_id"] == own["id"]
    assert dicts(rows_of_csv(dojo.student.get("/rank-events?format=csv"))) == []
    assert_error(dojo.student.get("/reports/attendance?format=xlsx"), 403, "permission_denied")


# --- the writer -----------------------------------------------------------------------------------------------------


def test_cells_have_types() -> None:
    instant = datetime.fromisoformat("2026-06-15T16:40:00+00:00")
    values = {
        "a": 1,
        "b": 2.5,
        "c": True,
        "d": date(2026, 6, 15),
        "e": instant,
        "f": None,
        "g": "=1",
        "h": 2**60,
    }
    values["i"] = "x" * 40_000
    values["j"] = "http://example.org"
    values["k"] = date(1890, 1, 2)
    heading, row = rows_of_xlsx(xlsx_bytes("things", list(values), [values], zone=BERLIN))
    assert heading == list(values)
    assert row[:8] == [
        1,
        2.5,
        True,
        datetime.fromisoformat("2026-06-15"),
        datetime.fromisoformat("2026-06-15T18:40:00"),
        None,
        "=1",
        str(2**60),
    ]
    assert row[8] == "x" * 32_767
    assert row[9:] == ["http://example.org", "1890-01-02"], "the calendar of spreadsheets begins in 1900"
    (_, text) = csv.reader(io.StringIO(csv_bytes(list(values), [values]).decode("utf-8-sig"), newline=""))
    assert text[:8] == ["1", "2.5", "true", "2026-06-15", "2026-06-15T16:40:00Z", "", "'=1", str(2**60)]


def test_a_table_without_rows_has_its_heading() -> None:
    assert rows_of_xlsx(xlsx_bytes("nothing", ["a", "b"], [], zone=BERLIN)) == [["a", "b"]]
    assert csv_bytes(["a", "b"], [], delimiter=";") == b"\xef\xbb\xbfa;b\r\n"
