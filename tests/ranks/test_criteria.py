"""All kinds of criteria: documents, faults and messages."""

import json
from typing import Any

import pytest

from tenant_apps.promotions.engine import NamedFact, Status, StudentFacts
from tenant_apps.promotions.engine.evaluate import History
from tenant_apps.promotions.engine.messages import MESSAGES
from tenant_apps.promotions.engine.messages.wording import MessageContext
from tenant_apps.ranks.criteria import KINDS, CriterionInput
from tenant_apps.ranks.definition import DefinitionError, parse_definition
from tests.promotions.engine.factories import awarded, day, facts, ladder

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
    "attendance_rate": {
        "percent": 60,
        "window_months": 3,
        "of": "class_types",
        "class_types": ["basics"],
    },
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
    "at_most": {"n": 2, "of": "exam", "window_months": 12, "calendar_year": True},
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


_NAMED = {"on": day("2025-01-01")}
RECORDED: dict[str, Any] = {
    "born": "2000-01-01",
    "documents": (NamedFact(which="article", **_NAMED),),
    "credentials": (NamedFact(which="first-aid", **_NAMED),),
    "achievements": (NamedFact(which="champion", **_NAMED),),
    "failed_tests": (day("2025-02-02"),),
}


def criterion_input(about: StudentFacts) -> CriterionInput:
    """Return the input of a criterion about a student who holds the rank a, or none."""
    history = History.of(ladder(), about)
    return CriterionInput(
        facts=about,
        holding=history.held[-1],
        counting_start=history.counting_start(history.held, len(history.held) - 1),
        history=history.with_sub_ranks,
        as_of=day("2026-05-01").toordinal(),
        as_of_date=day("2026-05-01"),
        order=ladder().order,
        sub_ranks=ladder().sub_ranks,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("all_of_them", [True, False])
def test_every_message_is_a_sentence(kind: str, status: Status, all_of_them: bool) -> None:
    sample = {"kind": kind, **EVERY_PARAMETER[kind]}
    if not all_of_them and kind != "age":
        sample = {name: sample[name] for name in ("kind", *KINDS[kind].required)}
    criterion = KINDS[kind].from_document(sample)
    for events in ([], [awarded("a", "2024-01-10")]):
        data = criterion_input(facts(*events, joined="2024-01-01", **RECORDED))
        finding = criterion.finding(data)
        if status is Status.UNKNOWN:
            finding = finding._replace(have=None)
        for earliest in (day("2026-06-01"), None):
            context = MessageContext(data, finding, earliest, lambda code: f"Belt {code}", "c")
            message = MESSAGES[kind, status](criterion, context)
            assert message.endswith(".")
            assert message[0].isupper() or message[0].isdigit()
            assert "None" not in message
            assert "  " not in message
            assert "{" not in message


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
        (
            {"kind": "attendance_rate", "percent": 50, "of": "class_types"},
            "class_types",
            "is required if `of` is class_types",
        ),
        (
            {"kind": "attendance_rate", "percent": 50, "class_types": ["kids"]},
            "class_types",
            "is only valid if `of` is class_types",
        ),
        ({"kind": "at_most", "n": 0, "of": "exam"}, "n", "must be at least 1"),
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
