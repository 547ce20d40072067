"""Stripes: a student who receives one still holds the belt."""

from datetime import date

from tenant_apps.promotions.engine import Eligibility, NamedFact, evaluate, rank_held
from tenant_apps.ranks.definition import accepted_definition, parse_definition
from tests.promotions.engine.factories import awarded, day, facts, imported, result_for

RULES = parse_definition(
    {
        "format": 1,
        "name": "Belts with stripes",
        "art": "Test",
        "source": "these tests",
        "confidence": "M",
        "ranks": [
            {"code": "blue", "name": "Blue"},
            *({"code": f"blue-{n}", "name": f"Blue, stripe {n}", "kind": "sub_rank"} for n in (1, 2)),
            {"code": "purple", "name": "Purple"},
        ],
        "steps": [
            {
                "from": "blue",
                "to": "purple",
                "paths": [
                    {
                        "name": "regular",
                        "criteria": [{"kind": "time_in_rank", "months": 24}, {"kind": "sub_ranks", "n": 2}],
                    },
                    {
                        "name": "champion",
                        "criteria": [{"kind": "achievement", "which": "title", "at_rank": "blue"}],
                    },
                ],
            },
            *(
                {
                    "from": held,
                    "to": stripe,
                    "paths": [{"name": "regular", "criteria": [{"kind": "time_in_rank", "months": 3}]}],
                }
                for held, stripe in (("blue", "blue-1"), ("blue-1", "blue-2"))
            ),
        ],
    }
)
BLUE, FIRST, SECOND = (
    awarded("blue", "2024-01-10"),
    awarded("blue-1", "2024-06-01"),
    awarded("blue-2", "2025-01-01"),
)


def test_a_stripe_does_not_stop_the_clock_of_the_belt() -> None:
    student = facts(BLUE, FIRST, SECOND)
    assert rank_held(RULES, student, day("2025-06-01")) == "blue-2"
    result = result_for(RULES, student, "2025-06-01", "purple")
    assert (result.current_rank, result.status, result.earliest_on) == (
        "blue-2",
        Eligibility.NOT_ELIGIBLE,
        date(2026, 1, 10),
    )
    time, stripes = result.criteria
    assert (time.message, stripes.message) == (
        "16 of 24 months of waiting time since Blue on 10 January 2024 are complete."
        " It is enough from 10 January 2026 on.",
        "Has 2 stripes on Blue. Needed: 2.",
    )
    assert result_for(RULES, student, "2026-01-10", "purple").status is Eligibility.ELIGIBLE


def test_missing_stripes_are_reported() -> None:
    stripes = result_for(RULES, facts(BLUE, FIRST), "2026-06-01", "purple").criteria[1]
    assert (stripes.status, stripes.have, stripes.need) == ("not_met", 1, 2)


def test_a_student_imported_with_the_second_stripe_has_two() -> None:
    result = result_for(RULES, facts(imported("blue-2", "2024-01-10")), "2026-01-10", "purple")
    assert result.status is Eligibility.ELIGIBLE


def test_the_wait_for_a_stripe_runs_from_the_stripe_before() -> None:
    assert result_for(RULES, facts(BLUE, FIRST), "2024-07-01", "blue-2").earliest_on == date(2024, 9, 1)


def test_the_next_stripe_and_the_next_belt_are_proposed() -> None:
    def proposed(*events, as_of="2025-06-01"):  # type: ignore[no-untyped-def]
        return [result.target_rank for result in evaluate(RULES, facts(*events), day(as_of))]

    assert proposed(BLUE) == ["purple", "blue-1"]
    assert proposed(BLUE, FIRST) == ["blue-2", "purple"]
    assert proposed(BLUE, FIRST, SECOND) == ["purple"]


def test_an_achievement_with_a_stripe_counts_as_won_at_the_belt() -> None:
    title = NamedFact(which="title", on=day("2024-07-01"))
    result = result_for(RULES, facts(BLUE, FIRST, achievements=(title,)), "2024-08-01", "purple")
    assert (result.status, result.path) == (Eligibility.ELIGIBLE, "champion")


def test_a_first_rank_marked_as_a_stripe_in_an_old_document_is_a_rank() -> None:
    document = RULES.as_document()
    document["ranks"][0]["kind"] = "sub_rank"
    rules = accepted_definition(document)
    assert rules.sub_ranks == {}
