"""Sixteen threads use dojos alternately, on connections of their own and on a pool with fewer connections."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import DatabaseError, connections, transaction

from shared_apps.accounts.models import AttemptCount, User
from tatami.ids import uuid7
from tatami.tenancy.scope import (
    PLATFORM,
    Scope,
    ScopeConflict,
    TenantScope,
    current_scope,
    platform_scope,
    tenant_scope,
)
from tests.support.now import NOW
from tests.support.races import TIMEOUT_SECONDS, raise_first_error, run_concurrently

pytestmark = pytest.mark.slow

THREADS: Final = 16
ROUNDS: Final = 60
POOL: Final = "pooled"
POOL_SIZE: Final = 4


def entered(scope: Scope) -> Any:
    return tenant_scope(scope) if isinstance(scope, TenantScope) else platform_scope()


class Undone(Exception):
    """Raised to leave a transaction."""


@dataclass
class Worker:
    """The actions of one thread on the database `alias`. `pause` lets other threads run in between."""

    alias: str
    pause: Callable[[], None]
    scopes: list[Scope]
    seen: set[tuple[UUID, UUID]] = field(default_factory=set)
    """Pairs: the id of the scope, and the `tenant_id` of a row that was read in it."""

    def look(self, scope: Scope) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT current_schemas(false), current_setting('tatami.tenant_id')")
            assert cursor.fetchone() == ([scope.schema_name], str(scope.tenant_id))
        rows = AttemptCount.objects.using(self.alias).values_list("tenant_id", flat=True)
        self.seen |= {(scope.tenant_id, tenant_id) for tenant_id in rows}

    def add(self) -> None:
        AttemptCount.objects.using(self.alias).create(key_hash=uuid7().bytes, window_started_at=NOW, count=1)

    def atomic(self) -> Any:
        return transaction.atomic(using=self.alias)

    def statements_alone(self, scope: Scope) -> None:
        self.add()
        self.pause()
        self.look(scope)

    def a_transaction(self, scope: Scope) -> None:
        with self.atomic():
            self.add()
            self.pause()
            self.look(scope)

    def a_savepoint_that_is_kept(self, scope: Scope) -> None:
        with self.atomic():
            with self.atomic():
                self.add()
            self.pause()
            self.look(scope)

    def a_savepoint_that_is_undone(self, scope: Scope) -> None:
        with self.atomic():
            try:
                with self.atomic():
                    self.look(scope)
                    raise Undone  # noqa: TRY301 - the test is about this
            except Undone:
                self.pause()
            self.look(scope)

    def an_exception(self, scope: Scope) -> None:
        try:
            with self.atomic():
                self.add()
                self.pause()
                raise Undone  # noqa: TRY301 - the test is about this
        except Undone:
            self.look(scope)

    def an_error_of_the_database(self, scope: Scope) -> None:
        with self.atomic():
            try:
                with self.atomic(), connections[self.alias].cursor() as cursor:
                    cursor.execute("SELECT 1 / 0")
            except DatabaseError:
                self.pause()
            self.look(scope)

    def an_error_alone(self, scope: Scope) -> None:
        try:
            with connections[self.alias].cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        except DatabaseError:
            self.pause()
        self.look(scope)

    def a_new_connection(self, scope: Scope) -> None:
        self.look(scope)
        connections[self.alias].close()
        self.pause()
        self.look(scope)

    def a_connection_closed_in_a_transaction(self, scope: Scope) -> None:
        with self.atomic():
            self.add()
            connections[self.alias].close()
        self.pause()
        self.look(scope)

    def dojos_in_turn(self, scope: Scope) -> None:
        other = self.scopes[0]
        with entered(other):
            self.look(other)
        self.pause()
        self.look(scope)

    def a_dojo_that_is_refused(self, scope: Scope) -> None:
        other = self.scopes[0] if scope != self.scopes[0] else self.scopes[1]
        with self.atomic():
            self.look(scope)
            try:
                with entered(other):
                    raise AssertionError("another dojo could enter the transaction")
            except ScopeConflict:
                self.pause()
            self.look(scope)

    @property
    def actions(self) -> list[Callable[[Scope], None]]:
        return [
            self.statements_alone,
            self.a_transaction,
            self.a_savepoint_that_is_kept,
            self.a_savepoint_that_is_undone,
            self.an_exception,
            self.an_error_of_the_database,
            self.an_error_alone,
            self.a_new_connection,
            self.a_connection_closed_in_a_transaction,
            self.dojos_in_turn,
            self.a_dojo_that_is_refused,
        ]


@pytest.fixture
def pool(without_transaction: None) -> Iterator[Any]:
    """Return Django's psycopg pool behind the alias `pooled`, with fewer connections than threads."""
    size = {"min_size": POOL_SIZE, "max_size": POOL_SIZE, "timeout": TIMEOUT_SECONDS}
    default = connections.settings["default"]
    connections.settings[POOL] = {**default, "OPTIONS": {**default["OPTIONS"], "pool": size}}
    wrapper: Any = connections[POOL]
    wrapper.pool.open(wait=True)
    yield wrapper.pool
    wrapper.close()
    wrapper.close_pool()
    del connections[POOL]
    del connections.settings[POOL]


