"""The page of today: what the desk looks at all evening."""

from typing import Any, Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.formats import date_format
from django.utils.translation import gettext

from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.plots import bars
from tenant_apps.desk.today import queries

SHOWN: Final = 6
"""So many students, refusals and absentees are listed; a link leads to the others."""


class Today(Page):
    """The sessions of the day with their numbers, and the students who need attention."""

    template_name = "desk/today/today.html"
    section = "today"

    def context(self) -> dict[str, Any]:
        snapshot = self.ask("promotion-snapshot", query={"page_size": SHOWN, "status": "eligible"})
        absent = self.ask("report-absentees")["results"]
        weeks = queries.visits_by_week(self.today)
        plot = [(date_format(one["week"], gettext("j M")), one["visits"]) for one in weeks]
        return {
            **self.live(),
            "due": snapshot["results"],
            "due_count": snapshot["count"],
            "belts": belts(),
            "birthdays": queries.birthdays(self.today),
            "absent": absent[:SHOWN],
            "absent_count": len(absent),
            "plot": bars(plot, label=gettext("Visits of the last twelve weeks")),
            "visits": sum(one["visits"] for one in weeks),
        }

    def live(self) -> dict[str, Any]:
        """Return what changes during the evening: the numbers of the sessions, and refused scans of today."""
        sessions = [(one, one.phase(self.now)) for one in queries.sessions_between(self.today, self.today)]
        refusals = self.ask("refusals", query={"from": self.today, "to": self.today, "page_size": SHOWN})
        return {
            "sessions": sessions,
            "refusals": refusals["results"],
            "seen": queries.fingerprint(self.today),
        }


class TodayLive(Today):
    """The live part of the page: 204 while nothing has changed, for two small statements."""

    template_name = "desk/today/live.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.query("seen") == queries.fingerprint(self.today):
            return HttpResponse(status=204)
        return self.render(self.live())
