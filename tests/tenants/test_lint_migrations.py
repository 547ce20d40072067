"""Operations that a migration may contain, and those that are refused."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import migrations, models

from shared_apps.tenants.fleet import lint
from shared_apps.tenants.schema.versions import history
from tatami.tenancy.scope import platform_scope

KEY = ("students", "9001_next")


def reasons(*operations: Any, contracts: bool = False, atomic: bool = True) -> list[str]:
    """Return the reasons against a next migration of `students`."""
    migration = migrations.Migration(KEY[1], KEY[0])
    migration.operations = list(operations)
    migration.atomic = atomic
    migration.contracts = contracts  # type: ignore[attr-defined]
    state = history().state(history().all_keys)
    return [found.reason for found in lint.lint_migration(KEY, migration, state, frozenset(state.models))]


def text(**options: Any) -> Any:
    return models.CharField(max_length=40, **options)


NEW_TABLE = migrations.CreateModel("Visit", [("id", models.UUIDField(primary_key=True)), ("name", text())])
LONGER = models.CharField(max_length=900)

EXPANDING = {
    "a new table": [NEW_TABLE],
    "any operation on a new table": [
        NEW_TABLE,
        migrations.AddField("visit", "kind", text(default="")),
        migrations.RenameField("visit", "name", "title"),
        migrations.AddConstraint("visit", models.CheckConstraint(condition=models.Q(kind=""), name="none")),
    ],
    "a column that may be empty": [migrations.AddField("student", "nickname", text(null=True))],
    "a column that the database fills": [migrations.AddField("student", "nickname", text(db_default="x"))],
    "a longer text": [migrations.AlterField("student", "first_name", LONGER)],
    "an index": [migrations.AddIndex("student", models.Index(fields=["last_name"], name="by_last_name"))],
}


@pytest.mark.parametrize("operations", EXPANDING.values(), ids=EXPANDING.keys())
def test_expanding_operations_are_allowed(operations: list[Any]) -> None:
    assert reasons(*operations) == []


REFUSED = {
    "NOT NULL": (migrations.AddField("student", "nickname", text(default="")), "does not fill it"),
    "a computed default": (
        migrations.AddField(
            "student", "token", models.UUIDField(db_default=models.Func(function="gen_random_uuid"))
        ),
        "rewrites the table",
    ),
    "another type": (
        migrations.AlterField("student", "first_name", models.IntegerField()),
        "add another field",
    ),
    "a shorter text": (migrations.AlterField("student", "first_name", text()), "add another field"),
    "a rename": (migrations.RenameField("student", "first_name", "given_name"), "old name"),
    "a renamed table": (migrations.RenameModel("Student", "Pupil"), "old name"),
    "a removed column": (migrations.RemoveField("student", "birth_date"), "contracts = True"),
    "a removed table": (migrations.DeleteModel("RankEvent"), "contracts = True"),
    "a constraint": (
        migrations.AddConstraint(
            "student", models.CheckConstraint(condition=~models.Q(first_name=""), name="named")
        ),
        "does not know it",
    ),
    "statements": (migrations.RunSQL("SELECT 1"), "built from the state"),
    "Python": (migrations.RunPython(migrations.RunPython.noop), "built from the state"),
    "a concurrent index": (
        AddIndexConcurrently("student", models.Index(fields=["last_name"], name="by_last_name")),
        "one transaction",
    ),
}


@pytest.mark.parametrize(("operation", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_operations_that_break_the_previous_version_are_refused(operation: Any, reason: str) -> None:
    found = reasons(operation)
    assert len(found) == 1
    assert reason in found[0]


def test_a_migration_without_a_transaction_is_refused() -> None:
    assert reasons(atomic=False) == ["a tenant's migrations are one transaction"]


def test_separate_database_and_state_is_refused() -> None:
    separate = migrations.SeparateDatabaseAndState(state_operations=[NEW_TABLE])
    assert reasons(separate) == ["new tenants are built from the state, and would differ"]


@pytest.mark.parametrize("name", ["a removed table", "a constraint"])
def test_contracting_operations_are_allowed_in_a_contracting_migration(name: str) -> None:
    assert reasons(REFUSED[name][0], contracts=True) == []


def test_a_column_can_be_removed_only_if_it_may_stay_empty() -> None:
    assert reasons(migrations.RemoveField("student", "birth_date"), contracts=True) == []
    (reason,) = reasons(migrations.RemoveField("student", "first_name"), contracts=True)
    assert "nothing fills it until it is removed" in reason


def test_operations_that_the_code_needs_are_refused_in_a_contracting_migration() -> None:
    (reason,) = reasons(NEW_TABLE, contracts=True)
    assert "does not work without it" in reason


def test_our_own_migrations_have_no_faults() -> None:
    assert list(lint.lint_migrations()) == []


def test_the_command_prints_each_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With only the first migrations as the baseline, a column that is NOT NULL from the start is found."""
    monkeypatch.setattr(lint, "BASELINE", dict.fromkeys(lint.BASELINE, 1))
    out = StringIO()
    with platform_scope(), pytest.raises(CommandError, match="found"):
        call_command("lint_migrations", stdout=out)
    assert (
        "accounts.0003_add_search_name: Add field search_name to user: the previous version" in out.getvalue()
    )
