"""Ranks are found by the words that people use for them."""

from typing import Any

import pytest

from tenant_apps.ranks.rank_words import rank_words
from tests.students.csv_files import RANK_EVENTS, import_csv, outcomes


@pytest.mark.parametrize(
    ("rank", "spellings"),
    [
        (
            "9th kyu",
            [
                "9. Kyu",
                "9-kyu",
                "kyu 9",
                "9kyu",
                "9.º kyu",
                "9º Kyu",
                "Kyu: 9",
                "KYU-9",
                "九級",
                "9級",
                "ninth kyu",
            ],
        ),
        ("1st kyu", ["Ikkyu", "Ikkyū", "一級", "1 kyu", "primeiro kyu"]),
        ("10th kyu", ["Jukyu", "十級", "10. Kyu"]),
        ("1st dan", ["Shodan", "1 dan", "1.Dan", "dan 1", "初段", "1단", "First Dan", "1er dan"]),
        ("4th dan", ["Yondan", "Yodan", "4 Dan", "四段", "4º dan"]),
        ("8th gup", ["8. Kup", "8 geup", "8급", "gup 8"]),
        ("2nd poom", ["2품", "2. Poom"]),
        ("Blue belt", ["Faixa azul", "cinto azul", "BLUE BELT", "belt: blue", "Cinturão azul"]),
        ("Black belt, 2nd degree", ["Faixa preta 2º grau", "black belt 2 degrees", "Faixa preta, 2 graus"]),
        ("Grey and white belt", ["Faixa cinza e branca", "gray/white belt", "Faixa cinza-branca"]),
        ("Brown belt", ["Faixa marrom", "cinto castanho"]),
    ],
)
def test_spellings_of_one_rank_have_the_same_words(rank: str, spellings: list[str]) -> None:
    for spelling in spellings:
        assert rank_words(spelling) == rank_words(rank), spelling


@pytest.mark.parametrize(
    ("one", "other"),
    [("9th kyu", "9th dan"), ("1st kyu", "10th kyu"), ("Blue belt", "Purple belt"), ("1st poom", "1st dan")],
)
def test_different_ranks_have_different_words(one: str, other: str) -> None:
    assert rank_words(one) != rank_words(other)


def event(dojo: Any, text: str, system: str = "") -> Any:
    content = f'first_name,last_name,rank_system,rank,effective_on\nMika,Sato,{system},"{text}",2024-01-02\n'
    return import_csv(dojo.admin, content, f"{RANK_EVENTS}?dry_run=true")["rows"][0]


def held(dojo: Any, text: str) -> str:
    """Import a student with a rank in these words, and return the rank that they hold."""
    content = f'external_id,first_name,last_name,rank,rank_on\nM-1,Ren,Ito,"{text}",2024-01-02\n'
    body = import_csv(dojo.admin, content)
    assert outcomes(body) == ["created"], body["rows"]
    student = dojo.admin.get(f"/students/{body['rows'][0]['student']['id']}").json()
    name: str = student["ranks"][0]["name"]
    return name


@pytest.mark.parametrize(
    ("preset", "text", "name"),
    [
        ("wkki-wado", "9. Kyu", "9th kyu"),
        ("wkki-wado", "9. Kyu (white)", "9th kyu"),
        ("fik-kendo", "1 dan", "1st dan"),
        ("fik-kendo", "Shodan", "1st dan"),
        ("fik-kendo", "初段", "1st dan"),
        ("ibjjf-adult", "Faixa azul", "Blue belt"),
        ("ibjjf-adult", "Azul", "Blue belt"),
        ("ibjjf-adult", "faixa preta 3º grau", "Black belt, 3rd degree"),
        ("ibjjf-adult", "Faixa preta", "Black belt"),
        ("kukkiwon", "2. Poom", "2nd poom"),
    ],
)
def test_a_rank_in_words_is_imported(dojo: Any, preset: str, text: str, name: str) -> None:
    dojo.create("/rank-systems", {"preset": preset})
    assert held(dojo, text) == name


def test_an_unknown_rank_lists_the_accepted_names(dojo: Any) -> None:
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    dojo.create("/rank-systems", {"preset": "fik-kendo"})
    assert event(dojo, "Faixa azul")["errors"] == {
        "rank": [
            "There is no such rank. The ranks are: 1st kyu, 1st dan, 2nd dan, 3rd dan, 4th dan, 5th dan, 6th dan, "
            "7th dan, 8th dan."
        ]
    }
    assert event(dojo, "1 dan", system="Aikikai")["errors"] == {
        "rank_system": ["There is no such rank system. The rank systems are: FIK kendo grades."]
    }


def test_words_of_two_systems_or_two_ranks_are_not_guessed(dojo: Any) -> None:
    dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})
    for preset in ("fik-kendo", "aikikai"):
        dojo.create("/rank-systems", {"preset": preset})
    assert event(dojo, "Shodan")["errors"] == {
        "rank_system": ["Several rank systems have this rank: name one."]
    }
    assert event(dojo, "Shodan", system="FIK kendo grades")["outcome"] == "created"
    two = {
        "format": 1, "name": "Two blues", "art": "Judo", "source": "The dojo", "confidence": "C", "steps": [],
        "ranks": [{"code": "b1", "name": "Blue belt"}, {"code": "b2", "name": "Faixa azul"}],
    }  # fmt: skip
    dojo.create("/rank-systems", two)
    assert event(dojo, "cinto azul")["errors"] == {
        "rank": ["Several ranks have this name: give the code. The codes are: b1, b2."]
    }
    assert event(dojo, "faixa AZUL")["outcome"] == "created"
