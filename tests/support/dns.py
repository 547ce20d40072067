"""The DNS as tests see it: `settings.TATAMI_RESOLVER` names `text_records` instead of a real look-up."""

from collections.abc import Sequence

RECORDS: dict[str, list[str]] = {}
"""The TXT records of each name."""


def text_records(name: str) -> Sequence[str]:
    """Return what a test has put there."""
    return RECORDS.get(name, [])
