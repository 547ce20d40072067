"""How people train: some come whenever they can, some fade away, some have just begun. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from random import Random
from typing import Final

from config.demo.people import Group, Person

FIRST_AGE: Final = 5
"""Nobody begins younger, in years."""

_LONGEST_YEARS: Final = {Group.KID: 6, Group.TEEN: 9, Group.ADULT: 13, Group.SENIOR: 25}
_TRIAL_LASTS: Final = timedelta(weeks=3)
_MISSED_AFTER: Final = timedelta(days=30)
_BEGINS_AS_ADULT: Final = 14


class Kind(Enum):
    """What kind of member somebody is; the value is how many of a hundred are."""

    REGULAR = 42
    IRREGULAR = 20
    RETURNED = 6
    DROP_OUT = 17
    NEWCOMER = 15


@dataclass(frozen=True, slots=True)
class Habit:
    """When somebody began, here and at all, and how likely he is to come to a class he knows, as time goes by."""

    kind: Kind
    began_on: date
    joined_on: date
    left_on: date | None
    peak: float
    away: tuple[date, date] | None

    def chance(self, on: date) -> float:
        """Return how likely he comes to a class of his on this day: 0 before he joined and after he left."""
        if on < self.joined_on or (self.left_on and on > self.left_on):
            return 0.0
        if self.away and self.away[0] <= on <= self.away[1]:
            return 0.0
        chance = self.peak
        if self.left_on:
            # Hardly anybody stops from one day to the next: he comes less and less for two months.
            chance *= min(1.0, (1 + (self.left_on - on).days) / 60)
        if (on.month, on.day) >= (12, 22) or (on.month, on.day) <= (1, 3):
            chance *= 0.3
        return chance

    def status(self, today: date) -> str:
        """Return the student's status today, as the dojo would have set it."""
        if self.left_on and self.left_on + _MISSED_AFTER < today:
            return "inactive"
        return "trial" if self.joined_on + _TRIAL_LASTS > today else "active"


def habit(person: Person, rng: Random, *, since: date, today: date) -> Habit:
    """Return how `person` trains in a dojo that has recorded attendance since `since`."""
    kind = rng.choices(list(Kind), weights=[kind.value for kind in Kind])[0]
    earliest = _birthday(person, FIRST_AGE)
    if kind is Kind.NEWCOMER:
        joined_on = today - timedelta(days=rng.randrange(5, (today - since).days * 6 // 10))
    else:
        joined_on = since - timedelta(days=rng.randrange(30, 365 * _LONGEST_YEARS[person.group]))
    # A kid of six cannot have joined ten years ago.
    joined_on = min(max(joined_on, earliest), today - timedelta(days=5))
    start = max(joined_on, since)
    return Habit(
        kind=kind,
        began_on=_began_elsewhere(person, joined_on, rng),
        joined_on=joined_on,
        left_on=_later(start, today, rng.uniform(0.25, 0.85)) if kind is Kind.DROP_OUT else None,
        peak=rng.uniform(0.3, 0.5) if kind is Kind.IRREGULAR else rng.uniform(0.65, 0.95),
        away=(_later(start, today, 0.3), _later(start, today, 0.65)) if kind is Kind.RETURNED else None,
    )


def _began_elsewhere(person: Person, joined_on: date, rng: Random) -> date:
    """One adult in eight brought a rank along from another dojo."""
    if person.group.is_minor or rng.random() > 1 / 8:
        return joined_on
    began_on = joined_on - timedelta(days=rng.randrange(400, 3000))
    return min(max(began_on, _birthday(person, _BEGINS_AS_ADULT)), joined_on)


def _birthday(person: Person, years: int) -> date:
    return person.birth_date + timedelta(days=int(years * 365.25) + 1)


def _later(first: date, last: date, share: float) -> date:
    return first + timedelta(days=int((last - first).days * share))
