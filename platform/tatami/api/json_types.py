"""The JSON type that each kind of field reads: a body is typed, so a number is never text and `true` never 1.

DRF's fields also read what an HTML form sends (`"true"`, `"5"`, `5.0`). A client that sends such a value has a fault,
and the OpenAPI document does not describe it. Query parameters and the cells of files are text and are not checked.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop
from rest_framework import serializers

from tatami.api.filters import read_uuid

_Reads = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(read_uuid(value))
    except ValueError:
        return False


_TYPES: Final[tuple[tuple[Any, _Reads, str], ...]] = (
    (
        serializers.BooleanField,
        lambda one: isinstance(one, bool),
        gettext_noop("This must be true or false."),
    ),
    (serializers.IntegerField, lambda one: type(one) is int, gettext_noop("This must be a whole number.")),
    (serializers.FloatField, lambda one: type(one) in {int, float}, gettext_noop("This must be a number.")),
    (serializers.UUIDField, _is_uuid, gettext_noop("This is not an id.")),
    (serializers.CharField, _is_text, gettext_noop("This must be text.")),
    (serializers.ChoiceField, _is_text, gettext_noop("This must be text.")),
    (serializers.DateTimeField, _is_text, gettext_noop("This must be text.")),
    (serializers.DateField, _is_text, gettext_noop("This must be text.")),
)
"""Kind of field, whether it reads a value, and the message if not. The first that fits counts."""


@cache
def _type_of(kind: type[Any]) -> tuple[_Reads, str] | None:
    return next((found for base, *found in _TYPES if issubclass(kind, base)), None)  # type: ignore[return-value]


def type_error(field: Any, value: Any) -> Any:
    """Return the error of a value whose JSON type is not that of the field, or `None`.

    The errors of the members of a list or mapping are by index or key. A list that is longer than the field accepts is
    not looked at.
    """
    if value is None:
        return None
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        if field.max_length is not None and len(value) > field.max_length:
            return None
        return _errors_of(field.child, enumerate(value))
    if isinstance(field, serializers.DictField) and isinstance(value, Mapping):
        return _errors_of(field.child, value.items())
    found = _type_of(type(field))  # type: ignore[arg-type]
    return None if found is None or found[0](value) else [gettext(found[1])]


def _errors_of(child: Any, members: Any) -> Any:
    found = {str(key): error for key, member in members if (error := type_error(child, member))}
    return found or None
