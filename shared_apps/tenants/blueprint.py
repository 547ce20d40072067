"""The statements that build a dojo's schema, taken from the migrations' own state.

No snapshot file that could drift: Django's schema editor collects the SQL of every TENANT_APPS model over the
project state at the leaf migrations. The price, kept by `tests/tenancy/test_blueprint.py`: tenant migrations hold
no RunSQL/RunPython DDL and no seed data, and renames rename their indexes too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import StateApps
from django.db.models import Model

from tatami.tenancy.models import TenantModel


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a new schema consists of."""

    statements: tuple[str, ...]
    tables: Mapping[str, str]
    """Each table and what the app login may do with its rows."""
    migrations: tuple[tuple[str, str], ...]
    version: str


def tenant_labels() -> frozenset[str]:
    """Return the labels of the apps that live in each dojo's schema."""
    return frozenset(config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS)


@cache
def tenant_blueprint() -> Blueprint:
    """Return the blueprint of the code that runs. Collected once a process (some 30 ms); touches no database."""
    labels = tenant_labels()
    loader = MigrationLoader(None)
    leaves = sorted(key for key in loader.graph.leaf_nodes() if key[0] in labels)
    state_apps = loader.project_state(leaves).apps
    models = [model for model in _in_dependency_order(state_apps) if model._meta.app_label in labels]
    with connections["owner"].schema_editor(collect_sql=True, atomic=False) as editor:
        editor.create_model(MigrationRecorder.Migration)
        for model in models:
            editor.create_model(model)
    return Blueprint(
        statements=tuple(statement.removesuffix(";") for statement in editor.collected_sql),
        tables={model._meta.db_table: app_privileges(model._meta.db_table) for model in models},
        migrations=tuple(sorted(key for key in loader.disk_migrations if key[0] in labels)),
        version=",".join(f"{label}.{name}" for label, name in leaves),
    )


def app_privileges(table: str) -> str:
    """Return what the app login may do with rows of `table`: its model says so, all by default."""
    return _privileges().get(table, TenantModel.APP_PRIVILEGES)


@cache
def _privileges() -> dict[str, str]:
    # The migrations' state keeps no class attributes, so the present models are asked.
    models = (model for model in apps.get_models() if issubclass(model, TenantModel))
    return {model._meta.db_table: model.APP_PRIVILEGES for model in models}


def _in_dependency_order(state_apps: StateApps) -> list[type[Model]]:
    # Foreign keys are added at the editor's exit, so any order builds; this one is stable.
    return sorted(state_apps.get_models(include_auto_created=True), key=lambda model: model._meta.label_lower)
