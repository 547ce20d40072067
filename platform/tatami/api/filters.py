"""The query parameters of a list: filters, `archived`, `search` and `ordering`.

class Students(Collection):
    filters = {"status": one_of("status", Status), "from": since("starts_at")}
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Model, QuerySet

from tatami.errors import Invalid
from tatami.tenancy.scope import TenantScope, current_scope
from tatami.text import normalise

M = TypeVar("M", bound=Model)
MAX_SEARCH_LENGTH: Final = 200
MAX_SEARCH_WORDS: Final = 10
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter: how its text is read, and the Django lookup that receives the value."""

    lookup: str
    read: Callable[[str], Any]
    """Raises `ValueError` with a message for the client."""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def apply(self, queryset: QuerySet[M], name: str, text: str) -> QuerySet[M]:
        """Return the matching rows. Raises `Invalid` with the name of the parameter."""
        try:
            value = self.read(text)
        except (ValueError, OverflowError) as error:
            raise Invalid.field(name, str(error) or "This value is not accepted.") from error
        return queryset.filter(**{self.lookup: value})


# --- filters of a view ---------------------------------------------------------------------------------------------


def by_id(lookup: str) -> Filter:
    """Return a filter by a UUID."""
    return Filter(lookup, read_uuid, {"type": "string", "format": "uuid"})


def one_of(lookup: str, choices: Iterable[str]) -> Filter:
    """Return a filter by one of `choices` (for example a `TextChoices` class)."""
    names = [str(getattr(choice, "value", choice)) for choice in choices]

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"This must be one of: {', '.join(names)}.")
        return text

    return Filter(lookup, read, {"type": "string", "enum": names})


def yes_or_no(lookup: str, *, inverted: bool = False) -> Filter:
    """Return a filter by `true` or `false`. Use `inverted` for lookups such as `ended_at__isnull`."""
    return Filter(lookup, lambda text: read_bool(text) is not inverted, {"type": "boolean"})


def by_text(lookup: str, max_length: int = 200) -> Filter:
    """Return a filter by text of at most `max_length` characters."""

    def read(value: str) -> str:
        if len(value) > max_length:
            raise ValueError(f"This must have at most {max_length} characters.")
        return value

    return Filter(lookup, read, {"type": "string", "maxLength": max_length})


def on_or_after(column: str) -> Filter:
    """Return the filter `from` for a date column."""
    return Filter(f"{column}__gte", read_date, {"type": "string", "format": "date"})


def on_or_before(column: str) -> Filter:
    """Return the filter `to` for a date column. The date is included."""
    return Filter(f"{column}__lte", read_date, {"type": "string", "format": "date"})


def since(column: str) -> Filter:
    """Return the filter `from` for an instant column: an instant, or a date, which starts at midnight in the dojo."""
    return Filter(f"{column}__gte", lambda text: _instant(text, days=0))


def until(column: str) -> Filter:
    """Return the filter `to` for an instant column: a date in the dojo is included, an instant is excluded."""
    return Filter(f"{column}__lt", lambda text: _instant(text, days=1))


# --- values of query parameters ------------------------------------------------------------------------------------


def read_uuid(text: str) -> UUID:
    """Return the UUID. Raises `ValueError` unless it has the canonical form with hyphens."""
    if not _UUID.fullmatch(text):
        raise ValueError("This is not a UUID.")
    return UUID(text)


def read_bool(text: str) -> bool:
    """Return the value of `true` or `false`. Raises `ValueError` for other spellings."""
    if text not in {"true", "false"}:
        raise ValueError("This must be true or false.")
    return text == "true"


def read_date(text: str) -> date:
    """Return the date of `YYYY-MM-DD`. Raises `ValueError`."""
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise ValueError("This must be a date: YYYY-MM-DD.")


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, in UTC. Raises `OverflowError` after year 9999."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _zone() -> tzinfo:
    scope = current_scope()
    return ZoneInfo(scope.timezone) if isinstance(scope, TenantScope) else UTC


def _instant(text: str, *, days: int) -> datetime:
    if _DAY.fullmatch(text):
        return start_of_day(read_date(text) + timedelta(days=days), _zone())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            "This must be a date (YYYY-MM-DD) or an instant with its zone (2025-01-31T18:30:00Z)."
        )
    return moment.astimezone(UTC)


# --- the parameters that lists share -------------------------------------------------------------------------------


def filter_archived(queryset: QuerySet[M], text: str | None) -> QuerySet[M]:
    """Return the rows that are not archived, or with `true` the archived rows. Raises `Invalid` for other text.

    Models that cannot be archived are not filtered.
    """
    if not getattr(queryset.model, "ARCHIVABLE", False):
        return queryset
    try:
        wanted = read_bool("false" if text is None else text)
    except ValueError as error:
        raise Invalid.field("archived", str(error)) from error
    return queryset.filter(archived_at__isnull=not wanted)


def search(queryset: QuerySet[M], column: str, text: str) -> QuerySet[M]:
    """Return the rows whose `column` (normalised text) contains every word of `text`.

    Raises `Invalid` for more than `MAX_SEARCH_WORDS` words or `MAX_SEARCH_LENGTH` characters.
    """
    words = normalise(text).split()
    if len(text) > MAX_SEARCH_LENGTH or len(words) > MAX_SEARCH_WORDS:
        raise Invalid.field(
            "search", f"At most {MAX_SEARCH_WORDS} words and {MAX_SEARCH_LENGTH} characters are accepted."
        )
    for word in words:
        queryset = queryset.filter(**{f"{column}__contains": word})
    return queryset


def order(
    queryset: QuerySet[M], text: str | None, accepted: Mapping[str, str], default: Sequence[str]
) -> QuerySet[M]:
    """Return the rows in the order that `text` names, then by primary key. Raises `Invalid` for other names.

    `accepted` maps the names of `?ordering=` to columns. Without `text` the order is `default`, else that of the
    queryset.
    """
    columns: list[str] = []
    for name in text.split(",") if text else ():
        plain = name.removeprefix("-")
        if plain not in accepted:
            choices = ", ".join(sorted(accepted)) or "nothing"
            raise Invalid.field("ordering", f"{plain!r} is not accepted; this list is ordered by: {choices}.")
        columns.append(("-" if name.startswith("-") else "") + accepted[plain])
    own = queryset.query.order_by or queryset.model._meta.ordering or ()
    chosen: list[Any] = columns or list(default) or list(own)
    return queryset.order_by(*chosen, "pk")
