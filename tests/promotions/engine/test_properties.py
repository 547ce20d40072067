"""Properties that hold for any facts: their order is irrelevant, dates are exact, counts only grow."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenant_apps.promotions.engine import (
    Approval,
    DatedFact,
    Eligibility,
    HistoryEvent,
    NamedFact,
    OpeningBalance,
    Points,
    RankEventKind,
    SessionsHeld,
    StepResult,
    StudentFacts,
    evaluate,
    rank_held,
    visits,
)
from tenant_apps.ranks.date_intervals import (
    BEGINNING,
    END,
    complement,
    intersection,
    nth_day_after,
    number_of_days,
    span_at,
    union,
)
from tenant_apps.ranks.definition import RankDefinition, parse_definition
from tests.promotions.engine.factories import held, ladder, result_for
from tests.support.sizes import small_or_full

pytestmark = pytest.mark.slow

FIRST, LAST, YEAR = date(2024, 1, 1), date(2024, 12, 31), timedelta(days=366)
ARTICLE = {"kind": "document", "which": "article"}

RULES = [
    ladder(
        {"kind": "time_in_rank", "months": 2, "grace_days": 5},
        {"kind": "attendance_count", "n": 3, "unit": "day"},
    ),
    ladder(
        young=[{"kind": "age", "max": 15}, ARTICLE],
        regular=[{"kind": "age", "min": 16}, {"kind": "time_in_rank", "months": 1}],
        trained=[
            {"kind": "attendance_count", "n": 4, "unit": "session", "max_per_day": 2, "since": "ever"},
            ARTICLE,
        ],
    ),
    ladder(
        hours=[
            {"kind": "attendance_count", "n": 3, "unit": "hour", "min_minutes": 50, "any_discipline": True}
        ],
        seminars=[{"kind": "attendance_count", "n": 1, "unit": "day", "class_types": ["seminar"]}],
    ),
]

NAMED = {"which": "article"}
RULES += [
    ladder(
        active=[{"kind": "time_in_rank", "months": 2, "active_only": "not_on_hold"}, {"kind": "standing"}],
        member=[{"kind": "time_in_rank", "months": 1, "active_only": "member", "grace_days": 3}],
    ),
    ladder(
        conditional=[
            {"kind": "time_in_rank", "months": 4, "applies_if": {"kind": "age", "max": 15}},
            {
                "kind": "time_in_rank",
                "months": 2,
                "applies_if": {"kind": "achievement", **NAMED, "at_rank": "a"},
            },
            {"kind": "retest_gap", "months": 1},
        ],
        past=[
            {"kind": "rank_held_before", "ranks": ["c"], "min_months": 1},
            {"kind": "rank_held_before", "ranks": ["a", "b"], "registered_at_age": {"min": 16}},
        ],
    ),
    ladder(
        points=[{"kind": "points", "n": 3}, {"kind": "credential", **NAMED, "max_age_months": 2}],
        approved=[{"kind": "approval", **NAMED, "count": 2}],
        shown=[{"kind": "skills", "which": ["article"]}, {"kind": "event_count", "event": "seminar", "n": 1}],
    ),
    ladder(
        rate=[{"kind": "attendance_rate", "percent": 50}],
        recent=[{"kind": "attendance_rate", "percent": 40, "window_months": 2}],
        busy=[{"kind": "event_count", "event": "article", "n": 2, "window_months": 3}],
        trained=[{"kind": "total_training_time", "months": 5}],
    ),
    ladder(
        tested=[{"kind": "attendance_count", "n": 2, "unit": "session", "since": "last_test"}],
        joined=[{"kind": "attendance_count", "n": 4, "unit": "day", "since": "enrolment"}],
    ),
]


def with_settings() -> RankDefinition:
    """Return rules with clocks that tests restart and conversions carry, and with a stripe."""
    document = ladder(
        {"kind": "time_in_rank", "months": 1}, {"kind": "attendance_count", "n": 1, "unit": "day"}
    ).as_document()
    document["steps"][1]["anchor"] = "last_test"
    document["ranks"].append({"code": "c-1", "name": "C with a stripe", "kind": "sub_rank"})
    paths = [{"name": "regular", "criteria": [{"kind": "time_in_rank", "months": 2}]}]
    document["steps"] += [
        {"from": "c", "to": "a", "type": "convert", "clock": "carries", "paths": paths},
        {"from": "b", "to": "c", "paths": paths},
        {"from": "c", "to": "c-1", "paths": paths},
    ]
    document["ranks"].append({"code": "d", "name": "D"})
    striped = [{"name": "regular", "criteria": [{"kind": "sub_ranks", "n": 1}, *paths[0]["criteria"]]}]
    document["steps"].append({"from": "c", "to": "d", "paths": striped})
    return parse_definition(document)


RULES.append(with_settings())
CODES = ["a", "b", "c", "c-1"]

dates = st.dates(FIRST, LAST)
events = st.builds(HistoryEvent, st.sampled_from(CODES), st.sampled_from(RankEventKind), dates)
rows = st.tuples(dates, st.sampled_from([45, 60, 90]), st.sampled_from(["regular", "seminar"]), st.booleans())
lasting = st.tuples(dates, st.none() | st.integers(0, 90)).map(
    lambda pair: {"on": pair[0], "expires_on": None if pair[1] is None else pair[0] + timedelta(days=pair[1])}
)
papers = lasting.map(lambda when: NamedFact(which="article", **when))
recorded = st.fixed_dictionaries(
    {
        "rank_events": st.lists(events, max_size=4),
        "attendance": st.lists(rows, max_size=10),
        "opening_balances": st.lists(
            st.builds(lambda when, n: OpeningBalance(count=n, **when), lasting, st.integers(0, 3)), max_size=2
        ),
        "documents": st.lists(papers, max_size=3),
        "points": st.lists(
            st.builds(lambda when, n: Points(points=n, **when), lasting, st.integers(1, 3)), max_size=4
        ),
        "achievements": st.lists(papers, max_size=2),
        "credentials": st.lists(papers, max_size=2),
        "skills": st.lists(papers, max_size=2),
        "approvals": st.lists(
            st.builds(
                lambda when, by: Approval(which="article", by=by, role="admin", **when),
                lasting,
                st.sampled_from("xy"),
            ),
            max_size=3,
        ),
        "memberships": st.lists(lasting.map(lambda when: DatedFact(**when)), max_size=2),
        "holds": st.lists(lasting.map(lambda when: DatedFact(**when)), max_size=2),
        "failed_tests": st.lists(dates, max_size=2),
    }
)


class Entries:
    """A student's facts by kind, in the order of entry."""

    def __init__(self, lists, born, joined, active, offered) -> None:  # type: ignore[no-untyped-def]
        self.lists, self.born, self.joined, self.active, self.offered = lists, born, joined, active, offered

    def facts(self, lists=None) -> StudentFacts:  # type: ignore[no-untyped-def]
        given = {name: tuple(values) for name, values in (lists or self.lists).items()}
        return StudentFacts(
            birth_date=self.born,
            joined_on=self.joined,
            active=self.active,
            sessions=SessionsHeld(held(self.offered)),
            attended=frozenset(range(1, len(self.offered) + 1, 2)),
            **{**given, "attendance": visits(given["attendance"])},
        )

    def __repr__(self) -> str:
        return repr(self.facts())


