"""Query parameters: reading one, and those of a list (filters, `archived`, `search` and `ordering`).

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

from django.db.models import Model, QuerySet, TextField, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext

from tatami.errors import Invalid
from tatami.tenancy.scope import TenantScope, current_scope
from tatami.text import normalise

M = TypeVar("M", bound=Model)
V = TypeVar("V")
D = TypeVar("D")
MAX_SEARCH_LENGTH: Final = 200
MAX_SEARCH_WORDS: Final = 10
DATE_OR_INSTANT: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
"""The JSON schema of what `read_date_or_instant` reads."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def read_parameter(query: Mapping[str, str], name: str, read: Callable[[str], V], *, default: D) -> V | D:
    """Return the query parameter `name` as `read` reads its text; `default` if the query does not have it.

    `read` raises `ValueError` with a message for the client, as the functions `read_…` below do. It becomes `Invalid`
    with the name of the parameter.
    """
    text = query.get(name)
    if text is None:
        return default
    try:
        return read(text)
    except OverflowError:
        raise Invalid.field(name, gettext("This date is out of range.")) from None
    except ValueError as error:
        raise Invalid.field(name, str(error)) from None


def read_flag(query: Mapping[str, str], name: str) -> bool:
    """Return the query parameter `name`, which is true or false; false if the query does not have it."""
    return read_parameter(query, name, read_bool, default=False)


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter: how its text is read, and the Django lookup that receives the value."""

    lookup: str
    read: Callable[[str], Any]
    """Raises `ValueError` with a message for the client."""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


# --- filters of a view ---------------------------------------------------------------------------------------------


def by_id(lookup: str) -> Filter:
    """Return a filter by a UUID."""
    return Filter(lookup, read_uuid, {"type": "string", "format": "uuid"})


def one_of(lookup: str, choices: Iterable[str]) -> Filter:
    """Return a filter by one of `choices` (for example a `TextChoices` class)."""
    names = [str(getattr(choice, "value", choice)) for choice in choices]
    return Filter(lookup, read_one_of(names), {"type": "string", "enum": names})


def yes_or_no(lookup: str, *, inverted: bool = False) -> Filter:
    """Return a filter by `true` or `false`. Use `inverted` for lookups such as `ended_at__isnull`."""
    return Filter(lookup, lambda text: read_bool(text) is not inverted, {"type": "boolean"})


def by_text(lookup: str, max_length: int = 200) -> Filter:
    """Return a filter by text of at most `max_length` characters."""

    def read(value: str) -> str:
        if len(value) > max_length:
            message = gettext("This must have at most {max_length} characters.")
            raise ValueError(message.format(max_length=max_length))
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
    return Filter(f"{column}__gte", lambda text: _instant(text, days=0), DATE_OR_INSTANT)


def until(column: str) -> Filter:
    """Return the filter `to` for an instant column: a date in the dojo is included, an instant is excluded."""
    return Filter(f"{column}__lt", lambda text: _instant(text, days=1), DATE_OR_INSTANT)


# --- values of query parameters ------------------------------------------------------------------------------------


def read_uuid(text: str) -> UUID:
    """Return the UUID. Raises `ValueError` unless it has the canonical form with hyphens."""
    if not _UUID.fullmatch(text):
        raise ValueError(gettext("This is not an id."))
    return UUID(text)


def read_bool(text: str) -> bool:
    """Return the value of `true` or `false`. Raises `ValueError` for other spellings."""
    if text not in {"true", "false"}:
        raise ValueError(gettext("This must be true or false."))
    return text == "true"


def read_date(text: str) -> date:
    """Return the date of `YYYY-MM-DD`. Raises `ValueError`."""
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise ValueError(gettext("This must be a date: YYYY-MM-DD."))


def read_date_or_instant(text: str) -> date:
    """Return the date of `YYYY-MM-DD`, or the instant (a `datetime` in UTC) of a time with its zone.

    Raises `ValueError`.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        gettext("This must be a date (YYYY-MM-DD) or an instant with its zone (2025-01-31T18:30:00Z).")
    )


