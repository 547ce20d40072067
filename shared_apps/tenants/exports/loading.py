"""Filling a new dojo's schema with the rows of an archive, and bringing it up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import DataError, IntegrityError

from shared_apps.tenants import schemas
from shared_apps.tenants.exports.contents import SETTINGS, Tick, content_of
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.states import listed
from shared_apps.tenants.fleet.replay import Patience, bring_up_to_date
from shared_apps.tenants.fleet.scripts import Scripts
from shared_apps.tenants.fleet.versions import history
from shared_apps.tenants.models import Tenant
from tatami.tenancy.seal import quoted, schema_grants, seal_statements, verify_seal


@dataclass(frozen=True, slots=True)
class Ticks:
    """Who is told how many rows more are done, of each step."""

    checking: Tick
    loading: Tick
    comparing: Tick


AS_LONG_AS_IT_TAKES: Final = Patience(statement_timeout=0)
"""For migrations of a dojo that serves nobody yet."""

UNTOLD: Final = Ticks(checking=lambda _: None, loading=lambda _: None, comparing=lambda _: None)
"""Nobody looks on."""


def filled(archive: Archive, tenant: Tenant, ticks: Ticks) -> str:
    """Build the dojo's schema as the archive has it, fill it, bring it up to date; return its version.

    All or nothing, but for the migrations. Raises `ArchiveRefused` for rows that break a constraint, or that are others
    when they are read again.
    """
    schema, state = tenant.schema_name, archive.state
    with schemas.owner_in(schema) as owner, _refusing_rows(), owner.wrap_database_errors:
        login, blueprint = schemas.app_login(), state.blueprint
        owner.connection.execute(SETTINGS)
        schemas.send(
            owner,
            [
                f"CREATE SCHEMA {quoted(schema)}",
                *state.create_tables,
                *schema_grants(schema, login),
                *seal_statements(blueprint.tables, tenant.pk, login),
            ],
        )
        with _own_values(archive, owner, tenant.pk):
            _load(archive, owner, ticks.loading)
        _name_files(archive, owner, tenant.pk)
        schemas.send(owner, [*state.add_constraints, f"ANALYZE {listed(blueprint.tables)}"])
        with owner.cursor() as cursor:
            schemas.note_migrations(cursor, blueprint.migrations)
            verify_seal(cursor, schema, tenant.pk, login)
        _compare(archive, owner, ticks.comparing)
    return bring_up_to_date(tenant.scope, state.applied, Scripts(history().needed), AS_LONG_AS_IT_TAKES)


@contextmanager
def _refusing_rows() -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as fault:
        # The checksums were right, so whoever made them had rows that no dojo has.
        raise ArchiveRefused(
            f"Its rows are not those of a dojo: {str(fault).splitlines()[0][:300]}"
        ) from fault


@contextmanager
def _own_values(archive: Archive, owner: Any, tenant_id: UUID) -> Iterator[None]:
    """Give the columns that stayed behind a value for each new row, as long as the block lasts."""
    defaults = {
        (table.name, column): expression
        for table in archive.state.tables.values()
        for column, expression in [
            *((own, f"'{tenant_id}'::uuid") for own in table.own if own != "tenant_id"),
            *table.made_anew.items(),
        ]
    }
    places = {place: f"ALTER TABLE {quoted(place[0])} ALTER COLUMN {quoted(place[1])}" for place in defaults}
    schemas.send(
        owner, (f"{places[place]} SET DEFAULT {expression}" for place, expression in defaults.items())
    )
    yield
    schemas.send(owner, (f"{alter} DROP DEFAULT" for alter in places.values()))


def _load(archive: Archive, owner: Any, tick: Tick) -> None:
    for entry in archive.manifest.entries:
        statement = archive.state.tables[entry.name].copy_in(entry.columns)
        with owner.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in archive.blocks(entry):
                copy.write(block)
                tick(block.count(b"\n"))


def _name_files(archive: Archive, owner: Any, tenant_id: UUID) -> None:
    """Put the new dojo's id before the names of files. Raises `ArchiveRefused` for one that is not in the archive."""
    columns = [(quoted(table), quoted(column)) for table, column in archive.state.file_columns]
    names = [kept.name for kept in archive.manifest.files]
    for table, c in columns:
        strange = owner.connection.execute(
            f"SELECT {c} FROM {table} WHERE {c} <> '' AND {c} <> ALL(%s) LIMIT 1",  # noqa: S608
            [names],
        )
        if strange.fetchone():
            raise ArchiveRefused("Its rows name a file that is not in it.")
    schemas.send(
        owner,
        (f"UPDATE {table} SET {c} = '{tenant_id}/' || {c} WHERE {c} <> ''" for table, c in columns),  # noqa: S608
    )


def _compare(archive: Archive, owner: Any, tick: Tick) -> None:
    for entry in archive.manifest.entries:
        statement = archive.state.tables[entry.name].copy_out(entry.columns)
        if content_of(owner.connection, statement, tick) != entry.content:
            raise ArchiveRefused(f"What came out of {entry.name} is not what went in.")
