"""The reports: what they count, which students they exclude, what they refuse, and how many statements they need."""

import codecs
import csv
import io
from typing import Any

import pytest

from tests.classes.factories import (
    MONDAYS,
    create_class,
    create_student,
    enrol,
    list_sessions,
    number_of_statements,
    record_attendance,
    session_on,
)
from tests.support.clients import Dojo

JUNE = "from=2026-06-01&to=2026-06-15"


def report(dojo: Dojo, path: str) -> list[dict[str, Any]]:
    answer = dojo.assistant.get(f"/reports/{path}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


@pytest.fixture
def june(dojo: Dojo) -> dict[str, Any]:
    """Aiko came three times (once late), Ben once, Tom (on trial) once. One more attendance of Ben was voided."""
    art = dojo.create("/disciplines", {"name": "Aikido"})
    group = create_class(dojo, discipline=art["id"], expected_attendance={"rate": 0.5})
    aiko, ben = create_student(dojo, "Aiko"), create_student(dojo, "Ben")
    tom = create_student(dojo, "Tom", status="trial")
    mat = dojo.create(
        "/class-sessions", {"name": "Open mat", "starts_at": "2026-06-13T22:30:00Z", "duration_minutes": 60}
    )
    for day, late in (("2026-06-01", False), ("2026-06-08", True)):
        record_attendance(dojo, aiko, session_on(dojo, day), late=late)
    record_attendance(dojo, ben, session_on(dojo, "2026-06-08"), late=False)
    record_attendance(dojo, tom, session_on(dojo, "2026-06-08"), late=True)
    record_attendance(dojo, aiko, mat, late=False)
    wrong = record_attendance(dojo, ben, mat)
    assert (
        dojo.admin.post(f"/attendance/{wrong['id']}/void", {"reason": "The wrong student."}).status_code
        == 200
    )
    return {"class": group, "discipline": art, "aiko": aiko, "ben": ben, "tom": tom}


def counts(attendances: int, late: int, students: int, trial: int) -> dict[str, int]:
    return {"attendances": attendances, "late": late, "students": students, "trial": trial}


def test_a_day_is_the_local_date_of_the_session(dojo: Dojo, june: dict) -> None:
    assert report(dojo, f"attendance?{JUNE}&group_by=day") == [
        {"day": "2026-06-01", **counts(1, 0, 1, 0)},
        {"day": "2026-06-08", **counts(2, 1, 2, 1)},
        {"day": "2026-06-14", **counts(1, 0, 1, 0)},
    ]


def test_a_week_is_named_by_its_monday_and_a_month_by_year_and_month(dojo: Dojo, june: dict) -> None:
    assert report(dojo, f"attendance?{JUNE}&group_by=week") == [
        {"week": "2026-06-01", **counts(1, 0, 1, 0)},
        {"week": "2026-06-08", **counts(3, 1, 2, 1)},
    ]
    assert report(dojo, f"attendance?{JUNE}&group_by=month") == [{"month": "2026-06", **counts(4, 1, 2, 1)}]


def test_attendance_is_counted_by_class_discipline_and_student(dojo: Dojo, june: dict) -> None:
    group = {"id": june["class"]["id"], "name": "Evening"}
    assert report(dojo, f"attendance?{JUNE}&group_by=class") == [
        {"class": group, **counts(3, 1, 2, 1)},
        {"class": None, **counts(1, 0, 1, 0)},
    ]
    art = {"id": june["discipline"]["id"], "name": "Aikido"}
    assert report(dojo, f"attendance?{JUNE}&group_by=discipline")[0] == {
        "discipline": art,
        **counts(3, 1, 2, 1),
    }
    found = report(dojo, f"attendance?{JUNE}&group_by=student")
    assert [(row["student"]["name"], row["attendances"], row["trial"]) for row in found] == [
        ("Aiko Sato", 3, 0), ("Ben Sato", 1, 0), ("Tom Sato", 0, 1)
    ]  # fmt: skip


def test_bounds_are_days_or_instants(dojo: Dojo, june: dict) -> None:
    assert [row["day"] for row in report(dojo, "attendance?from=2026-06-08&to=2026-06-08")] == ["2026-06-08"]
    query = "attendance?from=2026-06-08T16:30:00Z&to=2026-06-13T22:30:00Z"
    assert [row["day"] for row in report(dojo, query)] == ["2026-06-08"]


def test_the_default_period_is_the_last_thirty_days(dojo: Dojo, june: dict) -> None:
    answer = dojo.admin.get("/reports/attendance").json()
    assert (answer["from"], answer["to"], answer["group_by"]) == ("2026-05-17", "2026-06-15", "day")
    assert len(answer["results"]) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("attendance?group_by=moon", "group_by"),
        ("attendance?from=2026-06-31", "from"),
        ("attendance?from=2026-06-10&to=2026-06-01", "to"),
        ("attendance?from=2020-01-01&to=2026-06-01", "from"),
        ("attendance?to=2026-06-01T10:00:00", "to"),
        ("attendance?to=0001-01-01", "to"),
        ("expected-attendance?from=x", "from"),
        ("absentees?days=0", "days"),
        ("absentees?days=-3", "days"),
        ("absentees?days=4000", "days"),
        ("absentees?days=%D9%A3", "days"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(dojo: Dojo, query: str, field: str) -> None:
    for accepted in ("application/json", "text/csv"):
        answer = dojo.admin.get(f"/reports/{query}", Accept=accepted)
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()["error"]["details"]) == {field}


def test_absentees_are_active_students_who_have_not_come_for_long(dojo: Dojo, june: dict) -> None:
    mother = {"name": "Hana", "phone": "030 1", "email": "hana@example.com", "relation": "mother"}
    never = create_student(dojo, "Never", guardians=[mother], phone="030 2")
    create_student(dojo, "New", joined_on="2026-06-10")
    long_ago = create_student(dojo, "Longago", joined_on="2026-01-01")
    create_student(dojo, "Gone", status="inactive")
    held = create_student(dojo, "Held")
    assert dojo.admin.post(f"/students/{held['id']}/holds", {"from": "2026-06-01"}).status_code == 201
    found = report(dojo, "absentees?days=7")
    assert [(row["student"]["id"], row["last_visit"], row["days"]) for row in found] == [
        (long_ago["id"], None, None), (never["id"], None, None), (june["ben"]["id"], "2026-06-08", 7)
    ]  # fmt: skip
    assert (found[1]["phone"], found[1]["guardians"]) == (
        "030 2", [{"name": "Hana", "phone": "030 1", "email": "hana@example.com"}]
    )  # fmt: skip
    assert [row["student"]["name"] for row in report(dojo, "absentees?days=8")] == [
        "Longago Sato",
        "Never Sato",
    ]


def test_expected_attendance_is_compared_with_the_actual(dojo: Dojo, june: dict) -> None:
    weekly = create_class(
        dojo,
        name="Weekly",
        expected_attendance={"per_week": 2},
        recurrence={**MONDAYS, "start_time": "09:00"},
    )
    silent = create_class(dojo, name="Silent", recurrence={**MONDAYS, "start_time": "08:00"})
    for group in (june["class"], weekly, silent):
        enrol(dojo, group, june["aiko"], june["ben"], june["tom"], **{"from": "2026-06-01"})
    (first,) = list_sessions(dojo, "2026-06-01", "2026-06-01", **{"class": silent["id"]})
    dojo.admin.post(f"/class-sessions/{first['id']}/cancellation")
    found = {
        row["class"]["name"]: row for row in report(dojo, "expected-attendance?from=2026-06-01&to=2026-06-14")
    }
    wanted = {
        "Evening": ("rate", 2, 2.0, 3, 1),
        "Weekly": ("per_week", 2, 8.0, 0, 0),
        "Silent": ("rate", 1, 2.0, 0, 0),
    }
    for name, (basis, held, expected, actual, trial) in wanted.items():
        row = found[name]
        assert (row["basis"], row["sessions"], row["expected"], row["actual"], row["trial"]) == (
            basis, held, expected, actual, trial
        ), name  # fmt: skip
        assert (row["enrolled"], row["weeks"]) == (2, 2.0)
    assert found["Evening"]["share"] == 1.5


def test_future_sessions_are_not_expected_yet(dojo: Dojo, june: dict) -> None:
    enrol(dojo, june["class"], june["aiko"], june["ben"], **{"from": "2026-06-01"})
    (row,) = report(dojo, "expected-attendance?from=2026-06-01&to=2026-12-31")
    assert (row["sessions"], row["expected"]) == (2, 2.0), "today's session is not over"


def test_ranks_are_counted_by_system(dojo: Dojo, june: dict) -> None:
    system = dojo.create("/rank-systems", {"preset": "aikikai"})
    by_code = {one["code"]: one["id"] for one in system["ranks"]}
    for who, code, on in (
        ("aiko", "5-kyu", "2025-01-01"), ("aiko", "4-kyu", "2026-01-01"), ("ben", "4-kyu", "2026-02-01"),
        ("tom", "5-kyu", "2026-01-01"),
    ):  # fmt: skip
        dojo.create(
            f"/students/{june[who]['id']}/rank-events",
            {"rank": by_code[code], "kind": "import", "effective_on": on},
        )
    gone = create_student(dojo, "Gone", status="inactive")
    dojo.create(
        f"/students/{gone['id']}/rank-events",
        {"rank": by_code["1-dan"], "kind": "import", "effective_on": "2020-01-01"},
    )
    found = report(dojo, "ranks")
    assert [(row["code"], row["students"], row["trial"]) for row in found] == [
        ("5-kyu", 0, 1),
        ("4-kyu", 2, 0),
    ]
    assert found[0]["rank_system"] == {"id": system["id"], "name": system["name"]}


def csv_rows(dojo: Dojo, path: str) -> list[dict[str, str]]:
    answer = dojo.admin.get(f"/reports/{path}", Accept="text/csv")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Vary"] == "Accept"
    assert answer.content.startswith(codecs.BOM_UTF8)  # by which a spreadsheet recognises UTF-8
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_a_report_is_available_as_csv(dojo: Dojo, june: dict) -> None:
    assert csv_rows(dojo, f"attendance?{JUNE}&group_by=class") == [
        {
            "class_id": june["class"]["id"],
            "class": "Evening",
            "attendances": "3",
            "late": "1",
            "students": "2",
            "trial": "1",
        },
        {"class_id": "", "class": "", "attendances": "1", "late": "0", "students": "1", "trial": "0"},
    ]
    assert csv_rows(dojo, f"attendance?{JUNE}")[0]["day"] == "2026-06-01"
    assert csv_rows(dojo, f"expected-attendance?{JUNE}")[0]["class"] == "Evening"
    assert csv_rows(dojo, "ranks") == []


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "＝1+1"])
def test_no_csv_cell_is_a_formula(dojo: Dojo, name: str) -> None:
    create_student(dojo, name, phone="+49 30 123", guardians=[{"name": "Mum", "phone": "=1"}])
    (row,) = csv_rows(dojo, "absentees")
    assert row["student"] == f"'{name} Sato"
    assert row["phone"] == "'+49 30 123"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_another_media_type_is_not_acceptable(dojo: Dojo) -> None:
    answer = dojo.admin.get("/reports/ranks", Accept="application/pdf")
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("path", ["attendance", "absentees", "ranks", "expected-attendance"])
def test_reports_are_for_staff_and_about_one_dojo(
    dojo: Dojo, other_dojo: Dojo, june: dict, path: str
) -> None:
    assert dojo.student.get(f"/reports/{path}").status_code == 403
    assert other_dojo.admin.get(f"/reports/{path}").json()["results"] == []