def read_one_of(names: Iterable[str]) -> Callable[[str], str]:
    """Return the function that reads one of `names`, for `read_parameter`."""
    accepted = list(names)

    def read(text: str) -> str:
        if text not in accepted:
            message = gettext("This must be one of: {values}.")
            raise ValueError(message.format(values=", ".join(accepted)))
        return text

    return read


def read_whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the function that reads a whole number of at most nine digits, for `read_parameter`.

    `least` and `most` are included.
    """

    def read(text: str) -> int:
        number = int(text) if _WHOLE_NUMBER.fullmatch(text) else None
        if number is not None and least <= number and (most is None or number <= most):
            return number
        if most is None:
            raise ValueError(gettext("This must be a whole number of at least {least}.").format(least=least))
        message = gettext("This must be a whole number from {least} to {most}.")
        raise ValueError(message.format(least=least, most=most))

    return read


def start_of_day(day: date, zone: tzinfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, in UTC. Raises `OverflowError` after year 9999."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def _zone() -> tzinfo:
    scope = current_scope()
    return ZoneInfo(scope.timezone) if isinstance(scope, TenantScope) else UTC


def _instant(text: str, *, days: int) -> datetime:
    bound = read_date_or_instant(text)
    if isinstance(bound, datetime):
        return bound
    return start_of_day(bound + timedelta(days=days), _zone())


# --- the parameters that lists share -------------------------------------------------------------------------------


def read_words(text: str) -> list[str]:
    """Return the words of a search, normalised.

    Raises `Invalid` for more than `MAX_SEARCH_WORDS` words or `MAX_SEARCH_LENGTH` characters.
    """
    words = normalise(text).split()
    if len(text) > MAX_SEARCH_LENGTH or len(words) > MAX_SEARCH_WORDS:
        message = gettext("At most {words} words and {characters} characters are accepted.")
        raise Invalid.field("search", message.format(words=MAX_SEARCH_WORDS, characters=MAX_SEARCH_LENGTH))
    return words


def search(queryset: QuerySet[M], column: str, words: Iterable[Any]) -> QuerySet[M]:
    """Return the rows whose `column` (normalised text) contains every word. A word is text or an expression."""
    for word in words:
        # Not LIKE: it would escape `%` and `_` of a word that is an expression in SQL, again for each row.
        queryset = queryset.filter(GreaterThan(StrIndex(column, _text(word)), 0))
    return queryset


def _text(word: Any) -> Any:
    return Value(word, output_field=TextField()) if isinstance(word, str) else word


def read_ordering(text: str | None, accepted: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that `?ordering=` names. Raises `Invalid` for a name that is not in `accepted`.

    `accepted` maps the names of `?ordering=` to columns. `-` before a name reverses it.
    """
    columns: list[str] = []
    for name in text.split(",") if text else ():
        plain = name.removeprefix("-")
        if plain not in accepted:
            if not accepted:
                raise Invalid.field("ordering", gettext("The order of this list cannot be changed."))
            message = gettext("{name} is not accepted; this list is ordered by: {values}.")
            values = ", ".join(sorted(accepted))
            raise Invalid.field("ordering", message.format(name=repr(plain), values=values))
        columns.append(("-" if name.startswith("-") else "") + accepted[plain])
    return tuple(columns)


def order(queryset: QuerySet[M], columns: Sequence[str], default: Sequence[str]) -> QuerySet[M]:
    """Return the rows ordered by `columns`, then by primary key.

    Without `columns` the order is `default`, else that of the queryset.
    """
    own = queryset.query.order_by or queryset.model._meta.ordering or ()
    chosen: list[Any] = list(columns) or list(default) or list(own)
    return queryset.order_by(*chosen, "pk")
