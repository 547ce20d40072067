"""The dojo's civil dates."""

from datetime import date, datetime

from tatami import clock
from tatami.tenancy.scope import current_tenant


def dojo_today(now: datetime | None = None) -> date:
    """Return the dojo's local date at `now`, by default at this moment."""
    return clock.local_date(now or clock.now(), current_tenant().timezone)
