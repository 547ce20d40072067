"""When check-in for a session is open: the one rule, as a question about one session and as a condition on many.

The bounds are minutes from the start. A session that leaves a bound null has the dojo's. Everything compares instants,
so a class across midnight is open on both days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import DurationField, F, Func, PositiveSmallIntegerField, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from tenant_apps.dojo.models import DojoSettings

if TYPE_CHECKING:
    from tenant_apps.classes.models import ClassSession

BY_HAND_TOLERANCE: Final = timedelta(minutes=15)
"""Staff may record attendance this long before check-in opens: the doors open early, or a clock is slow."""


@dataclass(frozen=True, slots=True)
class CheckInWindow:
    """When check-in for a session opens and closes (both included), and when attendance starts to be late."""

    opens_at: datetime
    closes_at: datetime
    late_from: datetime

    def contains(self, instant: datetime) -> bool:
        return self.opens_at <= instant <= self.closes_at

    def is_late(self, instant: datetime) -> bool:
        return instant >= self.late_from

    @property
    def by_hand_from(self) -> datetime:
        """The instant (UTC) from which staff may record attendance by hand. There is no end."""
        return self.opens_at - BY_HAND_TOLERANCE

    def accepts_by_hand(self, instant: datetime) -> bool:
        """Return whether staff may record attendance by hand at an instant."""
        return instant >= self.by_hand_from


def check_in_window(session: "ClassSession", settings: DojoSettings) -> CheckInWindow:
    """Return the check-in window of a session. Bounds that the session leaves null are those of the dojo."""

    def minutes(name: str) -> timedelta:
        own = getattr(session, name)
        return timedelta(minutes=own if own is not None else getattr(settings, name))

    return CheckInWindow(
        opens_at=session.starts_at - minutes("opens_minutes_before"),
        closes_at=session.starts_at + minutes("closes_minutes_after"),
        late_from=session.starts_at + minutes("late_after_minutes"),
    )


def _minutes(name: str) -> Func:
    setting: Any = DojoSettings._meta.get_field(name)
    minutes = Coalesce(
        F(name),
        Subquery(DojoSettings.objects.order_by().values(name)[:1]),
        Value(setting.default, output_field=PositiveSmallIntegerField()),
    )
    return Func(minutes, template="make_interval(mins => %(expressions)s)", output_field=DurationField())


WINDOW_COLUMNS: Final[Mapping[str, Combinable]] = {
    "opens_at": F("starts_at") - _minutes("opens_minutes_before"),
    "closes_at": F("starts_at") + _minutes("closes_minutes_after"),
}
"""Expressions for `open_at`: when check-in for a session opens and closes."""


def open_at(now: Any) -> Q:
    """Return the condition that check-in is open at an instant. The query needs `WINDOW_COLUMNS` as aliases."""
    return Q(opens_at__lte=now, closes_at__gte=now)
