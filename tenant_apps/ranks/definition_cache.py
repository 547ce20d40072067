"""Keep the definitions that were parsed last, for all dojos that this process serves."""

from threading import Lock
from typing import Final
from uuid import UUID

from cachetools import LRUCache, cached

from tenant_apps.ranks.definition import RankDefinition, accepted_definition
from tenant_apps.ranks.models import RankRules

MOST_CACHED: Final = 1_000
"""Versions of rules, over all dojos of the process."""


def _key(row: RankRules) -> tuple[UUID, UUID]:
    """Return the tenant and the version: a dojo restored from an archive has the ids of the dojo it was made of."""
    return row.tenant_id, row.pk


@cached(LRUCache[tuple[UUID, UUID], RankDefinition](maxsize=MOST_CACHED), key=_key, lock=Lock())
def cached_definition(row: RankRules) -> RankDefinition:
    """Return the definition in a version of the rules. A version never changes, so a cached one is never outdated.

    Safe to call from several threads: two that ask for the same version at once may both parse it.
    """
    return accepted_definition(row.document)
