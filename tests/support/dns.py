"""The DNS of the tests: `text_records` replaces `shared_apps.tenants.domain_dns.text_records`."""

from collections.abc import Sequence

RECORDS: dict[str, list[str]] = {}
"""The TXT records of each name."""


def text_records(name: str) -> Sequence[str]:
    """Return the records that a test has set."""
    return RECORDS.get(name, [])
