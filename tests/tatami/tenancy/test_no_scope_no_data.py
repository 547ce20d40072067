"""Outside a scope, no statement reads or writes the data of a dojo."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connection, connections, transaction

from shared_apps.accounts.models import AttemptCount, User
from tatami.ids import uuid7
from tatami.tenancy.scope import NoScope, TenantScope, current_tenant, platform_scope, tenant_scope
from tests.support.now import NOW


def ask_by_hand(statement: Any = "SELECT 1") -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def ask_often() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("SELECT %s", [(1,), (2,)])


def ask_in_a_transaction() -> None:
    with transaction.atomic():
        User.objects.count()


def ask_after_a_savepoint() -> None:
    with transaction.atomic(), transaction.atomic():
        ask_by_hand()


WAYS_TO_QUERY: dict[str, Callable[[], Any]] = {
    "the ORM": User.objects.count,
    "an iterator": lambda: list(User.objects.iterator()),
    "a row to make": lambda: AttemptCount.objects.create(key_hash=b"k", window_started_at=NOW, count=1),
    "rows to make": lambda: AttemptCount.objects.bulk_create(
        [AttemptCount(tenant_id=uuid7(), key_hash=b"k", window_started_at=NOW, count=1)]
    ),
    "rows to change": lambda: User.objects.update(name=""),
    "rows to delete": lambda: AttemptCount.objects.all().delete(),
    "a cursor": ask_by_hand,
    "a statement object": lambda: ask_by_hand(psycopg.sql.SQL("SELECT 1")),
    "a statement behind a savepoint": lambda: ask_by_hand("SAVEPOINT x; SELECT 1"),
    "many statements": ask_often,
    "a transaction": ask_in_a_transaction,
    "a savepoint": ask_after_a_savepoint,
    "the platform's table, by its full name": lambda: ask_by_hand("SELECT 1 FROM public.tenants_tenant"),
}


@pytest.mark.parametrize("query", WAYS_TO_QUERY.values(), ids=WAYS_TO_QUERY)
def test_outside_a_scope_there_is_no_data(without_transaction: None, query: Callable[[], Any]) -> None:
    with pytest.raises(NoScope):
        query()


@pytest.mark.parametrize("query", WAYS_TO_QUERY.values(), ids=WAYS_TO_QUERY)
def test_outside_a_scope_there_is_no_data_in_the_transaction_of_a_test(
    db: None, query: Callable[[], Any]
) -> None:
    with pytest.raises(NoScope):
        query()


def test_after_a_scope_there_is_no_scope(north: TenantScope) -> None:
    with tenant_scope(north):
        User.objects.count()
    with pytest.raises(NoScope):
        User.objects.count()


def test_after_an_error_in_a_scope_there_is_no_scope(north: TenantScope) -> None:
    with pytest.raises(KeyError), tenant_scope(north), transaction.atomic():
        User.objects.count()
        raise KeyError
    with pytest.raises(NoScope):
        User.objects.count()


def test_a_transaction_outlives_its_scope_without_data(north: TenantScope) -> None:
    with transaction.atomic():
        with tenant_scope(north):
            User.objects.count()
        with pytest.raises(NoScope):
            User.objects.count()


def test_a_new_thread_has_no_scope(north: TenantScope) -> None:
    raised: list[BaseException] = []

    def count_users() -> None:
        try:
            User.objects.count()
        except NoScope as error:
            raised.append(error)
        finally:
            connections.close_all()

    with tenant_scope(north):
        User.objects.count()
        thread = threading.Thread(target=count_users)
        thread.start()
        thread.join()
    assert len(raised) == 1


def test_the_owner_has_no_data_before_a_schema_was_named(without_transaction: None) -> None:
    owner: Any = connections["owner"]
    owner._schema = None
    with pytest.raises(NoScope), owner.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_the_platform_is_not_a_dojo() -> None:
    with platform_scope(), pytest.raises(NoScope):
        current_tenant()


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a transaction"])
def test_a_dojo_finds_its_own_schema_only(north: TenantScope, *, alone: bool) -> None:
    with tenant_scope(north):
        if alone:
            found = ask_by_hand("SELECT current_schemas(false), current_setting('tatami.tenant_id')")
        else:
            with transaction.atomic():
                found = ask_by_hand("SELECT current_schemas(false), current_setting('tatami.tenant_id')")
    assert found == ([north.schema_name], str(north.tenant_id))


def test_the_platform_finds_public_only(without_transaction: None) -> None:
    with platform_scope():
        assert ask_by_hand("SELECT current_schemas(false)") == (["public"],)


def test_a_dojo_whose_schema_is_missing_gets_no_other(north: TenantScope, superuser: Any) -> None:
    gone = replace(north, schema_name="t_gone")
    with tenant_scope(gone), pytest.raises(ProgrammingError) as refusal:
        User.objects.create(email="a@example.com", email_key="a@example.com", role="admin")
    assert getattr(refusal.value.__cause__, "sqlstate", None) == "42P01"  # there is no such table
    assert superuser.execute("SELECT count(*) FROM public.accounts_user").fetchone() == (0,)


def test_the_app_login_by_itself_finds_nothing(as_app: Any) -> None:
    assert as_app.execute("SELECT current_schemas(false)").fetchone() == ([],)
    with pytest.raises(psycopg.errors.UndefinedTable):
        as_app.execute("SELECT 1 FROM accounts_user")


def test_the_app_login_by_itself_reads_no_row_that_belongs_to_a_dojo(north: TenantScope, as_app: Any) -> None:
    table = psycopg.sql.Identifier(north.schema_name, "accounts_user")
    with tenant_scope(north):
        User.objects.create(email="a@example.com", email_key="a@example.com", role="admin")
        assert User.objects.exists()
    assert as_app.execute(psycopg.sql.SQL("SELECT 1 FROM {}").format(table)).fetchall() == []
