"""JSON out: one encoder for answers, errors and stored answers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

JSON: Final = "application/json"


def instant(moment: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC with `Z`. Raises `TypeError` for one without a zone."""
    if moment.tzinfo is None:
        raise TypeError(f"{moment!r} names no moment: it has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(value: Decimal) -> int | float | str:
    """Return a number where JSON's numbers are exact, and the digits as text where they are not."""
    if not value.is_finite():
        raise TypeError(f"JSON has no {value}")
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _encode(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case date() | time():
            return value.isoformat()
        case Decimal():
            return _number(value)
        case Promise():
            return str(value)
        case Mapping():
            return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def json_bytes(data: Any) -> bytes:
    """Encode `data`: UTF-8, UUIDs as text, instants in UTC. Raises `TypeError` for what has no JSON form."""
    return orjson.dumps(data, default=_encode, option=orjson.OPT_PASSTHROUGH_DATETIME)


class MadeByTheView(BaseRenderer):
    """Says what a view answers with; the view makes it itself. Errors are JSON all the same."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the view made, as it is."""
        return data


class JsonRenderer(BaseRenderer):
    """What every view answers with unless it names other renderers."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the encoded body, empty where there is nothing to say (204)."""
        return b"" if data is None else json_bytes(data)
