"""Many values as one parameter of a `Statement`, in the text form that PostgreSQL reads.

psycopg would convert a list element by element, which takes longer than a small statement itself.
"""

from collections.abc import Iterable
from uuid import UUID


def uuid_array(ids: Iterable[UUID | str]) -> str:
    """Return a parameter for `$n::uuid[]`."""
    return "{" + ",".join(map(str, ids)) + "}"


def bytea_array(values: Iterable[bytes]) -> str:
    """Return a parameter for `$n::bytea[]`."""
    return "{" + ",".join(f'"\\\\x{value.hex()}"' for value in values) + "}"


def bytea_text(value: bytes) -> str:
    """Return the text of a `bytea` within JSON that PostgreSQL reads."""
    return f"\\x{value.hex()}"
