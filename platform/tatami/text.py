"""Normalised text for searches and imports, and normalised e-mail addresses for comparison.

Both are stored in columns of their own (`search_name`, `email_key`) and compared with `=` or a bounded scan, because
PostgreSQL does not use indexes on expressions and trigrams under row-level security. After a change of `normalise`,
`manage.py refresh_search` rewrites the stored columns.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

# Marks that people leave out of a search: diacritics, Hebrew points, Arabic vowels, and the selectors of glyph
# variants. Marks that form another letter (the kana voicing marks, vowel signs of Thai or Devanagari) are kept.
_MARKS: Final = (
    "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef"
)
# Characters without a glyph: Unicode's Default_Ignorable_Code_Point (the Hangul fillers among them), and format
# characters.
_IGNORABLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Characters with an empty glyph that Unicode does not count as white space: Braille, music, Egyptian.
_EMPTY: Final = "\u2800\U0001d159\U00013441\U00013442"
# The apostrophes and quotation marks of keyboards, word processors and transliterations. ´, ᾽ and their like would
# decompose into a blank and a mark.
_QUOTES: Final = (
    "'\"`\u00ab\u00b4\u00bb\u02b9-\u02bf\u02c8\u02ca\u02cb\u02ee\u055a\u05f3\u05f4\u07f4\u07f5\u1fbd\u1fbf\u1fef"
    "\u1ffd\u1ffe\u2018-\u201f\u2032-\u2037\u2039\u203a\u275b-\u275e\u301d-\u301f\ua78b\ua78c\uff02\uff07\uff40"
)
# Dots inside a word (Catalan l·l) and the line that only stretches an Arabic word.
_INSIDE_WORDS: Final = "\u00b7\u0387\u2027\u0640"
_HYPHENS: Final = (
    "-\u058a\u05be\u1806\u2010-\u2015\u2043\u207b\u208b\u2212\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0\ufe31\ufe32"
    "\ufe58\ufe63\uff0d"
)
_UNPRINTABLE: Final = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
_MIDDLE_DOTS: Final = "\u30fb\uff65"  # between the parts of a name in katakana
_REMOVED: Final = re.compile(f"[{_IGNORABLE}{_QUOTES}{_INSIDE_WORDS}]")
_SEPARATORS: Final = re.compile(f"[{_HYPHENS}{_MIDDLE_DOTS}{_EMPTY}]")
_REMOVED_MARKS: Final = re.compile(f"[{_MARKS}]")
_BLANK: Final = re.compile(f"[{_MARKS}{_IGNORABLE}{_EMPTY}\\s\x00-\x1f\x7f-\x9f]*")
_PLAIN_LETTER: Final = re.compile(r"LATIN SMALL LETTER ([A-Z]) WITH ")


def gettext_noop(text: str) -> str:
    """Return the text as it is: it is in the catalogues, and translated where it is shown.

    The same as Django's, for modules that do not import Django.
    """
    return text


def _plain_letters() -> Iterator[tuple[str, str]]:
    """Yield the letters that people replace by others which have no decomposition: ø → o, ł → l, æ → ae."""
    for code in range(0xDF, 0xAB70):
        named = _PLAIN_LETTER.match(unicodedata.name(chr(code), ""))
        if named and not unicodedata.decomposition(chr(code)):
            yield chr(code), named[1].lower()
    yield from {
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "ŋ": "n",
        "ə": "e",
        "ĸ": "k",
        "\u0131": "i",
    }.items()
    yield from {"ȷ": "j", "ɑ": "a", "ɛ": "e", "ɔ": "o", "ɩ": "i", "ʊ": "u", "ґ": "г", "ӏ": "i"}.items()
    # One letter on Arabic, Persian and Urdu keyboards.
    yield from {
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ې": "ي",
        "ے": "ي",
        "ک": "ك",
        "ة": "ه",
        "ە": "ه",
        "ہ": "ه",
    }.items()
    # Glyph variants of Han characters in Japanese names that Unicode encodes as characters.
    yield from {"髙": "高", "﨑": "崎", "𠮷": "吉", "栁": "柳", "濵": "濱", "邉": "邊"}.items()


_PLAIN: Final = str.maketrans(dict(_plain_letters()))


def normalise(text: str) -> str:
    """Return the form in which two spellings of one name are equal: without accents, in one case and width.

    This is the only such function: searches, duplicates, imports and facts by name compare with it. Apostrophes and
    quotation marks are left out, all hyphens are spaces, ligatures and stroked letters are plain ones, and spaces are
    single. Hangul, kana and Han characters keep their marks: が is not か. Normalising twice changes nothing.
    """
    # Before the decomposition, which turns some apostrophes into blanks; casefold can bring others (ŉ).
    spaced = _SEPARATORS.sub(" ", _REMOVED.sub("", text))
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", spaced).casefold())
    plain = _REMOVED_MARKS.sub("", _SEPARATORS.sub(" ", _REMOVED.sub("", folded))).translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFC", _digits(plain)).split())


def _digits(text: str) -> str:
    """Return `text` with the decimal digits of all scripts as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


def is_blank(text: str) -> bool:
    """Return whether nothing of the text is visible: no characters, white space, or characters without a glyph."""
    return _BLANK.fullmatch(text) is not None


def email_key(email: str) -> str:
    """Return the key in which two spellings of one e-mail address are equal.

    Send mail to the stored address, never to the key or to the spelling of a request.
    """
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters, so that data cannot start a header or paragraph."""
    return _UNPRINTABLE.sub(" ", text).strip()
