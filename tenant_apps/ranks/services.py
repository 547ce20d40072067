"""Rank systems and the versions of their rules: which version is in force on a date, and how a new one is saved.

A saved version never changes, because decisions refer to it. An equal document does not create a new version.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from cachetools import LRUCache, cached
from django.db import IntegrityError, transaction
from django.db.models import Model, ProtectedError, Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext

from tatami.errors import Invalid
from tatami.postgresql.compiled import CompiledQuery, many
from tatami.postgresql.statements import AnyModel, Row, instance
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
    if only:
        found = _RULES_OF_SYSTEM.rows(on=on, system=only.pk)
    elif named:
        found = _RULES_IN_USE_OR_NAMED.rows(on=on, named=list(named))
    else:
        found = _RULES_IN_USE.rows(on=on)
    versions = [_version(row) for row in found]
    ranks: dict[UUID, dict[str, Rank]] = {row.system_id: {} for row in versions}
    for row in _RANKS.rows(systems=list(ranks)) if ranks else ():
        rank = _from_row(Rank, _RANK_FIELDS, row)
        rank.colours = orjson.loads(rank.colours)
        ranks[rank.system_id][rank.code] = rank
    return [
        _current(row, ranks[row.system_id])
        for row in sorted(versions, key=lambda row: (row.system.name, row.system_id))
    ]


def _fields_of(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


_SYSTEM_FIELDS: Final = _fields_of(RankSystem)
_RANK_FIELDS: Final = _fields_of(Rank)
_VERSION_FIELDS: Final = ("id", "tenant_id", "system_id", "version")
_RULES_COLUMNS: Final = (
    *_VERSION_FIELDS,
    "document_text",
    *(f"system__{name}" for name in _SYSTEM_FIELDS),
)


def _rules(name: str, condition: Callable[..., Q], **types: Any) -> CompiledQuery:
    return CompiledQuery(
        f"ranks: {name}",
        lambda on, **values: (
            RankRules.objects.in_force(on)
            .filter(condition(**values))
            .annotate(document_text=Cast("document", TextField()))
        ),
        columns=_RULES_COLUMNS,
        on=date,
        **types,
    )


_RULES_IN_USE: Final = _rules("rules in use", lambda: SYSTEM_IN_USE)
_RULES_OF_SYSTEM: Final = _rules("rules of a system", lambda system: Q(system=system), system=UUID)
_RULES_IN_USE_OR_NAMED: Final = _rules(
    "rules in use or named",
    lambda named: SYSTEM_IN_USE | Q(system__in=Rank.objects.filter(pk__in=named).values("system")),
    named=many(UUID),
)
_RANKS: Final = CompiledQuery(
    "ranks: ranks of systems",
    lambda systems: Rank.objects.filter(system__in=systems),
    columns=_RANK_FIELDS,
    systems=many(UUID),
)


def _version(row: Row) -> RankRules:
    """Return a version with its system. The document is text, because a definition that is cached does not need it."""
    size = len(_VERSION_FIELDS)
    version = _from_row(RankRules, _VERSION_FIELDS, row[:size])
    version.document = row[size]
    version.system = _from_row(RankSystem, _SYSTEM_FIELDS, row[size + 1 :])
    return version


def _from_row(model: type[AnyModel], fields: Sequence[str], row: Row) -> AnyModel:
    """Return an instance of a row of a statement. Statements return ids and JSON as text; the ids are converted."""
    return instance(
        model,
        fields,
        [
            UUID(value) if value and (name == "id" or name.endswith("_id")) else value
            for name, value in zip(fields, row, strict=True)
        ],
    )


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
        raise Invalid(details=fault.by_place(gettext)) from None


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

    The document of `row` may still be text.

    Safe to call from several threads: two that ask for the same version at once may both parse it.
    """
    document = row.document
    return accepted_definition(orjson.loads(document) if isinstance(document, str) else document)
