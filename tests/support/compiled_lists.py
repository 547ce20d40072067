"""Compare a compiled list with the same list by ORM and serializer, which is the documented shape."""

from typing import Any
from unittest.mock import patch

from tatami.api.views import Listing
from tests.support.clients import Caller


def assert_as_serialized(view: type[Listing], caller: Caller, path: str) -> Any:
    """Check that a GET has the same status, headers and bytes as without `columns`; return its body."""
    assert view.columns
    compiled = caller.get(path)
    with patch.object(view, "columns", ()):
        serialized = caller.get(path)
    assert compiled.content == serialized.content, path
    assert compiled.status_code == serialized.status_code
    assert _headers(compiled) == _headers(serialized)
    return compiled.json()


def _headers(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.items() if name.lower() != "x-request-id"}


def queries_of(view: type[Listing], samples: dict[str, str]) -> list[str]:
    """Return query strings: without filters, each filter alone, all filters at once, and each order both ways."""
    assert samples.keys() == view.filters.keys(), "give a value for each filter"
    alone = [f"{name}={value}" for name, value in samples.items()]
    orders = [f"ordering={sign}{name}" for name in view.ordering_fields for sign in ("", "-")]
    return ["", *alone, "&".join(alone), *orders]
