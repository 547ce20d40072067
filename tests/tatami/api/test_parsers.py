"""JSON bodies: what is malformed, what cannot be stored, what is read unchanged."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tatami.api.parsers import strict_loads
from tatami.errors import Invalid, MalformedJson


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "b": 2, "a": 3}}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        '{"a": "é"}'.encode("utf-16"),
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 33 + b"]" * 33,
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1} {"b": 2}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_not_one_json_document_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        strict_loads(body)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (rb'{"a": "x\u0000"}', "a"),
        (rb'{"guardians": [{}, {"email": "\ud800"}]}', "guardians.1.email"),
        (rb'{"a": {"\udfff": 1}}', "a.\\udfff"),
        (rb'{"n\u0000": 1}', "n\\x00"),
        (b'{"a": [1e999]}', "a.0"),
        (b'{"a": 9223372036854775808}', "a"),
        (rb'"\u0000"', "non_field_errors"),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_at_its_path(body: bytes, path: str) -> None:
    with pytest.raises(Invalid) as error:
        strict_loads(body)
    assert list(error.value.details or {}) == [path]


def test_32_levels_are_accepted() -> None:
    assert strict_loads(b"[" * 32 + b"]" * 32)


def test_a_surrogate_pair_is_one_character() -> None:
    assert strict_loads(rb'{"a": "\ud83e\udd4b"}') == {"a": "🥋"}


def test_the_largest_integers_are_accepted() -> None:
    assert strict_loads(b"[9223372036854775807, -9223372036854775808]")


plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | plain,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(plain, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)  # a slow machine is not a failure
@given(documents)
def test_a_valid_document_is_read_unchanged(document: object) -> None:
    assert strict_loads(json.dumps(document).encode()) == document


@settings(deadline=None)  # a slow machine is not a failure
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(MalformedJson, Invalid):
        strict_loads(body)
