"""Normalised text for searches, and the keys of e-mail addresses."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tatami.text import email_key, is_blank, normalise

APOSTROPHES = "'`´ʹʻʼʽʾʿˈ՚׳‘’‚‛′‵＇ꞌ"
HYPHENS = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u05be"
CASES = [
    # written, searched
    ("José da Conceição", "jose da conceicao"),
    ("  Łukasz\u00a0 Żółć ", "lukasz zolc"),
    ("İstanbul", "istanbul"),
    ("IŞIK", "ışık"),
    ("Straße", "STRASSE"),
    ("GROẞ", "gross"),
    ("Søren Ærø", "soren aero"),
    ("Þóra Sigurðardóttir", "thora sigurdardottir"),
    ("Ħamrun", "hamrun"),
    ("Đorđe", "Dorde"),
    ("Ŋaajuk Ƴaro", "naajuk yaro"),
    ("Əliyev", "Eliyev"),
    ("\ufb01ve \uff34atami", "five tatami"),
    ("Ĳsbrand", "ijsbrand"),
    ("Œuvrard", "oeuvrard"),
    ("Jose\u0301", "josé"),
    ("Nguyễn Đức", "nguyen duc"),
    ("Ştefan", "Ștefan"),
    ("Алёна", "алена"),
    ("Ґалина", "галина"),
    ("Νίκος", "ΝΙΚΟΣ"),
    ("Gal·la", "Gaŀla"),
    ("Zoë\u200b", "zoe"),
    ("\u2066Zoë\u2069", "zoe"),
    ("Anna\u3000Ito", "Anna Ito"),
    ("ﾔﾏﾀﾞ", "ヤマダ"),
    ("ジョン・スミス", "ジョン スミス"),
    ("葛\U000e0100城", "葛城"),
    ("髙橋 﨑", "高橋 崎"),
    ("أحمد", "احمد"),
    ("علی کریمی", "علي كريمي"),
    ("فاطمة", "فاطمه"),
    ("מִרְיָם", "מרים"),
    ("Robert “Bob” Lee", 'Robert "Bob" Lee'),
]


@pytest.mark.parametrize(("text", "search"), CASES)
def test_accents_case_width_and_spacing_are_ignored(text: str, search: str) -> None:
    assert normalise(text) == normalise(search)


@pytest.mark.parametrize("mark", APOSTROPHES, ids=[f"U+{ord(mark):04X}" for mark in APOSTROPHES])
def test_any_apostrophe_is_left_out(mark: str) -> None:
    for name in ("O{}Brien", "Jeanne d{}Arc", "Ka{}ahumanu", "{}Aziz"):
        assert normalise(name.format(mark)) == normalise(name.format("")) == normalise(name.format("'"))


@pytest.mark.parametrize("mark", HYPHENS, ids=[f"U+{ord(mark):04X}" for mark in HYPHENS])
def test_any_hyphen_is_a_space(mark: str) -> None:
    assert normalise(f"Anne{mark}Marie") == "anne marie"


@pytest.mark.parametrize(
    "text",
    ["", " ", "\u200b", "\u3164", "\u2800", "\u115f\u1160", "\u2060 \ufeff", "\u0301", "\U000e0041", "\xad"],
)
def test_text_without_a_glyph_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["A", "\u200bA", "'", "-", "あ", "🥋", "ᄀ", "ᅡ", "é"])
def test_text_with_a_glyph_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.parametrize("name", ["김민준", "山田太郎", "やまだ", "ガ", "สมชาย"])
def test_letters_without_accents_are_kept(name: str) -> None:
    assert normalise(name) == name


def test_a_voiced_kana_is_a_different_letter() -> None:
    assert normalise("か") != normalise("が")


@settings(deadline=None)  # a slow machine is not a failure
@given(st.text())
@example("O\u00b4Brien \u0149")
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_two_spellings_of_an_address_have_the_same_key() -> None:
    assert email_key(" Mary@Dojo.Example ") == email_key("mary@dojo.example")
