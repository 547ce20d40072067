"""The name of a student from its parts: the one place where it is composed, in Python and in SQL."""

from collections.abc import Iterable

from django.db.models import Case, F, TextField, Value, When
from django.db.models.functions import Concat, Trim
from django.utils.translation import gettext, gettext_noop

from tatami.text import normalise

ERASED_NAME = gettext_noop("Erased student")
"""Instead of a name; to translate."""


def full_name(first_name: str, last_name: str, family_first: bool, *, is_erased: bool = False) -> str:
    """Return the name of a student in its order. One of its parts may be empty."""
    if is_erased:
        return gettext(ERASED_NAME)
    return (f"{last_name} {first_name}" if family_first else f"{first_name} {last_name}").strip()


def full_name_sql(student: str = "") -> Case:
    """Return `full_name` as an expression; it is empty for an erased student.

    `student` is the lookup from the row to the student: `full_name_sql("student__")` for an attendance.
    """
    first, last = F(f"{student}first_name"), F(f"{student}last_name")
    return Case(
        When(**{f"{student}family_first": True}, then=Trim(Concat(last, Value(" "), first))),
        default=Trim(Concat(first, Value(" "), last)),
        output_field=TextField(),
    )


def name_key(first_name: str, last_name: str) -> str:
    """Return the name by which two records of one person are recognised, in no language's order."""
    return normalise(f"{first_name} {last_name}")


def search_names(names: Iterable[tuple[str, str]]) -> set[str]:
    """Return what `search_name` may be for students with these names (first name, last name), in either order."""
    return {name_key(*way) for name in names for way in (name, name[::-1])}
