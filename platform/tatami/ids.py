"""Identifiers: UUID version 7, made in Python, so that no two dojos share an id."""

from uuid import UUID

import uuid_utils.compat


def uuid7() -> UUID:
    """Return a new time-ordered UUID (RFC 9562, version 7)."""
    return uuid_utils.compat.uuid7()
