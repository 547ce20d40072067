"""Rules for every dojo's schema, so that ten thousand fit, each can be moved alone, and Citus is possible."""

from typing import Any, Final

import pytest
from django.db import models

from tatami.tenancy.scope import TenantScope, current_tenant_id, platform_scope, tenant_scope
from tests.support.catalogue import query_schema, schema_facts, tenant_models, tenant_tables

MAX_TABLES: Final = 60
MAX_INDEXES: Final = 180


def test_no_foreign_key_leaves_a_schema(superuser: Any, tenant: TenantScope) -> None:
    leaving = superuser.execute("""
        SELECT n.nspname, c.relname, k.conname FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class f ON f.oid = k.confrelid
        WHERE k.contype = 'f' AND f.relnamespace <> c.relnamespace
    """).fetchall()
    assert leaving == []


def test_a_schema_has_foreign_keys(superuser: Any, tenant: TenantScope) -> None:
    """So the test above is not empty."""
    found = query_schema(
        superuser,
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = %(schema)s::regnamespace",
        f'"{tenant.schema_name}"',
    )
    assert found[0][0] > 0


def test_no_tenant_model_refers_to_a_platform_model() -> None:
    own = set(tenant_models())
    outside = [
        f"{model.__name__}.{field.name}"
        for model in own
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.related_model not in own
    ]
    assert outside == []


def test_foreign_keys_are_not_deferred(superuser: Any, tenant: TenantScope) -> None:
    constraints = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["constraints"]
    deferred = [row[1] for row in constraints if row[2] == "f" and row[6]]
    assert deferred == []


def test_every_table_has_a_primary_key(superuser: Any, tenant: TenantScope) -> None:
    constraints = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["constraints"]
    assert {row[0] for row in constraints if row[2] == "p"} == tenant_tables() | {"django_migrations"}


def test_every_key_is_a_uuid(superuser: Any, tenant: TenantScope) -> None:
    columns = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["columns"]
    keys = {(model._meta.db_table, model._meta.pk.column) for model in tenant_models()}
    assert {row[2] for row in columns if (row[0], row[1]) in keys} == {"uuid"}


ONE_ROW = [model for model in tenant_models() if model._meta.pk.default is current_tenant_id]
MANY_ROWS = [model for model in tenant_models() if model not in ONE_ROW]


@pytest.mark.parametrize("model", MANY_ROWS, ids=lambda model: model.__name__)
def test_keys_are_created_in_python_as_uuid7(model: Any) -> None:
    made = [model._meta.pk.get_default() for _ in range(3)]
    assert {key.version for key in made} == {7}
    assert len(set(made)) == 3
    assert made == sorted(made)


@pytest.mark.parametrize("model", ONE_ROW, ids=lambda model: model.__name__)
def test_a_table_of_one_row_has_the_dojos_own_uuid7_as_key(model: Any, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        assert model._meta.pk.get_default() == tenant.tenant_id
    assert tenant.tenant_id.version == 7


def test_no_table_has_a_sequence(superuser: Any, tenant: TenantScope) -> None:
    sequences = [
        row[0]
        for row in schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["tables"]
        if row[1] == "S"
    ]
    assert sequences == ["django_migrations_id_seq"]


def test_a_dojo_stays_within_the_budget(superuser: Any, tenant: TenantScope) -> None:
    found = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)
    assert len([row for row in found["tables"] if row[1] in {"r", "p"}]) <= MAX_TABLES
    assert len(found["indexes"]) <= MAX_INDEXES


def test_no_text_index_has_a_second_index_for_like(superuser: Any, tenant: TenantScope) -> None:
    indexes = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["indexes"]
    assert [row[1] for row in indexes if "_pattern_ops" in row[1] or "_like" in row[1]] == []


def test_no_two_indexes_of_a_table_are_the_same(superuser: Any, tenant: TenantScope) -> None:
    twins = query_schema(
        superuser,
        """
        SELECT a.indexrelid::regclass::text, b.indexrelid::regclass::text
        FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid < b.indexrelid
        JOIN pg_class c ON c.oid = a.indrelid
        WHERE c.relnamespace = %(schema)s::regnamespace AND a.indkey = b.indkey AND a.indclass = b.indclass
          AND a.indoption = b.indoption AND a.indpred IS NOT DISTINCT FROM b.indpred
          AND a.indexprs IS NOT DISTINCT FROM b.indexprs
        """,
        f'"{tenant.schema_name}"',
    )
    assert twins == []


def test_a_dojo_has_no_tables_of_the_platform(superuser: Any, tenant: TenantScope) -> None:
    found = {row[0] for row in schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["tables"]}
    platform_only = (
        "auth_",
        "django_content_type",
        "django_admin_log",
        "django_session",
        "tenants_",
        "token_",
    )
    assert {table for table in found if table.startswith(platform_only)} == set()


def test_a_dojo_has_no_triggers_functions_or_views(superuser: Any, tenant: TenantScope) -> None:
    schema = f'"{tenant.schema_name}"'
    triggers = "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    assert query_schema(superuser, f"{triggers} AND c.relnamespace = %(schema)s::regnamespace", schema) == []
    assert (
        query_schema(superuser, "SELECT 1 FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace", schema)
        == []
    )
    kinds = {row[1] for row in schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["tables"]}
    assert kinds <= {"r", "p", "S"}


def test_a_schemas_name_is_opaque(tenant: TenantScope) -> None:
    assert tenant.schema_name == f"t_{tenant.tenant_id.hex}"
    assert tenant.slug not in tenant.schema_name


def test_a_row_has_the_tenant_id_of_its_scope(tenant: TenantScope) -> None:
    for model in tenant_models():
        with tenant_scope(tenant):
            assert model._meta.get_field("tenant_id").get_default() == tenant.tenant_id
        with platform_scope():
            assert model._meta.get_field("tenant_id").get_default().int == 0
