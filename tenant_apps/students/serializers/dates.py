"""Dates that a dojo could mean."""

from datetime import date
from typing import Any

from rest_framework import serializers

from tatami.api.filters import read_date

OLDEST_DATE = date(1900, 1, 1)
LATEST_DATE = date(2200, 1, 1)


class PlausibleDate(serializers.DateField):
    """A date that a dojo could mean; years far off are typing errors."""

    default_error_messages = {"implausible": "This date is out of range."}

    def to_internal_value(self, data: Any) -> date:
        try:
            value = read_date(data if isinstance(data, str) else "")
        except ValueError:
            self.fail("invalid", format="YYYY-MM-DD")
        if not OLDEST_DATE <= value <= LATEST_DATE:
            self.fail("implausible")
        return value
