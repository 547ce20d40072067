"""Operations that a migration may contain, and those that are refused."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently, BtreeGistExtension
from django.core.management import CommandError, call_command
from django.db import migrations, models

from shared_apps.tenants.fleet import lint
from shared_apps.tenants.fleet.migration_sql import migration_sql, reasons_against
from shared_apps.tenants.schema.versions import history, public_history
from tatami.tenancy.scope import platform_scope

KEY = ("students", "9001_next")


def next_migration(*operations: Any) -> Any:
    """Return a next migration of `students`."""
    migration = migrations.Migration(KEY[1], KEY[0])
    migration.operations = list(operations)
    return migration


def statements(*operations: Any) -> list[str]:
    """Return the SQL of a next migration of `students`."""
    return migration_sql(next_migration(*operations), history().state(history().all_keys))


def reasons(*operations: Any, contracts: bool = False, atomic: bool = True) -> list[str]:
    """Return the reasons against a next migration of `students`."""
    migration = next_migration(*operations)
    migration.atomic = atomic
    migration.contracts = contracts
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


def test_a_column_with_a_constraint_becomes_two_statements() -> None:
    number = models.PositiveIntegerField(unique=True, null=True)
    assert reasons(migrations.AddField("student", "number", number)) == []
    columns = [
        text for text in statements(migrations.AddField("student", "number", number)) if "COLUMN" in text
    ]
    assert columns == ['ALTER TABLE "students_student" ADD COLUMN "number" integer NULL ']


def test_operations_that_ask_the_catalogue_are_collected_without_a_database() -> None:
    assert statements(BtreeGistExtension()) == ['CREATE EXTENSION IF NOT EXISTS "btree_gist"']
    dropped = statements(migrations.RemoveField("rankevent", "student"))
    assert [statement.partition(" DROP ")[2].split()[0] for statement in dropped] == ["CONSTRAINT", "COLUMN"]
    longer = models.CharField(max_length=300, db_collation="C")
    assert len(statements(migrations.AlterField("student", "last_name", longer))) == 1


class AddCheckedColumn(migrations.AddField):
    """An operation that adds a column with its check, as Django does by itself."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(
            'ALTER TABLE "students_student" ADD COLUMN "number" integer CHECK ("number" >= 0)'
        )


def test_a_column_that_is_added_with_its_check_is_refused() -> None:
    (reason,) = reasons(AddCheckedColumn("student", "number", models.IntegerField(null=True)))
    assert reason == "Citus adds no column together with CHECK: add the column, then a named constraint"


CITUS_REFUSES = [
    'ALTER TABLE "t" ADD COLUMN "n" integer NULL CHECK ("n" >= 0)',
    "alter table t add n int default 'x' unique",
    'ALTER TABLE "t" ADD COLUMN "n" uuid CONSTRAINT "f" REFERENCES "u" ("id")',
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS n uuid PRIMARY KEY",
    "ALTER TABLE t ADD COLUMN a int; ALTER TABLE t ADD COLUMN b int",
    'SET CONSTRAINTS "f" IMMEDIATE; ALTER TABLE "t" DROP CONSTRAINT "f"',
    "CREATE INDEX i ON t (n); CREATE INDEX j ON t (m)",
]
CITUS_RUNS = [
    'ALTER TABLE "t" ADD COLUMN "check" integer NULL;',
    "ALTER TABLE t ADD COLUMN n text DEFAULT 'CHECK; UNIQUE' NOT NULL",
    'ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("n" >= 0)',
    'ALTER TABLE "t" ADD CONSTRAINT "f" FOREIGN KEY ("n") REFERENCES "u" ("id")',
    "ALTER TABLE t ADD UNIQUE (n)",
    'CREATE TABLE "t" ("n" integer CHECK ("n" >= 0) PRIMARY KEY)',
    "ALTER TABLE t ALTER COLUMN n SET DEFAULT 'a; b'",
]


@pytest.mark.parametrize("statement", CITUS_REFUSES)
def test_statements_that_citus_refuses_are_found(statement: str) -> None:
    assert len(list(reasons_against(statement))) == 1


@pytest.mark.parametrize("statement", CITUS_RUNS)
def test_statements_that_citus_runs_are_allowed(statement: str) -> None:
    assert list(reasons_against(statement)) == []


@pytest.mark.parametrize("known", [history, public_history])
def test_no_migration_adds_a_column_with_a_constraint(known: Any) -> None:
    found = {}
    for key in known().plan:
        state = known().loader.project_state(key, at_end=False)
        for statement in migration_sql(known().migration(key), state):
            found[statement] = list(reasons_against(statement))
    assert any("ADD COLUMN" in statement for statement in found)
    assert {statement: why for statement, why in found.items() if why} == {}


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