def left_on(pool: Any) -> dict[int, tuple[str, str]]:
    """Return, by server process, what is set on each connection of the pool."""
    taken = [pool.getconn() for _ in range(POOL_SIZE)]
    left = {
        connection.info.backend_pid: connection.execute(
            "SELECT current_setting('search_path'), coalesce(current_setting('tatami.tenant_id', true), '')"
        ).fetchone()
        for connection in taken
    }
    for connection in taken:
        pool.putconn(connection)
    return left


def work(
    alias: str, scopes: list[Scope], pause: Callable[[], None], between_rounds: Callable[[], None]
) -> Any:
    """Run all threads; return the union of their `seen`."""

    def of_thread(number: int) -> Callable[[], set[tuple[UUID, UUID]]]:
        def rounds() -> set[tuple[UUID, UUID]]:
            chance = random.Random(number)
            worker = Worker(alias, pause, scopes)
            for _ in range(ROUNDS):
                scope, action = chance.choice(scopes), chance.choice(worker.actions)
                with entered(scope):
                    action(scope)
                assert current_scope() is None
                between_rounds()
            return worker.seen

        return rounds

    answers = run_concurrently([of_thread(number) for number in range(THREADS)])
    raise_first_error(answers)
    return set().union(*answers)


def test_threads_see_only_their_own_dojo(north: TenantScope, south: TenantScope) -> None:
    scopes = [north, south, PLATFORM]
    together = threading.Barrier(THREADS, timeout=TIMEOUT_SECONDS)
    seen = work("default", scopes, pause=together.wait, between_rounds=lambda: None)
    assert seen == {(scope.tenant_id, scope.tenant_id) for scope in scopes}


def test_threads_that_share_a_pool_see_only_their_own_dojo(
    north: TenantScope, south: TenantScope, pool: Any
) -> None:
    scopes = [north, south, PLATFORM]

    # As at the end of a request: the connection returns to the pool, and another dojo may take it.
    def give_back() -> None:
        connections[POOL].close()

    seen = work(POOL, scopes, pause=lambda: None, between_rounds=give_back)
    assert seen == {(scope.tenant_id, scope.tenant_id) for scope in scopes}
    left = left_on(pool)
    assert len(left) == POOL_SIZE
    assert set(left.values()) == {('""', "")}


@pytest.mark.parametrize("number", range(len(Worker("", lambda: None, []).actions)))
def test_a_connection_that_goes_back_to_the_pool_carries_nothing(
    north: TenantScope, south: TenantScope, pool: Any, number: int
) -> None:
    worker = Worker(POOL, lambda: None, [south, north])
    with tenant_scope(north):
        worker.actions[number](north)
    connections[POOL].close()
    assert set(left_on(pool).values()) == {('""', "")}


def test_a_scope_that_cannot_be_set_leaves_nothing_on_the_pool(north: TenantScope, pool: Any) -> None:
    class FailingId:
        def __str__(self) -> str:
            return "x'; SET LOCAL statement_timeout = 'never"

    broken = TenantScope(north.schema_name, FailingId(), "", "", "", "", "")  # type: ignore[arg-type]
    with tenant_scope(broken), pytest.raises(DatabaseError):
        User.objects.using(POOL).count()
    connections[POOL].close()
    assert set(left_on(pool).values()) == {('""', "")}
