"""Export, the damage that a spreadsheet does, import: the same people, no one twice, and every loss named."""

import csv
import io
import re
from collections import Counter
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tatami.tenancy.scope import tenant_scope
from tatami.text import normalise
from tenant_apps.students.guardians import delete_in_one_statement
from tenant_apps.students.models import EligibilitySnapshot, Guardian, RankEvent, Student, StudentGuardian
from tests.students.csv_files import exported_rows, import_csv
from tests.support.sizes import examples

pytestmark = pytest.mark.slow

DATES = re.compile(r"birth_date|joined_on|rank_on.*")
EMAILS = ["a@example.com", "b@example.com", "c@example.com", ""]
PHONES = ["", "+49 30 123456", "030 765432", "0301234568", "000", "0-00", "491701234567"]
IDS = ["", "", "0001", "0002", "7", "0070", "M-1", "M-02", "12", "000120"]
FIRST = ["Ana", "Zoë", "'=Ana", "Mary-Jane", "Ana\u2011Lúcia", "Ｓａｔｏ", "=Max", "İpek"]
LAST = ["", "Silva", "O’Brien", "d'Arc", "Groß", "de Souza", "Łuczak", "-Lee"]
NOTES = [
    "",
    '"=1',
    "\u200b=1",
    "'+1",
    "two\nlines",
    "a\r\n\r\nb",
    "-1",
    "Needs:\n- spray\n- rest",
    'say "hi"; =1',
    "' quoted",
    "12,5",
]

