"""The routes of both kinds of host, as the checks, the OpenAPI document and the tests walk them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

_NOT_ACTIONS: Final = {"HEAD", "OPTIONS", "TRACE"}


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of a urlconf."""

    urlconf: str
    name: str
    """With its namespaces, as `request.resolver_match.view_name` has it; empty if it has none."""
    path: str
    view: type[APIView] | None
    """None for a view that is not of the API: Django's own, a page of the console."""
    callback: Any

    @property
    def methods(self) -> list[str]:
        """Return the methods that the view implements, without HEAD."""
        if self.view is None:
            return []
        names = [name.upper() for name in self.view.http_method_names if hasattr(self.view, name)]
        return [name for name in names if name not in _NOT_ACTIONS]


def urlconfs() -> list[str]:
    """Return the urlconf of each kind of host."""
    named = (settings.ROOT_URLCONF, getattr(settings, "PUBLIC_SCHEMA_URLCONF", None))
    return list(dict.fromkeys(filter(None, named)))


def routes(urlconf: str) -> list[Route]:
    """Return every route of `urlconf`."""
    return list(_walk(urlconf, get_resolver(urlconf).url_patterns, "", ""))


def _walk(urlconf: str, patterns: Sequence[Any], namespace: str, prefix: str) -> Iterator[Route]:
    for entry in patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(urlconf, entry.url_patterns, inner, path)
        elif isinstance(entry, URLPattern):
            view = getattr(entry.callback, "cls", None)
            api = view if isinstance(view, type) and issubclass(view, APIView) else None
            yield Route(urlconf, f"{namespace}{entry.name}" if entry.name else "", path, api, entry.callback)
