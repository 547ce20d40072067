"""The report pages: their plots and tables, their files with the same rows, and filters that are refused."""

import csv
import re
from datetime import date, timedelta
from html import unescape
from io import BytesIO, StringIO
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

REPORTS = ["", "/expected", "/absentees", "/ranks"]
LONG_NAME = "Children's class for beginners of seven to nine years"


@pytest.fixture
def filled(dojo: Dojo) -> dict[str, Any]:
    """A class on each Monday since 23 March, visited in three of its weeks, and a student who holds a rank."""
    recurrence = {**factories.SCHEDULE, "from": "2026-03-23"}
    of = factories.training_class(dojo, name=LONG_NAME, recurrence=recurrence)
    one = factories.student(dojo, joined_on="2026-03-01")
    dojo.admin.post(f"/classes/{of['id']}/enrolments", {"student": one["id"], "from": "2026-03-23"})
    for day in ("2026-03-30", "2026-04-27", "2026-05-04"):
        (session,) = factories.list_sessions(dojo, **{"class": of["id"], "from": day, "to": day})
        factories.attendance(dojo, one, session)
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, one, factories.rank_id(system, "5-kyu"), "2026-05-01")
    return of


def files_of(response: Any) -> dict[str, str]:
    """Return the addresses of the files that a report page links to, by format."""
    links = [
        unescape(one) for one in re.findall(r'href="([^"]+/file[^"]*)" download', response.content.decode())
    ]
    return {found[1]: link for link in links if (found := re.search(r"format=(\w+)", link))}


def table_of(response: Any) -> list[list[str]]:
    """Return the texts of the cells of a page's table bodies."""
    rows = re.findall(
        r"(?s)<tr>(.*?)</tr>", "".join(re.findall(r"(?s)<tbody>(.*?)</tbody>", response.content.decode()))
    )
    return [
        [unescape(re.sub("<[^>]+>", "", one)) for one in re.findall(r"(?s)<td.*?>(.*?)</td>", row)]
        for row in rows
    ]


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"))))


def workbook_rows(response: Any) -> list[dict[str, str]]:
    sheet = load_workbook(BytesIO(response.content)).active
    assert sheet is not None
    head, *rows = [
        ["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)
    ]
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("page", REPORTS)
def test_each_report_opens_empty_and_filled(dojo: Dojo, page: str) -> None:
    desk = visitor(dojo, "assistant")
    assert desk.get(f"/desk/reports{page}").status_code == 200
    one = factories.student(dojo)
    session = factories.session_today(dojo, factories.training_class(dojo))
    dojo.admin.post("/attendance", {"student": one["id"], "class_session": session["id"]})
    assert desk.get(f"/desk/reports{page}").status_code == 200


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "query", ["", "?group_by=month", "?from=2026-04-01&to=2026-04-30", "?group_by=day&to=2026-04-27"]
)
def test_the_file_of_the_attendance_has_the_rows_of_its_page(
    dojo: Dojo, filled: Any, query: str, form: str
) -> None:
    desk = visitor(dojo, "admin")
    page = desk.get(f"/desk/reports{query}")
    file = desk.get(files_of(page)[form])
    rows = csv_rows(file) if form == "csv" else workbook_rows(file)
    shown = table_of(page)
    assert shown
    assert [row["attendances"] for row in rows] == [row[1] for row in shown]
    if not query:
        assert [row["week"][:10] for row in rows] == ["2026-03-30", "2026-04-27", "2026-05-04"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_file_of_the_expected_attendance_has_the_rows_of_its_page(
    dojo: Dojo, filled: Any, form: str
) -> None:
    desk = visitor(dojo, "admin")
    page = desk.get("/desk/reports/expected")
    file = desk.get(files_of(page)[form])
    rows = csv_rows(file) if form == "csv" else workbook_rows(file)
    assert [[row["class"], row["sessions"], row["actual"]] for row in rows] == [
        [row[0], row[1], row[4]] for row in table_of(page)
    ]
    assert rows[0]["actual"] == "3"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("query", ["", "?days=30", "?days=60"])
def test_the_file_of_the_absentees_has_the_rows_of_its_page(
    dojo: Dojo, filled: Any, query: str, form: str
) -> None:
    desk = visitor(dojo, "admin")
    page = desk.get(f"/desk/reports/absentees{query}")
    links = files_of(page)
    rows = csv_rows(desk.get(links["csv"])) if form == "csv" else workbook_rows(desk.get(links["xlsx"]))
    assert len(rows) == page.content.decode().count('class="face"') == (0 if "60" in query else 1)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_file_of_the_ranks_has_the_rows_of_its_page(dojo: Dojo, filled: Any, form: str) -> None:
    desk = visitor(dojo, "admin")
    page = desk.get("/desk/reports/ranks")
    file = desk.get(files_of(page)[form])
    rows = csv_rows(file) if form == "csv" else workbook_rows(file)
    assert [[row["rank"], row["students"], row["trial"]] for row in rows] == table_of(page)


def test_a_file_without_parameters_has_the_defaults_of_its_page(dojo: Dojo, filled: Any) -> None:
    desk = visitor(dojo, "admin")
    weeks = [row["week"] for row in csv_rows(desk.get("/desk/reports/attendance/file"))]
    assert weeks == ["2026-03-30", "2026-04-27", "2026-05-04"]
    assert desk.get("/desk/reports/nothing/file").status_code == 404


def test_a_period_that_ended_long_ago_begins_twelve_weeks_before_its_end(dojo: Dojo, filled: Any) -> None:
    desk = visitor(dojo, "admin")
    for page in ("", "/expected"):
        shown = desk.get(f"/desk/reports{page}?to=2026-04-10")
        assert shown.status_code == 200
        first = date(2026, 4, 10) - timedelta(days=83)
        assert f'value="{first}"' in shown.content.decode()


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/desk/reports?from=2026-06-10&to=2026-06-01", "to"),
        ("/desk/reports?from=x", "from"),
        ("/desk/reports?to=2026-02-30", "to"),
        ("/desk/reports?from=2020-01-01", "from"),
        ("/desk/reports?group_by=x", "group_by"),
        ("/desk/reports/expected?from=2026-06-10&to=2026-06-01", "to"),
        ("/desk/reports/absentees?days=0", "days"),
        ("/desk/reports/absentees?days=9999999999", "days"),
        ("/desk/reports/absentees?days=x", "days"),
    ],
)
def test_a_filter_that_is_refused_stays_on_its_page_with_the_reason_beside_it(
    dojo: Dojo, address: str, field: str
) -> None:
    refused = visitor(dojo, "assistant").get(address)
    body = refused.content.decode()
    assert refused.status_code == 400
    assert re.search(rf'<p class="error" id="id_{field}_error">[^<]*\w', body)
    assert "Away for long" in body  # the tabs
    assert files_of(refused) == {}


