"""The presets: complete, parseable and honest about their sources."""

import pytest

from tenant_apps.ranks.definition import parse_definition
from tenant_apps.ranks.presets import UnknownPresetError, preset, presets


def test_every_preset_has_its_source_and_confidence() -> None:
    assert {key: rules.confidence.value for key, rules in presets().items()} == {
        "aikikai": "S",
        "djb-judo": "C",
        "dkv-germany": "C",
        "fik-kendo": "O",
        "ibjjf-adult": "S",
        "ibjjf-kids-quarterly": "C",
        "ifma-muaythai": "S",
        "itf-taekwondo": "C",
        "jkf": "O",
        "kmg-scotland": "C",
        "kodokan-men": "O",
        "kukkiwon": "M",
        "kyokushin-ikku": "C",
        "kyokushin-sweden": "C",
        "skief": "O",
        "us-aikido-federation": "S",
        "usja-senior": "O",
        "wkki-wado": "O",
        "znkr-shogo": "S",
    }
    assert all(rules.source and rules.art for rules in presets().values())


def test_an_unofficial_preset_says_so_in_its_note() -> None:
    unofficial = [rules for rules in presets().values() if rules.confidence.value in "CM"]
    assert all((rules.note or "").startswith("Not official.") for rules in unofficial)


@pytest.mark.parametrize("key", presets())
def test_a_preset_is_equal_after_a_round_trip(key: str) -> None:
    assert parse_definition(preset(key).as_document()) == preset(key)


def test_an_unknown_preset_is_an_error_with_its_key() -> None:
    with pytest.raises(UnknownPresetError, match="nonesuch"):
        preset("nonesuch")
