"""The present time of tests that fix the clock."""

from datetime import UTC, datetime
from typing import Final

NOW: Final = datetime(2026, 6, 15, 16, 40, tzinfo=UTC)
"""A Monday, 18:40 in Berlin."""
