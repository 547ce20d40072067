"""Messages about waiting times, ages, earlier ranks, stripes, tests, and limits."""

from typing import Final

from tenant_apps.promotions.engine.messages.translated import gettext as _
from tenant_apps.promotions.engine.messages.translated import ngettext
from tenant_apps.promotions.engine.messages.wording import (
    MessageContext,
    Messages,
    either,
    enough_on,
    on_date,
    on_day,
    sentences,
    title,
)
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    AchievementWon,
    Activity,
    Age,
    AgeBasis,
    AtMost,
    Occasion,
    RankHeldBefore,
    RetestGap,
    SubRanks,
    TimeInRank,
    TotalTrainingTime,
)

# --- time_in_rank -------------------------------------------------------------------------------------------------


def _breaks(criterion: TimeInRank) -> str:
    match criterion.active_only:
        case Activity.NOT_ON_HOLD:
            return _("Time on hold does not count.")
        case Activity.MEMBER:
            return _("Only time with a membership counts, without time on hold.")
        case None:
            return ""


def _grace(criterion: TimeInRank) -> str:
    if not criterion.grace_days:
        return ""
    return ngettext(
        "It may be {days} day shorter.", "It may be up to {days} days shorter.", criterion.grace_days
    ).format(days=criterion.grace_days)


def _applies_to(criterion: TimeInRank, context: MessageContext) -> str:
    """Return the condition of a waiting time that applies to some students only; empty if it applies to all."""
    match criterion.applies_if:
        case Age() as age:
            return ngettext(
                "A waiting time of {months} month applies only to students aged {ages}.",
                "A waiting time of {months} months applies only to students aged {ages}.",
                criterion.months,
            ).format(months=criterion.months, ages=_bounds(age))
        case RankHeldBefore() as held:
            return ngettext(
                "A waiting time of {months} month applies only to former holders of {ranks}.",
                "A waiting time of {months} months applies only to former holders of {ranks}.",
                criterion.months,
            ).format(months=criterion.months, ranks=_ranks(held, context))
        case AchievementWon() as won:
            return ngettext(
                "A waiting time of {months} month applies only with this achievement: {achievement}.",
                "A waiting time of {months} months applies only with this achievement: {achievement}.",
                criterion.months,
            ).format(months=criterion.months, achievement=title(won.which))
        case _:
            return ""


def _time_met(criterion: TimeInRank, context: MessageContext) -> str:
    if context.finding.need is None:
        return sentences(_applies_to(criterion, context), _("So there is no waiting time here."))
    over = ngettext(
        "The waiting time of {months} month since {event} is over.",
        "The waiting time of {months} months since {event} is over.",
        criterion.months,
    ).format(months=criterion.months, event=context.event_or_joining)
    if context.have >= criterion.months:
        return sentences(over, _breaks(criterion))
    nearly = ngettext(
        "{have} of {months} month of waiting time since {event} is complete.",
        "{have} of {months} months of waiting time since {event} are complete.",
        criterion.months,
    ).format(have=context.have, months=criterion.months, event=context.event_or_joining)
    return sentences(nearly, _grace(criterion), _breaks(criterion))


def _time_not_met(criterion: TimeInRank, context: MessageContext) -> str:
    done = ngettext(
        "{have} of {months} month of waiting time since {event} is complete.",
        "{have} of {months} months of waiting time since {event} are complete.",
        criterion.months,
    ).format(have=context.have, months=criterion.months, event=context.event_or_joining)
    return sentences(done, _grace(criterion), _breaks(criterion), enough_on(context))


def _time_unknown(criterion: TimeInRank, context: MessageContext) -> str:
    if context.finding.have is not None:
        return sentences(
            _applies_to(criterion, context),
            _("Whether it applies is not known, because the date of birth is not recorded."),
        )
    wait = ngettext(
        "A waiting time of {months} month is needed.",
        "A waiting time of {months} months is needed.",
        criterion.months,
    ).format(months=criterion.months)
    if criterion.active_only is Activity.MEMBER and not context.data.facts.memberships:
        return sentences(wait, _("Only time with a membership counts, and no membership is recorded."))
    return sentences(wait, _("It begins with joining, and the day of joining is not recorded."))


# --- age ----------------------------------------------------------------------------------------------------------


def _bounds(age: Age) -> str:
    """Return the ages that are admitted, as a part of a sentence: "16 or more", "under 15", "10 to 15"."""
    if age.max is None:
        return _("{min} or more").format(min=age.min)
    if age.min is None:
        return _("under {age}").format(age=age.max + 1)
    return _("{min} to {max}").format(min=age.min, max=age.max)


