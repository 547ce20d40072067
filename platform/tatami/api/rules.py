"""How the table of access rules is written: one rule for each route and method.

ACCESS: Table = {
    "students": {"GET": rule(admin=ALL, instructor=ALL, assistant=ALL, student=OWN), "POST": …},
    "login": {"POST": PUBLIC},
}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string


class Reach(Enum):
    """How far a role reaches on a route."""

    ALL = "all"
    """Every object."""
    OWN = "own"
    """What belongs to the caller: his students, and theirs."""
    RECORDED = "recorded"
    """What he recorded himself, today."""


ALL: Final = Reach.ALL
OWN: Final = Reach.OWN
RECORDED: Final = Reach.RECORDED


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may take one action, and how far it reaches."""

    by_role: Mapping[str, Reach] = field(default_factory=dict)
    public: bool = False
    """Nobody needs to log in; a token that is sent along is not even looked at."""
    any_role: bool = False
    in_person: bool = False
    """Closed to a superadmin who acts as somebody else: it makes or changes what would outlast that."""

    def reach_of(self, role: str | None) -> Reach | None:
        """Return how far `role` reaches, None where it may not. For `public`, ALL for anybody."""
        if self.public or (self.any_role and role):
            return Reach.ALL
        return self.by_role.get(role) if role else None


def rule(**by_role: Reach) -> Rule:
    """Return the rule for the roles named: `rule(admin=ALL, student=OWN)`."""
    return Rule(by_role=by_role)


def in_person(allowed: Rule) -> Rule:
    """Return the rule, closed to whoever only acts as somebody whom it allows."""
    return replace(allowed, in_person=True)


PUBLIC: Final = Rule(public=True)
AUTHENTICATED: Final = Rule(any_role=True)
"""Any role, devices included."""

Table: TypeAlias = Mapping[str, Mapping[str, Rule]]
"""Route name (with its namespaces) → HTTP method → rule."""


@cache
def access_table() -> Table:
    """Return the table that `settings.TATAMI_ACCESS` names."""
    table: Table = import_string(settings.TATAMI_ACCESS)
    return table


@receiver(setting_changed)
def _forget(*, setting: str, **_: Any) -> None:
    if setting == "TATAMI_ACCESS":
        access_table.cache_clear()


def rule_of(route: str | None, method: str | None) -> Rule | None:
    """Return the rule for a route's name and a method, None where the table has none. HEAD counts as GET."""
    return access_table().get(route or "", {}).get("GET" if method == "HEAD" else method or "")
