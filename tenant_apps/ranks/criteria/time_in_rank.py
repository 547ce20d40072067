"""`time_in_rank`: a waiting time in calendar months since the rank held was received (C2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import complete_months, months_later
from tenant_apps.ranks.criteria.conditions import (
    CONDITION,
    condition_faults,
    only_where,
    ranks_of_condition,
    read_condition,
)
from tenant_apps.ranks.criteria.criterion import Candidacy, Criterion, Finding
from tenant_apps.ranks.criteria.schema import MOST_MONTHS, one_of, whole_number
from tenant_apps.ranks.criteria.standing import days_off_hold
from tenant_apps.ranks.facts import StudentFacts
from tenant_apps.ranks.spans import (
    BEGINNING,
    NEVER,
    Spans,
    days_from,
    intersection,
    nth_day_after,
    number_of_days,
    union,
)

MOST_GRACE_DAYS: Final = 366


class Activity(StrEnum):
    """Which days count: those not on hold, or of these only those within a membership (IBJJF)."""

    NOT_ON_HOLD = "not_on_hold"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class TimeInRank(Criterion):
    """`months` calendar months after the day on which the clock started, clamped to the month's end.

    `grace_days`: the wait counts as met that many days early (JKF: 30), though never before the rank is held.
    `active_only`: every day that does not count puts the end of the wait off by a day; where membership is
    asked for and none was ever recorded, the answer is unknown. `applies_if`: the wait is asked only of those
    who meet that condition (DKV: children). Who holds no rank yet waits from the day of joining; where that is
    not recorded, the answer is unknown.
    """

    months: int
    grace_days: int = 0
    active_only: Activity | None = None
    applies_if: Criterion | None = None

    kind: ClassVar[str] = "time_in_rank"
    parameters: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "months": whole_number(0, MOST_MONTHS),
        "grace_days": whole_number(0, MOST_GRACE_DAYS),
        "active_only": one_of(Activity),
        "applies_if": CONDITION,
    }
    required: ClassVar[tuple[str, ...]] = ("months",)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        activity, condition = document.get("active_only"), document.get("applies_if")
        return cls(
            months=int(document["months"]),
            grace_days=int(document.get("grace_days", 0)),
            active_only=None if activity is None else Activity(activity),
            applies_if=None if condition is None else read_condition(condition),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from condition_faults("applies_if", document.get("applies_if"))

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        yield from ranks_of_condition("applies_if", document.get("applies_if"))

    def finding(self, candidacy: Candidacy) -> Finding:
        wait = self._wait(candidacy)
        return wait if self.applies_if is None else only_where(self.applies_if, wait, candidacy)

    def _wait(self, candidacy: Candidacy) -> Finding:
        anchor = _anchor(candidacy)
        if anchor is None or (self.active_only is Activity.MEMBER and not candidacy.facts.memberships):
            return Finding(NEVER, known=False, have=None, need=self.months)
        due = months_later(anchor, self.months)
        early = due if due is None else max(due - self.grace_days, anchor, BEGINNING)
        counted_until = candidacy.as_of
        if self.active_only is not None:
            active = _active_days(self.active_only, candidacy.facts)
            early = early if early is None else nth_day_after(active, anchor, early - anchor)
            counted_until = anchor + number_of_days(active, anchor + 1, candidacy.as_of)
        return Finding(
            days_from(early),
            known=True,
            have=complete_months(anchor, counted_until),
            need=self.months,
        )


def _anchor(candidacy: Candidacy) -> int | None:
    if candidacy.clock.since is not None:
        return candidacy.clock.since
    joined_on = candidacy.facts.joined_on
    return None if joined_on is None else joined_on.toordinal()


def _active_days(activity: Activity, facts: StudentFacts) -> Spans:
    off_hold = days_off_hold(facts)
    if activity is Activity.NOT_ON_HOLD:
        return off_hold
    return intersection(union(tuple(membership.span for membership in facts.memberships)), off_hold)
