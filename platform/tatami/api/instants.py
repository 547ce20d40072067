"""Instants in a body: with their zone, so that nobody guesses whose clock was meant."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers


class Instant(serializers.DateTimeField):
    """An instant: ISO 8601 with `Z` or an offset. A bare date, or a time without its zone, is refused."""

    default_error_messages = {"no_zone": "This must be an instant with its zone: 2025-01-31T18:30:00Z."}

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
