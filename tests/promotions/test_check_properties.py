"""Two properties of `POST /promotions/check`, for generated histories that are entered over HTTP."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import RankEvent
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.sizes import examples

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
        if kind == "rank":  # with the ORM: the API refuses histories that cannot be
            with tenant_scope(dojo.tenant):
                RankEvent.objects.create(
                    student_id=who["id"],
                    system_id=system["id"],
                    rank_id=factories.rank_id(system, f"r{value}"),
                    kind=rest[0],
                    effective_on=rest[1],
                )
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
