"""How many parts of a whole are in each state: counted when they are shown, so that they always add up."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Choices, Count, QuerySet


def numbers_by_state(
    parts: QuerySet[Any], of: str, wholes: Iterable[Any], states: type[Choices]
) -> dict[Any, dict[str, int]]:
    """Return, by the key of each whole, how many of its parts are in each of the states. One statement.

    `of` names the field by which a part belongs to its whole.
    """
    found = {whole.pk: dict.fromkeys(states.values, 0) for whole in wholes}
    counted = parts.filter(**{f"{of}__in": list(found)}).order_by().values(of, "state")
    for one in counted.annotate(number=Count("pk")):
        found[one[of]][one["state"]] = one["number"]
    return found
