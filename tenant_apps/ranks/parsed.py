"""The definitions that were parsed last, of all dojos that this process serves: a version never changes.

A version's id alone does not name it: a dojo that was restored from an archive has the ids of the one it was made of.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final
from uuid import UUID

from tenant_apps.ranks.definition import RankDefinition, accepted_definition
from tenant_apps.ranks.models import RankRules

REMEMBERED: Final = 1_000

_latest_last: Final[OrderedDict[tuple[UUID, UUID], RankDefinition]] = OrderedDict()
_lock: Final = Lock()


def parsed_definition(row: RankRules) -> RankDefinition:
    """Return the definition in a version of the rules. Two threads that ask at once may both parse it."""
    key = (row.tenant_id, row.pk)
    with _lock:
        found = _latest_last.get(key)
    if found is None:
        found = accepted_definition(row.document)
    with _lock:
        _latest_last[key] = found
        _latest_last.move_to_end(key)
        while len(_latest_last) > REMEMBERED:
            _latest_last.popitem(last=False)
    return found
