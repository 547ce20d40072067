"""`time_in_rank`: a waiting time in calendar months since the rank held was received (C2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

from tenant_apps.ranks.civil_dates import complete_months, months_later
from tenant_apps.ranks.criteria.achievement import AchievementWon
from tenant_apps.ranks.criteria.age import Age
from tenant_apps.ranks.criteria.criterion import Criterion, CriterionInput, Finding
from tenant_apps.ranks.criteria.json_schema import MOST_MONTHS, criterion_schema, one_of, whole_number
from tenant_apps.ranks.criteria.rank_held_before import RankHeldBefore
from tenant_apps.ranks.criteria.standing import days_off_hold
from tenant_apps.ranks.date_intervals import (
    BEGINNING,
    NEVER,
    Spans,
    complement,
    days_from,
    intersection,
    nth_day_after,
    number_of_days,
    span_at,
    union,
)
from tenant_apps.ranks.student_facts import StudentFacts

MOST_GRACE_DAYS: Final = 366


_CONDITION_KINDS: Final[Mapping[str, type[Criterion]]] = {
    kind.kind: kind for kind in (Age, RankHeldBefore, AchievementWon)
}

CONDITION: Final[Mapping[str, object]] = criterion_schema(_CONDITION_KINDS)
"""The schema of `applies_if`: criteria that limit this one to some students."""


class Activity(StrEnum):
    """Which days count: those not on hold, or only those of them that are within a membership (IBJJF)."""

    NOT_ON_HOLD = "not_on_hold"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class TimeInRank(Criterion):
    """`months` calendar months after the day from which the wait counts (`CountingStart`), clamped to the month's end.

    `grace_days`: the wait ends this many days early (JKF: 30), but never before the rank is held. `active_only`: every
    day that does not count extends the wait by a day; unknown if membership is required and none was ever recorded.
    `applies_if`: the wait applies only to students who meet that condition (DKV: children). Students without a rank
    wait from the day of joining; unknown if that day is not recorded.
    """

    months: int
    grace_days: int = 0
    active_only: Activity | None = None
    applies_if: Criterion | None = None

    kind: ClassVar[str] = "time_in_rank"
    restarts_after_test: ClassVar[bool] = True
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
            applies_if=None if condition is None else _read_condition(condition),
        )

    @classmethod
    def faults(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield from _condition_faults("applies_if", document.get("applies_if"))

    @classmethod
    def ranks_named(cls, document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        yield from _ranks_of_condition("applies_if", document.get("applies_if"))

    def finding(self, data: CriterionInput) -> Finding:
        wait = self._wait(data)
        return wait if self.applies_if is None else _only_where(self.applies_if, wait, data)

    def _wait(self, data: CriterionInput) -> Finding:
        anchor = _anchor(data)
        if anchor is None or (self.active_only is Activity.MEMBER and not data.facts.memberships):
            return Finding(NEVER, known=False, have=None, need=self.months)
        due = months_later(anchor, self.months)
        early = due if due is None else max(due - self.grace_days, anchor, BEGINNING)
        counted_until = data.as_of
        if self.active_only is not None:
            active = _active_days(self.active_only, data.facts)
            early = early if early is None else nth_day_after(active, anchor, early - anchor)
            counted_until = anchor + number_of_days(active, anchor + 1, data.as_of)
        return Finding(
            days_from(early),
            known=True,
            have=complete_months(anchor, counted_until),
            need=self.months,
        )


def _anchor(data: CriterionInput) -> int | None:
    if data.counting_start.since is not None:
        return data.counting_start.since
    joined_on = data.facts.joined_on
    return None if joined_on is None else joined_on.toordinal()


def _active_days(activity: Activity, facts: StudentFacts) -> Spans:
    off_hold = days_off_hold(facts)
    if activity is Activity.NOT_ON_HOLD:
        return off_hold
    return intersection(union(tuple(membership.span for membership in facts.memberships)), off_hold)


def _read_condition(document: Mapping[str, Any]) -> Criterion:
    """Return the condition in a valid document."""
    return _CONDITION_KINDS[document["kind"]].from_document(document)


def _condition_faults(parameter: str, document: object) -> Iterator[tuple[str, str]]:
    """Yield the faults that a schema cannot find, each with its place within the criterion."""
    for kind, found in _condition_kind(document):
        for place, message in kind.faults(found):
            yield f"{parameter}.{place}", message


def _ranks_of_condition(parameter: str, document: object) -> Iterator[tuple[str, object]]:
    """Yield the ranks that the condition refers to, each with its place within the criterion."""
    for kind, found in _condition_kind(document):
        for place, code in kind.ranks_named(found):
            yield f"{parameter}.{place}", code


def _condition_kind(document: object) -> Iterator[tuple[type[Criterion], Mapping[str, Any]]]:
    if (
        isinstance(document, dict)
        and isinstance(name := document.get("kind"), str)
        and name in _CONDITION_KINDS
    ):
        yield _CONDITION_KINDS[name], document


def _only_where(condition: Criterion, asked: Finding, data: CriterionInput) -> Finding:
    """Return the finding of a criterion that applies only to students who meet the condition.

    If the condition is unknown, only the days on which the criterion itself is met count.
    """
    applies = condition.finding(data)
    if not applies.known:
        return asked._replace(known=False)
    applies_now = span_at(applies.spans, data.as_of) is not None
    return Finding(
        union(complement(applies.spans), asked.spans),
        known=asked.known or not applies_now,
        have=asked.have,
        need=asked.need if applies_now else None,
    )
