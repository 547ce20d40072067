"""The reports: each as a plot, as a table, and as a file."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar, Final

from django.http.response import HttpResponseBase
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy

from tatami.errors import NotFound
from tenant_apps.desk.page import Page
from tenant_apps.desk.plots import bars

GROUPS: Final = {
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "class": gettext_lazy("Class"),
    "discipline": gettext_lazy("Discipline"),
    "student": gettext_lazy("Student"),
}
MOST_BARS: Final = 16
DEFAULT_DAYS: Final = 83
"""Twelve weeks."""

FILES: Final = {
    "attendance": "report-attendance",
    "expected": "report-expected-attendance",
    "absentees": "report-absentees",
    "ranks": "report-ranks",
}
"""The name of a report in its address → the route of the API."""


class ReportPage(Page):
    """What the report pages have in common: their tabs, and the period."""

    section = "reports"
    template_name = "desk/office/reports/report.html"
    report: ClassVar[str]

    def period(self) -> dict[str, str]:
        """Return the chosen period as query parameters; by default the last twelve weeks."""
        first = self.query("from") or (self.today - timedelta(days=DEFAULT_DAYS)).isoformat()
        return {"from": first, "to": self.query("to") or self.today.isoformat()}

    def render_report(self, **context: Any) -> dict[str, Any]:
        return {"report": self.report, **context}


class AttendanceReport(ReportPage):
    """Attendance by week, month, class, discipline or student."""

    report = "attendance"

    def context(self) -> dict[str, Any]:
        group = self.query("group_by", "week")
        found = self.ask(FILES[self.report], query={**self.period(), "group_by": group})
        rows = [{**row, "label": _label(group, row)} for row in found["results"]]
        return self.render_report(
            groups=GROUPS,
            group=group,
            period=self.period(),
            rows=rows,
            total=sum(row["attendances"] for row in rows),
            plot=bars(_plotted(group, rows), label=gettext("Attendance")),
        )


class ExpectedReport(ReportPage):
    """What attendance was expected of each class, and what came."""

    report = "expected"

    def context(self) -> dict[str, Any]:
        found = self.ask(FILES[self.report], query=self.period())
        return self.render_report(period=self.period(), rows=found["results"])


class AbsenteesReport(ReportPage):
    """Active students who have not come for some days, with their contacts."""

    report = "absentees"

    def context(self) -> dict[str, Any]:
        days = self.query("days", "14")
        return self.render_report(
            days=days, rows=self.ask(FILES[self.report], query={"days": days})["results"]
        )


class RanksReport(ReportPage):
    """How many students hold which rank."""

    report = "ranks"

    def context(self) -> dict[str, Any]:
        rows = self.ask(FILES[self.report])["results"]
        return self.render_report(rows=rows, most=max((row["students"] for row in rows), default=0) or 1)


class ReportFile(Page):
    """A report as CSV or XLSX, with the same parameters."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        route = FILES.get(self.kwargs["report"])
        if route is None:
            raise NotFound
        is_workbook = self.query("format") == "xlsx"
        asked = {name: value for name, value in self.request.GET.items() if name != "format"}
        if is_workbook:
            asked["format"] = "xlsx"
        return self.fetch(route, query=asked, accept="*/*" if is_workbook else "text/csv")


def _label(group: str, row: Mapping[str, Any]) -> str:
    value = row[group]
    if isinstance(value, Mapping):
        return str(value["name"])
    if value is None:
        return gettext("Without")
    return date_format(date.fromisoformat(value), gettext("j M Y")) if group == "week" else str(value)


def _plotted(group: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return the newest weeks or months, or the largest groups."""
    if group in {"week", "month"}:
        chosen = rows[-MOST_BARS:]
        return [
            (
                date_format(date.fromisoformat(row["week"]), gettext("j M"))
                if group == "week"
                else row["month"],
                row["attendances"],
            )
            for row in chosen
        ]
    largest = sorted(rows, key=lambda row: -row["attendances"])[:MOST_BARS]
    return [(str(row["label"])[:6], row["attendances"]) for row in largest]
