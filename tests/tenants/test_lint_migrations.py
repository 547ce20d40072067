"""Each thing that a migration may not do, and how it may be done instead."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import CommandError, call_command
from django.db import migrations, models

from shared_apps.tenants.fleet import lint
from shared_apps.tenants.fleet.versions import history
from tatami.tenancy.scope import platform_scope

KEY = ("students", "9001_next")


def reasons(*operations: Any, contracts: bool = False, atomic: bool = True) -> list[str]:
    """Say what is wrong with a next migration of `students`."""
    migration = migrations.Migration(KEY[1], KEY[0])
    migration.operations = list(operations)
    migration.atomic = atomic
    migration.contracts = contracts  # type: ignore[attr-defined]
    state = history().state(history().whole)
    return [found.reason for found in lint.of_migration(KEY, migration, state, frozenset(state.models))]


def text(**options: Any) -> Any:
    return models.CharField(max_length=40, **options)


NEW_TABLE = migrations.CreateModel("Visit", [("id", models.UUIDField(primary_key=True)), ("name", text())])
LONGER = models.CharField(max_length=900)

EXPANDING = {
    "a new table": [NEW_TABLE],
    "anything with a new table": [
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
def test_what_expands_is_allowed(operations: list[Any]) -> None:
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
    "a column taken away": (migrations.RemoveField("student", "birth_date"), "contracts = True"),
    "a table taken away": (migrations.DeleteModel("RankEvent"), "contracts = True"),
    "a constraint": (
        migrations.AddConstraint(
            "student", models.CheckConstraint(condition=~models.Q(first_name=""), name="named")
        ),
        "does not know it",
    ),
    "statements": (migrations.RunSQL("SELECT 1"), "built from the state"),
    "Python": (migrations.RunPython(migrations.RunPython.noop), "built from the state"),
    "an index of its own time": (
        AddIndexConcurrently("student", models.Index(fields=["last_name"], name="by_last_name")),
        "one transaction",
    ),
}


@pytest.mark.parametrize(("operation", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_breaks_the_running_version_is_refused(operation: Any, reason: str) -> None:
    found = reasons(operation)
    assert len(found) == 1
    assert reason in found[0]


def test_what_wants_no_transaction_is_refused() -> None:
    assert reasons(atomic=False) == ["all that a dojo lacks is one transaction"]


def test_a_state_beside_the_database_is_refused() -> None:
    beside = migrations.SeparateDatabaseAndState(state_operations=[NEW_TABLE])
    assert reasons(beside) == ["new dojos are built from the state, and would differ"]


@pytest.mark.parametrize("name", ["a table taken away", "a constraint"])
def test_what_contracts_says_so(name: str) -> None:
    assert reasons(REFUSED[name][0], contracts=True) == []


def test_a_column_is_taken_away_when_nobody_need_fill_it() -> None:
    assert reasons(migrations.RemoveField("student", "birth_date"), contracts=True) == []
    (reason,) = reasons(migrations.RemoveField("student", "first_name"), contracts=True)
    assert "until it is gone nobody fills it" in reason


def test_what_the_code_needs_does_not_contract() -> None:
    (reason,) = reasons(NEW_TABLE, contracts=True)
    assert "could not serve without it" in reason


def test_our_own_migrations_may_be_released() -> None:
    assert list(lint.findings()) == []


def test_the_command_names_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a baseline of nothing but the first migrations, a column that was NOT NULL from the start is found."""
    monkeypatch.setattr(lint, "BASELINE", dict.fromkeys(lint.BASELINE, 1))
    out = StringIO()
    with platform_scope(), pytest.raises(CommandError, match="found"):
        call_command("lint_migrations", stdout=out)
    assert (
        "accounts.0003_add_search_name: Add field search_name to user: the running version" in out.getvalue()
    )
