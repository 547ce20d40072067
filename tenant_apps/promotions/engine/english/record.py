"""Sentences about what is written down about a student: documents, points, titles, approvals."""

from typing import Final

from tenant_apps.promotions.engine.english.words import count, from_then, needed, on_date, since_rank, thing
from tenant_apps.promotions.engine.phrases import Phrases, Reading
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    AchievementWon,
    Approved,
    CredentialHeld,
    DocumentHandedIn,
    GoodStanding,
    PointsEarned,
    Since,
    SkillsShown,
)


def _document_met(criterion: DocumentHandedIn, _: Reading) -> str:
    return f"{thing(criterion.which)}: handed in."


def _document_not_met(criterion: DocumentHandedIn, reading: Reading) -> str:
    since = since_rank(reading) if criterion.since is Since.RANK else ""
    return f"{thing(criterion.which)}: not handed in{since}, or no longer valid{from_then(reading)}."


def _document_unknown(criterion: DocumentHandedIn, _: Reading) -> str:
    return f"{thing(criterion.which)}: not known whether it was handed in."


def _credential_met(criterion: CredentialHeld, _: Reading) -> str:
    return f"{thing(criterion.which)}: there, and valid."


def _credential_not_met(criterion: CredentialHeld, reading: Reading) -> str:
    age = f" or older than {count(criterion.max_age_months, 'month')}" if criterion.max_age_months else ""
    return f"{thing(criterion.which)}: not there, expired{age}{from_then(reading)}."


def _credential_unknown(criterion: CredentialHeld, _: Reading) -> str:
    return f"{thing(criterion.which)}: not known whether it is there."


def _won(criterion: AchievementWon, reading: Reading) -> str:
    return "" if criterion.at_rank is None else f" as {reading.rank_name(criterion.at_rank)}"


def _achievement_met(criterion: AchievementWon, reading: Reading) -> str:
    return f"{thing(criterion.which)}{_won(criterion, reading)}: achieved."


def _achievement_not_met(criterion: AchievementWon, reading: Reading) -> str:
    return f"{thing(criterion.which)}{_won(criterion, reading)}: not achieved{from_then(reading, 'so')}."


def _achievement_unknown(criterion: AchievementWon, reading: Reading) -> str:
    return f"{thing(criterion.which)}{_won(criterion, reading)}: not known whether it was achieved."


def _of_category(criterion: PointsEarned) -> str:
    return f" in {criterion.category}" if criterion.category else ""


def _points_met(criterion: PointsEarned, reading: Reading) -> str:
    earned = f"Has earned {count(reading.have, 'point')}{_of_category(criterion)}{since_rank(reading)}"
    return f"{earned}; {reading.need} {needed(reading.need)}."


def _points_not_met(criterion: PointsEarned, reading: Reading) -> str:
    earned = f"Has earned {reading.have} of {count(reading.need, 'point')}{_of_category(criterion)}"
    return f"{earned}{since_rank(reading)}{from_then(reading, 'enough')}."


def _points_unknown(criterion: PointsEarned, reading: Reading) -> str:
    points = f"{count(reading.need, 'point')}{_of_category(criterion)}"
    return f"Not known how many points were earned{since_rank(reading)}; {points} {needed(reading.need)}."


def _skills_met(criterion: SkillsShown, _: Reading) -> str:
    return f"Has shown all that is asked for: {', '.join(criterion.which)}."


def _skills_not_met(criterion: SkillsShown, reading: Reading) -> str:
    shown = f"Has shown {reading.have} of {count(reading.need, 'skill')}"
    return f"{shown} ({', '.join(criterion.which)}){from_then(reading, 'all')}."


def _skills_unknown(criterion: SkillsShown, _: Reading) -> str:
    return f"Not known which of these were shown: {', '.join(criterion.which)}."


def _approvers(criterion: Approved) -> str:
    role = "" if criterion.by is None else f" by an {criterion.by.value}"
    return role if criterion.count == 1 else f"{role} ({criterion.count} people)"


def _approval_met(criterion: Approved, reading: Reading) -> str:
    return f"{thing(criterion.which)}: approved{_approvers(criterion)}{since_rank(reading)}."


def _approval_not_met(criterion: Approved, reading: Reading) -> str:
    approved = f"{thing(criterion.which)}: not approved{_approvers(criterion)}{since_rank(reading)}"
    return f"{approved}{from_then(reading, 'so')}."


def _approval_unknown(criterion: Approved, _: Reading) -> str:
    return f"{thing(criterion.which)}: not known whether it was approved{_approvers(criterion)}."


def _standing_met(_: GoodStanding, __: Reading) -> str:
    return "Is an active student."


def _standing_not_met(_: GoodStanding, reading: Reading) -> str:
    back = f" until {on_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"Is not an active student, or on hold{back}."


def _standing_unknown(_: GoodStanding, __: Reading) -> str:
    return "Not known whether this is an active student."


RECORD: Final[Phrases] = {
    ("document", Status.MET): _document_met,
    ("document", Status.NOT_MET): _document_not_met,
    ("document", Status.UNKNOWN): _document_unknown,
    ("credential", Status.MET): _credential_met,
    ("credential", Status.NOT_MET): _credential_not_met,
    ("credential", Status.UNKNOWN): _credential_unknown,
    ("achievement", Status.MET): _achievement_met,
    ("achievement", Status.NOT_MET): _achievement_not_met,
    ("achievement", Status.UNKNOWN): _achievement_unknown,
    ("points", Status.MET): _points_met,
    ("points", Status.NOT_MET): _points_not_met,
    ("points", Status.UNKNOWN): _points_unknown,
    ("skills", Status.MET): _skills_met,
    ("skills", Status.NOT_MET): _skills_not_met,
    ("skills", Status.UNKNOWN): _skills_unknown,
    ("approval", Status.MET): _approval_met,
    ("approval", Status.NOT_MET): _approval_not_met,
    ("approval", Status.UNKNOWN): _approval_unknown,
    ("standing", Status.MET): _standing_met,
    ("standing", Status.NOT_MET): _standing_not_met,
    ("standing", Status.UNKNOWN): _standing_unknown,
}
