"""The period that a report is about."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from tatami.api.filters import read_date
from tatami.errors import Invalid
from tenant_apps.classes.from_class import local

DEFAULT_DAYS: Final = 30
LONGEST_DAYS: Final = 1100
"""Three years and a little: what a dojo compares, and a bound on what one request may cost."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when: local dates, both included, or instants, the later one excluded."""

    since: date
    until: date

    @property
    def first_day(self) -> date:
        return local(self.since) if isinstance(self.since, datetime) else self.since

    @property
    def last_day(self) -> date:
        return local(self.until) if isinstance(self.until, datetime) else self.until

    def of_sessions(self, prefix: str = "") -> Q:
        """Return the condition on sessions, to which `prefix` leads."""
        return self._bound(prefix, self.since, "gte") & self._bound(prefix, self.until, "lte", "lt")

    @staticmethod
    def _bound(prefix: str, bound: date, of_days: str, of_instants: str = "gte") -> Q:
        if isinstance(bound, datetime):
            return Q(**{f"{prefix}starts_at__{of_instants}": bound})
        return Q(**{f"{prefix}local_date__{of_days}": bound})


def asked_period(request: Any) -> Period:
    """Return the period from `from` to `to`: by default the 30 days up to today, or up to `to`.

    Raises `Invalid` for a bound that is neither a date nor an instant, for an end before the beginning, and for more
    days than `LONGEST_DAYS`.
    """
    query = request.query_params
    until = _bound("to", query["to"]) if "to" in query else local(request.now)
    try:
        last_day = Period(until, until).last_day
        since = (
            _bound("from", query["from"]) if "from" in query else last_day - timedelta(days=DEFAULT_DAYS - 1)
        )
        days = (last_day - Period(since, until).first_day).days + 1
    except OverflowError:
        raise Invalid.field("to", "This date is out of range.") from None
    if days < 1 or (isinstance(since, datetime) and isinstance(until, datetime) and until <= since):
        raise Invalid.field("to", "This is before `from`.")
    if days > LONGEST_DAYS:
        raise Invalid.field("from", f"A report covers at most {LONGEST_DAYS} days.")
    return Period(since, until)


def shown(period: Period) -> dict[str, Any]:
    """Return a period as it is shown: the bounds as they were given."""
    return {"from": period.since, "to": period.until}


def _bound(name: str, text: str) -> date:
    try:
        return read_date(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid.field(name, "This must be a date (YYYY-MM-DD) or an instant with its zone.")
