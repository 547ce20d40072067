"""How a list is searched, ordered, and kept apart from what is archived."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet

from tatami.api.filters import read_flag
from tatami.errors import Invalid
from tatami.text import normalise

M = TypeVar("M", bound=Model)
LONGEST_SEARCH: Final = 200
MOST_WORDS: Final = 10


def archived(queryset: QuerySet[M], text: str | None) -> QuerySet[M]:
    """Return what is in use, or with `true` what is archived. Raises `Invalid` for another text."""
    if not getattr(queryset.model, "ARCHIVABLE", False):
        return queryset
    try:
        wanted = read_flag("false" if text is None else text)
    except ValueError as error:
        raise Invalid.field("archived", str(error)) from error
    return queryset.filter(archived_at__isnull=not wanted)


def searched(queryset: QuerySet[M], column: str, text: str) -> QuerySet[M]:
    """Return the rows whose `column` (normalised text) contains every word of `text`. Raises `Invalid`."""
    words = normalise(text).split()
    if len(text) > LONGEST_SEARCH or len(words) > MOST_WORDS:
        raise Invalid.field(
            "search", f"At most {MOST_WORDS} words and {LONGEST_SEARCH} characters are accepted."
        )
    for word in words:
        queryset = queryset.filter(**{f"{column}__contains": word})
    return queryset


def ordered(
    queryset: QuerySet[M], text: str | None, accepted: Mapping[str, str], default: Sequence[str]
) -> QuerySet[M]:
    """Return the rows in the order that `text` names, then by key. Raises `Invalid` for other names."""
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
