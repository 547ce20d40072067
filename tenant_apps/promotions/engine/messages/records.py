"""Messages about recorded facts: documents, credentials, points, achievements, skills, approvals and standing."""

from typing import Final

from tenant_apps.promotions.engine.messages.wording import (
    MessageContext,
    Messages,
    count,
    either,
    from_then,
    needed,
    on_date,
    since_rank,
    title,
)
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


def _document_met(criterion: DocumentHandedIn, _: MessageContext) -> str:
    return f"{title(criterion.which)}: handed in."


def _document_not_met(criterion: DocumentHandedIn, context: MessageContext) -> str:
    since = since_rank(context) if criterion.since is Since.RANK else ""
    return f"{title(criterion.which)}: not handed in{since}, or no longer valid{from_then(context, 'valid')}."


def _document_unknown(criterion: DocumentHandedIn, _: MessageContext) -> str:
    return f"{title(criterion.which)}: not known whether it was handed in."


def _credential_met(criterion: CredentialHeld, _: MessageContext) -> str:
    return f"{title(criterion.which)}: held and valid."


def _credential_not_met(criterion: CredentialHeld, context: MessageContext) -> str:
    reasons = ["not held", "expired"]
    if criterion.max_age_months:
        reasons.append(f"older than {count(criterion.max_age_months, 'month')}")
    return f"{title(criterion.which)}: {either(reasons)}{from_then(context, 'valid')}."


def _credential_unknown(criterion: CredentialHeld, _: MessageContext) -> str:
    return f"{title(criterion.which)}: not known whether it is held."


def _won(criterion: AchievementWon, context: MessageContext) -> str:
    return "" if criterion.at_rank is None else f" as {context.rank_name(criterion.at_rank)}"


def _achievement_met(criterion: AchievementWon, context: MessageContext) -> str:
    return f"{title(criterion.which)}{_won(criterion, context)}: achieved."


def _achievement_not_met(criterion: AchievementWon, context: MessageContext) -> str:
    return f"{title(criterion.which)}{_won(criterion, context)}: not achieved{from_then(context, 'counts')}."


def _achievement_unknown(criterion: AchievementWon, context: MessageContext) -> str:
    return f"{title(criterion.which)}{_won(criterion, context)}: not known whether it was achieved."


def _of_category(criterion: PointsEarned) -> str:
    return f" in {criterion.category}" if criterion.category else ""


def _points_met(criterion: PointsEarned, context: MessageContext) -> str:
    earned = f"Has earned {count(context.have, 'point')}{_of_category(criterion)}{since_rank(context)}"
    return f"{earned}; {context.need} {needed(context.need)}."


def _points_not_met(criterion: PointsEarned, context: MessageContext) -> str:
    earned = f"Has earned {context.have} of {count(context.need, 'point')}{_of_category(criterion)}"
    return f"{earned}{since_rank(context)}{from_then(context, 'enough')}."


def _points_unknown(criterion: PointsEarned, context: MessageContext) -> str:
    points = f"{count(context.need, 'point')}{_of_category(criterion)}"
    return (
        f"It is not known how many points were earned{since_rank(context)}; {points} {needed(context.need)}."
    )


def _skills_met(criterion: SkillsShown, _: MessageContext) -> str:
    return f"Has shown all that is asked for: {', '.join(criterion.which)}."


def _skills_not_met(criterion: SkillsShown, context: MessageContext) -> str:
    shown = f"Has shown {context.have} of {count(context.need, 'skill')}"
    return f"{shown} ({', '.join(criterion.which)}){from_then(context, 'all of them')}."


def _skills_unknown(criterion: SkillsShown, _: MessageContext) -> str:
    return f"It is not known which of these were shown: {', '.join(criterion.which)}."


def _approvers(criterion: Approved) -> str:
    role = "" if criterion.by is None else f" by an {criterion.by.value}"
    return role if criterion.count == 1 else f"{role} ({criterion.count} people)"


def _approval_met(criterion: Approved, context: MessageContext) -> str:
    return f"{title(criterion.which)}: approved{_approvers(criterion)}{since_rank(context)}."


def _approval_not_met(criterion: Approved, context: MessageContext) -> str:
    approved = f"{title(criterion.which)}: not approved{_approvers(criterion)}{since_rank(context)}"
    return f"{approved}{from_then(context, 'counts')}."


def _approval_unknown(criterion: Approved, _: MessageContext) -> str:
    return f"{title(criterion.which)}: not known whether it was approved{_approvers(criterion)}."


def _standing_met(_: GoodStanding, __: MessageContext) -> str:
    return "Is an active student."


def _standing_not_met(_: GoodStanding, context: MessageContext) -> str:
    back = f" until {on_date(context.earliest_on)}" if context.earliest_on else ""
    return f"Is not an active student, or is on hold{back}."


def _standing_unknown(_: GoodStanding, __: MessageContext) -> str:
    return "It is not known whether this is an active student."


RECORD_MESSAGES: Final[Messages] = {
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
