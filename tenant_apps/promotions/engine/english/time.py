"""Sentences about waiting, age and the past."""

from typing import Final

from tenant_apps.promotions.engine.english.words import count, either, from_then, needed, on_date
from tenant_apps.promotions.engine.phrases import Phrases, Reading
from tenant_apps.promotions.engine.results import Status
from tenant_apps.ranks.criteria import (
    Activity,
    Age,
    AgeBasis,
    RankHeldBefore,
    RetestGap,
    TimeInRank,
    TotalTrainingTime,
)


def _held(criterion: TimeInRank, reading: Reading) -> str:
    held = "Has been a member" if reading.rank is None else f"Has held {reading.rank}"
    return held if criterion.active_only is None else f"{held}, breaks not counted,"


def _time_met(criterion: TimeInRank, reading: Reading) -> str:
    if reading.need is None:
        return f"The waiting time of {count(criterion.months, 'month')} does not apply."
    months = count(reading.have, "month")
    if reading.have is None:
        return f"The waiting time of {count(criterion.months, 'month')} is over."
    if criterion.grace_days and reading.have < criterion.months:
        days = count(criterion.grace_days, "day")
        return (
            f"{_held(criterion, reading)} for {months} of {reading.need}, which is enough up to {days} early."
        )
    return f"{_held(criterion, reading)} for {months}; {reading.need} {needed(reading.need)}."


def _time_not_met(criterion: TimeInRank, reading: Reading) -> str:
    complete = f"; enough on {on_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"{_held(criterion, reading)} for {reading.have} of {count(reading.need, 'month')}{complete}."


def _time_unknown(criterion: TimeInRank, reading: Reading) -> str:
    months = count(criterion.months, "month")
    if reading.have is not None:
        return f"Not known whether the waiting time of {months} applies; {reading.have} are complete."
    if criterion.active_only is Activity.MEMBER:
        return f"Joining or membership is not recorded, so the waiting time of {months} cannot be checked."
    return f"The day of joining is not recorded, so the waiting time of {months} cannot be checked."


def _years(criterion: Age, reading: Reading) -> str:
    if criterion.basis is AgeBasis.BIRTH_YEAR:
        return f"Turns {reading.have} in the year"
    return f"Is {count(reading.have, 'year')} old"


def _bounds(criterion: Age) -> str:
    if criterion.max is None:
        return f"at least {criterion.min}"
    if criterion.min is None:
        return f"under {criterion.max + 1}"
    return f"from {criterion.min} to {criterion.max}"


def _age_met(criterion: Age, reading: Reading) -> str:
    return f"{_years(criterion, reading)}; the age must be {_bounds(criterion)}."


def _age_not_met(criterion: Age, reading: Reading) -> str:
    when = f", which will be so on {on_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"{_years(criterion, reading)}; the age must be {_bounds(criterion)}{when}."


def _age_unknown(criterion: Age, _: Reading) -> str:
    return f"The date of birth is not recorded; the age must be {_bounds(criterion)}."


def _rank_before(criterion: RankHeldBefore, reading: Reading) -> str:
    ranks = either([reading.rank_name(code) for code in criterion.ranks])
    for_months = f" for {count(criterion.min_months, 'month')}" if criterion.min_months else ""
    age = criterion.registered_at_age
    return ranks + for_months + ("" if age is None else f", received at an age of {_bounds(age)}")


def _rank_before_met(criterion: RankHeldBefore, reading: Reading) -> str:
    return f"Has held {_rank_before(criterion, reading)}."


def _rank_before_not_met(criterion: RankHeldBefore, reading: Reading) -> str:
    return f"Has not held {_rank_before(criterion, reading)}{from_then(reading, 'so')}."


def _rank_before_unknown(criterion: RankHeldBefore, reading: Reading) -> str:
    return f"The date of birth is not recorded; needed is {_rank_before(criterion, reading)}."


def _retest_met(criterion: RetestGap, reading: Reading) -> str:
    if reading.have is None:
        return "No failed test to wait after."
    ago = count(reading.have, "month")
    return f"The last failed test was {ago} ago; {criterion.months} {needed(criterion.months)}."


def _retest_not_met(criterion: RetestGap, reading: Reading) -> str:
    again = f"; the next one may be on {on_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"A test was failed less than {count(criterion.months, 'month')} ago{again}."


def _retest_unknown(criterion: RetestGap, _: Reading) -> str:
    return f"Not known whether a test was failed in the last {count(criterion.months, 'month')}."


def _training_met(_: TotalTrainingTime, reading: Reading) -> str:
    return f"Has trained for {count(reading.have, 'month')} in all; {reading.need} {needed(reading.need)}."


def _training_not_met(_: TotalTrainingTime, reading: Reading) -> str:
    enough = f"; enough on {on_date(reading.earliest_on)}" if reading.earliest_on else ""
    return f"Has trained for {reading.have} of {count(reading.need, 'month')} in all{enough}."


def _training_unknown(_: TotalTrainingTime, reading: Reading) -> str:
    return f"Not recorded when training began; {count(reading.need, 'month')} in all {needed(reading.need)}."


TIME: Final[Phrases] = {
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
}
