"""Facts and rules for tests of the engine."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from tenant_apps.promotions.engine import (
    AttendanceUnit,
    HeldSession,
    HistoryEvent,
    NamedFact,
    OpeningBalance,
    RankEventKind,
    StepResult,
    StudentFacts,
    Visits,
    evaluate,
    visits,
)
from tenant_apps.ranks.definition import RankDefinition, parse_definition


def day(text: str) -> date:
    return date.fromisoformat(text)


def awarded(rank: str, on: str) -> HistoryEvent:
    return HistoryEvent(rank, RankEventKind.AWARD, day(on))


def imported(rank: str, on: str) -> HistoryEvent:
    return HistoryEvent(rank, RankEventKind.IMPORT, day(on))


def converted(rank: str, on: str) -> HistoryEvent:
    return HistoryEvent(rank, RankEventKind.CONVERT, day(on))


def demoted(rank: str, on: str) -> HistoryEvent:
    return HistoryEvent(rank, RankEventKind.DEMOTE, day(on))


def balance(on: str, count: int, expires_on: str | None = None, unit: str | None = None) -> OpeningBalance:
    return OpeningBalance(
        on=day(on),
        count=count,
        expires_on=None if expires_on is None else day(expires_on),
        unit=None if unit is None else AttendanceUnit(unit),
    )


def handed_in(which: str, on: str, expires_on: str | None = None) -> NamedFact:
    return NamedFact(which=which, on=day(on), expires_on=None if expires_on is None else day(expires_on))


def trained(
    days: Iterable[date], minutes: int = 60, class_type: str = "regular", in_discipline: bool = True
) -> tuple[Visits, ...]:
    """Return one attendance on each of the days; a day listed twice is two sessions."""
    return visits((on, minutes, class_type, in_discipline) for on in days)


def held(
    days: Iterable[date], *, first: int = 1, at: int = 18, training_class: str | None = None, **more: Any
) -> list[HeldSession]:
    """Return a session of an hour on each of the days, at an hour of the day, numbered from `first`."""
    return [
        HeldSession(
            day=on.toordinal(),
            starts=(on.toordinal() * 24 + at) * 60,
            ends=(on.toordinal() * 24 + at + 1) * 60,
            number=number,
            training_class=training_class,
            **more,
        )
        for number, on in enumerate(days, first)
    ]


def days_in_a_row(first: str, count: int) -> list[date]:
    return [day(first) + timedelta(days=number) for number in range(count)]


def facts(
    *rank_events: HistoryEvent, born: str | None = None, joined: str | None = None, **more: Any
) -> StudentFacts:
    return StudentFacts(
        birth_date=None if born is None else day(born),
        joined_on=None if joined is None else day(joined),
        rank_events=rank_events,
        **more,
    )


def result_for(rules: RankDefinition, about: StudentFacts, as_of: str | date, target: str) -> StepResult:
    """Return the result for one target rank."""
    (result,) = evaluate(rules, about, as_of if isinstance(as_of, date) else day(as_of), targets=[target])
    return result


def ladder(*criteria: dict[str, Any], **paths: list[dict[str, Any]]) -> RankDefinition:
    """Return rules with ranks a, b and c: the first step has no criteria, a → b has these criteria or these paths."""
    named = paths or {"regular": list(criteria)}
    return parse_definition(
        {
            "format": 1,
            "name": "Ladder",
            "art": "Test",
            "source": "these tests",
            "confidence": "M",
            "ranks": [{"code": code, "name": code.upper()} for code in "abc"],
            "steps": [
                {"from": None, "to": "a", "paths": [{"name": "regular", "criteria": []}]},
                {
                    "from": "a",
                    "to": "b",
                    "paths": [{"name": name, "criteria": found} for name, found in named.items()],
                },
            ],
        }
    )


def statuses(result: StepResult) -> dict[str, str]:
    return {criterion.kind: criterion.status.value for criterion in result.criteria}
