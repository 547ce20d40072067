"""The seal of every table of a dojo: tenant id, check, policy and grants."""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.db import ProgrammingError, connection, transaction
from psycopg import errors, sql

from shared_apps.accounts.models import AttemptCount, Session, User
from shared_apps.tenants.schema.ddl import app_login
from tatami.api import registry
from tatami.ids import uuid7
from tatami.tenancy.scope import PLATFORM_ID, TenantScope, platform_scope, tenant_scope
from tatami.tenancy.seal import SealBroken, verify_seal
from tests.support.catalogue import schema_facts, tenant_models, tenant_tables
from tests.support.now import NOW
from tests.tatami.tenancy import unsafe_route

POLICY = "(tenant_id = (NULLIF(current_setting('tatami.tenant_id'::text, true), ''::text))::uuid)"


def of_table(kind: set[tuple[Any, ...]], table: str) -> set[tuple[Any, ...]]:
    return {row[1:] for row in kind if row[0] == table}


# --- catalogue of every table -------------------------------------------------------------------------------


def sealed_tables(schema: str) -> set[str]:
    on_both_levels = {
        model._meta.db_table
        for label in ("accounts", "webhooks")
        for model in apps.get_app_config(label).get_models()
    }
    return on_both_levels if schema == "public" else tenant_tables()


@pytest.fixture(params=["aiki", "kendo", "public"])
def sealed(request: Any, superuser: Any) -> tuple[str, UUID]:
    """Schema and id of each place that is sealed."""
    if request.param == "public":
        return "public", PLATFORM_ID
    query = "SELECT schema_name, id FROM public.tenants_tenant WHERE slug = %s"
    found: tuple[str, UUID] = superuser.execute(query, [request.param]).fetchone()
    return found


def test_every_table_of_a_dojo_is_a_model_of_its_apps(superuser: Any, tenant: TenantScope) -> None:
    found = {row[0] for row in schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["tables"]}
    assert found == tenant_tables() | {"django_migrations", "django_migrations_id_seq"}


def test_every_table_has_a_tenant_id_that_is_not_null_and_defaults_to_its_schemas_own(
    superuser: Any, sealed: tuple[str, UUID]
) -> None:
    columns = schema_facts(superuser, *sealed)["columns"]
    expected = ("tenant_id", "uuid", True, "", "", "'<id>'::uuid", "")
    assert {table for table in sealed_tables(sealed[0]) if expected not in of_table(columns, table)} == set()


def test_every_table_checks_its_tenant_id(superuser: Any, sealed: tuple[str, UUID]) -> None:
    found = schema_facts(superuser, *sealed)["constraints"]
    check = ("c", "CHECK ((tenant_id = '<id>'::uuid))", True, False, False)
    checked = {row[0] for row in found if row[2:] == check}
    assert checked == sealed_tables(sealed[0])


def test_every_table_has_row_level_security_that_is_not_forced(
    superuser: Any, sealed: tuple[str, UUID]
) -> None:
    tables = schema_facts(superuser, *sealed)["tables"]
    secured = {(row[0], row[3]) for row in tables if row[2]}
    assert secured == {(table, False) for table in sealed_tables(sealed[0])}


def test_every_table_has_one_policy_for_all_logins_and_commands(
    superuser: Any, sealed: tuple[str, UUID]
) -> None:
    policies = schema_facts(superuser, *sealed)["policies"]
    assert policies == {
        (table, "tatami_tenant", "*", True, True, POLICY, POLICY) for table in sealed_tables(sealed[0])
    }


def test_every_table_is_granted_only_to_the_app_login(superuser: Any, tenant: TenantScope) -> None:
    granted = schema_facts(superuser, tenant.schema_name, tenant.tenant_id)["grants"]
    expected = {
        (model._meta.db_table, app_login(), privilege)
        for model in tenant_models()
        for privilege in model.APP_PRIVILEGES.split(", ")
    }
    assert granted == expected | {("", app_login(), "USAGE")}


