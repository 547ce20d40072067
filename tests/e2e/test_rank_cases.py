"""Cases of federation rules through the HTTP API, and two properties of the check.

The number of a case is that of the table "Cases" in docs/rank-rules.md. C1 to C7 are the conventions there.
"""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.sizes import examples

DAILY = {
    "weekdays": ["mo", "tu", "we", "th", "fr", "sa", "su"],
    "start_time": "18:30",
    "duration_minutes": 90,
}


class Case:
    """One student in one rank system, with records and checks."""

    def __init__(self, dojo: Dojo, preset: str, **student: Any) -> None:
        self.dojo = dojo
        self.art = factories.discipline(dojo, preset)
        self.system = factories.rank_system(dojo, preset, discipline=self.art["id"])
        self.who = factories.student(dojo, **student)

    def add_rank(self, code: str, since: str) -> None:
        factories.rank_event(self.dojo, self.who, factories.rank_id(self.system, code), since)

    def add_fact(self, kind: str, value: Any, on: str) -> None:
        factories.fact(self.dojo, self.who, kind, value, on, rank_system=self.system["id"])

    def add_attendance(self, first: str, days: int, times: int = 1) -> None:
        """Record attendance on `days` days from `first` on, at `times` sessions of each."""
        last = (date.fromisoformat(first) + timedelta(days=days - 1)).isoformat()
        for nth in range(times):
            recurrence = {**DAILY, "start_time": f"{18 + nth}:30", "from": first, "until": last}
            group = factories.training_class(self.dojo, recurrence=recurrence, discipline=self.art["id"])
            query = {"class": group["id"], "from": first, "to": last, "page_size": "200"}
            sessions = factories.list_sessions(self.dojo, **query)
            assert len(sessions) == days
            for session in sessions:
                factories.attendance(self.dojo, self.who, session)

    def check(self, target: str, as_of: str) -> dict[str, Any]:
        body = {
            "students": [self.who["id"]],
            "target_rank": factories.rank_id(self.system, target),
            "as_of": as_of,
        }
        (answer,) = ok(self.dojo.admin.post("/promotions/check", body))["results"]
        assert answer["target_rank"]["id"] == factories.rank_id(self.system, target)
        return dict(answer)

    def assert_eligible(self, target: str, as_of: str) -> None:
        answer = self.check(target, as_of)
        assert answer["status"] == "eligible", answer
        assert {one["status"] for one in answer["criteria"]} <= {"met"}

    def failing(self, target: str, as_of: str) -> dict[str, dict[str, Any]]:
        """Assert that the student is not eligible; return the criteria that are not met, by kind."""
        answer = self.check(target, as_of)
        assert answer["status"] == "not_eligible", answer
        return {one["kind"]: one for one in answer["criteria"] if one["status"] != "met"}


def test_case_1_a_wait_of_24_months_is_not_730_days(dojo: Dojo) -> None:
    case = Case(dojo, "ibjjf-adult", birth_date="1990-05-05")
    case.add_rank("blue", "2023-03-15")
    assert (date(2025, 3, 14) - date(2023, 3, 15)).days == 730
    failing = case.failing("purple", "2025-03-14")
    assert list(failing) == ["time_in_rank"]
    assert failing["time_in_rank"]["earliest_on"] == "2025-03-15"
    assert failing["time_in_rank"]["need"] == 24
    case.assert_eligible("purple", "2025-03-15")


def test_case_2_a_wait_ends_on_the_last_day_of_a_shorter_month(dojo: Dojo) -> None:
    case = Case(dojo, "ibjjf-adult", birth_date="1990-01-01")
    case.add_rank("purple", "2024-08-31")
    assert list(case.failing("brown", "2026-02-27")) == ["time_in_rank"]
    case.assert_eligible("brown", "2026-02-28")


def test_case_9_full_age_is_reached_on_the_birthday(dojo: Dojo) -> None:
    case = Case(dojo, "kukkiwon", birth_date="2010-03-01")
    case.add_rank("1-dan", "2025-02-28")
    failing = case.failing("2-dan", "2026-02-28")
    assert list(failing) == ["age"], "the time is met"
    assert (failing["age"]["have"], failing["age"]["need"], failing["age"]["earliest_on"]) == (
        15,
        16,
        "2026-03-01",
    )
    case.assert_eligible("2-dan", "2026-03-01")


def test_case_13_days_are_counted_and_not_sessions(dojo: Dojo) -> None:
    case = Case(dojo, "aikikai")
    case.add_rank("5-kyu", "2026-01-10")
    case.add_attendance("2026-01-11", days=7, times=2)
    case.add_attendance("2026-01-18", days=31)
    failing = case.failing("4-kyu", "2026-06-01")
    assert list(failing) == ["attendance_count"]
    assert (failing["attendance_count"]["have"], failing["attendance_count"]["need"]) == (38, 40)
    case.add_attendance("2026-03-01", days=2)
    case.assert_eligible("4-kyu", "2026-06-01")


