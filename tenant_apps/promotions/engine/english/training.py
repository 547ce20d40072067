"""Sentences about attendance, events and stripes."""

from typing import Final

from tenant_apps.promotions.engine.english.words import count, from_then, needed, since_rank, thing
from tenant_apps.promotions.engine.phrases import Phrases, Reading
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    AttendanceCount,
    AttendanceRate,
    AttendanceSince,
    AttendanceUnit,
    EventCount,
    SubRanks,
)


def _trained(criterion: AttendanceCount, amount: str, number: int | float | None) -> str:
    match criterion.unit:
        case AttendanceUnit.DAY:
            return f"Trained on {amount} {'day' if number == 1 else 'days'}"
        case AttendanceUnit.SESSION:
            return f"Took part in {amount} {'session' if number == 1 else 'sessions'}"
        case AttendanceUnit.HOUR:
            return f"Trained {amount} {'hour' if number == 1 else 'hours'}"


def _since(criterion: AttendanceCount, reading: Reading) -> str:
    match criterion.since:
        case AttendanceSince.RANK:
            since = since_rank(reading)
        case AttendanceSince.LAST_TEST:
            since = " since the last test"
        case AttendanceSince.ENROLMENT:
            since = " since joining"
        case AttendanceSince.EVER:
            since = ""
    return since + (f" in {' or '.join(criterion.class_types)}" if criterion.class_types else "")


def _attendance_met(criterion: AttendanceCount, reading: Reading) -> str:
    done = _trained(criterion, str(reading.have), reading.have)
    return f"{done}{_since(criterion, reading)}; {reading.need} {needed(reading.need)}."


def _attendance_not_met(criterion: AttendanceCount, reading: Reading) -> str:
    missing = round((reading.need or 0) - (reading.have or 0), 2)
    done = _trained(criterion, f"{reading.have} of {reading.need}", reading.need)
    return f"{done}{_since(criterion, reading)}; {missing} more {needed(missing)}."


def _attendance_unknown(criterion: AttendanceCount, reading: Reading) -> str:
    what = count(reading.need, criterion.unit.value)
    return f"{what} of training{_since(criterion, reading)} needed, but none recorded, here or from before."


def _window(months: int | None, reading: Reading) -> str:
    if months is None:
        return since_rank(reading)
    return " in the last month" if months == 1 else f" in the last {months} months"


def _rate(criterion: AttendanceRate, reading: Reading) -> str:
    offered = f"of the classes offered for this level{_window(criterion.window_months, reading)}"
    return f"Came to {reading.have} % {offered}; {reading.need} % are needed."


def _rate_unknown(criterion: AttendanceRate, reading: Reading) -> str:
    offered = f"of the classes offered for this level{_window(criterion.window_months, reading)}"
    return f"{reading.need} % {offered} are needed, but what was offered or attended is not recorded."


def _event_met(criterion: EventCount, reading: Reading) -> str:
    done = (
        f"{thing(criterion.event)}: {count(reading.have, 'time')}{_window(criterion.window_months, reading)}"
    )
    return f"{done}; {reading.need} {needed(reading.need)}."


def _event_not_met(criterion: EventCount, reading: Reading) -> str:
    done = f"{thing(criterion.event)}: {reading.have} of {count(reading.need, 'time')}"
    return f"{done}{_window(criterion.window_months, reading)}{from_then(reading, 'enough')}."


def _event_unknown(criterion: EventCount, reading: Reading) -> str:
    return f"{thing(criterion.event)}: not known how often; {count(reading.need, 'time')} {needed(reading.need)}."


def _stripes_met(_: SubRanks, reading: Reading) -> str:
    return f"Has {count(reading.have, 'stripe')}{_on(reading)}; {reading.need} {needed(reading.need)}."


def _stripes_not_met(_: SubRanks, reading: Reading) -> str:
    return (
        f"Has {reading.have} of {count(reading.need, 'stripe')}{_on(reading)}{from_then(reading, 'enough')}."
    )


def _stripes_unknown(_: SubRanks, reading: Reading) -> str:
    return f"Not known how many stripes there are{_on(reading)}; {reading.need} {needed(reading.need)}."


def _on(reading: Reading) -> str:
    return f" on {reading.rank}" if reading.rank else ""


TRAINING: Final[Phrases] = {
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
