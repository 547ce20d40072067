"""Which time zones there are: the IANA names that this installation can compute with."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from rest_framework.serializers import ValidationError

_NO_PLACES: Final = frozenset({"localtime", "Factory"})
"""Names that some installations know: whatever this machine is set to, and nothing at all."""


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_PLACES


def known_timezone(value: str) -> None:
    """Refuse what is not an IANA time zone's name, by DRF's `ValidationError`."""
    if value not in _names():
        raise ValidationError("This is not the name of an IANA time zone, such as Europe/Berlin.")
