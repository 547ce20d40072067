"""The fixtures of `tests.tenancy.world`, for every test in this folder."""

from tests.tenancy.world import committed_dojos, hashings, north, south, superuser, without_transaction

__all__ = ["committed_dojos", "hashings", "north", "south", "superuser", "without_transaction"]