students = st.builds(
    Entries,
    recorded,
    st.none() | st.dates(date(2007, 6, 1), date(2009, 6, 1)),
    st.none() | dates,
    st.booleans(),
    st.lists(dates, max_size=12),
)


def holds_for(
    *strategies: st.SearchStrategy[Any], small: int = 40, full: int = 200
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Test a property with a small number of examples and, marked `volume`, with the full number."""

    def decorate(check: Callable[..., None]) -> Callable[[int], None]:
        @small_or_full("examples", small=small, full=full)
        def test(examples: int) -> None:
            settings(max_examples=examples, deadline=None)(given(*strategies)(check))()

        return test

    return decorate


def belt(rules: RankDefinition, rank: str | None) -> str | None:
    """Return the rank that a stripe is on; other ranks unchanged."""
    return rules.sub_ranks[rank].of if rank in rules.sub_ranks else rank


def adds_a_stripe(rules: RankDefinition, student: StudentFacts, on: date, asked: StepResult) -> bool:
    """Return whether an event of that day only adds a stripe to the rank that the step starts from."""
    held = rank_held(rules, student, on)
    striped = held in rules.sub_ranks and belt(rules, held) == belt(rules, asked.current_rank)
    return striped and asked.target_rank not in rules.sub_ranks


@holds_for(students, st.sampled_from(RULES), dates, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_entered_does_not_matter(entered, rules, as_of, random) -> None:  # type: ignore[no-untyped-def]
    again = entered.facts({name: random.sample(facts, len(facts)) for name, facts in entered.lists.items()})
    backwards = replace(
        again,
        attendance=tuple(
            replace(series, days=tuple(series.days)[::-1]) for series in reversed(again.attendance)
        ),
    )
    expected = evaluate(rules, entered.facts(), as_of)
    assert evaluate(rules, again, as_of) == expected
    assert evaluate(rules, backwards, as_of) == expected


@holds_for(students, st.sampled_from(RULES), dates)
def test_the_earliest_date_is_the_first_on_which_the_student_is_eligible(entered, rules, as_of) -> None:  # type: ignore[no-untyped-def]
    student = entered.facts()
    for result in evaluate(rules, student, as_of):
        if result.earliest_on is None:
            continue
        assert (result.earliest_on <= as_of) is (result.status is Eligibility.ELIGIBLE)
        on_the_day = result_for(rules, student, result.earliest_on, result.target_rank)
        day_before = result_for(rules, student, result.earliest_on - timedelta(days=1), result.target_rank)
        assert on_the_day.status is Eligibility.ELIGIBLE
        assert belt(rules, on_the_day.current_rank) == belt(rules, result.current_rank)
        assert on_the_day.earliest_on == result.earliest_on
        if belt(rules, day_before.current_rank) == belt(rules, result.current_rank):
            assert day_before.status is not Eligibility.ELIGIBLE


@holds_for(students, st.sampled_from(RULES), dates, small=15, full=60)
def test_a_check_of_each_day_finds_the_same_dates(entered, rules, as_of) -> None:  # type: ignore[no-untyped-def]
    """A slow search that applies the rule day by day."""
    student = entered.facts()
    later = sorted(event.on for event in student.rank_events if event.on > as_of)
    for result in evaluate(rules, student, as_of):
        left_on = next((on for on in later if not adds_a_stripe(rules, student, on, result)), LAST + YEAR)
        if any(criterion.status == "unknown" for criterion in result.criteria):
            continue

        def is_open(on: date, asked: StepResult = result) -> bool:
            answer = result_for(rules, student, on, asked.target_rank)
            same = belt(rules, answer.current_rank) == belt(rules, asked.current_rank)
            return same and answer.status is Eligibility.ELIGIBLE

        if result.status is Eligibility.ELIGIBLE:
            before = (as_of - timedelta(days=days) for days in range(1, (as_of - FIRST + YEAR).days))
            closed = next((on for on in before if not is_open(on)), None)
            found = None if closed is None else closed + timedelta(days=1)
        else:
            after = (as_of + timedelta(days=days) for days in range(1, (left_on - as_of).days))
            found = next((on for on in after if is_open(on)), None)
        assert result.earliest_on == found


@holds_for(students, dates, dates)
def test_within_a_rank_the_count_of_training_never_falls(entered, one, other) -> None:  # type: ignore[no-untyped-def]
    """Balances that expire are left out: only they reduce the count."""
    balances = [replace(balance, expires_on=None) for balance in entered.lists["opening_balances"]]
    student = entered.facts({**entered.lists, "opening_balances": balances})
    rules = RULES[0]
    early, late = sorted((one, other))
    changes = [event.on for event in student.rank_events if early < event.on <= late]
    if changes or rank_held(rules, student, early) != "a":
        return
    before, after = (result_for(rules, student, on, "b").criteria for on in (early, late))
    for less, more in zip(before, after, strict=True):
        assert (less.have or 0) <= (more.have or 0)


@holds_for(students, dates)
def test_the_count_equals_the_number_of_distinct_days(entered, as_of) -> None:  # type: ignore[no-untyped-def]
    rows = entered.lists["attendance"]
    held = HistoryEvent("a", RankEventKind.AWARD, date(2024, 3, 31))
    student = entered.facts({**entered.lists, "rank_events": [held], "opening_balances": []})
    (criterion,) = result_for(
        ladder({"kind": "attendance_count", "n": 3, "unit": "day"}), student, max(as_of, held.on), "b"
    ).criteria
    assert criterion.have == len(
        {on for on, _, _, ours in rows if ours and held.on < on <= max(as_of, held.on)}
    )


spans = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6))).map(
    lambda pairs: union(tuple((first, first + length) for first, length in pairs))
)


@holds_for(spans, spans)
def test_spans_are_sets_of_days(left, right) -> None:  # type: ignore[no-untyped-def]
    both, either = intersection(left, right), union(left, right)
    for on in range(50):
        in_left, in_right = span_at(left, on) is not None, span_at(right, on) is not None
        assert (span_at(both, on) is not None) is (in_left and in_right)
        assert (span_at(either, on) is not None) is (in_left or in_right)
    assert intersection(left, ((BEGINNING, END),)) == left


@holds_for(spans, st.integers(1, 40), st.integers(1, 30))
def test_counting_days_of_spans_and_finding_the_nth_agree(some, day, n) -> None:  # type: ignore[no-untyped-def]
    assert complement(complement(some)) == some
    assert all(
        (span_at(some, on) is None) is (span_at(complement(some), on) is not None) for on in range(1, 50)
    )
    found = nth_day_after(some, day, n)
    if found is None:
        assert number_of_days(some, day + 1, 100) < n
    else:
        assert number_of_days(some, day + 1, found) == n
        assert span_at(some, found) is not None
