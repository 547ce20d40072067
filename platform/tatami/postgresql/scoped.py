"""The base of both backends: no statement without a schema, and settings that end with their transaction.

The driver stays in autocommit mode. Where Django would turn autocommit off, we send `BEGIN` and the scope's `SET LOCAL`
statements as one string. So a connection that serves one request after another (of a slot, of PgBouncer in transaction
mode, of Citus) carries nothing into the next one.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from time import monotonic
from typing import Any, Final

from django.db import DatabaseError, OperationalError
from django.db.backends.postgresql import base
from django.db.transaction import Atomic
from psycopg import Error as PsycopgError
from psycopg.errors import FeatureNotSupported, error_from_result
from psycopg.errors import OperationalError as PsycopgOperationalError
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from tatami.postgresql.limits import current_limits
from tatami.postgresql.slow_statements import (
    control_command,
    is_slow,
    log_slow_statement,
    with_comment,
)
from tatami.tenancy.scope import Scope, ScopeConflict
from tatami.tracing import is_tracing, statement_span

# These statements control the transaction, read no data and need no scope.
_TRANSACTION_CONTROL: Final = re.compile(
    r"\s*(SAVEPOINT|RELEASE SAVEPOINT|SET CONSTRAINTS) [\w\" ,.]+;?\s*",
    re.IGNORECASE,
)


@lru_cache(maxsize=20_000)
def set_local_statements(scope: Scope) -> str:
    """Return the statements that set `scope` until the transaction ends."""
    schema = scope.schema_name.replace('"', '""')
    return f"SET LOCAL search_path = \"{schema}\"; SET LOCAL tatami.tenant_id = '{scope.tenant_id}'"


class ScopedWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL wrapper, which refuses statements without a scope, or in another than the transaction's."""

    transaction_limits = ""
    """Sent with each BEGIN: `; SET LOCAL …` (`tatami.postgresql.limits`). By default those of the task that runs."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        super().__init__(settings_dict, alias)
        self._in_force: Scope | None = None
        self._pinned: tuple[Atomic, Scope] | None = None
        self._began_in: Scope | None = None
        self.waiting_since: float | None = None
        """Since when (on the monotonic clock) the server has been executing a statement; `None` if it is not."""
        self.patience: float | None = None
        """For how many seconds it may do so, if that is not for as long as in any request."""
        self.execute_wrappers.append(self._in_scope)

    def wanted_scope(self) -> Scope | None:
        """Return the scope of the next statement, or `None`."""
        raise NotImplementedError

    def required_scope(self) -> Scope:
        """Return the scope of the next statement. Raises `NoScope` without one."""
        raise NotImplementedError

    def run_alone(self, scope: Scope, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Run a statement outside a transaction."""
        raise NotImplementedError

    @property
    def scope_in_force(self) -> Scope | None:
        """Return the scope of the statements that are sent now, or `None`."""
        return self._in_force or self.wanted_scope()

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "autocommit": True}

    def fetch(self, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a text with `$1`, `$2`, … in the current scope and return all rows. See `statements`."""
        self.ensure_connection()
        execute: Any = self._fetch
        for wrapper in reversed(self.execute_wrappers):
            execute = partial(wrapper, execute)
        rows: list[tuple[Any, ...]] = execute(
            text, params, many=False, context={"connection": self, "cursor": None}
        )
        return rows

    def _fetch(self, text: str, params: Sequence[Any], many: bool, context: Any) -> list[tuple[Any, ...]]:
        with self.wrap_database_errors:
            try:
                rows: list[tuple[Any, ...]] = self.connection.prepared.rows(text, params)
            except FeatureNotSupported as error:
                # "cached plan must not change result type": a column's type was changed while its dojo was served.
                self.connection.close()
                raise OperationalError(str(error)) from error
            return rows

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Say that the server is executing something within the block, for `StatementWatch`."""
        self.waiting_since = monotonic()
        try:
            yield
        finally:
            self.waiting_since = None

    def check_new(self, connection: Any, check: Callable[[Any], None]) -> None:
        """Check a new psycopg connection, which is lost if that fails.

        A pooler connects even if its server does not answer, so the server is waited for here, too.
        """
        self.connection = connection
        try:
            with self.waiting():
                check(connection)
        except BaseException:
            self.close()
            raise
        finally:
            self.connection = None

    def shut_down(self) -> None:
        """Shut the socket down, from any thread. The thread that waits for the server gets an `OperationalError`.

        The socket stays open until its own thread closes it.
        """
        try:
            with socket.socket(fileno=os.dup(self.connection.fileno())) as shared:
                shared.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError, PsycopgError):
            return  # it is not open, or its thread has closed it in the meantime

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """End or begin a transaction. One that ended with its connection needs no other connection to end.

        Django would open one, and a request that has just lost its server would wait for the server again.
        """
        if autocommit and self.connection is None:
            self.autocommit, self.run_on_commit = True, []
            return
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:
            self._begin(self.wanted_scope())

    def _begin(self, scope: Scope | None) -> None:
        self._in_force = self._pinned = None
        self._began_in = scope
        statements = "BEGIN" if scope is None else f"BEGIN; {set_local_statements(scope)}"
        statements += self.transaction_limits or current_limits()
        try:
            self._send(statements)
        except DatabaseError:
            # BEGIN may have succeeded although SET failed: leave no open transaction behind.
            self._rollback()
            raise
        self._in_force = scope

    def _send(self, statements: str) -> None:
        """Send statements that control the transaction, in one round trip.

        A cursor of psycopg would cost three times as much, and would deallocate all prepared statements at a ROLLBACK,
        for the case that it undid DDL. These connections run none while they serve requests.
        """
        with self.wrap_database_errors:
            pgconn = self.connection.pgconn
            trace = statement_span(self, control_command(statements)) if is_tracing() else None
            since = self.waiting_since = monotonic()
            try:
                if trace is None:
                    result = pgconn.exec_(statements.encode())
                else:
                    with trace:
                        result = pgconn.exec_(statements.encode())
            finally:
                self.waiting_since = None
                if is_slow(seconds := monotonic() - since):
                    log_slow_statement(self, control_command(statements), seconds)
            if result.status != ExecStatus.COMMAND_OK:
                if pgconn.status == ConnStatus.BAD:
                    raise PsycopgOperationalError(result.get_error_message())
                raise error_from_result(result)

    def _commit(self) -> None:
        if self.connection is not None:
            self._send("COMMIT")

    def _rollback(self) -> None:
        if (
            self.connection is not None
            and self.connection.pgconn.transaction_status != TransactionStatus.IDLE
        ):
            self._send("ROLLBACK")

    def _savepoint_rollback(self, sid: str) -> None:
        # The rollback undoes later SET LOCALs: set them again before the next statement.
        self._in_force = None
        self._send(self.ops.savepoint_rollback_sql(sid))

    def refuse_other_scope(self, scope: Scope) -> None:
        """Raise `ScopeConflict` if a transaction of another scope is open on this connection."""
        pinned = self._scope_of_transaction()
        if pinned is not None and pinned != scope:
            raise ScopeConflict(
                f"a transaction in {pinned.schema_name} is open; {scope.schema_name} was asked for"
            )

    def _scope_of_transaction(self) -> Scope | None:
        outermost = self._outermost_block()
        if outermost is None:
            return None
        if self._pinned is not None and self._pinned[0] is outermost:
            return self._pinned[1]
        # No statement yet: the transaction belongs to the scope in which it began.
        return self._began_in if outermost is self.atomic_blocks[0] else None

    def _outermost_block(self) -> Atomic | None:
        # Ignore the transaction that wraps a test, because a test may use several dojos in it.
        return next(
            (block for block in self.atomic_blocks if not getattr(block, "_from_testcase", False)), None
        )

    def _pin(self, scope: Scope) -> None:
        self.refuse_other_scope(scope)
        outermost = self._outermost_block()
        self._pinned = None if outermost is None else (outermost, scope)

    def _in_scope(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        control = _TRANSACTION_CONTROL.fullmatch(sql) if isinstance(sql, str) else None
        if control:
            if self._outermost_block() is None:
                # A decorator reuses the block object for its next call, which may be for another dojo.
                self._pinned = None
            return self._timed(execute, sql, params, many, context)
        scope = self.required_scope()
        if not self.in_atomic_block:
            return self.run_alone(scope, execute, sql, params, many, context)
        self.validate_no_broken_transaction()
        self._pin(scope)
        if self._in_force != scope:
            self._in_force = None
            self._send(set_local_statements(scope))
            self._in_force = scope
        return self._timed(execute, sql, params, many, context)

    def _timed(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        trace = statement_span(self, sql) if is_tracing() else None
        sent = sql if context["cursor"] is None else with_comment(sql)  # None: prepared, so its text is fixed
        since = self.waiting_since = monotonic()
        try:
            if trace is None:
                return execute(sent, params, many, context)
            with trace:
                return execute(sent, params, many, context)
        finally:
            self.waiting_since = None
            if is_slow(seconds := monotonic() - since):
                log_slow_statement(self, sql, seconds)
