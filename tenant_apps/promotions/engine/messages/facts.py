"""Messages about recorded facts: documents, credentials, points, achievements, skills, approvals and standing."""

from typing import Final

from tenant_apps.promotions.engine.messages.translated import gettext as _
from tenant_apps.promotions.engine.messages.translated import ngettext
from tenant_apps.promotions.engine.messages.wording import (
    MessageContext,
    Messages,
    enough_on,
    number,
    on_day,
    sentences,
    title,
)
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    AchievementWon,
    Approved,
    Approver,
    CredentialHeld,
    DocumentHandedIn,
    GoodStanding,
    PointsEarned,
    SkillsShown,
)
from tenant_apps.ranks.date_intervals import END, span_at, union

# --- document, credential, achievement ----------------------------------------------------------------------------


def _document_met(criterion: DocumentHandedIn, context: MessageContext) -> str:
    return _("{name}: handed in on {date}.").format(
        name=title(criterion.which), date=on_day(context.finding.detail[0])
    )


def _document_not_met(criterion: DocumentHandedIn, context: MessageContext) -> str:
    name, latest = title(criterion.which), context.finding.detail
    if latest is None:
        return sentences(_("{name}: not handed in.").format(name=name), enough_on(context))
    handed_in, last = latest
    if last < context.data.as_of:
        why = _("{name}: handed in on {date}, but valid only until {last}.").format(
            name=name, date=on_day(handed_in), last=on_day(last)
        )
    else:
        why = _("{name}: handed in on {date}; a new one is needed since {event}.").format(
            name=name, date=on_day(handed_in), event=context.event
        )
    return sentences(why, enough_on(context))


def _document_unknown(criterion: DocumentHandedIn, _context: MessageContext) -> str:
    return _("{name}: it is not known whether it was handed in.").format(name=title(criterion.which))


def _credential_met(criterion: CredentialHeld, context: MessageContext) -> str:
    return _("{name}: valid, of {date}.").format(
        name=title(criterion.which), date=on_day(context.finding.detail[0])
    )


def _credential_not_met(criterion: CredentialHeld, context: MessageContext) -> str:
    name, latest = title(criterion.which), context.finding.detail
    if latest is None:
        return sentences(_("{name}: not recorded.").format(name=name), enough_on(context))
    issued, last = latest
    if last < context.data.as_of:
        why = _("{name}: expired; it was valid until {last}.").format(name=name, last=on_day(last))
    else:
        months = criterion.max_age_months or 0
        why = ngettext(
            "{name}: it is of {date}, more than {months} month old.",
            "{name}: it is of {date}, more than {months} months old.",
            months,
        ).format(name=name, date=on_day(issued), months=months)
    return sentences(why, enough_on(context))


def _credential_unknown(criterion: CredentialHeld, _context: MessageContext) -> str:
    return _("{name}: it is not known whether there is one.").format(name=title(criterion.which))


def _achievement_met(criterion: AchievementWon, context: MessageContext) -> str:
    name, date = title(criterion.which), on_day(context.finding.detail[0])
    if criterion.at_rank is None:
        return _("{name}: achieved on {date}.").format(name=name, date=date)
    return _("{name}: achieved as {rank}.").format(name=name, rank=context.rank_name(criterion.at_rank))


def _achievement_not_met(criterion: AchievementWon, context: MessageContext) -> str:
    name, latest = title(criterion.which), context.finding.detail
    if latest is not None and latest[1] < context.data.as_of:
        why = _("{name}: it counted only until {last}.").format(name=name, last=on_day(latest[1]))
    elif criterion.at_rank is None:
        why = _("{name}: not achieved.").format(name=name)
    else:
        why = _("{name}: not achieved as {rank}.").format(
            name=name, rank=context.rank_name(criterion.at_rank)
        )
    return sentences(why, enough_on(context))


def _achievement_unknown(criterion: AchievementWon, _context: MessageContext) -> str:
    return _("{name}: it is not known whether it was achieved.").format(name=title(criterion.which))


# --- points, skills -----------------------------------------------------------------------------------------------


