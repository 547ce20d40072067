"""Response bodies: JSON for every response and error, HTML for pages. Tables are in `tatami.api.tables`.

Errors are always JSON (`exception_mapping`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

from tatami.text import is_blank

JSON: Final = "application/json"


def format_instant(moment: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC with `Z`. Raises `TypeError` if it has no time zone."""
    if moment.tzinfo is None:
        raise TypeError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float | str:
    """Return a number if JSON represents it exactly, else its digits as text."""
    if not value.is_finite():
        raise TypeError(f"JSON cannot represent {value}")
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _encode(value: Any) -> Any:
    match value:
        case datetime():
            return format_instant(value)
        case date() | time():
            return value.isoformat()
        case Decimal():
            return _number(value)
        case Promise():
            return str(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be encoded as JSON")


def json_bytes(data: Any) -> bytes:
    """Encode `data` as UTF-8 JSON: UUIDs as text, instants in UTC. Raises `TypeError` for other Python types."""
    return orjson.dumps(data, default=_encode, option=orjson.OPT_PASSTHROUGH_DATETIME)


def json_fragment(data: Any) -> orjson.Fragment:
    """Encode a part of a response in advance, as `json_bytes` does. It has no instants, but it may have dates."""
    return orjson.Fragment(orjson.dumps(data, default=_encode))


class PassthroughRenderer(BaseRenderer):
    """Declares the media type of a body that the view builds itself. Errors are still JSON."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the view's body unchanged."""
        return data


class JsonRenderer(BaseRenderer):
    """The default renderer of all views."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the encoded body, or an empty one for `None` (204)."""
        return b"" if data is None else json_bytes(data)


class HtmlRenderer(PassthroughRenderer):
    """For views that respond with an HTML page."""

    media_type = "text/html"
    format = "html"


# --- formulas in CSV --------------------------------------------------------------------------------------------------

_FORMULA: Final = re.compile("[=+\\-@＝＋－＠﹦﹢﹣﹫]")
"""The characters that start a formula, with the wide and small forms of East Asian keyboards."""
_FIRST_BREAK: Final = re.compile("('*)[\t\r\n]")
_SEPARATORS: Final = ",;"
_BREAKS: Final = "\t\r\n"
# A program that opens a CSV file runs a cell that begins with a character of `_FORMULA`, maybe after blanks, quotes and
# characters without a glyph (a zero-width space, a byte order mark), which some programs drop.
# If the program splits cells at another separator or at line breaks, that also holds for the text after each of them.
# `escape_formulas` puts an apostrophe before each such character, which a spreadsheet hides at the start of a cell, and
# nowhere else: line breaks and dashes inside of text stay as they are. `unescape_formulas` removes exactly these, so an
# exported file can be imported unchanged, also if a program has written its line breaks in another way.


def escape_formulas(text: str) -> str:
    """Return `text` with an apostrophe before each place where a spreadsheet could start a formula."""
    places = [place for place, _ in _guarded_places(text)]
    return _joined(text, places, "'", dropped=0) if places else text


def unescape_formulas(text: str) -> str:
    """Return the text that `escape_formulas` received."""
    places = [place for place, apostrophes in _guarded_places(text) if apostrophes]
    return _joined(text, places, "", dropped=1) if places else text


def _joined(text: str, places: Sequence[int], between: str, *, dropped: int) -> str:
    starts = [0, *(place + dropped for place in places)]
    return between.join(text[start:end] for start, end in zip(starts, [*places, len(text)], strict=True))


def _guarded_places(text: str) -> Iterator[tuple[int, int]]:
    """Yield each place where an apostrophe guards, and the number of apostrophes there.

    The time is linear: no two searches backwards go over the same characters.
    """
    if first := _FIRST_BREAK.match(text):
        yield 0, len(first[1])
    for found in _FORMULA.finditer(text):
        place = end = found.start()
        while place and text[place - 1] == "'":
            place -= 1
        start, is_after_break = place, False
        while start and (text[start - 1] == '"' or is_blank(text[start - 1])):
            start -= 1
            is_after_break = is_after_break or text[start] in _BREAKS
        if is_after_break or start == 0 or text[start - 1] in _SEPARATORS:
            yield place, end - place