def _age_now(criterion: Age, context: MessageContext) -> str:
    if criterion.basis is AgeBasis.BIRTH_YEAR:
        return _(
            "Turns {age} in {year}; for this rank, the age reached in the calendar year must be {ages}."
        ).format(age=context.have, year=context.data.as_of_date.year, ages=_bounds(criterion))
    return ngettext(
        "Is {age} year old; for this rank, the age must be {ages}.",
        "Is {age} years old; for this rank, the age must be {ages}.",
        int(context.have),
    ).format(age=context.have, ages=_bounds(criterion))


def _age_met(criterion: Age, context: MessageContext) -> str:
    return _age_now(criterion, context)


def _age_not_met(criterion: Age, context: MessageContext) -> str:
    then = ""
    if criterion.is_exceeded(context.finding):
        if context.suggested is not None:
            then = _("Instead, a conversion to {rank} is possible.").format(
                rank=context.rank_name(context.suggested)
            )
    else:
        then = enough_on(context)
    return sentences(_age_now(criterion, context), then)


def _age_unknown(criterion: Age, _context: MessageContext) -> str:
    return _("The date of birth is not recorded; for this rank, the age must be {ages}.").format(
        ages=_bounds(criterion)
    )


# --- rank_held_before, sub_ranks ----------------------------------------------------------------------------------


def _ranks(criterion: RankHeldBefore, context: MessageContext) -> str:
    return either([context.rank_name(code) for code in criterion.ranks])


def _held_conditions(criterion: RankHeldBefore) -> str:
    for_months = of_age = ""
    if criterion.min_months:
        for_months = ngettext(
            "It must have been held for {months} month without a break.",
            "It must have been held for {months} months without a break.",
            criterion.min_months,
        ).format(months=criterion.min_months)
    if criterion.registered_at_age is not None:
        of_age = _("It must have been received by a person aged {ages}.").format(
            ages=_bounds(criterion.registered_at_age)
        )
    return sentences(for_months, of_age)


def _held_met(criterion: RankHeldBefore, context: MessageContext) -> str:
    holds = _("Holds or has held {ranks}, as this way requires.").format(ranks=_ranks(criterion, context))
    return sentences(holds, _held_conditions(criterion))


def _held_not_met(criterion: RankHeldBefore, context: MessageContext) -> str:
    only = _("This way is only for those who hold or have held {ranks}.").format(
        ranks=_ranks(criterion, context)
    )
    return sentences(only, _held_conditions(criterion), enough_on(context))


def _held_unknown(criterion: RankHeldBefore, context: MessageContext) -> str:
    only = _("This way is only for those who hold or have held {ranks}.").format(
        ranks=_ranks(criterion, context)
    )
    return sentences(only, _held_conditions(criterion), _("The date of birth is not recorded."))


def _held(context: MessageContext) -> str:
    """Return the name of the rank held, as a part of a sentence."""
    return context.rank or _("the rank held")


def _stripes(_criterion: SubRanks, context: MessageContext) -> str:
    if context.have >= context.need:
        return ngettext(
            "Has {have} stripe on {rank}. Needed: {need}.",
            "Has {have} stripes on {rank}. Needed: {need}.",
            int(context.have),
        ).format(have=context.have, need=context.need, rank=_held(context))
    return ngettext(
        "Has {have} of {need} stripe on {rank}.", "Has {have} of {need} stripes on {rank}.", int(context.need)
    ).format(have=context.have, need=context.need, rank=_held(context))


def _stripes_not_met(criterion: SubRanks, context: MessageContext) -> str:
    return sentences(_stripes(criterion, context), enough_on(context))


def _stripes_unknown(_criterion: SubRanks, context: MessageContext) -> str:
    return ngettext(
        "{need} stripe on {rank} is needed. It is not known how many there are.",
        "{need} stripes on {rank} are needed. It is not known how many there are.",
        int(context.need),
    ).format(need=context.need, rank=_held(context))


# --- retest_gap, total_training_time, at_most ---------------------------------------------------------------------


def _next_on(context: MessageContext) -> str:
    if context.earliest_on is None:
        return ""
    return _("The next one is possible from {date} on.").format(date=on_date(context.earliest_on))


def _retest_met(criterion: RetestGap, context: MessageContext) -> str:
    if context.finding.detail is None:
        return _("There is no failed test, so there is no waiting time after one.")
    return ngettext(
        "The waiting time of {months} month after the failed test on {date} is over.",
        "The waiting time of {months} months after the failed test on {date} is over.",
        criterion.months,
    ).format(months=criterion.months, date=on_day(context.finding.detail))


