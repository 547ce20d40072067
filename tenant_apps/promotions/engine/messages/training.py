"""Messages about waiting times, ages, training, events and stripes."""

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
    Activity,
    Age,
    AgeBasis,
    AttendanceCount,
    AttendanceRate,
    AttendanceSince,
    AttendanceUnit,
    EventCount,
    RankHeldBefore,
    RetestGap,
    SubRanks,
    TimeInRank,
    TotalTrainingTime,
)


def _held_for(criterion: TimeInRank, context: MessageContext, months: str) -> str:
    held = "Has been a member" if context.rank is None else f"Has held {context.rank}"
    breaks = "" if criterion.active_only is None else ", breaks not counted"
    return f"{held} for {months}{breaks}"


def _time_met(criterion: TimeInRank, context: MessageContext) -> str:
    if context.need is None:
        return f"The waiting time of {count(criterion.months, 'month')} does not apply."
    months = count(context.have, "month")
    if context.have is None:
        return f"The waiting time of {count(criterion.months, 'month')} is over."
    if criterion.grace_days and context.have < criterion.months:
        held = _held_for(criterion, context, f"{context.have} of {count(context.need, 'month')}")
        return f"{held}; up to {count(criterion.grace_days, 'day')} early is accepted."
    return f"{_held_for(criterion, context, months)}; {context.need} {needed(context.need)}."


def _time_not_met(criterion: TimeInRank, context: MessageContext) -> str:
    complete = f"; enough on {on_date(context.earliest_on)}" if context.earliest_on else ""
    months = f"{context.have} of {count(context.need, 'month')}"
    return f"{_held_for(criterion, context, months)}{complete}."


def _time_unknown(criterion: TimeInRank, context: MessageContext) -> str:
    months = count(criterion.months, "month")
    if context.have is not None:
        done = count(context.have, "month")
        return f"It is not known whether the waiting time of {months} applies; {done} completed."
    if criterion.active_only is Activity.MEMBER:
        return f"Joining or membership is not recorded, so the waiting time of {months} cannot be checked."
    return f"The day of joining is not recorded, so the waiting time of {months} cannot be checked."


def _years(criterion: Age, context: MessageContext) -> str:
    if criterion.basis is AgeBasis.BIRTH_YEAR:
        return f"Turns {context.have} in the calendar year"
    return f"Is {count(context.have, 'year')} old"


def _bounds(criterion: Age) -> str:
    if criterion.max is None:
        return f"at least {criterion.min}"
    if criterion.min is None:
        return f"under {criterion.max + 1}"
    return f"from {criterion.min} to {criterion.max}"


def _age_met(criterion: Age, context: MessageContext) -> str:
    return f"{_years(criterion, context)}; the age must be {_bounds(criterion)}."


def _age_not_met(criterion: Age, context: MessageContext) -> str:
    when = f", which is reached on {on_date(context.earliest_on)}" if context.earliest_on else ""
    return f"{_years(criterion, context)}; the age must be {_bounds(criterion)}{when}."


def _age_unknown(criterion: Age, _: MessageContext) -> str:
    return f"The date of birth is not recorded; the age must be {_bounds(criterion)}."


def _rank_before(criterion: RankHeldBefore, context: MessageContext) -> str:
    ranks = either([context.rank_name(code) for code in criterion.ranks])
    for_months = f" for {count(criterion.min_months, 'month')}" if criterion.min_months else ""
    age = criterion.registered_at_age
    return ranks + for_months + ("" if age is None else f", received at an age of {_bounds(age)}")


def _rank_before_met(criterion: RankHeldBefore, context: MessageContext) -> str:
    return f"Has held {_rank_before(criterion, context)}."


def _rank_before_not_met(criterion: RankHeldBefore, context: MessageContext) -> str:
    return f"Has not held {_rank_before(criterion, context)}{from_then(context, 'counts')}."


def _rank_before_unknown(criterion: RankHeldBefore, context: MessageContext) -> str:
    required = _rank_before(criterion, context)
    return f"The date of birth is not recorded; the student must have held {required}."


def _retest_met(criterion: RetestGap, context: MessageContext) -> str:
    if context.have is None:
        return "No test was failed, so there is no waiting time."
    ago = count(context.have, "month")
    return f"The last failed test was {ago} ago; {criterion.months} {needed(criterion.months)}."


def _retest_not_met(criterion: RetestGap, context: MessageContext) -> str:
    again = f"; the next test is possible from {on_date(context.earliest_on)}" if context.earliest_on else ""
    return f"A test was failed less than {count(criterion.months, 'month')} ago{again}."


def _retest_unknown(criterion: RetestGap, _: MessageContext) -> str:
    return f"It is not known whether a test was failed in the last {count(criterion.months, 'month')}."


def _training_met(_: TotalTrainingTime, context: MessageContext) -> str:
    return f"Has trained for {count(context.have, 'month')} in all; {context.need} {needed(context.need)}."


def _training_not_met(_: TotalTrainingTime, context: MessageContext) -> str:
    enough = f"; enough on {on_date(context.earliest_on)}" if context.earliest_on else ""
    return f"Has trained for {context.have} of {count(context.need, 'month')} in all{enough}."


def _training_unknown(_: TotalTrainingTime, context: MessageContext) -> str:
    months = count(context.need, "month")
    return f"The start of the training is not recorded; {months} in all {needed(context.need)}."


