"""Which migrations a dojo has, which this code needs, and what lies between. Touches no database.

A dojo's version is the leaf migrations of its schema, app by app, kept on its row. A migration that only takes away
what this code no longer uses says so with `contracts = True`: the code serves without it, and it waits until the
version before is gone. All others are needed: a dojo that lacks one of them is too far behind to be served.
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

Key = tuple[str, str]
"""A migration: its app's label, its name."""


def tenant_labels() -> frozenset[str]:
    """Return the labels of the apps that live in each dojo's schema."""
    return frozenset(config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS)


@dataclass(frozen=True)
class History:
    """The migrations on disk of the apps that live in one kind of schema."""

    loader: MigrationLoader
    labels: frozenset[str]

    @cached_property
    def plan(self) -> tuple[Key, ...]:
        """Every migration, each after those it depends on."""
        leaves = sorted(key for key in self.loader.graph.leaf_nodes() if key[0] in self.labels)
        ordered = (key for leaf in leaves for key in self.loader.graph.forwards_plan(leaf))
        return tuple(dict.fromkeys(key for key in ordered if key[0] in self.labels))

    @cached_property
    def needed(self) -> frozenset[Key]:
        """What this code cannot do without: all, but for the contracting ones that nothing else is built on."""
        needed: set[Key] = set()
        for key in reversed(self.plan):
            children = {child.key for child in self.loader.graph.node_map[key].children}
            if not contracts(self.migration(key)) or children & needed:
                needed.add(key)
        return frozenset(needed)

    @property
    def whole(self) -> frozenset[Key]:
        """All of them."""
        return frozenset(self.plan)

    def migration(self, key: Key) -> Migration:
        """Return a migration."""
        return cast("Migration", self.loader.graph.nodes[key])

    def leaves(self, applied: frozenset[Key]) -> list[Key]:
        """Return the last migrations of each app among `applied`."""
        children = self.loader.graph.node_map
        return sorted(
            key
            for key in applied
            if not any(child.key in applied and child.key[0] == key[0] for child in children[key].children)
        )

    def version(self, applied: frozenset[Key]) -> str:
        """Return the version of a schema in which these ran."""
        return ",".join(f"{label}.{name}" for label, name in self.leaves(applied))

    def applied(self, version: str) -> frozenset[Key]:
        """Return which of our migrations a schema of this version has.

        Of an app whose leaf we do not know it has all of ours: a newer Tatami migrated it.
        """
        named = {(label, name) for label, _, name in (leaf.partition(".") for leaf in version.split(","))}
        ahead = {label for label, name in named if (label, name) not in self.loader.graph.nodes}
        known = (named & self.whole) | {key for key in self.plan if key[0] in ahead}
        return frozenset(
            key for leaf in known for key in self.loader.graph.forwards_plan(leaf) if key in self.whole
        )

    def missing(self, applied: frozenset[Key], target: frozenset[Key]) -> list[Key]:
        """Return what leads from `applied` to `target`, in order."""
        return [key for key in self.plan if key in target and key not in applied]

    def state(self, applied: frozenset[Key]) -> ProjectState:
        """Return the models as they are when these have run."""
        return self.loader.project_state(self.leaves(applied))


@cache
def public_history() -> History:
    """Return the migrations on disk of the apps that live in `public`. Read once a process."""
    labels = (config.label for config in apps.get_app_configs() if config.name in settings.SHARED_APPS)
    return History(history().loader, frozenset(labels))


@cache
def history() -> History:
    """Return the migrations on disk. Read once a process (some 50 ms)."""
    return History(MigrationLoader(None), tenant_labels())


@lru_cache(maxsize=256)
def can_serve(version: str) -> bool:
    """Say whether this code can serve a dojo of this version. Asked for every dojo that is looked up."""
    return history().needed <= history().applied(version)


def contracts(migration: Migration) -> bool:
    """Say whether a migration only takes away what the code that brings it no longer uses."""
    return bool(getattr(migration, "contracts", False))


def named(keys: Iterable[Key]) -> list[str]:
    """Return migrations as people write them."""
    return [f"{label}.{name}" for label, name in keys]
