"""Equality of definitions: documents with the same meaning are equal once parsed."""

import json

import pytest

from tenant_apps.ranks.definition import parse_definition
from tests.ranks.documents import CRITERIA, VALID, changed


def test_a_definition_is_equal_after_a_round_trip() -> None:
    definition = parse_definition(VALID)
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
def test_documents_with_the_same_meaning_are_equal_definitions(place: str, value: object) -> None:
    other = parse_definition(changed(place, value))
    assert other == parse_definition(VALID)
    assert json.dumps(other.as_document()) == json.dumps(parse_definition(VALID).as_document())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "Their belts"),
        ("note", "new"),
        (f"{CRITERIA}.0.months", 4),
        (f"{CRITERIA}.2.basis", "birth_year"),
    ],
)
def test_documents_with_another_meaning_are_other_definitions(place: str, value: object) -> None:
    assert parse_definition(changed(place, value)) != parse_definition(VALID)


def test_the_order_of_class_types_does_not_matter() -> None:
    two, twice = (
        {"kind": "attendance_count", "n": 3, "unit": "day", "class_types": types} for types in ("ab", "bab")
    )
    two["class_types"], twice["class_types"] = list("ab"), list("bab")
    assert parse_definition(changed(f"{CRITERIA}.1", two)) == parse_definition(
        changed(f"{CRITERIA}.1", twice)
    )
