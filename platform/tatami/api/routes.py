"""The routes of both kinds of host, and the system checks on them: every route has an access rule, and the reverse.

The checks, the OpenAPI document and the tests all read the routes from here.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import View
from rest_framework.views import APIView

from tatami.api import registry
from tatami.api.permissions import AccessTablePermission

_NOT_ACTIONS: Final = {"HEAD", "OPTIONS", "TRACE"}
_ADD_RULE: Final = (
    "Add a rule to the table in config/access.py, and the roles you expect to tests/http/expected_access.py."
)


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of a urlconf."""

    urlconf: str
    name: str
    """With its namespaces, as in `request.resolver_match.view_name`; empty if the route has none."""
    path: str
    view: type[View] | None
    """The API view, or the page with `checks_access_table`. `None` for a view of Django or a page of the console."""
    callback: Any

    @property
    def methods(self) -> list[str]:
        """Return the methods that the view implements, without HEAD."""
        if self.view is None:
            return []
        if not self.is_api:
            found: list[str] = self.view.page_methods()  # type: ignore[attr-defined]  # a page with `checks_access_table`
            return found
        names = [name.upper() for name in self.view.http_method_names if hasattr(self.view, name)]
        return [name for name in names if name not in _NOT_ACTIONS]

    @property
    def is_api(self) -> bool:
        """Return whether the view is one of the API, not a page."""
        return self.view is not None and issubclass(self.view, APIView)

    @property
    def has_own_access_control(self) -> bool:
        """Return whether the urlconf exempts the route's namespace from the access table.

        The exempt namespaces are the urlconf module's `namespaces_with_own_access_control`.
        """
        exempt = getattr(import_module(self.urlconf), "namespaces_with_own_access_control", ())
        return self.name.partition(":")[0] in exempt


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
            view = getattr(entry.callback, "cls", None) or getattr(entry.callback, "view_class", None)
            checked = view if isinstance(view, type) and _checks_access_table(view) else None
            yield Route(
                urlconf, f"{namespace}{entry.name}" if entry.name else "", path, checked, entry.callback
            )


def _checks_access_table(view: type) -> bool:
    return issubclass(view, APIView) or getattr(view, "checks_access_table", False)


@checks.register(checks.Tags.security)
def every_route_has_a_rule(**_: Any) -> list[checks.CheckMessage]:
    """Compare the routes of all urlconfs with the access table, in both directions."""
    table = registry.access_table.get()
    found: dict[str, set[str]] = defaultdict(set)
    problems: list[checks.CheckMessage] = []
    for route in (route for urlconf in urlconfs() for route in routes(urlconf)):
        if not route.has_own_access_control:
            problems += _problems_of(route)
            found[route.name].update(route.methods)
    problems += [
        checks.Error(
            f"The access table has a rule for {method} of {name!r}, but there is no such route.",
            hint="Remove the rule from config/access.py, or correct its name to the `name=` of the route.",
            id="tatami.E005",
        )
        for name, rules in table.items()
        for method in rules
        if method not in found.get(name, set())
    ]
    return problems


def _problems_of(route: Route) -> Iterator[checks.CheckMessage]:
    place = f"{route.urlconf}: /{route.path}"
    if not route.name:
        hint = "Give its `path()` a `name=`: the access rules are found by route name."
        yield checks.Error(f"{place} has no name.", hint=hint, id="tatami.E001")
        return
    place = f"{place} ({route.name})"
    if route.view is None:
        hint = (
            "Use a subclass of `tatami.api.views.ApiView`. If the view checks access itself, put its namespace into "
            "`namespaces_with_own_access_control` of the urlconf."
        )
        yield checks.Error(
            f"{place} is not an API view, so no access rule applies.", hint=hint, id="tatami.E002"
        )
    elif route.is_api and AccessTablePermission not in getattr(route.view, "permission_classes", ()):
        hint = "Remove `permission_classes` from the view: the default class reads the access table."
        yield checks.Error(f"{place} does not check the access table.", hint=hint, id="tatami.E003")
    rules = registry.access_table.get().get(route.name, {})
    for method in route.methods:
        if method not in rules:
            yield checks.Error(f"{place} has no access rule for {method}.", hint=_ADD_RULE, id="tatami.E004")


@checks.register(checks.Tags.security)
def errors_are_json(**_: Any) -> list[checks.CheckMessage]:
    """Refuse DEBUG: its HTML error pages would replace the JSON errors, and would publish the settings."""
    if settings.DEBUG:
        return [checks.Error("DEBUG must be off: errors are always JSON.", id="tatami.E006")]
    return []
