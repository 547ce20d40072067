"""Messages about attendance and events."""

from typing import Final

from tenant_apps.promotions.engine.messages.translated import gettext as _
from tenant_apps.promotions.engine.messages.translated import ngettext
from tenant_apps.promotions.engine.messages.wording import (
    MessageContext,
    Messages,
    either,
    enough_on,
    number,
    sentences,
    title,
)
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    RECORDED_IN_ANOTHER_UNIT,
    AttendanceCount,
    AttendanceRate,
    AttendanceSince,
    EventCount,
    Offered,
)
from tenant_apps.ranks.student_facts import AttendanceUnit

# --- attendance_count ---------------------------------------------------------------------------------------------


def _event(criterion: AttendanceCount, context: MessageContext) -> str:
    """Return the event from which attendance counts; empty if all counts."""
    match criterion.since:
        case AttendanceSince.EVER:
            return ""
        case AttendanceSince.ENROLMENT:
            return context.joining
        case AttendanceSince.RANK | AttendanceSince.LAST_TEST:
            return context.event


def _of(criterion: AttendanceCount, context: MessageContext) -> str:
    """Return how much there is of how much, since which event."""
    event = _event(criterion, context)
    match criterion.unit, bool(event):
        case AttendanceUnit.DAY, True:
            text = ngettext(
                "{have} of {need} day of training since {event}.",
                "{have} of {need} days of training since {event}.",
                criterion.n,
            )
        case AttendanceUnit.DAY, False:
            text = ngettext(
                "{have} of {need} day of training in all.",
                "{have} of {need} days of training in all.",
                criterion.n,
            )
        case AttendanceUnit.SESSION, True:
            text = ngettext(
                "{have} of {need} class attended since {event}.",
                "{have} of {need} classes attended since {event}.",
                criterion.n,
            )
        case AttendanceUnit.SESSION, False:
            text = ngettext(
                "{have} of {need} class attended in all.",
                "{have} of {need} classes attended in all.",
                criterion.n,
            )
        case AttendanceUnit.HOUR, True:
            text = ngettext(
                "{have} of {need} hour of training since {event}.",
                "{have} of {need} hours of training since {event}.",
                criterion.n,
            )
        case _:
            text = ngettext(
                "{have} of {need} hour of training in all.",
                "{have} of {need} hours of training in all.",
                criterion.n,
            )
    return text.format(have=number(context.have), need=criterion.n, event=event)


def _enough(criterion: AttendanceCount, context: MessageContext) -> str:
    """Return how much there is, since which event, and how much is needed."""
    event = _event(criterion, context)
    # The plural of 1.5 hours is that of 2.
    have = context.have if isinstance(context.have, int) else 2
    match criterion.unit, bool(event):
        case AttendanceUnit.DAY, True:
            text = ngettext(
                "{have} day of training since {event}. Needed: {need}.",
                "{have} days of training since {event}. Needed: {need}.",
                have,
            )
        case AttendanceUnit.DAY, False:
            text = ngettext(
                "{have} day of training in all. Needed: {need}.",
                "{have} days of training in all. Needed: {need}.",
                have,
            )
        case AttendanceUnit.SESSION, True:
            text = ngettext(
                "{have} class attended since {event}. Needed: {need}.",
                "{have} classes attended since {event}. Needed: {need}.",
                have,
            )
        case AttendanceUnit.SESSION, False:
            text = ngettext(
                "{have} class attended in all. Needed: {need}.",
                "{have} classes attended in all. Needed: {need}.",
                have,
            )
        case AttendanceUnit.HOUR, True:
            text = ngettext(
                "{have} hour of training since {event}. Needed: {need}.",
                "{have} hours of training since {event}. Needed: {need}.",
                have,
            )
        case _:
            text = ngettext(
                "{have} hour of training in all. Needed: {need}.",
                "{have} hours of training in all. Needed: {need}.",
                have,
            )
    return text.format(have=number(context.have), need=criterion.n, event=event)


def _needed(criterion: AttendanceCount) -> str:
    match criterion.unit:
        case AttendanceUnit.DAY:
            text = ngettext(
                "{need} day of training is needed.", "{need} days of training are needed.", criterion.n
            )
        case AttendanceUnit.SESSION:
            text = ngettext("{need} class is needed.", "{need} classes are needed.", criterion.n)
        case AttendanceUnit.HOUR:
            text = ngettext(
                "{need} hour of training is needed.", "{need} hours of training are needed.", criterion.n
            )
    return text.format(need=criterion.n)


def _what_counts(criterion: AttendanceCount) -> str:
    """Return the limits on what counts, each as a sentence of its own."""
    types = minutes = per_day = ""
    if criterion.class_types:
        types = _("Only classes of this type count: {types}.").format(types=either(criterion.class_types))
    if criterion.min_minutes is not None:
        minutes = ngettext(
            "Only classes of at least {minutes} minute count.",
            "Only classes of at least {minutes} minutes count.",
            criterion.min_minutes,
        ).format(minutes=criterion.min_minutes)
    if criterion.max_per_day is not None:
        per_day = ngettext(
            "At most {number} class a day counts.",
            "At most {number} classes a day count.",
            criterion.max_per_day,
        ).format(number=criterion.max_per_day)
    return sentences(types, minutes, per_day)


