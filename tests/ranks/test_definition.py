"""The definition document: every fault has its place, and equal documents are recognised."""

import json
from copy import deepcopy
from typing import Any

import pytest

from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import DefinitionError, parse_definition
from tenant_apps.ranks.definition_faults import MOST_FAULTS
from tenant_apps.ranks.definition_schema import definition_schema, validator
from tenant_apps.ranks.presets import UnknownPresetError, preset, presets

SOUND: dict[str, Any] = {
    "format": 1,
    "name": "Our belts",
    "art": "Judo",
    "source": "our rule book",
    "confidence": "O",
    "ranks": [
        {"code": "white", "name": "White"},
        {"code": "yellow", "name": "Yellow", "colours": ["#FFEB3B"]},
    ],
    "steps": [
        {"from": None, "to": "white", "paths": [{"name": "regular", "criteria": []}]},
        {
            "from": "white",
            "to": "yellow",
            "type": "promote",
            "paths": [
                {
                    "name": "regular",
                    "criteria": [
                        {"kind": "time_in_rank", "months": 3},
                        {"kind": "attendance_count", "n": 30, "unit": "session"},
                        {"kind": "age", "min": 6},
                        {"kind": "document", "which": "licence"},
                    ],
                }
            ],
        },
    ],
}


def faults(document: object) -> dict[str, list[str]]:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(document)
    return caught.value.by_place()


def changed(place: str, value: object) -> dict[str, Any]:
    """The sound document with another value at a place; a missing last key is added."""
    document = deepcopy(SOUND)
    *parents, last = place.split(".")
    at: Any = document
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    at[int(last) if isinstance(at, list) else last] = value
    return document


CRITERIA = "steps.1.paths.0.criteria"


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
def test_a_fault_names_its_place_and_what_is_right(place: str, value: object, message: str) -> None:
    assert message in faults(changed(place, value)).get(place, [])


@pytest.mark.parametrize(
    "place",
    ["format", "name", "ranks", "steps.1.to", "steps.0.from", f"{CRITERIA}.1.n", f"{CRITERIA}.0.kind"],
)
def test_a_missing_field_is_named_where_it_should_be(place: str) -> None:
    document = changed(place, None)
    *parents, last = place.split(".")
    at: Any = document
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    del at[last]
    assert faults(document)[place] == ["is required"]


def test_all_faults_are_told_at_once_in_the_order_of_the_document() -> None:
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


def test_two_steps_between_the_same_ranks_are_a_fault() -> None:
    document = deepcopy(SOUND)
    document["steps"].append(deepcopy(SOUND["steps"][1]))
    assert faults(document) == {"steps.2.to": ["step 1 already leads there from the same rank"]}


def test_two_paths_of_one_name_are_a_fault() -> None:
    document = deepcopy(SOUND)
    document["steps"][0]["paths"] *= 2
    assert faults(document) == {"steps.0.paths.1.name": ["is also the name of another path of this step"]}


def test_an_age_without_bounds_is_a_fault() -> None:
    assert faults(changed(f"{CRITERIA}.2", {"kind": "age"})) == {
        f"{CRITERIA}.2.min": ["either min or max is required"]
    }


def test_a_cap_on_sessions_has_no_meaning_for_days() -> None:
    capped = {"kind": "attendance_count", "n": 3, "unit": "day", "max_per_day": 2}
    assert faults(changed(f"{CRITERIA}.1", capped)) == {
        f"{CRITERIA}.1.max_per_day": ["has no meaning where days are counted"]
    }


def test_a_conversion_may_go_anywhere_but_to_itself() -> None:
    document = changed("steps.1.type", "convert")
    document["steps"][1].update({"from": "yellow", "to": "white"})
    assert parse_definition(document).step("yellow", "white") is not None
    document["steps"][1]["to"] = "yellow"
    assert faults(document) == {"steps.1.to": ["must be another rank than `from`"]}


@pytest.mark.parametrize("document", [None, [], "x", 5, True])
def test_what_is_no_object_is_a_fault_of_the_whole(document: object) -> None:
    assert faults(document) == {"definition": ["must be an object"]}


