"""One sentence per criterion that a parent understands, in one table per language.

A language is a table from (kind, status) to a function that writes the sentence; `ENGLISH` is the first.
Another one is another such table, given to `evaluate`. A test holds every table complete.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    Age,
    AgeBasis,
    AttendanceCount,
    AttendanceUnit,
    DocumentHandedIn,
    Since,
    TimeInRank,
)


class Reading(NamedTuple):
    """A criterion's answer, with the names that a sentence needs; `rank` is the one held, None for none."""

    rank: str | None
    have: int | float | None
    need: int | float | None
    earliest_on: date | None


Sentence = Callable[[Any, Reading], str]
"""(the criterion, its reading) → the sentence. Each takes the criterion class of its own kind, hence Any."""

Phrases = Mapping[tuple[str, Status], Sentence]

NO_STEP: Final = "step"
"""The kind that answers for a step that the rules do not have; its sentence takes the target's name."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _date(on: date) -> str:
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def _count(number: int | float | None, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _held(reading: Reading) -> str:
    return "Has been a member" if reading.rank is None else f"Has held {reading.rank}"


def _time_met(criterion: TimeInRank, reading: Reading) -> str:
    months = _count(reading.have, "month", "months")
    if criterion.grace_days and (reading.have or 0) < criterion.months:
        days = _count(criterion.grace_days, "day", "days")
        return f"{_held(reading)} for {months} of {reading.need}, which is enough up to {days} early."
    needed = "is needed" if reading.need == 1 else "are needed"
    return f"{_held(reading)} for {months}; {reading.need} {needed}."


def _time_not_met(_: TimeInRank, reading: Reading) -> str:
    complete = f"; enough on {_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"{_held(reading)} for {reading.have} of {_count(reading.need, 'month', 'months')}{complete}."


def _time_unknown(_: TimeInRank, reading: Reading) -> str:
    months = _count(reading.need, "month", "months")
    return f"The day of joining is not recorded, so the waiting time of {months} cannot be checked."


def _trained(criterion: AttendanceCount, amount: str, number: int | float | None) -> str:
    match criterion.unit:
        case AttendanceUnit.DAY:
            return f"Trained on {amount} {'day' if number == 1 else 'days'}"
        case AttendanceUnit.SESSION:
            return f"Took part in {amount} {'session' if number == 1 else 'sessions'}"
        case AttendanceUnit.HOUR:
            return f"Trained {amount} {'hour' if number == 1 else 'hours'}"


def _since(criterion: AttendanceCount, reading: Reading) -> str:
    since = f" since {reading.rank}" if reading.rank and criterion.since is Since.RANK else ""
    return since + (f" in {' or '.join(criterion.class_types)}" if criterion.class_types else "")


def _attendance_met(criterion: AttendanceCount, reading: Reading) -> str:
    needed = "is needed" if reading.need == 1 else "are needed"
    done = _trained(criterion, str(reading.have), reading.have)
    return f"{done}{_since(criterion, reading)}; {reading.need} {needed}."


def _attendance_not_met(criterion: AttendanceCount, reading: Reading) -> str:
    missing = round((reading.need or 0) - (reading.have or 0), 2)
    needed = "is needed" if missing == 1 else "are needed"
    done = _trained(criterion, f"{reading.have} of {reading.need}", reading.need)
    return f"{done}{_since(criterion, reading)}; {missing} more {needed}."


def _attendance_unknown(criterion: AttendanceCount, reading: Reading) -> str:
    what = _count(reading.need, criterion.unit.value, f"{criterion.unit.value}s")
    return f"{what} of training{_since(criterion, reading)} needed, but none recorded, here or from before."


def _years(criterion: Age, reading: Reading) -> str:
    if criterion.basis is AgeBasis.BIRTH_YEAR:
        return f"Turns {reading.have} in the year"
    return f"Is {_count(reading.have, 'year', 'years')} old"


def _bounds(criterion: Age) -> str:
    if criterion.max is None:
        return f"at least {criterion.min}"
    if criterion.min is None:
        return f"under {criterion.max + 1}"
    return f"from {criterion.min} to {criterion.max}"


def _age_met(criterion: Age, reading: Reading) -> str:
    return f"{_years(criterion, reading)}; the age must be {_bounds(criterion)}."


def _age_not_met(criterion: Age, reading: Reading) -> str:
    when = f", which will be so on {_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"{_years(criterion, reading)}; the age must be {_bounds(criterion)}{when}."


def _age_unknown(criterion: Age, _: Reading) -> str:
    return f"The date of birth is not recorded; the age must be {_bounds(criterion)}."


def _name(criterion: DocumentHandedIn) -> str:
    words = criterion.which.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _document_met(criterion: DocumentHandedIn, _: Reading) -> str:
    return f"{_name(criterion)}: handed in."


def _document_not_met(criterion: DocumentHandedIn, reading: Reading) -> str:
    when = f", valid from {_date(reading.earliest_on)}" if reading.earliest_on else ""
    since = f" since {reading.rank}" if reading.rank and criterion.since is Since.RANK else ""
    return f"{_name(criterion)}: not handed in{since}, or no longer valid{when}."


def _document_unknown(criterion: DocumentHandedIn, _: Reading) -> str:
    return f"{_name(criterion)}: not known whether it was handed in."


def _no_step(target: str, reading: Reading) -> str:
    if reading.rank == target:
        return f"Already holds {target}."
    return f"There is no step from {reading.rank or 'no rank'} to {target}."


ENGLISH: Final[Phrases] = {
    ("time_in_rank", Status.MET): _time_met,
    ("time_in_rank", Status.NOT_MET): _time_not_met,
    ("time_in_rank", Status.UNKNOWN): _time_unknown,
    ("attendance_count", Status.MET): _attendance_met,
    ("attendance_count", Status.NOT_MET): _attendance_not_met,
    ("attendance_count", Status.UNKNOWN): _attendance_unknown,
    ("age", Status.MET): _age_met,
    ("age", Status.NOT_MET): _age_not_met,
    ("age", Status.UNKNOWN): _age_unknown,
    ("document", Status.MET): _document_met,
    ("document", Status.NOT_MET): _document_not_met,
    ("document", Status.UNKNOWN): _document_unknown,
    (NO_STEP, Status.NOT_MET): _no_step,
}