def _trained(criterion: AttendanceCount, amount: str, number: int | float | None) -> str:
    match criterion.unit:
        case AttendanceUnit.DAY:
            return f"Trained on {amount} {'day' if number == 1 else 'days'}"
        case AttendanceUnit.SESSION:
            return f"Took part in {amount} {'session' if number == 1 else 'sessions'}"
        case AttendanceUnit.HOUR:
            return f"Trained {amount} {'hour' if number == 1 else 'hours'}"


def _since(criterion: AttendanceCount, context: MessageContext) -> str:
    match criterion.since:
        case AttendanceSince.RANK:
            since = since_rank(context)
        case AttendanceSince.LAST_TEST:
            since = " since the last test"
        case AttendanceSince.ENROLMENT:
            since = " since joining"
        case AttendanceSince.EVER:
            since = ""
    return since + (f" in {' or '.join(criterion.class_types)}" if criterion.class_types else "")


def _attendance_met(criterion: AttendanceCount, context: MessageContext) -> str:
    done = _trained(criterion, str(context.have), context.have)
    return f"{done}{_since(criterion, context)}; {context.need} {needed(context.need)}."


def _attendance_not_met(criterion: AttendanceCount, context: MessageContext) -> str:
    missing = round((context.need or 0) - (context.have or 0), 2)
    done = _trained(criterion, f"{context.have} of {context.need}", context.need)
    return f"{done}{_since(criterion, context)}; {missing} more {needed(missing)}."


def _attendance_unknown(criterion: AttendanceCount, context: MessageContext) -> str:
    training = f"{count(context.need, criterion.unit.value)} of training{_since(criterion, context)}"
    return f"{training} {needed(context.need)}, but no training is recorded, here or from before."


def _window(months: int | None, context: MessageContext) -> str:
    if months is None:
        return since_rank(context)
    return " in the last month" if months == 1 else f" in the last {months} months"


def _rate(criterion: AttendanceRate, context: MessageContext) -> str:
    offered = f"of the classes offered for this level{_window(criterion.window_months, context)}"
    return f"Attended {context.have} % {offered}; {context.need} % are needed."


def _rate_unknown(criterion: AttendanceRate, context: MessageContext) -> str:
    offered = f"of the classes offered for this level{_window(criterion.window_months, context)}"
    return f"{context.need} % {offered} are needed, but what was offered or attended is not recorded."


def _event_met(criterion: EventCount, context: MessageContext) -> str:
    done = (
        f"{title(criterion.event)}: {count(context.have, 'time')}{_window(criterion.window_months, context)}"
    )
    return f"{done}; {context.need} {needed(context.need)}."


def _event_not_met(criterion: EventCount, context: MessageContext) -> str:
    done = f"{title(criterion.event)}: {context.have} of {count(context.need, 'time')}"
    return f"{done}{_window(criterion.window_months, context)}{from_then(context, 'enough')}."


def _event_unknown(criterion: EventCount, context: MessageContext) -> str:
    return f"{title(criterion.event)}: not known how often; {count(context.need, 'time')} {needed(context.need)}."


def _stripes_met(_: SubRanks, context: MessageContext) -> str:
    return f"Has {count(context.have, 'stripe')}{_on(context)}; {context.need} {needed(context.need)}."


def _stripes_not_met(_: SubRanks, context: MessageContext) -> str:
    return (
        f"Has {context.have} of {count(context.need, 'stripe')}{_on(context)}{from_then(context, 'enough')}."
    )


def _stripes_unknown(_: SubRanks, context: MessageContext) -> str:
    return f"It is not known how many stripes there are{_on(context)}; {context.need} {needed(context.need)}."


def _on(context: MessageContext) -> str:
    return f" on {context.rank}" if context.rank else ""


TRAINING_MESSAGES: Final[Messages] = {
    ("time_in_rank", Status.MET): _time_met,
    ("time_in_rank", Status.NOT_MET): _time_not_met,
    ("time_in_rank", Status.UNKNOWN): _time_unknown,
    ("age", Status.MET): _age_met,
    ("age", Status.NOT_MET): _age_not_met,
    ("age", Status.UNKNOWN): _age_unknown,
    ("rank_held_before", Status.MET): _rank_before_met,
    ("rank_held_before", Status.NOT_MET): _rank_before_not_met,
    ("rank_held_before", Status.UNKNOWN): _rank_before_unknown,
    ("retest_gap", Status.MET): _retest_met,
    ("retest_gap", Status.NOT_MET): _retest_not_met,
    ("retest_gap", Status.UNKNOWN): _retest_unknown,
    ("total_training_time", Status.MET): _training_met,
    ("total_training_time", Status.NOT_MET): _training_not_met,
    ("total_training_time", Status.UNKNOWN): _training_unknown,
    ("attendance_count", Status.MET): _attendance_met,
    ("attendance_count", Status.NOT_MET): _attendance_not_met,
    ("attendance_count", Status.UNKNOWN): _attendance_unknown,
    ("attendance_rate", Status.MET): _rate,
    ("attendance_rate", Status.NOT_MET): _rate,
    ("attendance_rate", Status.UNKNOWN): _rate_unknown,
    ("event_count", Status.MET): _event_met,
    ("event_count", Status.NOT_MET): _event_not_met,
    ("event_count", Status.UNKNOWN): _event_unknown,
    ("sub_ranks", Status.MET): _stripes_met,
    ("sub_ranks", Status.NOT_MET): _stripes_not_met,
    ("sub_ranks", Status.UNKNOWN): _stripes_unknown,
}
