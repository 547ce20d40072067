"""The owner's schema editor: columns and constraints in statements of their own, with the names of a new table."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, models, transaction
from django.db.migrations.state import ProjectState

from shared_apps.tenants.schema.ddl import owner_connection
from tatami.postgresql.owner.schema import constraint_name
from tatami.tenancy.scope import TenantScope

LONG_TABLE = "promotions_a_table_with_a_name_that_is_rather_long_indeed"
LONG_COLUMN = "the_number_of_something_that_is_counted_by_somebody"

pytestmark = pytest.mark.django_db(databases=["default", "owner"])


def model(table: str, **fields: Any) -> Any:
    """Return a model of a state that no app has."""
    options = {"db_table": table, "app_label": "students", "apps": ProjectState().apps}
    body = {"Meta": type("Meta", (), options), "__module__": __name__}
    return type("Thing", (models.Model,), {**body, "id": models.UUIDField(primary_key=True), **fields})


@pytest.fixture
def owner(tenant: TenantScope) -> Iterator[Any]:
    """The owner's connection in a dojo, rolled back afterwards."""
    with owner_connection(tenant.schema_name) as owner:
        yield owner
        transaction.set_rollback(True, using="owner")


def constraints(owner: Any, table: str) -> set[tuple[str, str]]:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype IN ('c', 'u')",
            [f'"{table}"'],
        )
        return set(cursor.fetchall())


FIELDS = {
    "a number that is not negative": lambda: models.PositiveIntegerField(null=True),
    "a small number": lambda: models.PositiveSmallIntegerField(db_default=1),
    "a large number": lambda: models.PositiveBigIntegerField(default=3),
    "unique": lambda: models.UUIDField(unique=True, null=True),
    "unique and not negative": lambda: models.PositiveIntegerField(unique=True, null=True),
    "neither": lambda: models.CharField(max_length=20, db_default=""),
}


@pytest.mark.parametrize("table", ["short", LONG_TABLE])
@pytest.mark.parametrize("column", ["number", LONG_COLUMN])
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_an_added_column_has_the_constraints_of_a_new_table(
    owner: Any, field: Any, table: str, column: str
) -> None:
    with owner.schema_editor() as editor:
        editor.create_model(model(table, **{column: field()}))
    built = constraints(owner, table)
    with owner.schema_editor() as editor:
        editor.delete_model(model(table))
        editor.create_model(model(table))
        changed, added = model(table), field()
        added.contribute_to_class(changed, column)
        editor.add_field(changed, added)
    assert constraints(owner, table) == built
    assert bool(built) is (added.unique or "Positive" in type(added).__name__)


def test_a_number_that_becomes_positive_has_the_constraint_of_a_new_table(owner: Any) -> None:
    with owner.schema_editor() as editor:
        editor.create_model(model("short", number=models.IntegerField()))
        before, after = models.IntegerField(), models.PositiveIntegerField()
        for one in (before, after):
            one.set_attributes_from_name("number")
            one.model = model("short", number=models.IntegerField())
        editor.alter_field(model("short"), before, after)
    assert constraints(owner, "short") == {("short_number_check", "CHECK ((number >= 0))")}


def sent(owner: Any, change: Any) -> list[str]:
    """Return the statements of a change of the table of students."""
    with owner.schema_editor(collect_sql=True) as editor:
        change(editor)
    return [statement.strip("; ") for statement in editor.collected_sql]


def field_of_students(field: Any, name: str) -> tuple[Any, Any]:
    students = model("students_student")
    field.contribute_to_class(students, name)
    return students, field


def test_a_column_and_its_constraints_are_single_statements(owner: Any) -> None:
    students, number = field_of_students(models.PositiveIntegerField(unique=True, null=True), "number")
    assert sent(owner, lambda editor: editor.add_field(students, number)) == [
        'ALTER TABLE "students_student" ADD COLUMN "number" integer NULL',
        'ALTER TABLE "students_student" ADD CONSTRAINT "students_student_number_check" CHECK ("number" >= 0)',
        'ALTER TABLE "students_student" ADD CONSTRAINT "students_student_number_key" UNIQUE ("number")',
    ]


def test_a_foreign_key_is_added_after_its_column_and_dropped_by_one_statement(owner: Any) -> None:
    students = model("students_student")
    key = models.ForeignKey(students, models.PROTECT, null=True)
    key.contribute_to_class(students, "teacher")
    added = sent(owner, lambda editor: editor.add_field(students, key))
    assert [statement.partition(" ADD ")[2].split('"')[0] for statement in added] == [
        "COLUMN ",
        "CONSTRAINT ",
        "",
    ]
    assert all(";" not in statement for statement in added)
    merged, link = field_of_students(models.ForeignKey(students, models.PROTECT, null=True), "merged_into")
    dropped = sent(owner, lambda editor: editor.remove_field(merged, link))
    assert len(dropped) == 2
    assert all(";" not in statement for statement in dropped)


def test_names_are_shortened_as_postgresql_does() -> None:
    assert constraint_name("dojo", "days", "check") == "dojo_days_check"
    long = constraint_name(LONG_TABLE, LONG_COLUMN, "check")
    assert len(long) == 63
    assert connections["owner"].ops.max_name_length() == 63
