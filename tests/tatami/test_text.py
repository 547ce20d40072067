"""Normalised text for searches, and the keys of e-mail addresses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tatami.text import email_key, normalise


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("José da Conceição", "jose da conceicao"),
        ("  Łukasz\u00a0 Żółć ", "lukasz zolc"),
        ("İstanbul", "istanbul"),
        ("Straße", "STRASSE"),
        ("Søren Ærø", "soren aero"),
        ("\ufb01ve \uff34atami", "five tatami"),
        ("Jose\u0301", "josé"),
        ("Nguyễn Đức", "nguyen duc"),
        ("Алёна", "алена"),
        ("Zoë\u200b", "zoe"),
    ],
)
def test_accents_case_width_and_spacing_are_ignored(text: str, search: str) -> None:
    assert normalise(text) == normalise(search)


@pytest.mark.parametrize("name", ["김민준", "山田太郎", "やまだ", "ガ", "สมชาย"])
def test_letters_without_accents_are_kept(name: str) -> None:
    assert normalise(name) == name


def test_a_voiced_kana_is_a_different_letter() -> None:
    assert normalise("か") != normalise("が")


@settings(deadline=None)  # a slow machine is not a failure
@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_two_spellings_of_an_address_have_the_same_key() -> None:
    assert email_key(" Mary@Dojo.Example ") == email_key("mary@dojo.example")
