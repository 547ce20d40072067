"""Cells that a spreadsheet takes for text.

A program that opens a CSV file runs what looks like a formula: a cell that begins with = + - @ or their wide forms, tab
or CR, or, where another separator splits it, whatever follows that. Each such place gets an apostrophe, which a
spreadsheet hides; reading takes exactly it away again, so that what was exported is imported unchanged.
"""

import re
from typing import Final

_ACTIVE: Final = "=+\\-@＝＋－＠\t\r\n"
_START: Final = r"(^|[,;\t\r\n]\s*\"*\s*)"
_UNGUARDED: Final = re.compile(rf"{_START}(?='*[{_ACTIVE}])")
_GUARDED: Final = re.compile(rf"{_START}'(?='*[{_ACTIVE}])")


def guarded(text: str) -> str:
    """Return `text` so that no part of it is run."""
    return _UNGUARDED.sub(r"\1'", text)


def without_guard(text: str) -> str:
    """Return what `guarded` was given."""
    return _GUARDED.sub(r"\1", text)