def test_no_model_grants_more_than_row_privileges() -> None:
    asked = {privilege for model in tenant_models() for privilege in model.APP_PRIVILEGES.split(", ")}
    assert asked <= {"SELECT", "INSERT", "UPDATE", "DELETE"}


def test_nothing_is_granted_by_default(superuser: Any) -> None:
    assert superuser.execute("SELECT * FROM pg_default_acl").fetchall() == []


def test_in_public_only_the_apps_that_dojos_have_too_are_sealed(superuser: Any) -> None:
    columns = schema_facts(superuser, "public", PLATFORM_ID)["columns"]
    about_dojos = {model._meta.db_table for model in apps.get_app_config("tenants").get_models()}
    assert {row[0] for row in columns if row[1] == "tenant_id"} - about_dojos == sealed_tables("public")


def test_every_table_belongs_to_the_owner(superuser: Any, sealed: tuple[str, UUID]) -> None:
    tables = schema_facts(superuser, *sealed)["tables"]
    assert {row[4] for row in tables} == {configured.DATABASES["owner"]["USER"]}


def test_many_to_many_tables_are_models_of_their_own() -> None:
    assert [model.__name__ for model in tenant_models() if model._meta.auto_created] == []


# --- effects ------------------------------------------------------------------------------------------------


def new_user(name: str = "a") -> User:
    email = f"{name}@example.com"
    return User(email=email, email_key=email, role="student")


def refused_by_the_policy(save: Any) -> str | None:
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic():
        save()
    state: str | None = getattr(refusal.value.__cause__, "sqlstate", None)
    return state


def test_an_object_of_one_dojo_cannot_be_created_in_another(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant):
        user = new_user()
    with tenant_scope(other_tenant):
        assert refused_by_the_policy(user.save) == "42501"
        assert not User.objects.filter(email_key="a@example.com").exists()


def test_an_object_of_one_dojo_cannot_be_saved_in_another(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant):
        user = new_user()
        user.save()
    with tenant_scope(other_tenant):
        assert refused_by_the_policy(user.save) == "42501"


