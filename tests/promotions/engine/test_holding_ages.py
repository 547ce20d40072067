"""Holding ages: written once on a rank, required on every path to it."""

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from tenant_apps.promotions.engine import Eligibility, evaluate
from tenant_apps.ranks.definition import DefinitionError, RankDefinition, parse_definition
from tests.promotions.engine.factories import awarded, facts, result_for

WAIT = {"kind": "time_in_rank", "months": 1}
ADULTS = {"kind": "age", "min": 18}
GROWN_UP = {**WAIT, "applies_if": ADULTS}


def document(ages: Any, *paths: list[dict[str, Any]], step: str = "promote") -> dict[str, Any]:
    """Return a document with ranks a and b, b with these holding ages; a → b has paths with these criteria."""
    return {
        "format": 1,
        "name": "Ladder",
        "art": "Test",
        "source": "these tests",
        "confidence": "M",
        "ranks": [{"code": "a", "name": "A"}, {"code": "b", "name": "B", "holding_ages": ages}],
        "steps": [
            {
                "from": "a",
                "to": "b",
                "type": step,
                "paths": [{"name": f"path {n}", "criteria": path} for n, path in enumerate(paths)],
            }
        ],
    }


def kinds(rules: RankDefinition) -> list[list[str]]:
    (step,) = rules.steps_from("a")
    return [[criterion.kind for criterion in path.criteria] for path in step.paths]


@pytest.mark.parametrize("step", ["promote", "convert", "skip"])
def test_holding_ages_are_the_last_criterion_of_every_path_to_the_rank(step: str) -> None:
    rules = parse_definition(document({"min": 4, "max": 15}, [WAIT], [], step=step))
    assert kinds(rules) == [["time_in_rank", "age"], ["age"]]


def test_an_age_criterion_of_a_path_replaces_the_holding_ages() -> None:
    rules = parse_definition(document({"max": 15}, [ADULTS, WAIT]))
    assert kinds(rules) == [["age", "time_in_rank"]]


def test_an_age_in_applies_if_does_not_replace_the_holding_ages() -> None:
    assert kinds(parse_definition(document({"max": 15}, [GROWN_UP]))) == [["time_in_rank", "age"]]


@pytest.mark.parametrize(
    ("as_of", "status"), [("2026-06-14", Eligibility.ELIGIBLE), ("2026-06-15", Eligibility.NOT_ELIGIBLE)]
)
def test_a_student_above_the_holding_ages_is_not_eligible(as_of: str, status: Eligibility) -> None:
    rules = parse_definition(document({"max": 15}, [WAIT]))
    child = facts(awarded("a", "2026-01-01"), born="2010-06-15")
    assert result_for(rules, child, as_of, "b").status is status


def test_holding_ages_are_counted_by_their_basis() -> None:
    rules = parse_definition(document({"min": 16, "basis": "birth_year"}, []))
    child = facts(awarded("a", "2025-01-01"), born="2010-12-31")
    assert result_for(rules, child, "2026-01-01", "b").status is Eligibility.ELIGIBLE


def test_a_rank_that_is_held_stays_valid_beyond_its_holding_ages() -> None:
    above = document({"max": 15}, [])
    above["ranks"].append({"code": "c", "name": "C"})
    above["steps"].append({"from": "b", "to": "c", "paths": [{"name": "regular", "criteria": []}]})
    grown_up = facts(awarded("b", "2020-01-01"), born="2005-01-01")
    (result,) = evaluate(parse_definition(above), grown_up, date(2026, 1, 1))
    assert (result.current_rank, result.target_rank, result.status) == ("b", "c", Eligibility.ELIGIBLE)


def test_the_document_contains_holding_ages_once() -> None:
    written = document({"min": 4, "max": 15, "basis": "birth_year"}, [WAIT], [ADULTS])
    rules = parse_definition(deepcopy(written))
    assert rules.as_document()["steps"] == written["steps"]
    assert rules.as_document()["ranks"][1]["holding_ages"] == written["ranks"][1]["holding_ages"]
    assert parse_definition(rules.as_document()) == rules


def test_the_default_basis_is_omitted() -> None:
    rules = parse_definition(document({"min": 4, "basis": "full"}, []))
    assert rules.as_document()["ranks"][1]["holding_ages"] == {"min": 4}


@pytest.mark.parametrize(
    ("ages", "place", "message"),
    [
        ({}, "min", "either min or max is required"),
        ({"min": 9, "max": 8}, "max", "must not be less than min"),
        ({"min": -1}, "min", "must be at least 0"),
        ({"max": 121}, "max", "must be at most 120"),
        ({"min": "four"}, "min", "must be a whole number"),
        ({"min": 4, "basis": "lunar"}, "basis", "must be one of: full, birth_year"),
        ({"min": 4, "kind": "age"}, "kind", "is not a known field"),
    ],
)
def test_an_error_in_holding_ages_names_its_place(ages: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(document(ages, []))
    assert caught.value.by_place() == {f"ranks.1.holding_ages.{place}": [message]}


@pytest.mark.parametrize("junk", [None, 5, "x", []])
def test_holding_ages_that_are_not_an_object_are_an_error(junk: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(document(junk, []))
    assert caught.value.by_place() == {"ranks.1.holding_ages": ["must be an object"]}
