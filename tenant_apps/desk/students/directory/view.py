"""The list of students: search, filters, pages."""

from typing import Any, Final

from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy

from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page

PAGE_SIZE: Final = 50
ARCHIVED: Final = "archived"
STATUSES: Final = (
    ("", gettext_lazy("All but archived")),
    ("active", gettext_lazy("Active")),
    ("trial", gettext_lazy("Trial")),
    ("on_hold", gettext_lazy("On hold")),
    ("inactive", gettext_lazy("Inactive")),
    (ARCHIVED, gettext_lazy("Archived")),
)
ORDERINGS: Final = (
    ("", gettext_lazy("Name")),
    ("last_name", gettext_lazy("Last name")),
    ("-joined_on", gettext_lazy("Joined last")),
    ("joined_on", gettext_lazy("Joined first")),
    ("-birth_date", gettext_lazy("Youngest first")),
    ("birth_date", gettext_lazy("Oldest first")),
    ("-created_at", gettext_lazy("Entered last")),
)
FILTERS: Final = ("search", "status", "class", "rank")


def chosen(page: Page) -> dict[str, Any]:
    """Return what the filters of the list select, as query parameters of the API."""
    query: dict[str, Any] = {name: page.query(name) for name in FILTERS}
    if query["status"] == ARCHIVED:
        query |= {"status": "", "archived": True}
    return query


class Students(Page):
    """The students. A change of a filter reloads the list alone."""

    template_name = "desk/students/directory/students.html"
    section = "students"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.is_fragment:
            return self.render(self.found(), template="desk/students/directory/results.html")
        return super().get()

    def context(self) -> dict[str, Any]:
        return {
            **self.found(),
            "classes": self.ask("classes", query={"page_size": 200, "ordering": "name"})["results"],
            "rank_systems": self.ask("rank-systems", query={"page_size": 200})["results"],
            "statuses": STATUSES,
            "orderings": ORDERINGS,
            "chosen": {name: self.query(name) for name in (*FILTERS, "ordering")},
        }

    def found(self) -> dict[str, Any]:
        """Return the page of students that the filters select. Five statements."""
        query = {**chosen(self), "ordering": self.query("ordering") or "name"}
        listed = self.ask_page("students", page_size=PAGE_SIZE, query=query)
        return {
            "students": listed.rows,
            "count": listed.count,
            **listed.place,
            "belts": belts(),
            "leap_day": self.ask("settings")["leap_day_birthday"],
            "is_filtered": any(self.query(name) for name in FILTERS),
            "is_archive": self.query("status") == ARCHIVED,
        }


class StudentsExport(Page):
    """The students that the filters select, as CSV or XLSX, in the form that the import takes."""

    section = "students"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        return self.fetch("students-export", query={**chosen(self), "format": self.query("format") or "csv"})
