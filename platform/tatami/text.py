"""Normalised text for searches, and normalised e-mail addresses for comparison.

Both are stored in columns of their own (`search_name`, `email_key`) and compared with `=` or a bounded scan, because
PostgreSQL does not use indexes on expressions and trigrams under row-level security.
"""

import re
import unicodedata
from typing import Final

# Marks that people leave out of a search: diacritics, Hebrew points, Arabic vowels. Marks that form another letter
# (the kana voicing marks, vowel signs of Thai or Devanagari) are not included.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_UNPRINTABLE: Final = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]+")
# Letters with a stroke have no decomposition, but people type the plain letter.
_STROKED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)


def normalise(text: str) -> str:
    """Return `text` without accents, in one case and width, and with single spaces.

    Hangul, kana and Han characters keep their marks: が is not か.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = _INVISIBLE.sub("", _MARKS.sub("", folded)).translate(_STROKED)
    return " ".join(unicodedata.normalize("NFC", plain).split())


def email_key(email: str) -> str:
    """Return the key in which two spellings of one e-mail address are equal.

    Send mail to the stored address, never to the key or to the spelling of a request.
    """
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters, so that data cannot start a header or paragraph."""
    return _UNPRINTABLE.sub(" ", text).strip()
