"""What must hold for any facts: order is irrelevant, dates given are exact, counts only grow."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tenant_apps.promotions.engine import (
    DocumentFact,
    Eligibility,
    OpeningBalance,
    RankEvent,
    RankEventKind,
    StepResult,
    StudentFacts,
    evaluate,
    rank_held,
    visits,
)
from tenant_apps.ranks.spans import BEGINNING, END, intersection, span_at, union
from tests.promotions.engine_facts import ask, ladder

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

dates = st.dates(FIRST, LAST)
events = st.builds(RankEvent, st.sampled_from("abc"), st.sampled_from(RankEventKind), dates)
rows = st.tuples(dates, st.sampled_from([45, 60, 90]), st.sampled_from(["regular", "seminar"]), st.booleans())
papers = st.builds(
    lambda on, length: DocumentFact("article", on, None if length is None else on + timedelta(days=length)),
    dates,
    st.none() | st.integers(0, 90),
)


class Entered:
    """A student's facts as entered, one after the other: rank events, attendance, balances, documents."""

    def __init__(self, lists, born, joined) -> None:  # type: ignore[no-untyped-def]
        self.lists, self.born, self.joined = lists, born, joined

    def facts(self, events, rows, balances, papers) -> StudentFacts:  # type: ignore[no-untyped-def]
        return StudentFacts(
            birth_date=self.born,
            joined_on=self.joined,
            rank_events=tuple(events),
            attendance=visits(rows),
            opening_balances=tuple(balances),
            documents=tuple(papers),
        )

    def __repr__(self) -> str:
        return repr(self.facts(*self.lists))


students = st.builds(
    Entered,
    st.tuples(
        st.lists(events, max_size=4),
        st.lists(rows, max_size=10),
        st.lists(st.builds(OpeningBalance, dates, st.integers(0, 3)), max_size=2),
        st.lists(papers, max_size=3),
    ),
    st.none() | st.dates(date(2007, 6, 1), date(2009, 6, 1)),
    st.none() | dates,
)
moderate = settings(max_examples=200, deadline=None)


@moderate
@given(students, st.sampled_from(RULES), dates, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_entered_does_not_matter(entered, rules, as_of, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [random.sample(facts, len(facts)) for facts in entered.lists]
    again = entered.facts(*shuffled)
    backwards = replace(
        again,
        attendance=tuple(
            replace(series, days=tuple(series.days)[::-1], minutes=tuple(series.minutes)[::-1])
            for series in reversed(again.attendance)
        ),
    )
    expected = evaluate(rules, entered.facts(*entered.lists), as_of)
    assert evaluate(rules, again, as_of) == expected
    assert evaluate(rules, backwards, as_of) == expected


@moderate
@given(students, st.sampled_from(RULES), dates)
def test_a_given_date_is_the_first_on_which_the_answer_is_eligible(entered, rules, as_of) -> None:  # type: ignore[no-untyped-def]
    student = entered.facts(*entered.lists)
    for result in evaluate(rules, student, as_of):
        if result.earliest_on is None:
            continue
        assert (result.earliest_on <= as_of) is (result.status is Eligibility.ELIGIBLE)
        on_the_day = ask(rules, student, result.earliest_on, result.target_rank)
        day_before = ask(rules, student, result.earliest_on - timedelta(days=1), result.target_rank)
        assert (on_the_day.status, on_the_day.current_rank) == (Eligibility.ELIGIBLE, result.current_rank)
        assert on_the_day.earliest_on == result.earliest_on
        if day_before.current_rank == result.current_rank:
            assert day_before.status is not Eligibility.ELIGIBLE


@settings(max_examples=60, deadline=None)
@given(students, st.sampled_from(RULES), dates)
def test_asking_day_by_day_finds_the_same_dates(entered, rules, as_of) -> None:  # type: ignore[no-untyped-def]
    """Slow, and no cleverer than the rule."""
    student = entered.facts(*entered.lists)
    left_on = min((event.on for event in student.rank_events if event.on > as_of), default=LAST + YEAR)
    for result in evaluate(rules, student, as_of):
        if any(criterion.status == "unknown" for criterion in result.criteria):
            continue

        def is_open(on: date, asked: StepResult = result) -> bool:
            answer = ask(rules, student, on, asked.target_rank)
            return (answer.status, answer.current_rank) == (Eligibility.ELIGIBLE, asked.current_rank)

        if result.status is Eligibility.ELIGIBLE:
            before = (as_of - timedelta(days=days) for days in range(1, (as_of - FIRST + YEAR).days))
            closed = next((on for on in before if not is_open(on)), None)
            found = None if closed is None else closed + timedelta(days=1)
        else:
            after = (as_of + timedelta(days=days) for days in range(1, (left_on - as_of).days))
            found = next((on for on in after if is_open(on)), None)
        assert result.earliest_on == found


@moderate
@given(students, dates, dates)
def test_within_a_rank_the_count_of_training_never_falls(entered, one, other) -> None:  # type: ignore[no-untyped-def]
    student = entered.facts(*entered.lists)
    rules = RULES[0]
    early, late = sorted((one, other))
    changes = [event.on for event in student.rank_events if early < event.on <= late]
    if changes or rank_held(rules, student, early) != "a":
        return
    before, after = (ask(rules, student, on, "b").criteria for on in (early, late))
    for less, more in zip(before, after, strict=True):
        assert (less.have or 0) <= (more.have or 0)


@moderate
@given(students, dates)
def test_days_counted_are_the_days_one_would_count_by_hand(entered, as_of) -> None:  # type: ignore[no-untyped-def]
    _, rows, _, papers = entered.lists
    held = RankEvent("a", RankEventKind.AWARD, date(2024, 3, 31))
    student = entered.facts([held], rows, [], papers)
    (criterion,) = ask(
        ladder({"kind": "attendance_count", "n": 3, "unit": "day"}), student, max(as_of, held.on), "b"
    ).criteria
    assert criterion.have == len(
        {on for on, _, _, ours in rows if ours and held.on < on <= max(as_of, held.on)}
    )


spans = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6))).map(
    lambda pairs: union(tuple((first, first + length) for first, length in pairs))
)


@moderate
@given(spans, spans)
def test_spans_are_sets_of_days(left, right) -> None:  # type: ignore[no-untyped-def]
    both, either = intersection(left, right), union(left, right)
    for on in range(50):
        in_left, in_right = span_at(left, on) is not None, span_at(right, on) is not None
        assert (span_at(both, on) is not None) is (in_left and in_right)
        assert (span_at(either, on) is not None) is (in_left or in_right)
    assert intersection(left, ((BEGINNING, END),)) == left
