"""The IANA time zones that this installation knows."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from rest_framework.serializers import ValidationError

_NOT_PORTABLE: Final = frozenset({"localtime", "Factory"})
"""Names that some systems list, but that depend on the machine or mean no zone."""


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_PORTABLE


def validate_timezone(value: str) -> None:
    """Raise DRF's `ValidationError` if `value` is not the name of an IANA time zone."""
    if value not in _names():
        raise ValidationError("This is not the name of an IANA time zone, such as Europe/Berlin.")