def _count_met(criterion: AttendanceCount, context: MessageContext) -> str:
    return sentences(_enough(criterion, context), _what_counts(criterion))


def _count_not_met(criterion: AttendanceCount, context: MessageContext) -> str:
    missing = round(context.need - context.have, 2)
    more = ngettext(
        "{missing} more is needed.",
        "{missing} more are needed.",
        missing if isinstance(missing, int) else 2,
    ).format(missing=number(missing))
    return sentences(_of(criterion, context), more, _what_counts(criterion), enough_on(context))


def _count_unknown(criterion: AttendanceCount, context: MessageContext) -> str:
    needed = sentences(_needed(criterion), _what_counts(criterion))
    event = _event(criterion, context)
    if criterion.since is AttendanceSince.ENROLMENT and not event:
        return sentences(needed, _("They count from joining, and the day of joining is not recorded."))
    if context.finding.detail == RECORDED_IN_ANOTHER_UNIT:
        return sentences(
            needed,
            _(
                "The earlier training that was entered here is not in this unit, so it is not known how much"
                " there was."
            ),
        )
    if event:
        missing = _(
            "How much there was since {event} is not known, because earlier training is not recorded here."
        )
        missing = missing.format(event=event)
    else:
        missing = _("How much there was is not known, because earlier training is not recorded here.")
    return sentences(needed, missing, _("The dojo can enter it as opening attendance, also if it was none."))


# --- attendance_rate ----------------------------------------------------------------------------------------------


def _whose(criterion: AttendanceRate) -> str:
    """Return which classes count, as a sentence of its own."""
    match criterion.of:
        case Offered.ENROLLED:
            return ""
        case Offered.CLASS_TYPES:
            return _("Only classes of this type count: {types}.").format(types=either(criterion.class_types))
        case Offered.DISCIPLINE:
            return _("All classes that are open to this rank count.")


def _rate(criterion: AttendanceRate, context: MessageContext) -> str:
    share = context.finding.detail
    event = context.event_or_joining
    if criterion.window_months is not None:
        text = ngettext(
            "Attended {attended} of the {offered} classes offered in the last {months} month: {percent}%."
            " Needed: {need}%.",
            "Attended {attended} of the {offered} classes offered in the last {months} months: {percent}%."
            " Needed: {need}%.",
            criterion.window_months,
        )
    elif event:
        text = ngettext(
            "Attended {attended} of the {offered} class offered since {event}: {percent}%. Needed: {need}%.",
            "Attended {attended} of the {offered} classes offered since {event}: {percent}%. Needed: {need}%.",
            share.offered,
        )
    else:
        text = ngettext(
            "Attended {attended} of the {offered} class offered so far: {percent}%. Needed: {need}%.",
            "Attended {attended} of the {offered} classes offered so far: {percent}%. Needed: {need}%.",
            share.offered,
        )
    done = text.format(
        attended=share.attended,
        offered=share.offered,
        months=criterion.window_months,
        event=event,
        percent=context.have,
        need=criterion.percent,
    )
    return sentences(done, _whose(criterion))


def _rate_not_met(criterion: AttendanceRate, context: MessageContext) -> str:
    return sentences(_rate(criterion, context), enough_on(context))


def _rate_unknown(criterion: AttendanceRate, context: MessageContext) -> str:
    needed = _("Of the classes offered, {need}% must be attended.").format(need=criterion.percent)
    share = context.finding.detail
    if share is None:
        why = _("They count from joining, and the day of joining is not recorded.")
    elif share.offered:
        why = _("No attendance is recorded here, because the training was elsewhere.")
    else:
        why = _("No class was offered yet in the time that counts.")
    return sentences(needed, _whose(criterion), why)


# --- event_count --------------------------------------------------------------------------------------------------


def _events(criterion: EventCount, context: MessageContext) -> str:
    if criterion.window_months is not None:
        text = ngettext(
            "{name}: {have} in the last {months} month. Needed: {need}.",
            "{name}: {have} in the last {months} months. Needed: {need}.",
            criterion.window_months,
        )
    elif context.event:
        text = _("{name}: {have} since {event}. Needed: {need}.")
    else:
        text = _("{name}: {have} in all. Needed: {need}.")
    return text.format(
        name=title(criterion.event),
        have=context.have,
        need=criterion.n,
        months=criterion.window_months,
        event=context.event,
    )


def _events_not_met(criterion: EventCount, context: MessageContext) -> str:
    return sentences(_events(criterion, context), enough_on(context))


def _events_unknown(criterion: EventCount, _context: MessageContext) -> str:
    return _("{name}: it is not known how many there were. Needed: {need}.").format(
        name=title(criterion.event), need=criterion.n
    )


TRAINING_MESSAGES: Final[Messages] = {
    ("attendance_count", Status.MET): _count_met,
    ("attendance_count", Status.NOT_MET): _count_not_met,
    ("attendance_count", Status.UNKNOWN): _count_unknown,
    ("attendance_rate", Status.MET): _rate,
    ("attendance_rate", Status.NOT_MET): _rate_not_met,
    ("attendance_rate", Status.UNKNOWN): _rate_unknown,
    ("event_count", Status.MET): _events,
    ("event_count", Status.NOT_MET): _events_not_met,
    ("event_count", Status.UNKNOWN): _events_unknown,
}
