"""Every fault of a definition document, each with its place, so that an author can mend them in one go."""

from typing import Final, NamedTuple

from tenant_apps.ranks.definition_form import faults_of_form
from tenant_apps.ranks.definition_meaning import faults_of_meaning
from tenant_apps.ranks.definition_places import Place

MOST_FAULTS: Final = 100
_LONGEST_PLACE: Final = 200

WHOLE: Final = "definition"
"""The place of a fault that concerns the document as a whole."""


class Fault(NamedTuple):
    """`place` is a dotted path such as `steps.3.paths.0.criteria.1.n`; `message` goes to the author."""

    place: str
    message: str


def definition_faults(document: object) -> tuple[Fault, ...]:
    """All faults in the order of the document, at most `MOST_FAULTS` of them; none if it is sound."""
    found: dict[tuple[Place, str], None] = {}
    for fault in (*faults_of_form(document), *faults_of_meaning(document)):
        found[fault] = None
    ordered = sorted(found, key=_reading_order)
    return tuple(
        Fault(".".join(map(str, place))[:_LONGEST_PLACE] or WHOLE, message)
        for place, message in ordered[:MOST_FAULTS]
    )


def _reading_order(fault: tuple[Place, str]) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in fault[0]]