def test_case_14_only_attendance_after_the_rank_counts(dojo: Dojo) -> None:
    case = Case(dojo, "aikikai")
    case.add_rank("4-kyu", "2026-03-01")
    case.add_fact("opening_attendance", 150, "2026-02-01")
    case.add_attendance("2026-03-01", days=51)
    failing = case.failing("3-kyu", "2026-04-19")
    assert (failing["attendance_count"]["have"], failing["attendance_count"]["need"]) == (49, 50)
    case.assert_eligible("3-kyu", "2026-04-20")


def test_case_15_every_criterion_of_a_path_is_needed(dojo: Dojo) -> None:
    all_but_time = Case(dojo, "aikikai")
    all_but_time.add_rank("1-dan", "2025-04-01")
    all_but_time.add_fact("opening_attendance", 255, "2026-01-01")
    all_but_time.add_attendance("2026-02-01", days=5)
    all_but_time.add_fact("document", "article", "2026-01-05")
    failing = all_but_time.failing("2-dan", "2026-03-31")
    assert list(failing) == ["time_in_rank"]
    assert failing["time_in_rank"]["earliest_on"] == "2026-04-01"
    assert all_but_time.check("2-dan", "2026-03-31")["earliest_on"] == "2026-04-01"
    all_but_time.assert_eligible("2-dan", "2026-04-01")


def test_case_15_every_missing_criterion_is_listed(dojo: Dojo) -> None:
    case = Case(dojo, "aikikai")
    case.add_rank("1-dan", "2025-04-01")
    case.add_fact("opening_attendance", 190, "2026-01-01")
    case.add_attendance("2026-02-01", days=9)
    case.add_fact("document", "essay", "2026-01-05")
    failing = case.failing("2-dan", "2026-04-01")
    assert set(failing) == {"attendance_count", "document"}, "every failing criterion is listed"
    assert (failing["attendance_count"]["have"], failing["attendance_count"]["need"]) == (199, 200)
    case.add_attendance("2026-03-01", days=1)
    assert list(case.failing("2-dan", "2026-04-01")) == ["document"]
    case.add_fact("document", "article", "2026-03-02")
    case.assert_eligible("2-dan", "2026-04-01")


def test_case_18_full_age_counts_on_the_day_itself(dojo: Dojo) -> None:
    case = Case(dojo, "fik-kendo", birth_date="1980-11-26")
    case.add_rank("7-dan", "2016-11-20")
    failing = case.failing("8-dan", "2026-11-20")
    assert list(failing) == ["age"], "the time is met"
    assert (failing["age"]["have"], failing["age"]["need"], failing["age"]["earliest_on"]) == (
        45,
        46,
        "2026-11-26",
    )
    case.assert_eligible("8-dan", "2026-11-26")


def test_case_23_missing_attendance_is_unknown_and_not_zero(dojo: Dojo) -> None:
    case = Case(dojo, "aikikai")
    case.add_rank("2-kyu", "2024-09-01")
    answer = case.check("1-kyu", "2026-06-15")
    assert answer["status"] == "unknown"
    (criterion,) = answer["criteria"]
    assert (criterion["status"], criterion["have"], criterion["need"]) == ("unknown", None, 60)
    case.add_fact("opening_attendance", 55, "2026-06-01")
    assert case.failing("1-kyu", "2026-06-15")["attendance_count"]["have"] == 55
    case.add_attendance("2026-06-02", days=5)
    case.assert_eligible("1-kyu", "2026-06-15")


# --- properties ---------------------------------------------------------------------------------------------

LADDER: dict[str, Any] = {
    "format": 1,
    "name": "Ladder",
    "art": "Any",
    "source": "Our own",
    "confidence": "C",
    "ranks": [{"code": f"r{n}", "name": f"Rank {n}"} for n in range(4)],
    "steps": [
        {"from": None, "to": "r0", "paths": [{"name": "regular", "criteria": [{"kind": "age", "min": 6}]}]},
        *(
            {
                "from": f"r{n}",
                "to": f"r{n + 1}",
                "paths": [
                    {
                        "name": "regular",
                        "criteria": [
                            {"kind": "time_in_rank", "months": 7},
                            {"kind": "attendance_count", "n": 20, "unit": "day"},
                            {"kind": "age", "min": 12},
                        ],
                    },
                    {
                        "name": "article",
                        "criteria": [
                            {"kind": "time_in_rank", "months": 3},
                            {"kind": "document", "which": "article"},
                            {"kind": "age", "min": 10, "basis": "birth_year"},
                        ],
                    },
                ],
            }
            for n in range(3)
        ),
    ],
}

