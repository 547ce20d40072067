"""Rank systems and the versions of their rules: which version is in force on a date, and how a new one is saved.

A saved version never changes, because decisions refer to it. An equal document does not create a new version.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, Final, TypeVar
from uuid import UUID

from cachetools import LRUCache, cached
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q
from django.utils.translation import gettext

from tatami.errors import Invalid
from tenant_apps.ranks.definition import (
    DefinitionError,
    RankDefinition,
    RankDescription,
    accepted_definition,
    parse_definition,
)
from tenant_apps.ranks.errors import NameTaken, RankInUse, RulesChanged
from tenant_apps.ranks.models import SYSTEM_IN_USE, Discipline, Rank, RankRules, RankSystem
from tenant_apps.ranks.presets import UnknownPresetError, preset


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """A rank system, the version of its rules in force on a date, and its ranks by code. `id` is the version's."""

    id: UUID
    system: RankSystem
    version: int
    definition: RankDefinition
    ranks: Mapping[str, Rank]


def rules_in_force(
    *, on: date, only: RankSystem | None = None, named: Collection[UUID] = ()
) -> list[RulesInForce]:
    """Return the rules in force on a local date, for all rank systems in use or for `only` one. Two statements.

    `named` holds ids of ranks; their systems count as in use even if they are archived. An older version has no
    steps to ranks that were removed since, and uses today's order of seniority.
    """
    versions = RankRules.objects.in_force(on).select_related("system")
    found = list(versions.filter(system=only) if only else versions.filter(_in_use(named)))
    ranks: dict[UUID, dict[str, Rank]] = {row.system_id: {} for row in found}
    for rank in Rank.objects.filter(system__in=ranks):
        ranks[rank.system_id][rank.code] = rank
    return [
        _current(row, ranks[row.system_id])
        for row in sorted(found, key=lambda row: (row.system.name, row.system_id))
    ]


def _in_use(named: Collection[UUID]) -> Q:
    named_systems = Q(system__in=Rank.objects.filter(pk__in=named).values("system"))
    return SYSTEM_IN_USE | named_systems if named else SYSTEM_IN_USE


def _current(row: RankRules, ranks: Mapping[str, Rank]) -> RulesInForce:
    definition = cached_definition(row).with_current_ranks(
        {code: rank.position for code, rank in ranks.items()}
    )
    return RulesInForce(row.pk, row.system, row.version, definition, ranks)


def read_definition(document: object) -> RankDefinition:
    """Return the definition in a document of a client. Raises `Invalid` with every fault and its place."""
    try:
        return parse_definition(document)
    except DefinitionError as fault:
        raise Invalid(details=fault.by_place()) from None


def read_preset(key: str) -> RankDefinition:
    """Return the preset with this key. Raises `Invalid`."""
    try:
        return preset(key)
    except UnknownPresetError:
        raise Invalid.field("preset", gettext("There is no such preset.")) from None


@transaction.atomic
def create_rank_system(
    *, definition: RankDefinition, discipline: Discipline | None, preset_key: str = ""
) -> RankSystem:
    """Create a rank system with its ranks and version 1 of its rules. Raises `NameTaken`."""
    system = RankSystem(name=definition.name, discipline=discipline, preset=preset_key)
    save_named(system)
    _add_version(system, definition, version=1)
    return system


@transaction.atomic
def replace_rules(*, system: RankSystem, definition: RankDefinition, version: int | None = None) -> RankRules:
    """Save a definition as the latest version and return it. An equal definition does not create a new version.

    Ranks keep their id if they keep their code. A name that was given to the system by PATCH stays, unless this
    document changes the name. Raises `RulesChanged` if `version` is given and is no longer the latest, `RankInUse`
    if a rank that is needed is missing, `NameTaken`.
    """
    # The lock serialises writers: the next version number is the last one plus one.
    system = RankSystem.objects.select_for_update().get(pk=system.pk)
    latest = RankRules.objects.filter(system=system).latest("version")
    if version is not None and version != latest.version:
        raise RulesChanged
    if latest.document == definition.as_document():
        return latest
    if definition.name != latest.document["name"]:
        change_named(system, {"name": definition.name})
    return _add_version(system, definition, version=latest.version + 1)


Named = TypeVar("Named", Discipline, RankSystem)


def change_named(row: Named, changes: Mapping[str, Any]) -> Named:
    """Change a row whose name is unique among the rows in use. Raises `NameTaken`."""
    for field, value in changes.items():
        setattr(row, field, value)
    return save_named(row)


def save_named(row: Named) -> Named:
    """Save a row whose name is unique among the rows in use. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as violation:
        if "_name_once" in str(violation):
            raise NameTaken from None
        raise
    return row


def _add_version(system: RankSystem, definition: RankDefinition, *, version: int) -> RankRules:
    _drop_left_out(system, keep=[description.code for description in definition.ranks])
    _write_ranks(
        Rank(system=system, position=position, **_described(description))
        for position, description in enumerate(definition.ranks)
    )
    return RankRules.objects.create(
        system=system,
        version=version,
        document=definition.as_document(),
        effective_on=definition.effective_on,
    )


def _described(description: RankDescription) -> dict[str, Any]:
    return {
        "code": description.code,
        "name": description.name,
        "native_name": description.native_name or "",
        "kind": description.kind.value,
        "track": description.track or "",
        "colours": list(description.colours),
    }


def _drop_left_out(system: RankSystem, *, keep: list[str]) -> None:
    try:
        Rank.objects.filter(system=system).exclude(code__in=keep).delete()
    except ProtectedError:
        raise RankInUse from None


def _write_ranks(rows: Iterable[Rank]) -> None:
    Rank.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["system", "code"],
        update_fields=["name", "native_name", "kind", "track", "position", "colours", "updated_at"],
    )


MOST_CACHED: Final = 1_000
"""Versions of rules, over all dojos of the process."""


def _key(row: RankRules) -> tuple[UUID, UUID]:
    """Return the tenant and the version: a dojo restored from an archive has the ids of the dojo it was made of."""
    return row.tenant_id, row.pk


@cached(LRUCache[tuple[UUID, UUID], RankDefinition](maxsize=MOST_CACHED), key=_key, lock=Lock())
def cached_definition(row: RankRules) -> RankDefinition:
    """Return the definition in a version of the rules. A version never changes, so a cached one is never outdated.

    Safe to call from several threads: two that ask for the same version at once may both parse it.
    """
    return accepted_definition(row.document)
