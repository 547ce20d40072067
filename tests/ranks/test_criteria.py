"""All kinds of criteria: documents, faults and messages."""

import json
from typing import Any

import pytest

from tenant_apps.promotions.engine import ENGLISH, Status
from tenant_apps.promotions.engine.messages.wording import MessageContext
from tenant_apps.ranks.criteria import KINDS
from tenant_apps.ranks.definition import DefinitionError, parse_definition
from tests.promotions.engine.factories import day, ladder

EVERY_PARAMETER: dict[str, dict[str, Any]] = {
    "time_in_rank": {
        "months": 12,
        "grace_days": 30,
        "active_only": "member",
        "applies_if": {"kind": "rank_held_before", "ranks": ["c"]},
    },
    "rank_held_before": {
        "ranks": ["b", "c"],
        "min_months": 6,
        "registered_at_age": {"min": 16, "max": 17, "basis": "birth_year"},
    },
    "attendance_count": {
        "n": 5,
        "unit": "session",
        "class_types": ["basics"],
        "any_discipline": True,
        "max_per_day": 2,
        "min_minutes": 60,
        "since": "last_test",
    },
    "attendance_rate": {"percent": 60, "window_months": 3},
    "age": {"min": 10, "max": 15, "basis": "birth_year"},
    "points": {"n": 6, "category": "shiai"},
    "achievement": {"which": "champion", "at_rank": "a"},
    "skills": {"which": ["ukemi", "kata"]},
    "document": {"which": "article", "since": "ever"},
    "approval": {"which": "exam", "by": "admin", "count": 2},
    "credential": {"which": "first-aid", "max_age_months": 12},
    "event_count": {"event": "seminar", "n": 2, "window_months": 12},
    "standing": {},
    "sub_ranks": {"n": 4},
    "retest_gap": {"months": 3},
    "total_training_time": {"months": 24},
}


def test_the_samples_cover_every_kind_and_parameter() -> None:
    assert {kind: set(sample) for kind, sample in EVERY_PARAMETER.items()} == {
        kind: set(found.parameters) for kind, found in KINDS.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_criterion_is_equal_after_a_round_trip(kind: str) -> None:
    document = {"kind": kind, **EVERY_PARAMETER[kind]}
    rules = ladder(document)
    assert rules.as_document()["steps"][1]["paths"][0]["criteria"] == [document]
    assert parse_definition(json.loads(json.dumps(rules.as_document()))) == rules
    shortest = {"kind": kind, **{name: EVERY_PARAMETER[kind][name] for name in KINDS[kind].required}}
    if kind != "age":
        assert ladder(shortest).as_document()["steps"][1]["paths"][0]["criteria"] == [shortest]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("all_of_them", [True, False])
def test_every_message_is_a_sentence(kind: str, status: Status, all_of_them: bool) -> None:
    sample = {"kind": kind, **EVERY_PARAMETER[kind]}
    if not all_of_them and kind != "age":
        sample = {name: sample[name] for name in ("kind", *KINDS[kind].required)}
    criterion = KINDS[kind].from_document(sample)
    have = None if status is Status.UNKNOWN else 1
    for rank in ("Blue belt", None):
        for earliest in (day("2026-06-01"), None):
            sentence = ENGLISH[kind, status](criterion, MessageContext(rank, have, 2, earliest, str.upper))
            assert sentence.endswith(".")
            assert sentence[0].isupper() or sentence[0].isdigit()
            assert "None" not in sentence
            assert "  " not in sentence


@pytest.mark.parametrize(
    ("criterion", "place", "message"),
    [
        (
            {"kind": "achievement", "which": "x", "at_rank": "z"},
            "at_rank",
            "is not the code of a rank of this system",
        ),
        (
            {"kind": "rank_held_before", "ranks": ["a", "z"]},
            "ranks.1",
            "is not the code of a rank of this system",
        ),
        ({"kind": "rank_held_before", "ranks": []}, "ranks", "must have at least 1"),
        (
            {"kind": "rank_held_before", "ranks": ["a"], "registered_at_age": {}},
            "registered_at_age.min",
            "either min or max is required",
        ),
        (
            {"kind": "time_in_rank", "months": 1, "applies_if": {"kind": "age", "min": 5, "max": 3}},
            "applies_if.max",
            "must not be less than min",
        ),
        (
            {"kind": "time_in_rank", "months": 1, "applies_if": {"kind": "rank_held_before", "ranks": ["z"]}},
            "applies_if.ranks.0",
            "is not the code of a rank of this system",
        ),
        (
            {"kind": "time_in_rank", "months": 1, "applies_if": {"kind": "standing"}},
            "applies_if.kind",
            "must be one of: achievement, age, rank_held_before",
        ),
        (
            {"kind": "time_in_rank", "months": 1, "active_only": True},
            "active_only",
            "must be one of: not_on_hold, member",
        ),
        ({"kind": "attendance_rate", "percent": 101}, "percent", "must be at most 100"),
        ({"kind": "document", "which": "x", "since": "last_test"}, "since", "must be one of: rank, ever"),
        ({"kind": "standing", "active": True}, "active", "is not a known field"),
    ],
)
def test_a_fault_in_a_criterion_has_its_place(criterion: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        ladder(criterion)
    assert message in caught.value.by_place().get(f"steps.1.paths.0.criteria.0.{place}", [])


def test_only_conversions_have_a_clock() -> None:
    document = ladder().as_document()
    document["steps"][1]["clock"] = "carries"
    with pytest.raises(DefinitionError) as caught:
        parse_definition(document)
    assert caught.value.by_place() == {"steps.1.clock": ["is only valid for conversions"]}
    document["steps"][1]["type"] = "convert"
    assert parse_definition(document).as_document()["steps"][1]["clock"] == "carries"


def test_default_settings_are_left_out_of_the_document() -> None:
    document = ladder().as_document()
    document["steps"][1] |= {"anchor": "rank", "type": "convert", "clock": "restarts"}
    same = parse_definition(document).as_document()["steps"][1]
    assert "anchor" not in same
    assert "clock" not in same
