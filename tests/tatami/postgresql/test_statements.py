"""Prepared statements: each dojo has its own, and none returns rows of another dojo."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from psycopg import sql

from shared_apps.accounts.models import User
from shared_apps.accounts.users import create_user
from tatami.api.request_slots import Slot, persistent_connection
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import NoScope, ScopeConflict, TenantScope, platform_scope, tenant_scope
from tests.support.races import raise_first_error, run_concurrently

EMAILS = Statement("emails", "SELECT email FROM accounts_user WHERE role = $1 ORDER BY email")
TENANTS = Statement("tenant_ids", "SELECT DISTINCT tenant_id, $1::int FROM accounts_user")


reads_what_is_prepared = pytest.mark.direct_connection(
    "a pooler's server connection has those of other clients"
)


def prepared_names() -> list[str]:
    """Return the texts that this connection has prepared."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_catalog.pg_prepared_statements WHERE statement LIKE '/* t_%%'"
        )
        return [row[0] for row in cursor.fetchall()]


@contextmanager
def new_connection() -> Iterator[None]:
    """Use a new connection, which has prepared nothing, within the block."""
    outside, slot = connections["default"], Slot(persistent_connection())
    try:
        with slot.bound():
            yield
    finally:
        slot.connection.close()
        connections["default"] = outside


@pytest.fixture
def one_admin_each(north: TenantScope, south: TenantScope) -> tuple[TenantScope, TenantScope]:
    for dojo in (north, south):
        with tenant_scope(dojo):
            create_user(email=f"{dojo.slug}@example.com", role="admin", password_hash="!")
    return north, south


def test_a_statement_needs_a_scope(tenant: TenantScope) -> None:
    with pytest.raises(NoScope):
        EMAILS.rows("admin")


def test_a_statement_runs_in_the_scope_of_the_moment(tenant: TenantScope, other_tenant: TenantScope) -> None:
    for _ in range(4):  # the third time it is prepared for both
        for dojo in (tenant, other_tenant):
            with tenant_scope(dojo):
                assert TENANTS.rows(1) == [(str(dojo.tenant_id), 1)]


@reads_what_is_prepared
def test_a_statement_is_prepared_for_its_dojo_alone(tenant: TenantScope, other_tenant: TenantScope) -> None:
    statement = Statement("prepared_once", "SELECT $1::int")
    with tenant_scope(tenant):
        for number in (1, 2):
            assert statement.row(number) == (number,)
            assert [text for text in prepared_names() if "prepared_once" in text] == [
                f"/* {tenant.plan_key} prepared_once */ SELECT $1::int"
            ]
    with tenant_scope(other_tenant):
        assert statement.row(3) == (3,)


@reads_what_is_prepared
def test_a_connection_keeps_a_limited_number_of_prepared_statements(
    north: TenantScope, settings: Any
) -> None:
    settings.TATAMI_PREPARED_STATEMENTS = 5
    with new_connection(), tenant_scope(north):
        for number in range(20):
            Statement(f"number_{number}", f"SELECT {number} + $1::int").row(0)
        # psycopg deallocates the oldest one before it sends the next statement.
        assert len(prepared_names()) <= 5 + 1


@reads_what_is_prepared
def test_nothing_is_prepared_for_a_pooler_without_prepared_statements(
    north: TenantScope, settings: Any
) -> None:
    settings.TATAMI_PREPARED_STATEMENTS = 0
    with new_connection(), tenant_scope(north):
        for number in range(5):
            assert TENANTS.rows(number) == []
        assert prepared_names() == []


@reads_what_is_prepared
def test_refused_requests_do_not_cost_the_prepared_statements(tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        Statement("kept", "SELECT $1::int").row(1)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), transaction.atomic(), transaction.atomic():
                TENANTS.row(1)
                raise ZeroDivisionError
        assert any("kept" in text for text in prepared_names())


def test_a_rolled_back_savepoint_leaves_the_right_dojo(tenant: TenantScope) -> None:
    with tenant_scope(tenant), transaction.atomic():
        assert TENANTS.row(1) == (str(tenant.tenant_id), 1)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            TENANTS.row(2)
            raise ZeroDivisionError
        assert TENANTS.row(3) == (str(tenant.tenant_id), 3)


def test_another_dojo_in_an_open_transaction_is_refused(
    one_admin_each: tuple[TenantScope, TenantScope],
) -> None:
    north, south = one_admin_each
    with tenant_scope(north), transaction.atomic():
        EMAILS.rows("admin")
        with pytest.raises(ScopeConflict), tenant_scope(south):
            EMAILS.rows("admin")


def test_threads_see_only_the_rows_of_their_dojo(one_admin_each: tuple[TenantScope, TenantScope]) -> None:
    def read(dojo: TenantScope) -> None:
        for _ in range(30):
            with tenant_scope(dojo):
                assert (f"{dojo.slug}@example.com",) in EMAILS.rows("admin")
                assert TENANTS.rows(1) == [(str(dojo.tenant_id), 1)]

    raise_first_error(run_concurrently([lambda dojo=dojo: read(dojo) for dojo in one_admin_each * 4]))


def test_a_schema_that_is_migrated_keeps_its_rows_right(
    north: TenantScope, superuser: psycopg.Connection[Any]
) -> None:
    table = sql.Identifier(north.schema_name, User._meta.db_table)
    with tenant_scope(north):
        before = [EMAILS.rows("admin") for _ in range(3)][-1]
        superuser.execute(sql.SQL("ALTER TABLE {} ADD COLUMN shoe_size integer").format(table))
        try:
            assert EMAILS.rows("admin") == before
        finally:
            superuser.execute(sql.SQL("ALTER TABLE {} DROP COLUMN shoe_size").format(table))
        assert EMAILS.rows("admin") == before


def test_another_version_of_the_schema_has_statements_of_its_own(tenant: TenantScope) -> None:
    from dataclasses import replace

    assert replace(tenant, schema_version="00000000").plan_key != tenant.plan_key


def test_the_platform_has_statements_too(db: None) -> None:
    with platform_scope():
        for _ in range(3):
            assert Statement("platform", "SELECT $1::int").row(7) == (7,)


def test_a_row_of_another_dojo_cannot_be_written_by_a_statement(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    steal = Statement("steal", "UPDATE accounts_user SET tenant_id = $1 RETURNING id")
    with tenant_scope(tenant), pytest.raises(Exception, match="row-level security"), transaction.atomic():
        steal.rows(other_tenant.tenant_id)
