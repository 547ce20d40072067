"""What mails are about: what their texts may name, and whether a dojo sends them at all."""

from collections.abc import Mapping
from typing import Final

from django.db import models

from tenant_apps.dojo.models import DojoSettings


class Kind(models.TextChoices):
    """What a mail is about. The values are names in the API and in rows: they never change."""

    PROMOTION = "promotion"
    EXAM_INVITATION = "exam_invitation"
    ABSENCE = "absence"
    CLASS_CANCELLED = "class_cancelled"
    FREE = "free"


ABOUT_ALL: Final = ("dojo", "recipient", "student", "students")
"""What every text may name: the dojo, whom the mail addresses, the students' names in one line, and each of them."""

SAMPLES: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.PROMOTION: {
        "rank": "4th kyu",
        "rank_system": "Aikikai Hombu grades",
        "awarded_on": "15 June 2026",
    },
    Kind.EXAM_INVITATION: {
        "exam": "Summer grading",
        "date": "27 June 2026",
        "location": "Main hall",
        "rank": "4th kyu",
        "rank_system": "Aikikai Hombu grades",
    },
    Kind.ABSENCE: {"last_visit": "15 May 2026", "days": "31"},
    Kind.CLASS_CANCELLED: {
        "class": "Evening class",
        "date": "22 June 2026",
        "time": "18:30",
        "reason": "The hall is flooded.",
    },
    Kind.FREE: {},
}
"""What else the texts of a kind may name, for each student, with what a preview shows in its place."""

TO_AN_AUDIENCE: Final = (Kind.FREE, Kind.ABSENCE)
"""What can be sent to an audience. The other texts tell of a deed, and go out with it."""

_POLICIES: Final = {
    Kind.PROMOTION: "notify_promotion",
    Kind.EXAM_INVITATION: "notify_exam_invitation",
    Kind.CLASS_CANCELLED: "notify_class_cancelled",
}


def variables_of(kind: Kind) -> tuple[str, ...]:
    """Return all that a text of this kind may name."""
    return (*ABOUT_ALL, *SAMPLES[kind])


def is_wanted(kind: Kind, settings: DojoSettings) -> bool:
    """Return whether the dojo sends word of such deeds."""
    return bool(getattr(settings, _POLICIES[kind]))
