"""`age`: full age (C3) or birth-year age (C4), at least, at most, or both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from tatami.text import gettext_noop
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.ranks.civil_dates import birthday, full_age
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import one_of, whole_number
from tenant_apps.ranks.date_intervals import BEGINNING, END, NEVER, days_between

MOST_YEARS: Final = 120


class AgeBasis(StrEnum):
    """How a federation counts years of age."""

    FULL = "full"
    BIRTH_YEAR = "birth_year"


@dataclass(frozen=True, slots=True)
class Age(Criterion):
    """At least `min` and at most `max` years: `max: 14` means "under 15". Unknown without a date of birth."""

    min: int | None = None
    max: int | None = None
    basis: AgeBasis = AgeBasis.FULL

    kind: ClassVar[str] = "age"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "min": whole_number(0, MOST_YEARS),
        "max": whole_number(0, MOST_YEARS),
        "basis": one_of(AgeBasis),
    }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        least, most = document.get("min"), document.get("max")
        return cls(
            min=None if least is None else int(least),
            max=None if most is None else int(most),
            basis=AgeBasis(document.get("basis", AgeBasis.FULL)),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if "min" not in document and "max" not in document:
            yield "min", gettext_noop("either min or max is required")
        least, most = document.get("min"), document.get("max")
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield "max", gettext_noop("must not be less than min")

    def finding(self, data: CriterionInput) -> Finding:
        birth = data.facts.birth_date
        if birth is None:
            return Finding(NEVER, known=False, have=None, need=self.min if self.min is not None else self.max)
        leap_day = data.facts.leap_day_birthday
        have = self.years(birth, data.as_of_date, leap_day)
        first = BEGINNING if self.min is None else self._turning(birth, self.min, leap_day)
        last = END if self.max is None else self._turning(birth, self.max + 1, leap_day) - 1
        too_old = not self._admits_at_most(have)
        return Finding(
            days_between(first, last),
            known=True,
            have=max(have, 0),
            need=self.max if too_old or self.min is None else self.min,
        )

    def bounds(self) -> dict[str, Any]:
        """Return the canonical document without `kind`, for places where only an age can stand."""
        return {name: value for name, value in self.as_document().items() if name != "kind"}

    def years(self, birth: date, on: date, leap_day: LeapDayBirthday) -> int:
        """Return the age on a date as this criterion counts it; negative before the birth."""
        by_year = self.basis is AgeBasis.BIRTH_YEAR
        return on.year - birth.year if by_year else full_age(birth, on, leap_day)

    def admits(self, years: int) -> bool:
        """Return whether an age is within the bounds."""
        return (self.min is None or years >= self.min) and self._admits_at_most(years)

    def is_exceeded(self, finding: Finding) -> bool:
        """Return whether the student of a finding is older than `max`."""
        return finding.have is not None and not self._admits_at_most(finding.have)

    def _admits_at_most(self, years: int | float) -> bool:
        return self.max is None or years <= self.max

    def _turning(self, birth: date, years: int, leap_day: LeapDayBirthday) -> int:
        """Return the day ordinal on which an age is reached, at most the day after the last possible date."""
        year = birth.year + years
        if year > MAXYEAR:
            return END + 1
        if self.basis is AgeBasis.BIRTH_YEAR:
            return date(year, 1, 1).toordinal()
        return birthday(birth, year, leap_day).toordinal()
