"""System checks: no route without a rule, no rule without a route, no error page but ours."""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.core import checks

from tatami.api.access import AccessTable
from tatami.api.routes import Route, routes, urlconfs
from tatami.api.rules import access_table


def exempt(route: Route) -> bool:
    """Return whether a route answers to another guard: `TATAMI_ACCESS_ELSEWHERE` names their namespaces."""
    return route.name.partition(":")[0] in getattr(settings, "TATAMI_ACCESS_ELSEWHERE", ())


@checks.register(checks.Tags.security)
def every_route_has_a_rule(**_: Any) -> list[checks.CheckMessage]:
    """Compare the routes of all urlconfs with the table, in both directions."""
    table = access_table()
    found: dict[str, set[str]] = defaultdict(set)
    problems: list[checks.CheckMessage] = []
    for route in (route for urlconf in urlconfs() for route in routes(urlconf)):
        place = f"{route.urlconf}: /{route.path}"
        if exempt(route):
            continue
        if not route.name:
            problems.append(checks.Error(f"{place} has no name to look its rule up by.", id="tatami.E001"))
        elif route.view is None:
            problems.append(
                checks.Error(f"{place} ({route.name}) is outside the table's reach.", id="tatami.E002")
            )
        elif AccessTable not in route.view.permission_classes:
            problems.append(checks.Error(f"{place} ({route.name}) does not ask the table.", id="tatami.E003"))
        found[route.name].update(route.methods)
        problems += [
            checks.Error(f"{place} ({route.name}) has no rule for {method}.", id="tatami.E004")
            for method in route.methods
            if route.name and method not in table.get(route.name, {})
        ]
    problems += [
        checks.Error(f"There is no route {name!r} with {method}, yet the table rules it.", id="tatami.E005")
        for name, rules in table.items()
        for method in rules
        if method not in found.get(name, set())
    ]
    return problems


@checks.register(checks.Tags.security)
def errors_are_json(**_: Any) -> list[checks.CheckMessage]:
    """Refuse DEBUG, whose pages would answer instead of the envelope, and show settings to strangers."""
    if settings.DEBUG:
        return [checks.Error("DEBUG must be off: errors are always our JSON envelope.", id="tatami.E006")]
    return []
