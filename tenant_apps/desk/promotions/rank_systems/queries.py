"""The versions of the rules of a rank system, which the API shows one at a time."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tenant_apps.ranks.models import RankRules


@dataclass(frozen=True, slots=True)
class Version:
    """A version of rules: when it was saved, from which local date it is in force, and whether it is today."""

    version: int
    effective_on: date | None
    saved_at: datetime
    is_in_force: bool


def versions(system: UUID, today: date) -> list[Version]:
    """Return the versions of a rank system, the latest first. Two statements."""
    rows = RankRules.objects.filter(system=system)
    in_force = rows.in_force(today).values_list("version", flat=True)
    current = next(iter(in_force), None)
    found = rows.order_by("-version").values_list("version", "effective_on", "created_at")
    return [Version(number, on, at, number == current) for number, on, at in found]
