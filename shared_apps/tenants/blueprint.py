"""The statements that build a dojo's schema, taken from the migrations' own state.

No snapshot file that could drift: Django's schema editor collects the SQL of every TENANT_APPS model over the
project state at the leaf migrations. The price, kept by `tests/tenants/test_blueprint.py`: tenant migrations hold
no RunSQL/RunPython DDL and no seed data, and renames rename their indexes too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import StateApps
from django.db.models import Model

from shared_apps.tenants.fleet.versions import Key, history, tenant_labels
from tatami.tenancy.models import TenantModel

__all__ = [
    "Blueprint",
    "app_privileges",
    "blueprint_at",
    "tenant_blueprint",
    "tenant_labels",
    "tenant_tables",
]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a new schema consists of."""

    statements: tuple[str, ...]
    tables: Mapping[str, str]
    """Each table and what the app login may do with its rows."""
    migrations: tuple[Key, ...]
    version: str


def tenant_blueprint() -> Blueprint:
    """Return the blueprint of the code that runs: what it needs, and what is to be taken away later."""
    return blueprint_at(history().needed)


@cache
def blueprint_at(applied: frozenset[Key]) -> Blueprint:
    """Return the blueprint of a schema in which these migrations have run.

    Collected once a process (some 30 ms); touches no database.
    """
    state_apps = history().state(applied).apps
    models = _tenant_models(state_apps)
    with connections["owner"].schema_editor(collect_sql=True, atomic=False) as editor:
        editor.create_model(MigrationRecorder.Migration)
        for model in models:
            editor.create_model(model)
    return Blueprint(
        statements=tuple(statement.removesuffix(";") for statement in editor.collected_sql),
        tables=tenant_tables(state_apps),
        migrations=tuple(sorted(applied)),
        version=history().version(applied),
    )


def tenant_tables(state_apps: StateApps) -> dict[str, str]:
    """Return the tables of a dojo in this state, and what the app login may do with their rows."""
    tables = (model._meta.db_table for model in _tenant_models(state_apps))
    return {table: app_privileges(table) for table in tables}


def app_privileges(table: str) -> str:
    """Return what the app login may do with rows of `table`: its model says so, all by default."""
    return _privileges().get(table, TenantModel.APP_PRIVILEGES)


@cache
def _privileges() -> dict[str, str]:
    # The migrations' state keeps no class attributes, so the present models are asked.
    models = (model for model in apps.get_models() if issubclass(model, TenantModel))
    return {model._meta.db_table: model.APP_PRIVILEGES for model in models}


def _tenant_models(state_apps: StateApps) -> list[type[Model]]:
    # Foreign keys are added at the editor's exit, so any order builds; this one is stable.
    models = state_apps.get_models(include_auto_created=True)
    labels = tenant_labels()
    ours = (model for model in models if model._meta.app_label in labels)
    return sorted(ours, key=lambda model: model._meta.label_lower)
