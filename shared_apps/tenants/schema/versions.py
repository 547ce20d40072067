"""Which migrations a tenant's schema has, which ones this code requires, and which are missing. Uses no database.

The version of a schema is the list of its leaf migrations, one per app, stored in `Tenant.schema_version`. A migration
that only removes what this code no longer uses sets `contracts = True`: the code works without it, and it is run only
when the previous release is gone. All other migrations are required: a tenant that lacks one of them is not served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import cast

from django.apps import apps
from django.conf import settings
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

MigrationKey = tuple[str, str]
"""A migration: the label of its app, its name."""


def tenant_labels() -> frozenset[str]:
    """Return the labels of the apps whose tables are in each tenant's schema."""
    return frozenset(config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS)


@dataclass(frozen=True)
class History:
    """The migrations on disk of the apps that share one kind of schema."""

    loader: MigrationLoader
    labels: frozenset[str]

    @cached_property
    def plan(self) -> tuple[MigrationKey, ...]:
        """All migrations, each after those it depends on."""
        leaves = sorted(key for key in self.loader.graph.leaf_nodes() if key[0] in self.labels)
        ordered = (key for leaf in leaves for key in self.loader.graph.forwards_plan(leaf))
        return tuple(dict.fromkeys(key for key in ordered if key[0] in self.labels))

    @cached_property
    def required(self) -> frozenset[MigrationKey]:
        """The migrations this code cannot work without: all but the contracting ones that no other is built on."""
        required: set[MigrationKey] = set()
        for key in reversed(self.plan):
            children = {child.key for child in self.loader.graph.node_map[key].children}
            if not contracts(self.migration(key)) or children & required:
                required.add(key)
        return frozenset(required)

    @property
    def all_keys(self) -> frozenset[MigrationKey]:
        """All migrations, contracting ones included."""
        return frozenset(self.plan)

    def migration(self, key: MigrationKey) -> Migration:
        """Return a migration by its key."""
        return cast("Migration", self.loader.graph.nodes[key])

    def leaves(self, applied: frozenset[MigrationKey]) -> list[MigrationKey]:
        """Return the last migration of each app among `applied`."""
        children = self.loader.graph.node_map
        return sorted(
            key
            for key in applied
            if not any(child.key in applied and child.key[0] == key[0] for child in children[key].children)
        )

    def version(self, applied: frozenset[MigrationKey]) -> str:
        """Return the version of a schema in which these migrations have run."""
        return ",".join(dotted_names(self.leaves(applied)))

    def applied(self, version: str) -> frozenset[MigrationKey]:
        """Return which migrations on disk a schema of this version has.

        If the version names an unknown leaf of an app, a newer release migrated the schema: it has all of that app's.
        """
        named = {(label, name) for label, _, name in (leaf.partition(".") for leaf in version.split(","))}
        newer = {label for label, name in named if (label, name) not in self.loader.graph.nodes}
        known = (named & self.all_keys) | {key for key in self.plan if key[0] in newer}
        return frozenset(
            key for leaf in known for key in self.loader.graph.forwards_plan(leaf) if key in self.all_keys
        )

    def missing(
        self, applied: frozenset[MigrationKey], target: frozenset[MigrationKey]
    ) -> list[MigrationKey]:
        """Return the migrations of `target` that are not in `applied`, in the order in which they run."""
        return [key for key in self.plan if key in target and key not in applied]

    def state(self, applied: frozenset[MigrationKey]) -> ProjectState:
        """Return the models as they are after these migrations."""
        return self.loader.project_state(self.leaves(applied))


def public_labels() -> frozenset[str]:
    """Return the labels of the apps whose tables are in `public`."""
    return frozenset(config.label for config in apps.get_app_configs() if config.name in settings.SHARED_APPS)


@cache
def public_history() -> History:
    """Return the migrations on disk of the apps in `public`. Read once per process."""
    return History(history().loader, public_labels())


@cache
def history() -> History:
    """Return the migrations on disk of the tenants' apps. Read once per process (about 50 ms)."""
    return History(MigrationLoader(None), tenant_labels())


@lru_cache(maxsize=256)
def can_serve(version: str) -> bool:
    """Return whether this code can serve a schema of this version. Called for every tenant that is looked up."""
    return history().required <= history().applied(version)


def contracts(migration: Migration) -> bool:
    """Return whether a migration only removes what the release that adds it no longer uses."""
    return bool(getattr(migration, "contracts", False))


def dotted_names(keys: Iterable[MigrationKey]) -> list[str]:
    """Return migrations as `app.name`."""
    return [f"{label}.{name}" for label, name in keys]