# --- statements -----------------------------------------------------------------------------------------------

REPORTS = [
    *(f"attendance?from=2026-06-01&to=2026-06-15&group_by={key}"
      for key in ("day", "week", "month", "class", "discipline", "student")),
    "absentees?days=1",
    "ranks",
    "expected-attendance?from=2026-06-01&to=2026-06-15",
]  # fmt: skip


def test_a_report_is_one_statement_whatever_the_size_of_the_dojo(dojo: Dojo) -> None:
    group = create_class(dojo)
    system = dojo.create("/rank-systems", {"preset": "aikikai"})
    held = list_sessions(dojo, "2026-06-01", "2026-06-08", **{"class": group["id"]})

    def more(name: str) -> None:
        who = create_student(dojo, name, guardians=[{"name": "Mum"}])
        enrol(dojo, group, who)
        for session in held:
            record_attendance(dojo, who, session)
        body = {"rank": system["ranks"][1]["id"], "kind": "import", "effective_on": "2026-01-01"}
        dojo.create(f"/students/{who['id']}/rank-events", body)

    more("First")
    before = {path: number_of_statements(dojo.admin, "GET", f"/reports/{path}") for path in REPORTS}
    for n in range(4):
        more(f"Student {n}")
    create_class(dojo, name="Another")
    after = {path: number_of_statements(dojo.admin, "GET", f"/reports/{path}") for path in REPORTS}
    assert after == before == dict.fromkeys(REPORTS, 2)  # The user, the report.
