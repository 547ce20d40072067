"""The JSON schema: the length and the characters of names, codes and texts."""

from typing import Any

import pytest

from tenant_apps.ranks.criteria.json_schema import LONGEST_CODE
from tenant_apps.ranks.definition import accepted_definition, json_schema, parse_definition
from tenant_apps.ranks.models import Rank, RankSystem
from tests.ranks import documents
from tests.ranks.documents import faults

WITH_STRIPE: dict[str, Any] = {
    "format": 1,
    "name": "Our belts",
    "art": "Judo",
    "source": "our rule book",
    "confidence": "O",
    "ranks": [
        {"code": "white", "name": "White"},
        {"code": "white-1", "name": "White, first stripe", "kind": "sub_rank"},
        {"code": "yellow", "name": "Yellow"},
    ],
    "steps": [
        {
            "from": "white",
            "to": "yellow",
            "paths": [{"name": "regular", "criteria": [{"kind": "document", "which": "licence"}]}],
        },
    ],
}
IN_ONE_LINE = [
    "name",
    "art",
    "source",
    "edition",
    "ranks.2.name",
    "ranks.2.native_name",
    "steps.0.paths.0.name",
    "steps.0.paths.0.criteria.0.which",
]
IN_SEVERAL = ["note", "ranks.2.syllabus"]


def changed(place: str, value: object) -> dict[str, Any]:
    return documents.changed(place, value, WITH_STRIPE)


@pytest.mark.parametrize("place", IN_ONE_LINE)
@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028"])
def test_a_name_has_one_line_without_control_characters(place: str, character: str) -> None:
    for value in (f"a{character}b", f"ab{character}"):
        assert faults(changed(place, value)) == {place: ["must be one line, without control characters"]}


@pytest.mark.parametrize("place", IN_SEVERAL)
@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x85"])
def test_a_text_has_no_control_characters(place: str, character: str) -> None:
    assert faults(changed(place, f"a{character}")) == {place: ["must be without control characters"]}


@pytest.mark.parametrize("place", IN_SEVERAL)
def test_a_text_can_have_several_lines(place: str) -> None:
    text = "First kata.\r\n\tSecond kata.\n"
    definition = parse_definition(changed(place, text))
    assert text in (definition.note, definition.ranks[2].syllabus)
    assert parse_definition(definition.as_document()) == definition


@pytest.mark.parametrize("code", ["white\n", "\twhite", "whi\x00te"])
@pytest.mark.parametrize("field", ["code", "track"])
def test_a_code_has_no_control_characters(field: str, code: str) -> None:
    message = "must be made of a-z, 0-9, dots, dashes and underscores, a letter or digit first"
    assert message in faults(changed(f"ranks.2.{field}", code))[f"ranks.2.{field}"]


@pytest.mark.parametrize(
    ("place", "longest"),
    [
        ("name", 100),
        ("ranks.2.name", 100),
        ("ranks.2.native_name", 100),
        ("ranks.2.track", 40),
        ("ranks.1.code", 40),
        ("ranks.2.syllabus", 20_000),
    ],
)
def test_a_text_that_is_too_long_is_a_fault(place: str, longest: int) -> None:
    parse_definition(changed(place, "x" * longest))
    assert faults(changed(place, "x" * (longest + 1))) == {place: [f"must have at most {longest} characters"]}


def test_the_longest_texts_fit_the_columns() -> None:
    longest = {(model, name): model._meta.get_field(name).max_length for model, name in (
        (RankSystem, "name"), (Rank, "name"), (Rank, "native_name"), (Rank, "code"), (Rank, "track"),
    )}  # fmt: skip
    assert longest == {
        (RankSystem, "name"): json_schema.LONGEST_NAME,
        (Rank, "name"): json_schema.LONGEST_NAME,
        (Rank, "native_name"): json_schema.LONGEST_NAME,
        (Rank, "code"): LONGEST_CODE,
        (Rank, "track"): LONGEST_CODE,
    }


def test_a_sub_rank_needs_a_rank_before_it() -> None:
    message = "must not be sub_rank without a rank before it"
    assert faults(changed("ranks.0.kind", "sub_rank")) == {"ranks.0.kind": [message]}


def test_a_saved_document_is_not_validated_again() -> None:
    """A version never changes, and rules for new documents do."""
    document = changed("ranks.0.kind", "sub_rank")
    assert accepted_definition({**document, "name": "Two\nlines"}).name == "Two\nlines"
