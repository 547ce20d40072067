"""Validation of definitions: every fault is reported with its place."""

import json
from copy import deepcopy
from typing import Any

import pytest

from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import parse_definition
from tenant_apps.ranks.definition.json_schema import definition_schema, validator
from tenant_apps.ranks.definition.validation import MOST_FAULTS
from tests.ranks.documents import CRITERIA, VALID, changed, faults


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", 2, "must be 1"),
        ("name", "", "must not be empty"),
        ("name", "  ", "must be more than blanks"),
        ("name", 7, "must be text"),
        ("confidence", "X", "must be one of: O, S, C, M"),
        ("effective_on", "2026-02-30", "must be a date that exists, YYYY-MM-DD"),
        ("effective_on", "20260201", "must be a date, YYYY-MM-DD"),
        ("colour", "red", "is not a known field"),
        ("ranks", [], "must have at least 1"),
        (
            "ranks.0.code",
            "White belt",
            "must be made of a-z, 0-9, dots, dashes and underscores, a letter or digit first",
        ),
        ("ranks.0.kind", "belt", "must be one of: rank, sub_rank, title"),
        ("ranks.1.colours.0", "yellow", "must be a colour such as #1a2b3c"),
        ("ranks.1.colours.0", "#ffffff\n", "must be a colour such as #1a2b3c"),
        ("ranks.1.code", "white", "is also the code of rank 0"),
        ("steps.1.type", "jump", "must be one of: promote, convert, skip"),
        ("steps.1.paths", [], "must have at least 1"),
        ("steps.1.from", "black", "is not the code of a rank of this system"),
        ("steps.1.from", 1, "must be text or null"),
        ("steps.1.to", "white", "must be a rank further up the list than `from`"),
        (f"{CRITERIA}.0.months", -1, "must be at least 0"),
        (f"{CRITERIA}.0.months", 1201, "must be at most 1200"),
        (f"{CRITERIA}.0.months", float("nan"), "must be a whole number"),
        (f"{CRITERIA}.0.months", float("inf"), "must be a whole number"),
        (f"{CRITERIA}.0.months", True, "must be a whole number"),
        (f"{CRITERIA}.0.months", "3", "must be a whole number"),
        (f"{CRITERIA}.0.days", 3, "is not a known field"),
        (f"{CRITERIA}.0.kind", "time", f"must be one of: {', '.join(sorted(KINDS))}"),
        (f"{CRITERIA}.0.kind", ["age"], f"must be one of: {', '.join(sorted(KINDS))}"),
        (f"{CRITERIA}.0", 5, "must be an object"),
        (f"{CRITERIA}.1.n", 0, "must be at least 1"),
        (f"{CRITERIA}.1.n", 10**30, "must be at most 100000"),
        (f"{CRITERIA}.1.unit", "week", "must be one of: day, session, hour"),
        (f"{CRITERIA}.1.max_per_day", 0, "must be at least 1"),
        (f"{CRITERIA}.1.class_types", [], "must have at least 1"),
        (f"{CRITERIA}.1.any_discipline", 1, "must be true or false"),
        (f"{CRITERIA}.2.max", 5, "must not be less than min"),
        (f"{CRITERIA}.2.min", 121, "must be at most 120"),
        (f"{CRITERIA}.3.which", "", "must not be empty"),
    ],
)
def test_a_fault_has_its_place_and_says_what_is_valid(place: str, value: object, message: str) -> None:
    assert message in faults(changed(place, value)).get(place, [])


@pytest.mark.parametrize(
    "place",
    ["format", "name", "ranks", "steps.1.to", "steps.0.from", f"{CRITERIA}.1.n", f"{CRITERIA}.0.kind"],
)
def test_a_missing_field_is_reported_at_its_place(place: str) -> None:
    document = changed(place, None)
    *parents, last = place.split(".")
    at: Any = document
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    del at[last]
    assert faults(document)[place] == ["is required"]


def test_all_faults_are_reported_in_the_order_of_the_document() -> None:
    document = changed(f"{CRITERIA}.0.months", -1)
    document["steps"][1]["paths"][0]["criteria"][1]["n"] = 0
    document["steps"][1]["from"] = "black"
    document["ranks"][0].pop("name")
    assert list(faults(document)) == [
        "ranks.0.name",
        "steps.1.from",
        f"{CRITERIA}.0.months",
        f"{CRITERIA}.1.n",
    ]


def test_a_second_step_between_the_same_ranks_is_a_fault() -> None:
    document = deepcopy(VALID)
    document["steps"].append(deepcopy(VALID["steps"][1]))
    assert faults(document) == {"steps.2.to": ["step 1 already leads there from the same rank"]}


def test_a_repeated_path_name_is_a_fault() -> None:
    document = deepcopy(VALID)
    document["steps"][0]["paths"] *= 2
    assert faults(document) == {"steps.0.paths.1.name": ["is also the name of another path of this step"]}


def test_an_age_without_bounds_is_a_fault() -> None:
    assert faults(changed(f"{CRITERIA}.2", {"kind": "age"})) == {
        f"{CRITERIA}.2.min": ["either min or max is required"]
    }


def test_max_per_day_is_a_fault_if_days_are_counted() -> None:
    capped = {"kind": "attendance_count", "n": 3, "unit": "day", "max_per_day": 2}
    assert faults(changed(f"{CRITERIA}.1", capped)) == {
        f"{CRITERIA}.1.max_per_day": ["is not valid if days are counted"]
    }


def test_a_conversion_can_lead_to_any_other_rank() -> None:
    document = changed("steps.1.type", "convert")
    document["steps"][1].update({"from": "yellow", "to": "white"})
    assert parse_definition(document).step("yellow", "white") is not None
    document["steps"][1]["to"] = "yellow"
    assert faults(document) == {"steps.1.to": ["must be another rank than `from`"]}


@pytest.mark.parametrize("document", [None, [], "x", 5, True])
def test_a_document_that_is_not_an_object_is_a_fault(document: object) -> None:
    assert faults(document) == {"definition": ["must be an object"]}


@pytest.mark.parametrize(
    "junk", [None, [], {}, "x", 5, [None], [[]], [{}], [{"paths": [{"criteria": [{}]}]}]]
)
@pytest.mark.parametrize("place", ["ranks", "steps", "steps.1.paths", CRITERIA])
def test_junk_at_any_place_is_a_fault_and_does_not_crash(place: str, junk: object) -> None:
    document = changed(place, junk)
    if (place, junk) in ((CRITERIA, []), ("steps", [])):
        parse_definition(document)
    else:
        assert faults(document)


def test_the_number_of_reported_faults_is_bounded() -> None:
    assert len(faults(changed("ranks", [None] * 5000))) <= MOST_FAULTS


def test_messages_do_not_repeat_values() -> None:
    reported = faults(changed("name", "x" * 100_000))
    assert reported == {"name": ["must have at most 100 characters"]}


def test_the_published_schema_is_a_valid_json_schema() -> None:
    validator().check_schema(json.loads(json.dumps(definition_schema())))
