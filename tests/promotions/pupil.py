"""A student of a dojo that teaches one art, as tests of promotions meet her: all over HTTP."""

from datetime import date, timedelta
from typing import Any

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done

EVERY_DAY = ["mo", "tu", "we", "th", "fr", "sa", "su"]


class Pupil:
    """A student of a dojo that teaches one art by one preset."""

    def __init__(self, dojo: Dojo, preset: str, **student: Any) -> None:
        self.dojo = dojo
        self.art = factories.discipline(dojo, preset)
        self.system = factories.rank_system(dojo, preset, discipline=self.art["id"])
        self.who = factories.student(dojo, **student)

    def holds(self, code: str, since: str, kind: str = "import") -> None:
        factories.rank_event(self.dojo, self.who, factories.rank(self.system, code), since, kind)

    def has(self, kind: str, value: Any, on: str, **fields: Any) -> dict[str, Any]:
        return factories.fact(self.dojo, self.who, kind, value, on, rank_system=self.system["id"], **fields)

    def trains(self, first: str, days: int, start_time: str = "18:30") -> None:
        """On so many days in a row."""
        last = (date.fromisoformat(first) + timedelta(days=days - 1)).isoformat()
        daily = {
            "weekdays": EVERY_DAY,
            "start_time": start_time,
            "duration_minutes": 90,
            "from": first,
            "until": last,
        }
        group = factories.training_class(self.dojo, recurrence=daily, discipline=self.art["id"])
        query = {"class": group["id"], "from": first, "to": last, "page_size": "200"}
        for session in factories.sessions(self.dojo, **query):
            factories.attendance(self.dojo, self.who, session)

    def ask(self, target: str, as_of: str) -> dict[str, Any]:
        body = {
            "students": [self.who["id"]],
            "target_rank": factories.rank(self.system, target),
            "as_of": as_of,
        }
        (answer,) = done(self.dojo.admin.post("/promotions/check", body))["results"]
        return dict(answer)

    def may_be(self, target: str, as_of: str) -> bool:
        return bool(self.ask(target, as_of)["status"] == "eligible")

    def misses(self, target: str, as_of: str) -> dict[str, Any]:
        """What stands against it: the criteria that are not met, with have and need."""
        answer = self.ask(target, as_of)
        assert answer["status"] == "not_eligible", answer
        return {c["kind"]: (c["have"], c["need"]) for c in answer["criteria"] if c["status"] != "met"}
