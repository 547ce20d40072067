"""Fields of serializers: text, instants, `archived`, time zones, and references to other resources.

A reference is an id in a request body and `{id, name}` in a response.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Final
from uuid import UUID
from zoneinfo import available_timezones

from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy, gettext_noop
from rest_framework import serializers
from rest_framework.relations import ManyRelatedField, RelatedField
from rest_framework.serializers import ValidationError

from tatami.api.filters import read_uuid
from tatami.outgoing import InvalidUrl, target_of
from tatami.text import is_blank

MAX_TEXT_LENGTH: Final = 10_000
MAX_REFERENCES: Final = 500
UNKNOWN: Final = gettext_noop("There is nothing with this id.")
BLANK: Final = gettext_noop("This field may not be blank.")
"""As the fields of REST framework say it."""
_CORRECTED: Final = (
    gettext_noop("This field may not be null."),
    gettext_noop("This list may not be empty."),
    gettext_noop("This selection may not be empty."),
    gettext_noop("This dictionary may not be empty."),
    gettext_noop("Ensure this value is greater than or equal to {min_value}."),
)
"""Messages of REST framework that say the opposite in its Portuguese ("may be not empty"), or have a typing error.

The catalogue of the kernel comes before that of REST framework.
"""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NOT_PORTABLE_ZONES: Final = frozenset({"localtime", "Factory"})
"""Names of zones that some systems list, but that depend on the machine or mean no zone."""
_LIST_OPTIONS: Final = ("required", "allow_empty", "source", "default", "most")


class SingleLineField(serializers.CharField):
    """Text in one line: trimmed, NFC, without control characters. A number in the body is not accepted as text.

    Text of characters without a glyph only (zero-width spaces, fillers) is refused, because it cannot be read or found.
    """

    default_error_messages = {
        "control": gettext_lazy("Control characters are not accepted."),
        "invisible": gettext_lazy("This text has no visible characters."),
    }
    refused: ClassVar[re.Pattern[str]] = _CONTROL

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value = unicodedata.normalize("NFC", super().to_internal_value(data))
        if self.refused.search(value):
            self.fail("control")
        if value and is_blank(value):
            self.fail("invisible")
        return value


class MultiLineField(SingleLineField):
    """Text that may have several lines; at most `MAX_TEXT_LENGTH` characters unless the model has its own limit."""

    refused = _CONTROL_BUT_LINES

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_TEXT_LENGTH)
        super().__init__(**kwargs)


class PublicUrlField(SingleLineField):
    """An HTTPS URL of a host on the public internet, for requests that we send (see `tatami.outgoing`)."""

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        try:
            target_of(url)
        except InvalidUrl as error:
            raise ValidationError(str(error)) from None
        return url


class ArchivedField(serializers.BooleanField):
    """Whether the row is archived. In a PATCH, `false` restores it. Only DELETE archives."""

    default_error_messages = {
        "only_restores": gettext_lazy("Only false is accepted: it restores. Send DELETE to archive.")
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def get_attribute(self, instance: Any) -> bool:
        archived_at = instance["archived_at"] if isinstance(instance, Mapping) else instance.archived_at
        return archived_at is not None

    def to_internal_value(self, data: Any) -> bool:
        if data is not False or self.root.instance is None:
            self.fail("only_restores")
        return False


class BoundedListField(serializers.ListField):
    """A list of at most `max_length` values. A longer one is refused before its values are looked at."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            raise ValidationError(self.error_messages["max_length"].format(max_length=self.max_length))
        found: list[Any] = super().to_internal_value(data)
        return found