def test_a_class_has_its_whole_name_in_the_plot_and_months_are_written_out(dojo: Dojo, filled: Any) -> None:
    desk = visitor(dojo, "admin")
    for page in ("?group_by=class", "/expected"):
        body = unescape(desk.get(f"/desk/reports{page}").content.decode())
        assert f'<span class="name">{LONG_NAME}</span><svg' in body
    by_month = desk.get("/desk/reports?group_by=month")
    assert "April 2026" in text_of(by_month)
    assert ">Apr 2026</text>" in by_month.content.decode()
    assert "2026-04<" not in by_month.content.decode()
    dojo.admin.patch("/settings", {"language": "pt-br"})
    assert re.search(r"\babril (de )?2026", text_of(desk.get("/desk/reports?group_by=month")))


def test_ranks_have_the_colours_of_their_belts_and_absences_are_counted_by_length(
    dojo: Dojo, filled: Any
) -> None:
    desk = visitor(dojo, "admin")
    system = dojo.admin.get("/rank-systems").json()["results"][0]
    colours = next(one for one in system["ranks"] if one["code"] == "5-kyu")["colours"]
    ranks = desk.get("/desk/reports/ranks").content.decode()
    assert f'fill="{colours[0]}"' in ranks
    factories.student(dojo, first_name="New", joined_on="2026-01-01")
    absent = desk.get("/desk/reports/absentees").content.decode()
    for name in ("up to 3 months", "never came"):
        assert re.search(
            rf'<span class="name">{name}</span><svg.*?</svg><span class="number">1</span>', absent
        )


def test_many_rows_are_cut_with_a_link_to_all(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch, filled: Any
) -> None:
    monkeypatch.setattr("tenant_apps.desk.office.reports.view.MOST_ROWS", 2)
    desk = visitor(dojo, "admin")
    page = desk.get("/desk/reports")
    assert [row[0] for row in table_of(page)] == ["27 Apr 2026", "4 May 2026"]
    assert "2 of 3 rows are shown. All as CSV" in text_of(page)
    assert "3 attendances." in text_of(page)
    assert len(csv_rows(desk.get(files_of(page)["csv"]))) == 3


@pytest.mark.parametrize("page", REPORTS)
def test_a_report_needs_as_many_statements_for_many_as_for_one(dojo: Dojo, filled: Any, page: str) -> None:
    desk = visitor(dojo, "admin")
    few = count_statements(lambda: desk.get(f"/desk/reports{page}"))
    system = dojo.admin.get("/rank-systems").json()["results"][0]
    for code in ("4-kyu", "3-kyu"):
        one = factories.student(dojo, first_name=code, joined_on="2026-01-01")
        factories.rank_event(dojo, one, factories.rank_id(system, code), "2026-05-01")
        factories.training_class(dojo, name=code)
    assert count_statements(lambda: desk.get(f"/desk/reports{page}")) == few


def test_a_period_may_end_before_twelve_weeks_of_the_calendar_have_passed(dojo: Dojo) -> None:
    assert visitor(dojo, "admin").get("/desk/reports?to=0001-02-01").status_code == 200
