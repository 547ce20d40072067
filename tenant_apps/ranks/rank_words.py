"""Compare names of ranks as people write them: "9. Kyu", "9th kyu", "kyu 9", "Shodan", "初段", "Faixa azul"."""

import re
from functools import lru_cache
from typing import Final

from tatami.text import normalise

_ORDINAL: Final = re.compile(r"(?<![^\W_])([0-9]{1,2})\.?(?:st|nd|rd|th|er|ere|eme|o|a|º|ª)(?![^\W\d_])")
_NUMBER_AND_WORD: Final = re.compile(r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])")
_CJK: Final = re.compile(
    r"([初一二三四五六七八九十]{1,2}|[0-9]{1,2})(級|级|段|品)|(초|일|이|삼|사|오|육|칠|팔|구|십|[0-9]{1,2}) ?(급|단|품)"
)
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_HAN_DIGITS: Final = {one: number for number, one in enumerate("一二三四五六七八九十", start=1)} | {"初": 1}
_HANGUL_DIGITS: Final = {one: number for number, one in enumerate("일이삼사오육칠팔구십", start=1)} | {
    "초": 1
}
_UNITS: Final = {"級": "kyu", "级": "kyu", "段": "dan", "品": "poom", "급": "kyu", "단": "dan", "품": "poom"}
_JAPANESE: Final = {
    name: (number, unit)
    for unit, names in (
        (
            "dan",
            "shodan nidan sandan yondan,yodan godan rokudan nanadan,shichidan hachidan kudan,kyudan judan",
        ),
        (
            "kyu",
            "ikkyu,ichikyu nikyu sankyu yonkyu gokyu rokkyu,rokukyu nanakyu,nanakyuu,shichikyu hachikyu,hakkyu "
            "kukyu,kyukyu jukyu,jikkyu,jukkyu",
        ),
    )
    for number, spellings in enumerate(names.split(), start=1)
    for name in spellings.split(",")
}
_SYNONYMS: Final = {
    word: meaning
    for meaning, words in {
        "kyu": "kyuu kiu kyus gup geup kup keup",
        "dan": "dans",
        "poom": "pum",
        "belt": "belts obi faixa faixas cinto cinturao cinturon",
        "white": "branca branco blanca blanco",
        "grey": "gray cinza cinzenta cinzento",
        "yellow": "amarela amarelo amarilla amarillo",
        "orange": "laranja naranja",
        "green": "verde",
        "blue": "azul",
        "purple": "roxa roxo violet morada morado",
        "brown": "marrom castanha castanho marron",
        "black": "preta preto negra negro",
        "red": "vermelha vermelho roja rojo encarnada",
        "stripe": "stripes degree degrees grau graus dg tip tips ponta pontas grado grados",
    }.items()
    for word in words.split()
}
_NUMBERS: Final = {
    word: str(number)
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth",
        "primeiro segundo terceiro quarto quinto sexto setimo oitavo nono decimo",
        "one two three four five six seven eight nine ten",
        "ichi ni san yon go roku nana hachi ku ju",
    )
    for number, word in enumerate(words.split(), start=1)
}
_UNIMPORTANT: Final = frozenset(
    {"and", "e", "y", "the", "of", "de", "da", "do", "com", "with", "rank", "grade"}
)


@lru_cache(maxsize=4_096)
def rank_words(text: str) -> tuple[str, ...]:
    """Return the words of the name of a rank, in one order, one language and one spelling; empty if it has none."""
    plain = _CJK.sub(_western_unit, normalise(text))
    plain = _NUMBER_AND_WORD.sub(" ", _ORDINAL.sub(r"\1 ", plain))
    words: list[str] = []
    for word in _NOT_WORDS.sub(" ", plain).split():
        if word in _JAPANESE:
            number, unit = _JAPANESE[word]
            words += [str(number), unit]
        elif word.isdecimal():
            words.append(str(int(word[:9])))
        elif word not in _UNIMPORTANT:
            words.append(_SYNONYMS.get(word, _NUMBERS.get(word, word)))
    return tuple(sorted(words))


def without_belt(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words without the word for belt: people also write only the colour."""
    return tuple(word for word in words if word != "belt")


def _western_unit(found: re.Match[str]) -> str:
    han, han_unit, hangul, hangul_unit = found.groups()
    digits, unit = (han, han_unit) if han else (hangul, hangul_unit)
    values = _HAN_DIGITS | _HANGUL_DIGITS
    number = int(digits) if digits.isascii() else sum(values.get(one, 0) for one in digits)
    return f" {number} {_UNITS[unit]} "
