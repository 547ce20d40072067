"""The students that were chosen on the board, each with the rank to which they were to be promoted.

The board sends them as `pick=<student>:<rank>`, to the pages that award, put on an exam, or start a batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext

from tatami.errors import Invalid, NotFound
from tenant_apps.desk.page import Page
from tenant_apps.ranks.models import Rank
from tenant_apps.students.models import Student

MOST_PICKS: Final = 50
"""So many can be chosen at once. More are promoted by a batch, which selects students by a filter."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A student and a rank. `result` is the check as of a day; `None` if no step leads to the rank."""

    student: Student
    rank: Rank
    result: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The text that names the pick in forms and addresses."""
        return f"{self.student.pk}:{self.rank.pk}"

    @property
    def is_eligible(self) -> bool:
        """Whether the rules allow the promotion."""
        return self.result is not None and self.result["status"] == "eligible"

    @property
    def missing(self) -> list[str]:
        """Sentences that say what is not met, or not known."""
        if self.result is None:
            return [gettext("No step leads from the rank held to this rank.")]
        return missing_sentences(self.result)


def missing_sentences(result: dict[str, Any]) -> list[str]:
    """Return what is not met or not known on the best path of a check result."""
    return [one["message"] for one in result["criteria"] if one["status"] != "met"]


def read_picks(texts: Iterable[str]) -> list[Pick]:
    """Return the picks that a form or an address names, by name of the student. Two statements.

    Raises `Invalid` for a text that is no pick, or for too many; `NotFound` if a student or a rank does not exist.
    """
    pairs = list(dict.fromkeys(map(_pair, texts)))
    if len(pairs) > MOST_PICKS:
        message = gettext("Choose at most {number} students. A batch promotes more.")
        raise Invalid.field("pick", message.format(number=MOST_PICKS))
    students = Student.objects.not_archived().in_bulk([student for student, _ in pairs])
    ranks = Rank.objects.in_use().in_bulk([rank for _, rank in pairs])
    if any(student not in students or rank not in ranks for student, rank in pairs):
        raise NotFound
    found = [Pick(students[student], ranks[rank]) for student, rank in pairs]
    return sorted(found, key=lambda one: one.student.search_name)


def _pair(text: str) -> tuple[UUID, UUID]:
    student, _, rank = text.partition(":")
    try:
        return UUID(student), UUID(rank)
    except ValueError:
        raise Invalid.field("pick", gettext("This does not name a student and a rank.")) from None


def checked(page: Page, picks: Sequence[Pick], as_of: str = "") -> list[Pick]:
    """Return the picks with their check results as of a date (default: today). A fixed number of statements."""
    if not picks:
        return []
    results = check_results(page, {str(one.student.pk) for one in picks}, as_of)
    return [Pick(one.student, one.rank, results.get(one.key)) for one in picks]


def check_results(page: Page, students: Iterable[str], as_of: str = "") -> dict[str, dict[str, Any]]:
    """Return the check results of some students, by the key of their pick. A fixed number of statements."""
    body = {"students": sorted(students), **({"as_of": as_of} if as_of else {})}
    results = page.send("POST", "promotion-check", body)["results"]
    return {f"{one['student']['id']}:{one['target_rank']['id']}": one for one in results}