def _points(criterion: PointsEarned, context: MessageContext) -> str:
    if criterion.category and context.event:
        text = _("Points in {category} since {event}: {have}. Needed: {need}.")
    elif criterion.category:
        text = _("Points in {category}: {have}. Needed: {need}.")
    elif context.event:
        text = _("Points since {event}: {have}. Needed: {need}.")
    else:
        text = _("Points: {have}. Needed: {need}.")
    return text.format(
        have=number(context.have), need=criterion.n, category=criterion.category, event=context.event
    )


def _points_not_met(criterion: PointsEarned, context: MessageContext) -> str:
    return sentences(_points(criterion, context), enough_on(context))


def _points_unknown(criterion: PointsEarned, _context: MessageContext) -> str:
    return ngettext(
        "{need} point is needed; it is not known how many were earned.",
        "{need} points are needed; it is not known how many were earned.",
        criterion.n,
    ).format(need=criterion.n)


def _skills_met(criterion: SkillsShown, _context: MessageContext) -> str:
    return _("All skills were shown: {skills}.").format(skills=", ".join(criterion.which))


def _skills_not_met(criterion: SkillsShown, context: MessageContext) -> str:
    still = _("Skills shown: {have} of {need}. Still to be shown: {skills}.").format(
        have=context.have, need=len(criterion.which), skills=", ".join(context.finding.detail)
    )
    return sentences(still, enough_on(context))


def _skills_unknown(criterion: SkillsShown, _context: MessageContext) -> str:
    return _("It is not known which of these skills were shown: {skills}.").format(
        skills=", ".join(criterion.which)
    )


# --- approval, standing -------------------------------------------------------------------------------------------


def _by_whom(criterion: Approved) -> str:
    """Return who has to approve, as a sentence of its own."""
    match criterion.by:
        case Approver.INSTRUCTOR:
            return _("An instructor or the head of the dojo approves.")
        case Approver.ADMIN:
            return _("The head of the dojo approves.")
        case None:
            return ""


def _approval_met(criterion: Approved, context: MessageContext) -> str:
    return ngettext(
        "{name}: approved by {have} person.", "{name}: approved by {have} people.", int(context.have)
    ).format(name=title(criterion.which), have=context.have)


def _approval_not_met(criterion: Approved, context: MessageContext) -> str:
    name = title(criterion.which)
    if criterion.count > 1:
        why = ngettext(
            "{name}: approved by {have} of {need} person.",
            "{name}: approved by {have} of {need} people.",
            criterion.count,
        ).format(name=name, have=context.have, need=criterion.count)
    elif context.event:
        why = _("{name}: no valid approval since {event}.").format(name=name, event=context.event)
    else:
        why = _("{name}: no valid approval.").format(name=name)
    return sentences(why, _by_whom(criterion), enough_on(context))


def _approval_unknown(criterion: Approved, _context: MessageContext) -> str:
    return _("{name}: it is not known whether it was approved.").format(name=title(criterion.which))


def _standing_met(_criterion: GoodStanding, _context: MessageContext) -> str:
    return _("Is an active student.")


def _standing_not_met(_criterion: GoodStanding, context: MessageContext) -> str:
    facts = context.data.facts
    if not facts.active:
        match facts.status:
            case "trial":
                return _("Is on trial; only active students are promoted.")
            case "archived":
                return _("Has left the dojo; only active students are promoted.")
            case _:
                return _("Is not an active student at present.")
    hold = span_at(union(tuple(one.span for one in facts.holds)), context.data.as_of)
    if hold is None or hold[1] == END:
        return _("Is on hold, without a last day.")
    return _("Is on hold up to and including {date}.").format(date=on_day(hold[1]))


def _standing_unknown(_criterion: GoodStanding, _context: MessageContext) -> str:
    return _("It is not known whether this is an active student.")


FACT_MESSAGES: Final[Messages] = {
    ("document", Status.MET): _document_met,
    ("document", Status.NOT_MET): _document_not_met,
    ("document", Status.UNKNOWN): _document_unknown,
    ("credential", Status.MET): _credential_met,
    ("credential", Status.NOT_MET): _credential_not_met,
    ("credential", Status.UNKNOWN): _credential_unknown,
    ("achievement", Status.MET): _achievement_met,
    ("achievement", Status.NOT_MET): _achievement_not_met,
    ("achievement", Status.UNKNOWN): _achievement_unknown,
    ("points", Status.MET): _points,
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
