"""The reports: what they count, whom they leave apart, and what they refuse."""

import csv
import io
from typing import Any

import pytest

from tests.classes.schedules import MONDAYS, a_class, a_student, attend, enrol, session_on, sessions
from tests.support.clients import Dojo

JUNE = "from=2026-06-01&to=2026-06-15"


def report(dojo: Dojo, path: str) -> list[dict[str, Any]]:
    answer = dojo.assistant.get(f"/reports/{path}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


@pytest.fixture
def june(dojo: Dojo) -> dict[str, Any]:
    """Aiko came three times (once late), Ben once, Tom, who is on trial, once; one of Aiko's visits was voided."""
    art = dojo.create("/disciplines", {"name": "Aikido"})
    group = a_class(dojo, discipline=art["id"], expected_attendance={"rate": 0.5})
    aiko, ben = a_student(dojo, "Aiko"), a_student(dojo, "Ben")
    tom = a_student(dojo, "Tom", status="trial")
    mat = dojo.create(
        "/class-sessions", {"name": "Open mat", "starts_at": "2026-06-13T22:30:00Z", "duration_minutes": 60}
    )
    for day, late in (("2026-06-01", False), ("2026-06-08", True)):
        attend(dojo, aiko, session_on(dojo, day), late=late)
    attend(dojo, ben, session_on(dojo, "2026-06-08"), late=False)
    attend(dojo, tom, session_on(dojo, "2026-06-08"), late=True)
    attend(dojo, aiko, mat, late=False)
    wrong = attend(dojo, ben, mat)
    assert dojo.admin.post(f"/attendance/{wrong['id']}/void", {"reason": "Not him."}).status_code == 200
    return {"class": group, "discipline": art, "aiko": aiko, "ben": ben, "tom": tom}


def counts(attendances: int, late: int, students: int, trial: int) -> dict[str, int]:
    return {"attendances": attendances, "late": late, "students": students, "trial": trial}


def test_by_day_is_the_sessions_local_day(dojo: Dojo, june: dict) -> None:
    assert report(dojo, f"attendance?{JUNE}&group_by=day") == [
        {"day": "2026-06-01", **counts(1, 0, 1, 0)},
        {"day": "2026-06-08", **counts(2, 1, 2, 1)},
        {"day": "2026-06-14", **counts(1, 0, 1, 0)},
    ]


def test_by_week_is_the_weeks_monday_and_by_month_the_month(dojo: Dojo, june: dict) -> None:
    assert report(dojo, f"attendance?{JUNE}&group_by=week") == [
        {"week": "2026-06-01", **counts(1, 0, 1, 0)},
        {"week": "2026-06-08", **counts(3, 1, 2, 1)},
    ]
    assert report(dojo, f"attendance?{JUNE}&group_by=month") == [{"month": "2026-06", **counts(4, 1, 2, 1)}]


def test_by_class_discipline_and_student(dojo: Dojo, june: dict) -> None:
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


def test_without_dates_it_is_the_last_thirty_days(dojo: Dojo, june: dict) -> None:
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
def test_what_cannot_be_asked_is_refused_by_name(dojo: Dojo, query: str, field: str) -> None:
    for accepted in ("application/json", "text/csv"):
        answer = dojo.admin.get(f"/reports/{query}", Accept=accepted)
        assert answer.status_code == 400, answer.content
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()["error"]["details"]) == {field}


def test_absentees_are_the_active_who_have_not_come_for_long(dojo: Dojo, june: dict) -> None:
    mother = {"name": "Hana", "phone": "030 1", "email": "hana@example.com", "relation": "mother"}
    never = a_student(dojo, "Never", guardians=[mother], phone="030 2")
    a_student(dojo, "New", joined_on="2026-06-10")
    long_ago = a_student(dojo, "Longago", joined_on="2026-01-01")
    a_student(dojo, "Gone", status="inactive")
    held = a_student(dojo, "Held")
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


def test_expected_is_set_against_what_came(dojo: Dojo, june: dict) -> None:
    weekly = a_class(
        dojo,
        name="Weekly",
        expected_attendance={"per_week": 2},
        recurrence={**MONDAYS, "start_time": "09:00"},
    )
    silent = a_class(dojo, name="Silent", recurrence={**MONDAYS, "start_time": "08:00"})
    for group in (june["class"], weekly, silent):
        enrol(dojo, group, june["aiko"], june["ben"], june["tom"])
    (first,) = sessions(dojo, "2026-06-01", "2026-06-01", **{"class": silent["id"]})
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


def test_what_is_still_to_come_is_not_expected_yet(dojo: Dojo, june: dict) -> None:
    enrol(dojo, june["class"], june["aiko"], june["ben"])
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
    gone = a_student(dojo, "Gone", status="inactive")
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


def table(dojo: Dojo, path: str) -> list[dict[str, str]]:
    answer = dojo.admin.get(f"/reports/{path}", Accept="text/csv")
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Vary"] == "Accept"
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def test_a_report_is_a_table_for_a_spreadsheet(dojo: Dojo, june: dict) -> None:
    assert table(dojo, f"attendance?{JUNE}&group_by=class") == [
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
    assert table(dojo, f"attendance?{JUNE}")[0]["day"] == "2026-06-01"
    assert table(dojo, f"expected-attendance?{JUNE}")[0]["class"] == "Evening"
    assert table(dojo, "ranks") == []


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "＝1+1"])
def test_no_cell_is_active(dojo: Dojo, name: str) -> None:
    a_student(dojo, name, phone="+49 30 123", guardians=[{"name": "Mum", "phone": "=1"}])
    (row,) = table(dojo, "absentees")
    assert row["student"] == f"'{name} Sato"
    assert row["phone"] == "'+49 30 123"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_another_media_type_is_not_acceptable(dojo: Dojo) -> None:
    answer = dojo.admin.get("/reports/ranks", Accept="application/pdf")
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("path", ["attendance", "absentees", "ranks", "expected-attendance"])
def test_reports_are_for_staff_and_about_this_dojo(
    dojo: Dojo, other_dojo: Dojo, june: dict, path: str
) -> None:
    assert dojo.student.get(f"/reports/{path}").status_code == 403
    assert other_dojo.admin.get(f"/reports/{path}").json()["results"] == []