class InstantField(serializers.DateTimeField):
    """An instant: ISO 8601 with `Z` or an offset. A date, or a time without a zone, is refused."""

    default_error_messages = {
        "no_zone": gettext_lazy("This must be an instant with its zone: 2025-01-31T18:30:00Z.")
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("no_zone")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("no_zone")
        moment: datetime = super().to_internal_value(value)
        return moment


class ReferenceField(RelatedField[Any, Any, Any]):
    """A reference to one row. `queryset` (or a function of the request) contains the rows that the caller may name.

    An id outside the queryset is a `validation_error` at the field's path, never a 404. A response needs the row's
    name, so the queryset of a list view must `select_related` every reference. With `many=True` all ids are read with
    one query, and `most` limits their number.
    """

    default_error_messages = {
        "unknown": gettext_lazy("There is nothing with this id."),
        "not_an_id": gettext_lazy("This is not an id."),
    }

    def __init__(self, *, name: str = "name", **kwargs: Any) -> None:
        self.name = name
        chosen = kwargs.get("queryset")
        self.choose = chosen if callable(chosen) and not hasattr(chosen, "all") else None
        super().__init__(**kwargs)

    def rows(self) -> QuerySet[Any]:
        """Return the rows that the caller may name."""
        if self.choose is not None:
            chosen: QuerySet[Any] = self.choose(self.context["request"])
            return chosen
        queryset: QuerySet[Any] | None = self.get_queryset()
        if queryset is None:
            raise TypeError("a read-only reference reads no body")
        return queryset

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate. Unlike DRF's relations, an empty text is no null."""
        return serializers.Field.run_validation(self, data)

    def read(self, data: object) -> UUID:
        """Return the id from a body. Raises `ValidationError`."""
        try:
            return read_uuid(data) if isinstance(data, str) else self.fail("not_an_id")
        except ValueError:
            self.fail("not_an_id")

    def to_internal_value(self, data: object) -> Any:
        found = self.rows().filter(pk=self.read(data)).first()
        if found is None:
            self.fail("unknown")
        return found

    def to_representation(self, value: Any) -> dict[str, Any]:
        return {"id": value.pk, "name": getattr(value, self.name)}

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> "ManyReferenceField":
        own: dict[str, Any] = {option: kwargs.pop(option) for option in _LIST_OPTIONS if option in kwargs}
        if kwargs.get("read_only"):
            own["read_only"] = True
        return ManyReferenceField(child_relation=cls(*args, **kwargs), **own)


class ManyReferenceField(ManyRelatedField):
    """Several references, read with one query. An id that appears twice counts once."""

    child_relation: ReferenceField

    def __init__(self, *, most: int = MAX_REFERENCES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: object) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if not self.allow_empty and not data:
            self.fail("empty")
        if len(data) > self.most:
            raise ValidationError(gettext("At most {most} references are accepted.").format(most=self.most))
        ids = self._ids(data)
        found = self.child_relation.rows().in_bulk(set(ids))
        unknown = {str(place): [gettext(UNKNOWN)] for place, id_ in enumerate(ids) if id_ not in found}
        if unknown:
            raise ValidationError(unknown)
        return [found[id_] for id_ in dict.fromkeys(ids)]

    def _ids(self, data: Sequence[object]) -> list[UUID]:
        ids: list[UUID] = []
        problems: dict[str, Any] = {}
        for place, item in enumerate(data):
            try:
                ids.append(self.child_relation.read(item))
            except ValidationError as error:
                problems[str(place)] = error.detail
        if problems:
            raise ValidationError(problems)
        return ids


def reference_errors(
    entries: Sequence[Mapping[str, Any]], field: str, known: Collection[UUID], *, twice: str
) -> list[dict[str, Any]]:
    """Return the errors of the id in `field`, one mapping for each entry (empty if the id is fine).

    An id is wrong if it is not in `known`, or, with the message `twice`, if an earlier entry has it.
    """
    seen: set[UUID] = set()
    errors: list[dict[str, Any]] = []
    for entry in entries:
        message = gettext(UNKNOWN) if entry[field] not in known else twice if entry[field] in seen else None
        errors.append({field: [message]} if message else {})
        seen.add(entry[field])
    return errors


@cache
def _timezone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_PORTABLE_ZONES


def validate_timezone(value: str) -> None:
    """Raise DRF's `ValidationError` if `value` is not the name of an IANA time zone."""
    if value not in _timezone_names():
        raise ValidationError(gettext("This is not the name of an IANA time zone, such as Europe/Berlin."))