@pytest.mark.parametrize(
    "junk", [None, [], {}, "x", 5, [None], [[]], [{}], [{"paths": [{"criteria": [{}]}]}]]
)
@pytest.mark.parametrize("place", ["ranks", "steps", "steps.1.paths", CRITERIA])
def test_junk_anywhere_is_a_fault_and_never_a_crash(place: str, junk: object) -> None:
    document = changed(place, junk)
    if (place, junk) in ((CRITERIA, []), ("steps", [])):
        parse_definition(document)
    else:
        assert faults(document)


def test_the_number_of_faults_told_is_bounded() -> None:
    assert len(faults(changed("ranks", [None] * 5000))) <= MOST_FAULTS


def test_no_message_repeats_a_value_of_the_author() -> None:
    told = faults(changed("name", "x" * 100_000))
    assert told == {"name": ["must have at most 100 characters"]}


def test_a_document_survives_the_round_trip() -> None:
    definition = parse_definition(SOUND)
    again = parse_definition(json.loads(json.dumps(definition.as_document())))
    assert again == definition
    assert hash(again) == hash(definition)
    assert again.as_document() == definition.as_document()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("steps.0.type", "promote"),
        ("ranks.0.kind", "rank"),
        ("ranks.0.colours", []),
        ("ranks.1.colours", ["#ffeb3b"]),
        (f"{CRITERIA}.0.grace_days", 0),
        (f"{CRITERIA}.0.months", 3.0),
        (f"{CRITERIA}.1.since", "rank"),
        (f"{CRITERIA}.1.any_discipline", False),
        (f"{CRITERIA}.2.basis", "full"),
    ],
)
def test_what_is_said_in_other_words_is_the_same_definition(place: str, value: object) -> None:
    other = parse_definition(changed(place, value))
    assert other == parse_definition(SOUND)
    assert json.dumps(other.as_document()) == json.dumps(parse_definition(SOUND).as_document())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "Their belts"),
        ("note", "new"),
        (f"{CRITERIA}.0.months", 4),
        (f"{CRITERIA}.2.basis", "birth_year"),
    ],
)
def test_what_says_something_else_is_another_definition(place: str, value: object) -> None:
    assert parse_definition(changed(place, value)) != parse_definition(SOUND)


def test_class_types_are_a_set() -> None:
    two, twice = (
        {"kind": "attendance_count", "n": 3, "unit": "day", "class_types": types} for types in ("ab", "bab")
    )
    two["class_types"], twice["class_types"] = list("ab"), list("bab")
    assert parse_definition(changed(f"{CRITERIA}.1", two)) == parse_definition(
        changed(f"{CRITERIA}.1", twice)
    )


def test_the_published_schema_is_a_schema_and_json() -> None:
    validator().check_schema(json.loads(json.dumps(definition_schema())))


def test_there_is_a_preset_for_every_table_of_the_rule_books_with_source_and_confidence() -> None:
    assert {key: rules.confidence.value for key, rules in presets().items()} == {
        "aikikai": "S",
        "dkv-germany": "C",
        "fik-kendo": "O",
        "ibjjf-adult": "S",
        "jkf": "O",
        "kmg-scotland": "C",
        "kodokan-men": "O",
        "kukkiwon": "M",
        "kyokushin-sweden": "C",
        "skief": "O",
        "us-aikido-federation": "S",
        "usja-senior": "O",
        "wkki-wado": "O",
        "znkr-shogo": "S",
    }
    assert all(rules.source and rules.art for rules in presets().values())


def test_what_is_not_a_bodys_own_text_says_so() -> None:
    unofficial = [rules for rules in presets().values() if rules.confidence.value in "CM"]
    assert all((rules.note or "").startswith("Not official.") for rules in unofficial)


@pytest.mark.parametrize("key", presets())
def test_a_preset_survives_the_round_trip(key: str) -> None:
    assert parse_definition(preset(key).as_document()) == preset(key)


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UnknownPresetError, match="nonesuch"):
        preset("nonesuch")
