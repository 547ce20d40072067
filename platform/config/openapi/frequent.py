"""What many routes have in common, as descriptions."""

from collections.abc import Mapping
from typing import Any

from tatami.api.openapi import Described


def listed(item: Any, **more: Any) -> Described:
    """Return the description of a list by one of its items."""
    return Described(shown=item, **more)


def made(body: Any, shown: Any, **more: Any) -> Described:
    """Return the description of a POST that creates."""
    return Described(body=body, status=201, shown=shown, **more)


def silent(**more: Any) -> Described:
    """Return the description of what answers 204, with nothing to say."""
    return Described(status=204, answer=None, **more)


def resource(at: Mapping[str, str], shown: Any, patch: Mapping[str, Any]) -> dict[str, Described]:
    """Return the descriptions of a resource that is read, changed by `patch` and deleted."""
    return {
        "GET": Described(at=at, shown=shown),
        "PATCH": Described(at=at, body=patch, shown={**shown, **patch}),
        "DELETE": silent(at=at),
    }