def _retest_not_met(criterion: RetestGap, context: MessageContext) -> str:
    wait = ngettext(
        "A test was failed on {date}; there is a waiting time of {months} month.",
        "A test was failed on {date}; there is a waiting time of {months} months.",
        criterion.months,
    ).format(months=criterion.months, date=on_day(context.finding.detail))
    return sentences(wait, _next_on(context))


def _retest_unknown(criterion: RetestGap, _context: MessageContext) -> str:
    return ngettext(
        "It is not known whether a test was failed in the last {months} month.",
        "It is not known whether a test was failed in the last {months} months.",
        criterion.months,
    ).format(months=criterion.months)


def _training_met(_criterion: TotalTrainingTime, context: MessageContext) -> str:
    return ngettext(
        "Has trained for {have} month in all, since {date}. Needed: {need}.",
        "Has trained for {have} months in all, since {date}. Needed: {need}.",
        int(context.have),
    ).format(have=context.have, need=context.need, date=on_day(context.finding.detail))


def _training_not_met(_criterion: TotalTrainingTime, context: MessageContext) -> str:
    done = ngettext(
        "Has trained for {have} of {need} month in all, since {date}.",
        "Has trained for {have} of {need} months in all, since {date}.",
        int(context.need),
    ).format(have=context.have, need=context.need, date=on_day(context.finding.detail))
    return sentences(done, enough_on(context))


def _training_unknown(_criterion: TotalTrainingTime, context: MessageContext) -> str:
    return ngettext(
        "{need} month of training in all is needed, but neither the day of joining nor a rank is recorded.",
        "{need} months of training in all are needed, but neither the day of joining nor a rank is recorded.",
        int(context.need),
    ).format(need=context.need)


def _limit(criterion: AtMost) -> str:
    match criterion.of:
        case Occasion.EXAM:
            most = ngettext("At most {n} exam is allowed.", "At most {n} exams are allowed.", criterion.n)
        case Occasion.FAILED_EXAM:
            most = ngettext(
                "After {n} failed exam, no further one is allowed.",
                "After {n} failed exams, no further one is allowed.",
                criterion.n,
            )
        case Occasion.AWARD:
            most = ngettext(
                "At most {n} promotion is allowed.", "At most {n} promotions are allowed.", criterion.n
            )
    counted = ""
    if criterion.calendar_year:
        counted = _("Those of the calendar year count.")
    elif criterion.window_months is not None:
        counted = ngettext(
            "Those of the last {months} month count.",
            "Those of the last {months} months count.",
            criterion.window_months,
        ).format(months=criterion.window_months)
    return sentences(most.format(n=criterion.n), counted)


def _limit_met(criterion: AtMost, context: MessageContext) -> str:
    return sentences(_limit(criterion), _("So far: {have}.").format(have=context.have))


def _limit_not_met(criterion: AtMost, context: MessageContext) -> str:
    so_far = _("So far: {have}.").format(have=context.have)
    return sentences(_limit(criterion), so_far, _next_on(context))


def _limit_unknown(criterion: AtMost, _context: MessageContext) -> str:
    return sentences(_limit(criterion), _("It is not known how many there were."))


RANK_MESSAGES: Final[Messages] = {
    ("time_in_rank", Status.MET): _time_met,
    ("time_in_rank", Status.NOT_MET): _time_not_met,
    ("time_in_rank", Status.UNKNOWN): _time_unknown,
    ("age", Status.MET): _age_met,
    ("age", Status.NOT_MET): _age_not_met,
    ("age", Status.UNKNOWN): _age_unknown,
    ("rank_held_before", Status.MET): _held_met,
    ("rank_held_before", Status.NOT_MET): _held_not_met,
    ("rank_held_before", Status.UNKNOWN): _held_unknown,
    ("sub_ranks", Status.MET): _stripes,
    ("sub_ranks", Status.NOT_MET): _stripes_not_met,
    ("sub_ranks", Status.UNKNOWN): _stripes_unknown,
    ("retest_gap", Status.MET): _retest_met,
    ("retest_gap", Status.NOT_MET): _retest_not_met,
    ("retest_gap", Status.UNKNOWN): _retest_unknown,
    ("total_training_time", Status.MET): _training_met,
    ("total_training_time", Status.NOT_MET): _training_not_met,
    ("total_training_time", Status.UNKNOWN): _training_unknown,
    ("at_most", Status.MET): _limit_met,
    ("at_most", Status.NOT_MET): _limit_not_met,
    ("at_most", Status.UNKNOWN): _limit_unknown,
}