guardian = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["Hana Sato", "José Silva", "Maria Silva"]),
        "email": st.sampled_from(EMAILS),
        "phone": st.sampled_from(PHONES),
        "relation": st.sampled_from(["mother", "father", "grandfather", ""]),
    }
)
person = st.fixed_dictionaries(
    {
        "first_name": st.sampled_from(FIRST),
        "last_name": st.sampled_from(LAST),
        "preferred_name": st.sampled_from(["", "", "Zé", "O’B"]),
        "name_order": st.sampled_from(["", "", "family_first", "given_first"]),
        "external_id": st.sampled_from(IDS),
        "email": st.sampled_from(EMAILS),
        "phone": st.sampled_from(PHONES),
        "birth_date": st.sampled_from(["", "2010-05-04", "2010-04-05", "1990-12-31", "2011-11-11"]),
        "joined_on": st.sampled_from(["", "2020-01-02", "2021-03-25"]),
        "status": st.sampled_from(["active", "trial", "inactive"]),
        "medical_notes": st.sampled_from(NOTES),
        "guardians": st.lists(guardian, max_size=3, unique_by=lambda one: tuple(sorted(one.items()))),
        "rank": st.sampled_from([None, None, 0, 2]),
    }
)
rolls = st.lists(person, min_size=1, max_size=7, unique_by=lambda one: one["external_id"] or id(one))
damages = st.fixed_dictionaries(
    {
        "form": st.sampled_from(["comma", "semicolon", "tab", "sep", "xlsx"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "heading": st.sampled_from([str, str.upper, str.title, lambda text: text.replace("_", " ").title()]),
        "dates": st.sampled_from(["ymd", "dmy", "mdy"]),
        "names_dates": st.booleans(),
        "loses_zeros": st.booleans(),
        "ending": st.sampled_from(["\n", "\r\n", "\r"]),
        "order": st.randoms(use_true_random=False),
    }
)


def number_as_typed(text: str) -> str:
    """Return what a spreadsheet makes of a cell that looks like a number."""
    return (
        f"{int(text)}"
        if text.isdigit() and len(text) < 12
        else f"{int(text):.5E}"
        if text.isdigit()
        else text
    )


def written_date(iso: str, order: str) -> str:
    year, month, day = iso.split("-")
    return {"ymd": iso, "dmy": f"{day}/{month}/{year}", "mdy": f"{month}/{day}/{year}"}[order]


def damaged(rows: list[dict[str, str]], damage: dict[str, Any]) -> bytes:
    """Return the exported rows as a spreadsheet saves them."""
    columns = list(rows[0])
    damage["order"].shuffle(columns)
    table = [[damage["heading"](name) for name in columns]]
    for row in rows:
        cells = []
        for name in columns:
            cell = row[name].replace("\r\n", "\n").replace("\r", "\n")
            if DATES.fullmatch(name) and cell:
                cell = written_date(cell, damage["dates"])
            elif damage["loses_zeros"] and not name.endswith("name"):
                cell = number_as_typed(cell)
            cells.append(cell)
        while cells and not cells[-1]:
            cells.pop()
        table.append(cells)
    if damage["form"] == "xlsx":
        book, content = openpyxl.Workbook(), io.BytesIO()
        for place, cells in enumerate(table, start=1):
            for column, text in enumerate(cells, start=1):
                cell = book.active.cell(place, column)
                cell.value, cell.data_type = text, "s"
        book.save(content)
        return content.getvalue()
    delimiter = {"comma": ",", "semicolon": ";", "tab": "\t", "sep": ";"}[damage["form"]]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=damage["ending"], quoting=csv.QUOTE_ALL)
    writer.writerows(table)
    text = ("sep=;" + damage["ending"] if damage["form"] == "sep" else "") + out.getvalue()
    try:
        return text.encode(damage["encoding"])
    except UnicodeEncodeError:
        return text.encode("utf-8")


def ranks_of(dojo: Any) -> list[dict[str, Any]]:
    """Return the ranks of the only rank system, which is created at the first call."""
    systems = dojo.admin.get("/rank-systems").json()["results"]
    system = systems[0] if systems else dojo.create("/rank-systems", {"preset": "fik-kendo"})
    ranks: list[dict[str, Any]] = dojo.admin.get(f"/rank-systems/{system['id']}").json()["ranks"]
    return ranks


def enter(dojo: Any, roll: list[dict[str, Any]]) -> None:
    """Enter the people by hand."""
    ranks = ranks_of(dojo)
    for one in roll:
        rank = one["rank"]
        body = {name: value for name, value in one.items() if value and name != "rank"}
        student = dojo.create("/students", body)
        if rank is not None:
            event = {"rank": ranks[rank]["id"], "kind": "import", "effective_on": "2024-02-03"}
            dojo.create(f"/students/{student['id']}/rank-events", event)


def clear(*dojos: Any) -> None:
    for dojo in dojos:
        with tenant_scope(dojo.tenant):
            for model in (EligibilitySnapshot, RankEvent, StudentGuardian, Guardian, Student):
                delete_in_one_statement(model.objects.all())


def people(dojo: Any) -> dict[str, dict[str, Any]]:
    rows = dojo.admin.get("/students?page_size=200").json()["results"]
    return {row["id"]: row for row in rows}


def name_of(row: dict[str, Any]) -> str:
    return normalise(f"{row['first_name']} {row['last_name']}")


OWN = (
    "external_id",
    "first_name",
    "last_name",
    "preferred_name",
    "name_order",
    "email",
    "phone",
    "birth_date",
    "joined_on",
    "status",
    "medical_notes",
)


def plain(student: dict[str, Any], name: str) -> str:
    """Return a value without what the damage changes in any case: other line breaks."""
    return str(student[name] or "").replace("\r\n", "\n").replace("\r", "\n")


@settings(
    max_examples=examples(20),  # 200 rolls in `make test-volume`
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(roll=rolls, damage=damages)
def test_the_same_people_no_one_twice_and_every_loss_named(
    dojo: Any, other_dojo: Any, roll: list[dict[str, Any]], damage: dict[str, Any]
) -> None:
    clear(dojo, other_dojo)
    ranks_of(other_dojo)
    enter(dojo, roll)
    before, exported = people(dojo), exported_rows(dojo.admin)
    content = damaged(exported, damage)
    query = f"?date_format={damage['dates']}" if damage["names_dates"] else ""

    # The same dojo: no one is created, and what changes is named by the line of that student.
    report = import_csv(dojo.admin, content, f"/students/import{query}")
    assert report["created"] == 0, report["rows"]
    after = people(dojo)
    assert after.keys() == before.keys()
    named = {row["student"]["id"]: row for row in report["rows"] if row["outcome"] == "updated"}
    for key, student in after.items():
        changed = {name for name in OWN if plain(student, name) != plain(before[key], name)}
        row = named.get(key, {})
        told = {change["column"] for change in row.get("changes", [])} | set(row.get("warnings", {}))
        assert changed <= told, (changed, row)
        assert name_of(student) == name_of(before[key])
        assert [one["name"] for one in student["ranks"]] == [one["name"] for one in before[key]["ranks"]]

    # Another dojo: everybody is created once, or their line says why not.
    report = import_csv(other_dojo.admin, content, f"/students/import{query}")
    assert (report["updated"], report["restored"]) == (0, 0)
    arrived = Counter(name_of(student) for student in people(other_dojo).values())
    missing = [row for row in report["rows"] if row["outcome"] != "created"]
    assert sum(arrived.values()) == report["created"] == len(before) - len(missing)
    assert not arrived - Counter(name_of(student) for student in before.values())
    for row in missing:
        assert row["errors"] or row.get("duplicate_of") or row.get("duplicate_of_line"), row
    again = import_csv(other_dojo.admin, content, f"/students/import{query}")
    assert again["created"] == 0, again["rows"]


@settings(
    max_examples=examples(20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(roll=rolls, form=st.sampled_from(["csv", "xlsx"]))
def test_an_undamaged_export_changes_nothing(dojo: Any, roll: list[dict[str, Any]], form: str) -> None:
    clear(dojo)
    enter(dojo, roll)
    before, exported = people(dojo), exported_rows(dojo.admin)
    content = b"".join(dojo.admin.get(f"/students/export?format={form}"))
    report = import_csv(dojo.admin, content)
    assert (report["created"], report["failed"]) == (0, 0), report["rows"]
    assert not [row for row in report["rows"] if row.get("changes")], report["rows"]
    assert exported_rows(dojo.admin) == exported
    unstamped = [
        {key: {k: v for k, v in row.items() if k != "updated_at"} for key, row in rows.items()}
        for rows in (before, people(dojo))
    ]
    assert unstamped[0] == unstamped[1]
