"""Text as people search for it, and addresses as they are compared.

Both are stored in columns of their own (`search_name`, `email_key`) and compared with `=` or a bounded
scan: indexes on expressions and trigrams are not used under row-level security.
"""

import re
import unicodedata
from typing import Final

# Marks that a person leaves out when searching: diacritics, Hebrew points, Arabic vowels. Marks that
# make another letter (the kana voicing marks, vowel signs of Thai or Devanagari) are not among them.
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
# Letters with a stroke have no decomposition, yet people type the plain one.
_STROKED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)


def normalise(text: str) -> str:
    """Return `text` for a search without regard to accents, case, width and spacing.

    Hangul, kana and Han characters stay what they are: が is not か.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = _INVISIBLE.sub("", _MARKS.sub("", folded)).translate(_STROKED)
    return " ".join(unicodedata.normalize("NFC", plain).split())


def email_key(email: str) -> str:
    """Return the form in which two spellings of one e-mail address are equal.

    Send mail to the stored address, never to the spelling that was found by this key.
    """
    return unicodedata.normalize("NFKC", email.strip()).casefold()
