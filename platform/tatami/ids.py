"""Identifiers: UUID version 7, generated in Python and unique over all dojos."""

from uuid import UUID

import uuid_utils.compat


def uuid7() -> UUID:
    """Return a new time-ordered UUID (RFC 9562, version 7)."""
    return uuid_utils.compat.uuid7()
