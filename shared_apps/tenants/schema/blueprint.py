"""The statements that build a tenant's schema, derived from the state of the migrations.

There is no snapshot file that could become outdated: Django's schema editor collects the SQL of every model of
TENANT_APPS in the project state at the leaf migrations. This has a price, which `tests/tenants/test_blueprint.py`
checks: migrations of tenant apps contain no DDL in RunSQL or RunPython and no seed data, and a migration that renames
a model or a field also renames its indexes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import StateApps
from django.db.models import Model

from shared_apps.tenants.schema.versions import MigrationKey, history, tenant_labels
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
    """Everything a new schema consists of."""

    statements: tuple[str, ...]
    tables: Mapping[str, str]
    """Table → the privileges of the app login on its rows."""
    migrations: tuple[MigrationKey, ...]
    version: str


def tenant_blueprint() -> Blueprint:
    """Return the blueprint for this code: all required migrations, without the contracting ones."""
    return blueprint_at(history().required)


@cache
def blueprint_at(applied: frozenset[MigrationKey]) -> Blueprint:
    """Return the blueprint of a schema in which these migrations have run.

    Collected once per process (about 30 ms). Sends no statement, but quotes values with the owner's connection.
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
    """Return the tables of a tenant in this state, and the privileges of the app login on their rows."""
    tables = (model._meta.db_table for model in _tenant_models(state_apps))
    return {table: app_privileges(table) for table in tables}


def app_privileges(table: str) -> str:
    """Return the privileges of the app login on rows of `table`: those its model declares, or all by default."""
    return _privileges().get(table, TenantModel.APP_PRIVILEGES)


@cache
def _privileges() -> dict[str, str]:
    # The state of the migrations has no class attributes, so this reads the current models.
    models = (model for model in apps.get_models() if issubclass(model, TenantModel))
    return {model._meta.db_table: model.APP_PRIVILEGES for model in models}


def _tenant_models(state_apps: StateApps) -> list[type[Model]]:
    # The editor adds foreign keys when it exits, so any order works. This one is stable.
    models = state_apps.get_models(include_auto_created=True)
    labels = tenant_labels()
    ours = (model for model in models if model._meta.app_label in labels)
    return sorted(ours, key=lambda model: model._meta.label_lower)
