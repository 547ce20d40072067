"""Access rules: one for each route and method, and the permission class that enforces them.

    ACCESS: RuleTable = {
        "students": {"GET": rule(admin=ALL, instructor=ALL, assistant=ALL, student=OWN), "POST": …},
        "login": {"POST": PUBLIC},
    }

A role without an entry gets 403. An object that the caller may not see gets 404: `visible_to` leaves it out of the
queryset. If the caller may see an object but not change it, the service raises an error with status 403. The table
itself is `config/access.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import structlog
from django.db.models import QuerySet
from django.utils.translation import gettext
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tatami.api import registry
from tatami.errors import NotAuthenticated, PermissionDenied
from tatami.metrics import ALARMS

if TYPE_CHECKING:  # DRF imports this module while it defines APIView
    from rest_framework.views import APIView

    from tatami.api.request import ApiRequest

Q = TypeVar("Q", bound=QuerySet[Any])
logger: Final = structlog.get_logger("tatami.access")


class Visibility(Enum):
    """Which objects a role may see or change on a route."""

    ALL = "all"
    """Every object."""
    OWN = "own"
    """Objects that belong to the caller: their linked students, and what belongs to those."""
    RECORDED = "recorded"
    """Objects that the caller recorded today."""


ALL: Final = Visibility.ALL
OWN: Final = Visibility.OWN
RECORDED: Final = Visibility.RECORDED


@dataclass(frozen=True, slots=True)
class Rule:
    """Which roles may call one method of a route, and which objects each of them sees."""

    by_role: Mapping[str, Visibility] = field(default_factory=dict)
    public: bool = False
    """No login is needed, and a token that is sent is ignored."""
    any_role: bool = False
    no_impersonation: bool = False
    """Refused to a superadmin who impersonates a user: the effect would outlast the impersonation."""
    no_api_keys: bool = False
    """Refused to API keys: it is about a person's own sign-in, or its effect would outlast the key."""
    reads_only: bool = False
    """A POST that changes nothing, so that a read-only API key may send it."""

    def visibility_for(self, role: str | None) -> Visibility | None:
        """Return what `role` sees, or `None` if the role is refused. A public rule returns ALL for everyone."""
        if self.public or (self.any_role and role):
            return Visibility.ALL
        return self.by_role.get(role) if role else None


def rule(**by_role: Visibility) -> Rule:
    """Return the rule for the named roles: `rule(admin=ALL, student=OWN)`."""
    return Rule(by_role=by_role)


def no_impersonation(allowed: Rule) -> Rule:
    """Return the same rule, but refused to a superadmin who impersonates a user."""
    return replace(allowed, no_impersonation=True)


def no_api_keys(allowed: Rule) -> Rule:
    """Return the same rule, but refused to API keys."""
    return replace(allowed, no_api_keys=True)


def signed_in_only(allowed: Rule) -> Rule:
    """Return the same rule for users who signed in themselves: no impersonation, and no API key."""
    return no_api_keys(no_impersonation(allowed))


def reads_only(allowed: Rule) -> Rule:
    """Return the same rule for a POST that changes nothing: read-only API keys may send it."""
    return replace(allowed, reads_only=True)


PUBLIC: Final = Rule(public=True)
AUTHENTICATED: Final = Rule(any_role=True)
"""Any role, including devices."""

RuleTable: TypeAlias = Mapping[str, Mapping[str, Rule]]
"""Route name (with its namespaces) → HTTP method → rule."""


def rule_of(route: str | None, method: str | None) -> Rule | None:
    """Return the rule for a route name and a method, or `None` if the table has none. HEAD counts as GET."""
    table = registry.access_table.get()
    return table.get(route or "", {}).get("GET" if method == "HEAD" else method or "")


def role_of(request: Request) -> str | None:
    """Return the caller's role, or `None` for an anonymous request."""
    role: str | None = getattr(request.user, "role", None)
    return role


def visible_to(request: "ApiRequest", queryset: Q) -> Q:
    """Return the rows of `queryset` that the caller may see, by `request.visibility`.

    For OWN the queryset needs `belonging_to(user)`, for RECORDED `recorded_by(user, now)`. A view that refuses with 403
    what others recorded passes the visibility to its service instead.
    """
    rows: Any = queryset
    match request.visibility:
        case Visibility.OWN:
            rows = rows.belonging_to(request.user)
        case Visibility.RECORDED:
            rows = rows.recorded_by(request.user, request.now)
    found: Q = rows
    return found


class AccessTablePermission(BasePermission):
    """Looks up the rule of the route. A route or method without a rule is refused, and an error is logged."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Set `request.visibility`. Raises `NotAuthenticated` or `PermissionDenied`."""
        request.visibility = self.visibility(request)  # type: ignore[attr-defined]
        return True

    def visibility(self, request: Request) -> Visibility:
        """Return what the caller sees on this route with this method."""
        route = request.resolver_match.view_name if request.resolver_match else None
        found = rule_of(route, request.method)
        if found is None:
            ALARMS.labels("access.no_rule").inc()
            logger.error("access.no_rule", route=route, method=request.method)
            raise PermissionDenied
        if found.public:
            return Visibility.ALL
        if not request.user.is_authenticated:
            raise NotAuthenticated
        visibility = found.visibility_for(role_of(request))
        if visibility is None:
            raise PermissionDenied
        if found.no_impersonation and getattr(request.user, "impersonator", None):
            raise PermissionDenied(
                gettext("Only the user may do this. It is not available while you impersonate them.")
            )
        self.check_api_key(request, found)
        return visibility

    def check_api_key(self, request: Request, found: Rule) -> None:
        """Raises `PermissionDenied` if the request is made with an API key that may not make it."""
        key = getattr(request.user, "used_key", None)
        if key is None:
            return
        if found.no_api_keys:
            raise PermissionDenied(gettext("This is not available with an API key. Sign in as a user."))
        if key.read_only and request.method not in ("GET", "HEAD") and not found.reads_only:
            raise PermissionDenied(gettext("This API key may only read."))