days = st.dates(date(2025, 1, 1), date(2026, 6, 15)).map(date.isoformat)
rank_events = st.tuples(
    st.just("rank"), st.integers(0, 2), st.sampled_from(["import", "convert", "demote"]), days
)
balances = st.tuples(st.just("opening_attendance"), st.integers(0, 30), days)
articles = st.tuples(st.just("document"), st.just("article"), days, st.none() | st.integers(0, 400))
lines = st.lists(rank_events | balances | articles, max_size=6, unique_by=lambda line: line[:4])
births = st.none() | st.dates(date(2010, 1, 1), date(2020, 12, 31)).map(date.isoformat)
promising = st.builds(
    lambda code, since, balance, article, more: [
        ("rank", code, "import", since),
        ("opening_attendance", balance, "2026-05-01"),
        ("document", "article", "2026-05-02", article),
        *more,
    ],
    st.integers(0, 2),
    st.dates(date(2025, 9, 1), date(2026, 6, 1)).map(date.isoformat),
    st.integers(0, 30),
    st.none() | st.integers(0, 200),
    st.lists(rank_events.filter(lambda event: event[2] != "import"), max_size=1),
)
"""Histories with a mostly known earliest date: a rank is held, and most other facts are recorded."""


@pytest.fixture
def ladder(dojo: Dojo) -> dict[str, Any]:
    return dojo.create("/rank-systems", LADDER)


def student_with(dojo: Dojo, system: dict[str, Any], born: str | None, history: list[Any]) -> dict[str, Any]:
    """Create a student and enter the history in this order."""
    who = factories.student(dojo, birth_date=born)
    for kind, value, *rest in history:
        if kind == "rank":
            factories.rank_event(dojo, who, factories.rank_id(system, f"r{value}"), rest[1], rest[0])
        else:
            expires = None
            if len(rest) > 1 and rest[1] is not None:
                expires = (date.fromisoformat(rest[0]) + timedelta(days=rest[1])).isoformat()
            factories.fact(dojo, who, kind, value, rest[0], rank_system=system["id"], expires_on=expires)
    return who


def checked(
    dojo: Dojo, system: dict[str, Any], as_of: str, *people: dict[str, Any]
) -> list[list[dict[str, Any]]]:
    """Return the results of a check for each student, without the names."""
    body = {"students": [who["id"] for who in people], "rank_system": system["id"], "as_of": as_of}
    results = ok(dojo.admin.post("/promotions/check", body))["results"]
    return [
        [
            {k: v for k, v in one.items() if k != "student"}
            for one in results
            if one["student"]["id"] == who["id"]
        ]
        for who in people
    ]


in_a_transaction = settings(
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@in_a_transaction
@given(history=lines, born=births, as_of=days, data=st.data())
def test_the_order_of_entry_does_not_matter(
    dojo: Dojo, ladder: dict[str, Any], history: list[Any], born: str | None, as_of: str, data: st.DataObject
) -> None:
    otherwise = data.draw(st.permutations(history))
    one, other = student_with(dojo, ladder, born, history), student_with(dojo, ladder, born, otherwise)
    first, second = checked(dojo, ladder, as_of, one, other)
    assert first == second
    held = [ok(dojo.admin.get(f"/students/{who['id']}"))["ranks"] for who in (one, other)]
    assert held[0] == held[1]


@in_a_transaction
@given(
    history=promising,
    born=st.dates(date(2012, 1, 1), date(2017, 12, 31)).map(date.isoformat),
    as_of=st.dates(date(2026, 5, 3), date(2026, 6, 15)).map(date.isoformat),
)
def test_the_earliest_date_is_the_first_date_with_status_eligible(
    dojo: Dojo, ladder: dict[str, Any], history: list[Any], born: str, as_of: str
) -> None:
    who = student_with(dojo, ladder, born, history)
    (answers,) = checked(dojo, ladder, as_of, who)
    for answer in answers:
        if answer["earliest_on"] is None:
            continue
        earliest, start = date.fromisoformat(answer["earliest_on"]), date.fromisoformat(as_of)
        assert status_on(dojo, ladder, who, answer, earliest) == "eligible"
        assert (answer["status"] == "eligible") is (earliest <= start)
        between = [start, start + (earliest - start) // 2, earliest - timedelta(days=1)]
        for day in (day for day in between if start <= day < earliest):
            assert status_on(dojo, ladder, who, answer, day) != "eligible", day


def status_on(
    dojo: Dojo, system: dict[str, Any], who: dict[str, Any], about: dict[str, Any], day: date
) -> str | None:
    """Return the status of the same step on another day; `None` if the step is not open then."""
    (answers,) = checked(dojo, system, day.isoformat(), who)
    steps = [
        one["status"]
        for one in answers
        if (one["current_rank"], one["target_rank"]) == (about["current_rank"], about["target_rank"])
    ]
    return steps[0] if steps else None
