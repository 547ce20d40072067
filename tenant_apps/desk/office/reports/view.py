"""The reports: each as a plot, as a table, and as a file with the same rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from tatami.api.filters import read_date_or_instant
from tatami.clock import tenant_date
from tatami.errors import NotFound
from tenant_apps.desk.belts import belts
from tenant_apps.desk.office.reports.forms import GROUPS, ReportFilters
from tenant_apps.desk.page import Page
from tenant_apps.desk.plots import LyingBar, bars, lying_bars
from tenant_apps.desk.templatetags.desk import write_date

MOST_BARS: Final = 16
MOST_ROWS: Final = 200
"""So many rows are shown; the file has all."""
DEFAULT_DAYS: Final = 83
"""Twelve weeks, with the last day."""
DEFAULT_ABSENCE_DAYS: Final = 14
DATE_GROUPS: Final = frozenset({"day", "week", "month"})

FILES: Final = {
    "attendance": "report-attendance",
    "expected": "report-expected-attendance",
    "absentees": "report-absentees",
    "ranks": "report-ranks",
}
"""The name of a report in its address → the route of the API."""

ABSENCES: Final = (
    (28, gettext_lazy("up to 4 weeks")),
    (91, gettext_lazy("up to 3 months")),
    (182, gettext_lazy("up to 6 months")),
    (365, gettext_lazy("up to a year")),
)
"""Days without a visit, at most → label. The plot of the absentees has a bar for each."""


def asked_of(report: str, page: Page) -> dict[str, str]:
    """Return the query of a report as the address gives it, with the defaults of its page: for the page and its file.

    The period ends today, and begins twelve weeks before its end. Raises `NotFound` for a report that there is not.
    """
    if report not in FILES:
        raise NotFound
    if report == "absentees":
        return {"days": page.query("days") or str(DEFAULT_ABSENCE_DAYS)}
    if report == "ranks":
        return {}
    until = page.query("to") or page.today.isoformat()
    period = {"from": page.query("from") or _begin(until), "to": until}
    return period if report == "expected" else {**period, "group_by": page.query("group_by") or "week"}


def _begin(until: str) -> str:
    """Return the first day of a period whose end is given; the end as it is if the API will refuse it."""
    try:
        end = read_date_or_instant(until)
        day = tenant_date(end) if isinstance(end, datetime) else end
        return (day - timedelta(days=DEFAULT_DAYS)).isoformat()
    except (ValueError, OverflowError):
        return until


class ReportPage(Page):
    """What the report pages have in common: their tabs, their filters and their file."""

    section = "reports"
    template_name = "desk/office/reports/report.html"
    report: ClassVar[str]

    def context(self) -> dict[str, Any]:
        asked = asked_of(self.report, self)
        filters = ReportFilters(asked)
        found = self.ask_filtered(filters, FILES[self.report], query=asked)
        if found is None:
            return {"report": self.report, "filters": filters, "is_refused": True}
        rows = found["results"]
        return {
            "report": self.report,
            "filters": filters,
            "files": self.files(asked),
            "count": len(rows),
            "rows": rows[:MOST_ROWS],
            **self.shown(rows, asked),
        }

    def files(self, asked: Mapping[str, str]) -> dict[str, str]:
        """Return the addresses of the files with the rows of this page, by format."""
        address = reverse("desk:report-file", kwargs={"report": self.report})
        return {form: f"{address}?{urlencode({**asked, 'format': form})}" for form in ("csv", "xlsx")}

    def shown(self, rows: Sequence[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
        """Return what the report shows of its rows: its plot, and rows of the table."""
        raise NotImplementedError


class AttendanceReport(ReportPage):
    """Attendance by day, week, month, class, discipline or student."""

    report = "attendance"

    def shown(self, rows: Sequence[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
        group = asked["group_by"]
        # The newest dates, but the largest groups, which come first.
        listed = rows[-MOST_ROWS:] if group in DATE_GROUPS else rows[:MOST_ROWS]
        return {
            "group": GROUPS.get(group, group),
            "rows": [{**row, "label": _label(group, row)} for row in listed],
            "total": sum(row["attendances"] for row in rows),
            "plot": _attendance_plot(group, rows),
        }


class ExpectedReport(ReportPage):
    """What attendance was expected of each class, and what came."""

    report = "expected"

    def shown(self, rows: Sequence[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
        plotted = [LyingBar(one["class"]["name"], one["actual"], beside=one["expected"]) for one in rows]
        return {"plot": lying_bars(plotted[:MOST_BARS], label=gettext("Expected and actual"))}


class AbsenteesReport(ReportPage):
    """Active students who have not come for some days, with their contacts."""

    report = "absentees"

    def shown(self, rows: Sequence[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
        counted = Counter(_absence(one["days"]) for one in rows)
        labels = [label for _, label in ABSENCES] + [gettext("longer"), gettext("never came")]
        plotted = [LyingBar(str(one), counted[str(one)]) for one in labels if counted[str(one)]]
        return {"plot": lying_bars(plotted, label=gettext("Away for long"))}


class RanksReport(ReportPage):
    """How many students hold which rank."""

    report = "ranks"

    def shown(self, rows: Sequence[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
        known = belts()
        systems: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            systems.setdefault(row["rank_system"]["id"], []).append(row)
        shown = []
        for ranks in systems.values():
            name = ranks[0]["rank_system"]["name"]
            plotted = [
                LyingBar(
                    one["rank"]["name"],
                    one["students"],
                    colours=belt.colours[:3] if (belt := known.get(one["rank"]["id"])) else (),
                )
                for one in ranks
            ]
            shown.append({"name": name, "ranks": ranks, "plot": lying_bars(plotted, label=name)})
        return {"systems": shown}


class ReportFile(Page):
    """A report as CSV or XLSX: with the rows that its page has with the same parameters, also without any."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        report = self.kwargs["report"]
        asked = asked_of(report, self)
        if self.query("format") == "xlsx":
            return self.fetch(FILES[report], query={**asked, "format": "xlsx"})
        return self.fetch(FILES[report], query=asked, accept="text/csv")


def _absence(days: int | None) -> str:
    """Return the label of the bar that counts a student who has not come for `days`; `None`: never."""
    if days is None:
        return gettext("never came")
    return next((str(label) for most, label in ABSENCES if days <= most), gettext("longer"))


def _label(group: str, row: Mapping[str, Any]) -> str:
    """Return the whole name of a group, dates as the language of the dojo writes them."""
    value = row[group]
    if isinstance(value, Mapping):
        return str(value["name"])
    if value is None:
        return gettext("Without")
    if group == "month":
        return write_date(date.fromisoformat(f"{value}-01"), gettext("F Y"))
    return date_format(date.fromisoformat(value), gettext("j M Y"))


def _attendance_plot(group: str, rows: Sequence[Mapping[str, Any]]) -> SafeString:
    """Return the plot of the newest dates, or of the largest groups."""
    label = gettext("Attendance")
    if group not in DATE_GROUPS:
        largest = rows[:MOST_BARS]
        return lying_bars([LyingBar(_label(group, row), row["attendances"]) for row in largest], label=label)
    form = gettext("M Y") if group == "month" else gettext("j M")
    days = [date.fromisoformat(f"{row[group]}-01" if group == "month" else row[group]) for row in rows]
    newest = list(zip(days, rows, strict=True))[-MOST_BARS:]
    return bars([(date_format(day, form), row["attendances"]) for day, row in newest], label=label)
