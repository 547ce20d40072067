"""Scopes within transactions, contexts and threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.http import StreamingHttpResponse
from django.test import RequestFactory

from shared_apps.accounts.models import AttemptCount, User
from shared_apps.tenants.models import Tenant
from tatami.tenancy.middleware import TenantMiddleware
from tatami.tenancy.scope import (
    NoScope,
    Scope,
    ScopeConflict,
    TenantScope,
    current_scope,
    platform_scope,
    tenant_scope,
)
from tests.support.now import NOW
from tests.support.statements import sent_statements

UNSET = ('""', "")
"""The app login's own search_path, as PostgreSQL writes an empty one, and no tenant."""


def add_user(name: str = "a") -> User:
    email = f"{name}@example.com"
    return User.objects.create(email=email, email_key=email, role="student")


def schema_in_force() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_setting('tatami.tenant_id')")
        return cursor.fetchone()


def facts_of(scope: Scope) -> tuple[str, str]:
    return scope.schema_name, str(scope.tenant_id)


def left_on_the_server() -> tuple[str, str]:
    """Ask the server connection itself, past our backend, what is set on it."""
    bare = connection.connection
    assert bare.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    return bare.execute(
        "SELECT current_setting('search_path'), coalesce(current_setting('tatami.tenant_id', true), '')"
    ).fetchone()


class Undone(Exception):
    """Raised to leave a transaction."""


# --- another scope inside a transaction of the first --------------------------------------------------------


@contextmanager
def inside_a_transaction_of(scope: TenantScope) -> Iterator[None]:
    with tenant_scope(scope), transaction.atomic():
        User.objects.count()
        yield


def test_another_dojo_inside_a_transaction_is_refused(north: TenantScope, south: TenantScope) -> None:
    with inside_a_transaction_of(north), pytest.raises(ScopeConflict), tenant_scope(south):
        pass


def test_another_dojo_inside_a_transaction_without_statements_is_refused(
    north: TenantScope, south: TenantScope
) -> None:
    with tenant_scope(north), transaction.atomic(), pytest.raises(ScopeConflict), tenant_scope(south):
        pass


def test_the_platform_inside_a_transaction_of_a_dojo_is_refused(north: TenantScope) -> None:
    with inside_a_transaction_of(north), pytest.raises(ScopeConflict), platform_scope():
        pass


def test_a_dojo_inside_a_transaction_of_the_platform_is_refused(north: TenantScope) -> None:
    with platform_scope(), transaction.atomic():
        Tenant.objects.count()
        with pytest.raises(ScopeConflict), tenant_scope(north):
            pass


def test_another_dojo_inside_a_savepoint_is_refused(north: TenantScope, south: TenantScope) -> None:
    with (
        inside_a_transaction_of(north),
        transaction.atomic(),
        pytest.raises(ScopeConflict),
        tenant_scope(south),
    ):
        pass


def test_after_a_refused_scope_the_first_scope_continues(north: TenantScope, south: TenantScope) -> None:
    with inside_a_transaction_of(north):
        with pytest.raises(ScopeConflict), tenant_scope(south):
            pass
        assert schema_in_force() == facts_of(north)


def test_a_scope_from_another_context_is_refused_inside_a_transaction(
    north: TenantScope, south: TenantScope
) -> None:
    with tenant_scope(south):
        context_of_south = copy_context()
    with inside_a_transaction_of(north), pytest.raises(ScopeConflict):
        context_of_south.run(User.objects.count)


def test_a_transaction_keeps_its_scope_after_the_scope_has_ended(
    north: TenantScope, south: TenantScope
) -> None:
    with transaction.atomic():
        with tenant_scope(north):
            User.objects.count()
        with pytest.raises(ScopeConflict), tenant_scope(south):
            pass


def test_the_same_dojo_inside_its_own_transaction_is_allowed(north: TenantScope) -> None:
    with inside_a_transaction_of(north), tenant_scope(north):
        assert schema_in_force() == facts_of(north)


def test_a_later_snapshot_of_the_same_dojo_is_the_same_scope(north: TenantScope) -> None:
    with inside_a_transaction_of(north), tenant_scope(replace(north, name="Renamed meanwhile")):
        assert schema_in_force() == facts_of(north)


def test_another_dojo_after_the_transaction_is_allowed(north: TenantScope, south: TenantScope) -> None:
    with tenant_scope(north):
        with transaction.atomic():
            User.objects.count()
        with tenant_scope(south):
            assert schema_in_force() == facts_of(south)
        assert schema_in_force() == facts_of(north)


