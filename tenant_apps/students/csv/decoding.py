"""Turn the bytes of a text file into text: UTF-8, UTF-16, Windows-1252, Mac Roman, or an encoding that is named."""

import codecs
import re
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext

from tatami.errors import Invalid

AUTO: Final = "auto"
CODECS: Final = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1252": "cp1252",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
    "windows-1256": "cp1256",
    "windows-874": "cp874",
    "mac-roman": "mac_roman",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
}
"""The encodings that a request may name → Python's codecs."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE: Final = 4_096
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_FOREIGN: Final = re.compile(r"[^\W\d_a-zA-Z]{3,}")
"""Three letters with diacritics in a row: no word of a western language, but any word in another 8-bit encoding."""
_FREQUENT: Final = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýðþßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝÐÞ")
_RARE: Final = frozenset("šžœŠŽŒŸÿ")
_AFTER_LETTERS: Final = frozenset("’ªº”»")
_BEFORE_LETTERS: Final = frozenset("‘“«")
_APART: Final = frozenset("–—…°€·")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file and the name of its encoding; `is_guess`: another encoding would also be possible."""

    text: str
    encoding: str
    is_guess: bool = False


def decode(content: bytes, encoding: str = AUTO) -> Decoded:
    """Return the text of a file.

    `auto` reads a byte order mark, else UTF-8, else UTF-16, else Windows-1252 or Mac Roman: that in which the letters
    look like those of a western language. Raises `Invalid` for the field `file`, with the line of the first fault.
    """
    if encoding != AUTO:
        return Decoded(_strict(content, CODECS[encoding], encoding), encoding)
    for mark, name in _BOMS:
        if content.startswith(mark):
            return Decoded(_strict(content, CODECS.get(name, name), name), name)
    if (wide := _utf_16_without_mark(content)) is not None:
        return Decoded(_strict(content, wide, "utf-16"), "utf-16")
    try:
        return Decoded(content.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        return _western(content, error.start)


def _strict(content: bytes, codec: str, name: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        raise Invalid.field(
            "file",
            gettext("Line {line}: this is not {encoding} text.").format(
                line=_line(content, error.start), encoding=shown(name)
            ),
        ) from None


def _line(content: bytes, place: int) -> int:
    return max(content.count(b"\n", 0, place), content.count(b"\r", 0, place)) + 1


def shown(name: str) -> str:
    """Return the name of an encoding as people write it: UTF-8, Windows-1252, Mac Roman."""
    return name.upper() if name.startswith("utf") else name.title().replace("-Roman", " Roman")


def _utf_16_without_mark(content: bytes) -> str | None:
    """Return the codec if every other byte of the beginning tends to be zero, as in the UTF-16 of ASCII text."""
    even, odd = content[0:_SAMPLE:2], content[1:_SAMPLE:2]
    if odd.count(0) * 5 > len(odd) and not even.count(0):
        return "utf-16-le"
    if even.count(0) * 5 > len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _western(content: bytes, place: int) -> Decoded:
    found: list[tuple[float, str, str]] = []
    for name in ("windows-1252", "mac-roman"):
        try:
            text = content.decode(CODECS[name])
        except UnicodeDecodeError:
            continue
        if not _FOREIGN.search(text):
            found.append((_plausibility(text), name, text))
    # Of two equal candidates the first, Windows-1252, is by far more frequent.
    best = max(found, key=lambda one: one[0], default=None)
    if best is None or best[0] < 0:
        raise Invalid.field(
            "file",
            gettext(
                "Line {line}: this is not UTF-8 text. "
                "Save the file as CSV UTF-8, or name its encoding with `encoding`."
            ).format(line=_line(content, place)),
        )
    return Decoded(best[2], best[1], is_guess=True)


def _plausibility(text: str) -> float:
    """Return how well the characters outside ASCII fit into words; negative if they do not."""
    return sum(_fit(text, found.start()) for found in _NOT_ASCII.finditer(text))


def _fit(text: str, place: int) -> float:
    one, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if one in _FREQUENT or one in _RARE:
        usual = 2 if one in _FREQUENT else 1
        return -2 if _is_in_wrong_case(text, place) else usual
    if one in _AFTER_LETTERS:
        fits = before.isalnum() or one == "”"
    elif one in _BEFORE_LETTERS:
        fits = not before.isalnum()
    elif one in _APART:
        fits = not (before.isalpha() or after.isalpha())
    else:
        return 0 if one.isspace() else -2
    return 0.5 if fits else -1


def _is_in_wrong_case(text: str, place: int) -> bool:
    """Return whether a letter breaks the case of its word, as in "MŸller", "díArc" and "OÕNeill"."""
    one, before = text[place], text[place - 1 : place]
    after, after_next = text[place + 1 : place + 2], text[place + 2 : place + 3]
    if one.islower():
        return after.isupper()
    return before.islower() or (before.isalpha() and after.isupper() and after_next.islower())


def example_of_a_guess(text: str) -> tuple[int, str]:
    """Return the line and the first word with a character outside ASCII."""
    found = _NOT_ASCII.search(text)
    assert found is not None
    start, end = found.start(), found.end()
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    lines = len(re.findall(r"\r\n|\r|\n", text[:start]))
    return lines + 1, text[start:end][:60]
