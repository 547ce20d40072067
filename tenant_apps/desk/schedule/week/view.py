"""The week: all sessions from Monday to Sunday."""

from datetime import date, timedelta
from typing import Any, Final

from django.db import transaction

from tenant_apps.desk.api import Refused
from tenant_apps.desk.page import Page
from tenant_apps.desk.schedule import queries
from tenant_apps.desk.schedule.times import monday_of
from tenant_apps.desk.schedule.week.grid import PlacedSession, place
from tenant_apps.desk.today.queries import sessions_between

MOST_PAGES: Final = 10
"""So many pages of 200 sessions are read for a week."""

HUES: Final = 6


class WeekView(Page):
    """The sessions of a week, as columns on a desk and as a list on a phone. `?day=` is any day of the week."""

    template_name = "desk/schedule/week/week.html"
    section = "schedule"

    def context(self) -> dict[str, Any]:
        monday = monday_of(self.query("day"), self.today)
        sunday = monday + timedelta(days=6)
        place_name = self.query("location")
        refusal, sessions = "", []
        try:
            with transaction.atomic():  # A refusal must not break the transaction of the page.
                sessions = self.sessions(monday, sunday)
        except Refused as error:
            refusal = " ".join(error.fields.get("to", [error.message]))
        counts = {str(one.session.pk): one for one in sessions_between(monday, sunday)}
        planned = queries.planned_times(monday, sunday)
        hues = {kind: place % HUES for place, kind in enumerate(queries.kinds())}
        placed = [
            PlacedSession(one, counts.get(one["id"]), planned.get(one["id"]), hues.get(one["class_type"], 0))
            for one in sessions
            if not place_name or one["location"] == place_name
        ]
        closures = self.ask("closures", query={"from": monday, "to": sunday, "page_size": 200})["results"]
        return {
            "week": place(monday, placed, closures),
            "monday": monday,
            "sunday": sunday,
            "previous": monday - timedelta(days=7),
            "next": monday + timedelta(days=7),
            "is_this_week": monday <= self.today <= sunday,
            "week_number": monday.isocalendar().week,
            "locations": sorted({one["location"] for one in sessions if one["location"]}),
            "location": place_name,
            "refusal": refusal,
            "has_classes": bool(sessions) or bool(self.ask("classes", query={"page_size": 1})["count"]),
        }

    def sessions(self, first: date, last: date) -> list[dict[str, Any]]:
        """Return the sessions of these local dates. One more request for every 200 sessions."""
        found: list[dict[str, Any]] = []
        for number in range(1, MOST_PAGES + 1):
            page = self.ask(
                "class-sessions", query={"from": first, "to": last, "page_size": 200, "page": number}
            )
            found += page["results"]
            if page["next"] is None:
                break
        return found
