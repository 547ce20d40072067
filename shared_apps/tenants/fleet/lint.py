"""Which migrations may not be released as they are. `manage.py lint_migrations`, in `make lint`.

Asked of the migrations after `BASELINE`. Tables that were made since then are nobody's yet: with them anything goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.apps import apps
from django.db.migrations import Migration, SeparateDatabaseAndState
from django.db.migrations.state import ProjectState

from shared_apps.tenants.fleet.rules import Asked
from shared_apps.tenants.fleet.scripts import operations
from shared_apps.tenants.fleet.versions import History, Key, contracts, history, public_history

BASELINE: Final = {
    "accounts": 4,
    "attendance": 2,
    "classes": 3,
    "dojo": 5,
    "notifications": 1,
    "promotions": 2,
    "ranks": 3,
    "students": 3,
    "tenants": 7,
}
"""The number of each app's last migration in the latest release. Set it anew with every release."""

Table = tuple[str, str]
"""A model: its app's label, its name in lower case."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a migration may not be released."""

    migration: Key
    operation: str
    reason: str

    def __str__(self) -> str:
        return f"{'.'.join(self.migration)}: {self.operation}: {self.reason}"


def findings() -> Iterator[Finding]:
    """Yield what is wrong with the migrations since the baseline. Touches no database."""
    dojos, public = history(), public_history()
    yield from _since_the_baseline(dojos, dojos.labels)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("shared_apps.")}
    yield from _since_the_baseline(public, ours - dojos.labels)


def _since_the_baseline(known: History, labels: frozenset[str] | set[str]) -> Iterator[Finding]:
    released = frozenset(key for key in known.plan if key[0] not in labels or not is_new(key))
    in_use = frozenset(known.state(released).models)
    for key in known.plan:
        if key not in released:
            before = known.loader.project_state(key, at_end=False)
            yield from of_migration(key, known.migration(key), before, in_use)


def is_new(key: Key) -> bool:
    """Say whether a migration is not in the latest release."""
    label, name = key
    return int(name.partition("_")[0]) > BASELINE.get(label, 0)


def of_migration(
    key: Key, migration: Migration, state: ProjectState, in_use: frozenset[Table]
) -> Iterator[Finding]:
    """Yield what is wrong with a migration that begins in `state`, where the tables `in_use` are in service."""
    if not migration.atomic:
        yield Finding(key, "atomic = False", "all that a dojo lacks is one transaction")
    is_of_dojos = key[0] in history().labels
    if is_of_dojos and any(isinstance(o, SeparateDatabaseAndState) for o in migration.operations):
        yield Finding(key, "SeparateDatabaseAndState", "new dojos are built from the state, and would differ")
    for operation in operations(migration):
        asked = Asked(operation, key[0], state, in_use, contracts(migration), is_of_dojos)
        for reason in asked.reasons():
            yield Finding(key, operation.describe(), reason)
        # The fields of the state before are asked for: never change it.
        state = state.clone()
        operation.state_forwards(key[0], state)
