"""The strict JSON parser, and the choice of the parser for a body.

The parser refuses what PostgreSQL, a log or another program could not handle later: NUL and lone surrogates anywhere,
duplicate keys (two parsers could read two different documents), numbers out of range, too many levels.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tatami.api.exception_mapping import NON_FIELD
from tatami.errors import MAX_FAULTS, Invalid, MalformedJson, PayloadTooLarge

MAX_DEPTH: Final = 32
MAX_VALUES_PER_MEBIBYTE: Final = 50_000
"""How many values a body may have for each MiB that the view accepts: a large body of tiny values is dear to check."""
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_MEBIBYTE: Final = 1024 * 1024
_INTEGERS: Final = range(-(2**63), 2**63)


def strict_loads(body: bytes) -> object:
    """Return the document in `body`.

    Raises `MalformedJson` unless the body is one UTF-8 JSON document of at most `MAX_DEPTH` levels, without duplicate
    keys and without `NaN`; `Invalid`, with dotted paths, for values that no field can store.
    """
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise MalformedJson("The body is not UTF-8.") from error
    except RecursionError as error:
        raise MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedJson(f"The body is not valid JSON: {error.msg} at {where}.") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise MalformedJson("The body contains a number that is too long.") from error
    problems: dict[str, list[str]] = {}
    _inspect(document, (), problems)
    if problems:
        raise Invalid(details=problems)
    return document


def check_number_of_values(body: bytes, max_bytes: int) -> None:
    """Raises `PayloadTooLarge` if a body has too many values for a view that accepts `max_bytes`.

    Commas and opening brackets are counted, also those in texts: there are at least as many as values but one.
    """
    most = MAX_VALUES_PER_MEBIBYTE * max(1, max_bytes // _MEBIBYTE)
    if len(body) > most and body.count(b",") + body.count(b"[") + body.count(b"{") > most:
        raise PayloadTooLarge(f"The body has more than {most} values.")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"The key {printable(twice)!r} appears twice in one object.")
    return members


def _refuse_constant(name: str) -> object:
    raise MalformedJson(f"{name} is not a JSON value.")


def _inspect(value: object, path: tuple[str, ...], problems: dict[str, list[str]]) -> None:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            _note(problems, path, "NUL and lone surrogates are not accepted.")
    elif isinstance(value, dict | list):
        if len(path) >= MAX_DEPTH:
            raise MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
        members: Iterable[tuple[object, object]] = (
            value.items() if isinstance(value, dict) else enumerate(value)
        )
        for key, member in members:
            step = (*path, printable(str(key)))
            if isinstance(key, str) and UNSTORABLE.search(key):
                _note(problems, step, "NUL and lone surrogates are not accepted in a key.")
            _inspect(member, step, problems)
    elif isinstance(value, float):
        if not math.isfinite(value):
            _note(problems, path, "This number is out of range.")
    elif isinstance(value, int) and value not in _INTEGERS:
        _note(problems, path, "This number is out of range.")


def _note(problems: dict[str, list[str]], path: tuple[str, ...], message: str) -> None:
    if len(problems) < MAX_FAULTS:
        problems.setdefault(".".join(path) or NON_FIELD, []).append(message)


def printable(text: str) -> str:
    """Return `text` with NUL, and what UTF-8 cannot encode, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


class StrictJSONParser(BaseParser):
    """Reads JSON. The top level must be an object, or an array if the view has `accepts_array = True`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the document. The size limit was checked before, by the `Content-Length`."""
        view = (parser_context or {}).get("view")
        body = stream.read()
        check_number_of_values(body, getattr(view, "max_body_bytes", _MEBIBYTE))
        document = strict_loads(body)
        if isinstance(document, list) and getattr(view, "accepts_array", False):
            return document
        if not isinstance(document, dict):
            raise Invalid.field(NON_FIELD, "Expected a JSON object.")
        return document


class ContentNegotiation(DefaultContentNegotiation):
    """DRF's negotiation, but a body without a `Content-Type` goes to the view's first parser, which reads JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the body's content type, or `None` if no parser reads it."""
        if not request.content_type:
            return next(iter(parsers), None)
        return super().select_parser(request, parsers)