def test_an_object_of_one_dojo_cannot_be_created_on_the_platform(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        user = new_user()
    with platform_scope():
        assert refused_by_the_policy(user.save) == "42501"


def test_an_object_of_the_platform_cannot_be_created_in_a_dojo(tenant: TenantScope) -> None:
    with platform_scope():
        user = new_user()
    with tenant_scope(tenant):
        assert refused_by_the_policy(user.save) == "42501"


def test_a_row_cannot_be_moved_to_another_dojo(tenant: TenantScope, other_tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        new_user().save()
        give = User.objects.filter(email_key="a@example.com").update
        assert refused_by_the_policy(lambda: give(tenant_id=other_tenant.tenant_id)) == "42501"


def test_bulk_created_rows_of_another_dojo_are_refused(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant):
        rows = [AttemptCount(key_hash=b"k", window_started_at=NOW, count=1)]
    with tenant_scope(other_tenant):
        assert refused_by_the_policy(lambda: AttemptCount.objects.bulk_create(rows)) == "42501"


def test_a_read_by_qualified_name_finds_nothing_of_another_dojo(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(other_tenant):
        new_user().save()
    qualified = f'SELECT id FROM "{other_tenant.schema_name}"."accounts_user"'
    with tenant_scope(tenant):
        assert list(User.objects.raw(qualified)) == []
    with tenant_scope(other_tenant):
        assert len(list(User.objects.raw(qualified))) == User.objects.count() > 0


def test_a_read_by_qualified_name_finds_no_account_of_the_platform(tenant: TenantScope) -> None:
    with platform_scope():
        new_user().save()
        assert User.objects.exists()
    with tenant_scope(tenant):
        assert list(User.objects.raw("SELECT id FROM public.accounts_user")) == []


def test_a_change_by_qualified_name_changes_nothing_of_another_dojo(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{other_tenant.schema_name}"."accounts_user" SET name = %s', ["stolen"])
        assert cursor.rowcount == 0
        cursor.execute(f'DELETE FROM "{other_tenant.schema_name}"."accounts_user"')
        assert cursor.rowcount == 0


def test_a_row_without_a_tenant_id_gets_its_schemas_own(tenant: TenantScope) -> None:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_attemptcount (id, created_at, updated_at, key_hash, window_started_at, count) "
            "VALUES (%s, %s, %s, 'k', %s, 1) RETURNING tenant_id",
            [uuid7(), NOW, NOW, NOW],
        )
        assert cursor.fetchone() == (tenant.tenant_id,)


def test_sessions_of_one_dojo_are_not_found_in_another(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with tenant_scope(tenant):
        user = new_user()
        user.save()
        session = Session.objects.create(user=user, token_hash=b"h", rotated_at=NOW, expires_at=NOW)
    with tenant_scope(other_tenant):
        assert not Session.objects.filter(pk=session.pk).exists()


# --- over the API -------------------------------------------------------------------------------------------


@pytest.fixture
def unsafe_write_route(settings: Any) -> Iterator[None]:
    """Add the route of `tests.tatami.tenancy.unsafe_route` to every dojo."""
    settings.ROOT_URLCONF = unsafe_route.__name__
    with registry.access_table.replaced_by(unsafe_route.ACCESS):
        yield


def test_a_row_of_another_dojo_is_a_logged_security_event(
    unsafe_write_route: None, dojo: Any, other_dojo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = dojo.admin.post("/unsafe", {"tenant": str(other_dojo.tenant.tenant_id)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    (event,) = [record.msg for record in caplog.records if record.msg["event"] == "security.row_refused"]
    assert event["sqlstate"] == "42501"
    assert event["tenant"] == str(dojo.tenant.tenant_id)
    assert event["userId"] == str(dojo.admin.user.pk)
    assert b"row-level" not in answer.content


def test_the_same_route_can_create_a_row_of_its_own_dojo(unsafe_write_route: None, dojo: Any) -> None:
    assert dojo.admin.post("/unsafe", {"tenant": str(dojo.tenant.tenant_id)}).status_code == 201


# --- the two logins -----------------------------------------------------------------------------------------

INSERT = """
INSERT INTO {} (id, tenant_id, created_at, updated_at, key_hash, window_started_at, count)
VALUES (gen_random_uuid(), %s, now(), now(), 'k', now(), 1)
"""


def in_schema(statement: str, schema: str, table: str = "accounts_attemptcount") -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(schema, table))


def test_the_owner_cannot_write_another_dojos_id(
    as_owner: Any, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with pytest.raises(errors.CheckViolation):
        as_owner.execute(in_schema(INSERT, tenant.schema_name), [other_tenant.tenant_id])


def test_the_owner_cannot_write_a_dojos_id_into_public(as_owner: Any, tenant: TenantScope) -> None:
    with pytest.raises(errors.CheckViolation):
        as_owner.execute(in_schema(INSERT, "public"), [tenant.tenant_id])


def test_the_owner_writes_a_dojos_own_id_without_a_scope(as_owner: Any, tenant: TenantScope) -> None:
    with as_owner.transaction(force_rollback=True):
        as_owner.execute(in_schema(INSERT, tenant.schema_name), [tenant.tenant_id])


FORBIDDEN = {
    "read the record of migrations": "SELECT 1 FROM {schema}.django_migrations",
    "read the platform's record of migrations": "SELECT 1 FROM public.django_migrations",
    "write the record of migrations": "DELETE FROM {schema}.django_migrations",
    "empty a table": "TRUNCATE {table}",
    "drop a table": "DROP TABLE {table}",
    "drop a schema": "DROP SCHEMA {schema} CASCADE",
    "add a column": "ALTER TABLE {table} ADD COLUMN more text",
    "add an index": "CREATE INDEX ON {table} (count)",
    "switch row-level security off": "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    "drop the policy": "DROP POLICY tatami_tenant ON {table}",
    "add a policy": "CREATE POLICY mine ON {table} USING (true)",
    "drop the check": "ALTER TABLE {table} DROP CONSTRAINT accounts_attemptcount_tenant",
    "add a trigger": "CREATE TRIGGER mine BEFORE UPDATE ON {table} FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "make a table": "CREATE TABLE {schema}.mine (id int)",
    "make a table in public": "CREATE TABLE public.mine (id int)",
    "make a table for a while": "CREATE TEMP TABLE mine (id int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a function": "CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "make a login": "CREATE ROLE mine",
    "become the owner": "SET ROLE tatami_owner",
    "copy rows past the policy": "COPY {table} FROM STDIN",
    "read files": "COPY {table} FROM '/etc/hostname'",
    "run programs": "COPY {table} TO PROGRAM 'true'",
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
def test_the_app_login_cannot(as_app: Any, tenant: TenantScope, statement: str) -> None:
    schema, table = f'"{tenant.schema_name}"', f'"{tenant.schema_name}"."accounts_attemptcount"'
    as_app.execute(f"SET search_path = {schema}")
    as_app.execute(f"SET tatami.tenant_id = '{tenant.tenant_id}'")
    refusals = (errors.InsufficientPrivilege, errors.FeatureNotSupported)
    asked = statement.format(schema=schema, table=table)
    with as_app.transaction(force_rollback=True), pytest.raises(refusals), as_app.cursor() as cursor:
        if "STDIN" in asked:
            with cursor.copy(asked):
                pass
        else:
            cursor.execute(asked)


# --- a seal that is broken is found -------------------------------------------------------------------------

BREAKS = {
    "column": "ALTER TABLE {} ALTER COLUMN tenant_id DROP NOT NULL",
    "default": "ALTER TABLE {} ALTER COLUMN tenant_id DROP DEFAULT",
    "check": "ALTER TABLE {} DROP CONSTRAINT accounts_attemptcount_tenant",
    "row level security": "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
    "policy": "CREATE POLICY another ON {} USING (true)",
    "grants": "GRANT TRUNCATE ON {} TO tatami_app",
    "grants, one missing": "REVOKE INSERT ON {} FROM tatami_app",
    "policy, open to all": "ALTER POLICY tatami_tenant ON {} USING (tenant_id = tenant_id OR "
    "current_setting('tatami.tenant_id', true) = '')",
    "policy, unchecked": "ALTER POLICY tatami_tenant ON {} WITH CHECK (true)",
}


def verify(superuser: Any, tenant: TenantScope) -> None:
    with superuser.cursor() as cursor:
        verify_seal(cursor, tenant.schema_name, tenant.tenant_id, app_login())


@pytest.mark.parametrize("part", BREAKS)
def test_a_broken_seal_is_found(superuser: Any, tenant: TenantScope, part: str) -> None:
    verify(superuser, tenant)
    with superuser.transaction(force_rollback=True):
        superuser.execute(in_schema(BREAKS[part], tenant.schema_name))
        with pytest.raises(SealBroken, match=f"accounts_attemptcount lacks {part.partition(',')[0]}"):
            verify(superuser, tenant)


def test_a_foreign_key_that_leaves_the_schema_is_found(superuser: Any, tenant: TenantScope) -> None:
    with superuser.transaction(force_rollback=True):
        superuser.execute(
            in_schema(
                "ALTER TABLE {} ADD FOREIGN KEY (id) REFERENCES public.tenants_tenant", tenant.schema_name
            )
        )
        with pytest.raises(SealBroken, match="foreign keys leave the schema"):
            verify(superuser, tenant)


def test_the_seal_of_another_dojo_is_broken_here(
    superuser: Any, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with superuser.cursor() as cursor, pytest.raises(SealBroken):
        verify_seal(cursor, tenant.schema_name, other_tenant.tenant_id, app_login())
