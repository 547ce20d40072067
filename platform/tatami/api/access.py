"""Roles, enforced for every route from one table: the only permission class there is.

A role without an entry is refused with 403. An object that the caller may not see is 404, by the queryset:
`request.reach` says how far he sees.
"""

from typing import TYPE_CHECKING, Final

import structlog
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tatami.api.request import role_of
from tatami.api.rules import Reach, rule_of
from tatami.errors import NotAuthenticated, PermissionDenied

if TYPE_CHECKING:  # DRF imports this module while it defines APIView
    from rest_framework.views import APIView

logger: Final = structlog.get_logger("tatami.access")


class AccessTable(BasePermission):
    """Looks the route up in the table. A route or method that is not in it is closed, and logged."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Set `request.reach`, or raise `NotAuthenticated` or `PermissionDenied`."""
        request.reach = self.reach(request)  # type: ignore[attr-defined]
        return True

    def reach(self, request: Request) -> Reach:
        """Return how far the caller reaches on this route with this method."""
        route = request.resolver_match.view_name if request.resolver_match else None
        found = rule_of(route, request.method)
        if found is None:
            logger.error("access.no_rule", route=route, method=request.method)
            raise PermissionDenied
        if found.public:
            return Reach.ALL
        if not request.user.is_authenticated:
            raise NotAuthenticated
        reach = found.reach_of(role_of(request))
        if reach is None:
            raise PermissionDenied
        if found.in_person and getattr(request.user, "impersonator", None):
            raise PermissionDenied("Only the user himself may do this, not somebody who acts as him.")
        return reach
