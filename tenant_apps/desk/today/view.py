"""The page of today: what the desk looks at all evening."""

from typing import Any, Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.formats import date_format
from django.utils.translation import gettext

from tenant_apps.desk.belts import belts
from tenant_apps.desk.page import Page
from tenant_apps.desk.plots import bars
from tenant_apps.desk.refusals.reasons import reason_of
from tenant_apps.desk.today import queries
from tenant_apps.dojo.dates import LeapDayBirthday

SHOWN: Final = 6
"""So many students, refusals and absentees are listed; a link leads to the others."""


class Today(Page):
    """The sessions of the day with their numbers, and the students who need attention."""

    template_name = "desk/today/today.html"
    section = "today"

    def context(self) -> dict[str, Any]:
        snapshot = self.ask("promotion-snapshot", query={"page_size": SHOWN, "status": "eligible"})
        absent = self.ask("report-absentees")["results"]
        leap_day = LeapDayBirthday(self.ask("settings")["leap_day_birthday"])
        weeks = queries.visits_by_week(self.today)
        plot = [(date_format(one["week"], gettext("j M")), one["visits"]) for one in weeks]
        return {
            **self.live(),
            "due": snapshot["results"],
            "due_count": snapshot["count"],
            "belts": belts(),
            "birthdays": queries.birthdays(self.today, leap_day=leap_day),
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
            "refusals": [(one, reason_of(one["code"])) for one in refusals["results"]],
            "refusal_count": queries.count_refusals(self.today),
            "refusal_days": queries.REFUSAL_DAYS,
            "refusals_from": queries.first_refusal_day(self.today).isoformat(),
            "seen": self.fingerprint(),
        }

    def fingerprint(self) -> str:
        """Return what changes whenever `live()` does. One statement."""
        return queries.fingerprint(self.today, now=self.now)


class TodayLive(Today):
    """The live part of the page: 204 while nothing has changed, for one small statement."""

    template_name = "desk/today/live.html"

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        if self.query("seen") == self.fingerprint():
            return HttpResponse(status=204)
        return self.render(self.live())