def test_a_transaction_after_one_of_another_dojo_is_allowed(north: TenantScope, south: TenantScope) -> None:
    for dojo in (north, south, north):
        with inside_a_transaction_of(dojo):
            assert schema_in_force() == facts_of(dojo)


def test_several_dojos_may_use_the_transaction_of_a_test(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    for dojo in (tenant, other_tenant, tenant):
        with tenant_scope(dojo), transaction.atomic():
            assert schema_in_force() == facts_of(dojo)


@transaction.atomic
def schema_in_a_decorated_function() -> Any:
    return schema_in_force()


def test_a_decorated_function_may_serve_one_dojo_after_the_other(
    north: TenantScope, south: TenantScope
) -> None:
    for dojo in (north, south, north):
        with tenant_scope(dojo):
            assert schema_in_a_decorated_function() == facts_of(dojo)


def test_a_decorated_function_may_serve_both_dojos_of_a_test(
    tenant: TenantScope, other_tenant: TenantScope
) -> None:
    for dojo in (tenant, other_tenant, tenant):
        with tenant_scope(dojo):
            assert schema_in_a_decorated_function() == facts_of(dojo)


# --- savepoints ---------------------------------------------------------------------------------------------


def test_after_a_rollback_to_a_savepoint_the_scope_is_in_force(north: TenantScope) -> None:
    with tenant_scope(north), transaction.atomic():
        before = User.objects.count()
        add_user()
        with pytest.raises(Undone), transaction.atomic():
            add_user("b")
            raise Undone
        assert schema_in_force() == facts_of(north)
        assert User.objects.count() == before + 1


def test_after_a_rollback_to_a_savepoint_a_scope_that_began_in_it_is_set_again(north: TenantScope) -> None:
    with transaction.atomic(), tenant_scope(north):
        with pytest.raises(Undone), transaction.atomic():
            User.objects.count()  # the first statement: SET LOCAL comes after the savepoint, and goes with it
            raise Undone
        assert schema_in_force() == facts_of(north)


def test_after_a_rollback_to_a_savepoint_by_hand_the_scope_is_set_again(north: TenantScope) -> None:
    with transaction.atomic(), tenant_scope(north):
        savepoint = transaction.savepoint()
        User.objects.count()
        transaction.savepoint_rollback(savepoint)
        assert schema_in_force() == facts_of(north)


# --- errors -------------------------------------------------------------------------------------------------


class FailingId:
    """Writes itself as a value after which one more SET is refused: BEGIN has worked by then."""

    def __str__(self) -> str:
        return "x'; SET LOCAL statement_timeout = 'never"


def failing(scope: TenantScope) -> TenantScope:
    return replace(scope, tenant_id=FailingId())  # type: ignore[arg-type]


def select() -> None:
    """Run a statement that needs no table, so that only a scope that was not set can make it fail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def select_in_a_transaction() -> None:
    with transaction.atomic():
        select()


@pytest.mark.parametrize("act", [select, select_in_a_transaction], ids=["alone", "in a transaction"])
def test_a_scope_that_cannot_be_set_is_an_error(north: TenantScope, act: Callable[[], Any]) -> None:
    with tenant_scope(failing(north)), pytest.raises(DatabaseError, match="statement_timeout"):
        act()


@pytest.mark.parametrize("act", [select, select_in_a_transaction], ids=["alone", "in a transaction"])
def test_a_scope_that_cannot_be_set_leaves_no_transaction_and_no_earlier_dojo(
    north: TenantScope, south: TenantScope, act: Callable[[], Any]
) -> None:
    with tenant_scope(south):
        User.objects.count()
    with tenant_scope(failing(north)), pytest.raises(DatabaseError):
        act()
    assert left_on_the_server() == UNSET
    assert not connection.in_atomic_block
    with pytest.raises(NoScope):
        act()
    with tenant_scope(south):
        assert schema_in_force() == facts_of(south)


def test_a_scope_that_cannot_be_set_breaks_the_transaction(north: TenantScope) -> None:
    with transaction.atomic(), tenant_scope(failing(north)):
        for _ in range(2):
            with pytest.raises(DatabaseError):
                select()
    assert left_on_the_server() == UNSET


@pytest.mark.direct_connection(
    "a pooler opens another connection to the server, and the client does not notice"
)
@pytest.mark.parametrize("act", [select, select_in_a_transaction], ids=["alone", "in a transaction"])
def test_a_terminated_connection_returns_no_data(
    north: TenantScope, superuser: Any, act: Callable[[], Any]
) -> None:
    with tenant_scope(north):
        User.objects.count()
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
        with pytest.raises(DatabaseError):
            act()
        connection.close()
        act()


def test_a_connection_lost_during_a_statement_raises_the_first_error(north: TenantScope) -> None:
    """Not the error of the rollback that follows, because retries depend on the SQLSTATE of the first error."""
    with tenant_scope(north):
        with pytest.raises(OperationalError) as lost, connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert getattr(lost.value.__cause__, "sqlstate", None) == "57P01"
        User.objects.count()


# --- after a transaction ------------------------------------------------------------------------------------


def commit() -> None:
    with transaction.atomic():
        add_user()


def roll_back() -> None:
    with pytest.raises(Undone), transaction.atomic():
        add_user()
        raise Undone


def roll_back_to_a_savepoint() -> None:
    with transaction.atomic():
        with pytest.raises(Undone), transaction.atomic():
            add_user()
            raise Undone
        add_user()


def fail() -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def fail_alone() -> None:
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def interrupt_alone() -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt):
        User.objects.count()


def roll_back_on_demand() -> None:
    with transaction.atomic():
        add_user()
        transaction.set_rollback(True)


ACTIONS = [
    commit,
    roll_back,
    roll_back_to_a_savepoint,
    roll_back_on_demand,
    fail,
    fail_alone,
    interrupt_alone,
    add_user,
    User.objects.count,
]


@pytest.mark.parametrize("act", ACTIONS, ids=lambda act: act.__name__)
def test_settings_end_with_the_transaction(north: TenantScope, act: Callable[[], Any]) -> None:
    with tenant_scope(north):
        act()
        assert left_on_the_server() == UNSET


def test_a_statement_outside_a_transaction_is_committed(north: TenantScope, superuser: Any) -> None:
    with tenant_scope(north):
        user = add_user()
    table = psycopg.sql.Identifier(north.schema_name, "accounts_user")
    found = superuser.execute(psycopg.sql.SQL("SELECT id FROM {} WHERE role = 'student'").format(table))
    assert found.fetchall() == [(user.pk,)]


def test_scope_and_begin_are_sent_as_one_string(north: TenantScope) -> None:
    with tenant_scope(north), sent_statements() as sent:
        commit()
    settings = (
        f"SET LOCAL search_path = \"{north.schema_name}\"; SET LOCAL tatami.tenant_id = '{north.tenant_id}'"
    )
    assert sent[0] == f"BEGIN; {settings}"


# --- streamed responses -------------------------------------------------------------------------------------


def test_a_streamed_response_is_produced_in_the_scope_of_its_request(
    north: TenantScope, south: TenantScope, settings: Any
) -> None:
    def names() -> Iterator[str]:
        yield schema_in_force()[0]
        yield schema_in_force()[0]

    middleware = TenantMiddleware(lambda request: StreamingHttpResponse(names()))
    response: Any = middleware(RequestFactory().get("/", headers={"Host": "north.localhost"}))
    assert current_scope() is None
    with tenant_scope(south):
        assert [part.decode() for part in response.streaming_content] == [north.schema_name] * 2


def test_a_scope_does_not_leak_into_the_next_request(north: TenantScope, south: TenantScope) -> None:
    seen: list[Scope | None] = []

    def view(request: Any) -> StreamingHttpResponse:
        seen.append(current_scope())
        return StreamingHttpResponse([])

    middleware = TenantMiddleware(view)
    for host in ("north.localhost", "localhost", "south.localhost"):
        middleware(RequestFactory().get("/", headers={"Host": host}))
    assert [scope.schema_name for scope in seen if scope] == [north.schema_name, "public", south.schema_name]
    assert current_scope() is None


def test_another_dojo_inside_a_transaction_of_the_owner_is_refused(
    north: TenantScope, south: TenantScope
) -> None:
    owner: Any = connections["owner"]
    owner.set_schema(north.schema_name)
    with transaction.atomic(using="owner"):
        with owner.cursor() as cursor:
            cursor.execute("SELECT 1")
        with pytest.raises(ScopeConflict), tenant_scope(south):
            pass


def test_rows_of_both_dojos_are_their_own(north: TenantScope, south: TenantScope) -> None:
    for dojo in (north, south):
        with tenant_scope(dojo):
            AttemptCount.objects.create(key_hash=b"the same", window_started_at=NOW, count=1)
    for dojo in (north, south):
        with tenant_scope(dojo):
            assert AttemptCount.objects.get().tenant_id == dojo.tenant_id
