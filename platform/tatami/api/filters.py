"""What a list may be narrowed by.

filters = {"status": one_of("status", Status), "from": since("starts_at")}
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Model, QuerySet

from tatami.errors import Invalid
from tatami.tenancy.scope import TenantScope, current_scope

M = TypeVar("M", bound=Model)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter: how its text is read, and the look-up that the value goes to."""

    lookup: str
    read: Callable[[str], Any]
    """Raises `ValueError` with a message for the person."""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def narrow(self, queryset: QuerySet[M], name: str, text: str) -> QuerySet[M]:
        """Return the rows that fit. Raises `Invalid` naming the parameter."""
        try:
            value = self.read(text)
        except (ValueError, OverflowError) as error:
            raise Invalid.field(name, str(error) or "This value is not accepted.") from error
        return queryset.filter(**{self.lookup: value})


def by_id(lookup: str) -> Filter:
    """Return a filter by a UUID."""
    return Filter(lookup, read_uuid, {"type": "string", "format": "uuid"})


def one_of(lookup: str, choices: Iterable[str]) -> Filter:
    """Return a filter by one of `choices` (a `TextChoices` class is one)."""
    names = [str(getattr(choice, "value", choice)) for choice in choices]

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"This must be one of: {', '.join(names)}.")
        return text

    return Filter(lookup, read, {"type": "string", "enum": names})


def yes_or_no(lookup: str, *, inverted: bool = False) -> Filter:
    """Return a filter by `true` or `false`; `inverted` for look-ups such as `ended_at__isnull`."""
    return Filter(lookup, lambda text: read_flag(text) is not inverted, {"type": "boolean"})


def by_text(lookup: str, max_length: int = 200) -> Filter:
    """Return a filter by text of at most `max_length` characters."""

    def read(value: str) -> str:
        if len(value) > max_length:
            raise ValueError(f"This must have at most {max_length} characters.")
        return value

    return Filter(lookup, read, {"type": "string", "maxLength": max_length})


def on_or_after(column: str) -> Filter:
    """Return the `from` of a column that holds dates."""
    return Filter(f"{column}__gte", read_day, {"type": "string", "format": "date"})


def on_or_before(column: str) -> Filter:
    """Return the `to` of a column that holds dates: the day is included."""
    return Filter(f"{column}__lte", read_day, {"type": "string", "format": "date"})


def since(column: str) -> Filter:
    """Return the `from` of a column that holds instants: a day of the dojo, from its start, or an instant."""
    return Filter(f"{column}__gte", lambda text: _instant(text, days=0))


def until(column: str) -> Filter:
    """Return the `to` of a column that holds instants: a day of the dojo is included, an instant is not."""
    return Filter(f"{column}__lt", lambda text: _instant(text, days=1))


def read_uuid(text: str) -> UUID:
    """Return the UUID. Raises `ValueError`."""
    if not _UUID.fullmatch(text):
        raise ValueError("This is not a UUID.")
    return UUID(text)


def read_flag(text: str) -> bool:
    """Return the truth of `true` or `false`. Raises `ValueError` for other spellings."""
    if text not in {"true", "false"}:
        raise ValueError("This must be true or false.")
    return text == "true"


def read_day(text: str) -> date:
    """Return the date of `YYYY-MM-DD`. Raises `ValueError`."""
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise ValueError("This must be a date: YYYY-MM-DD.")


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, in UTC. `OverflowError` at the end of time."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _zone() -> tzinfo:
    scope = current_scope()
    return ZoneInfo(scope.timezone) if isinstance(scope, TenantScope) else UTC


def _instant(text: str, *, days: int) -> datetime:
    if _DAY.fullmatch(text):
        return start_of_day(read_day(text) + timedelta(days=days), _zone())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            "This must be a date (YYYY-MM-DD) or an instant with its zone (2025-01-31T18:30:00Z)."
        )
    return moment.astimezone(UTC)
