"""The backend of the app login: every statement runs in the current scope, or is refused."""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.db.backends.postgresql import operations

from tatami.postgresql.login_check import check_app_login
from tatami.postgresql.scoped import ScopedWrapper
from tatami.postgresql.statements import PreparedStatements
from tatami.tenancy.scope import Scope, current_scope, required_scope

MAX_VALUES: Final = 65_535
"""The most parameters of a statement in PostgreSQL's protocol."""


class DatabaseOperations(operations.DatabaseOperations):
    """Rows are inserted as VALUES: see `compiler`."""

    compiler_module = "tatami.postgresql.app.compiler"

    def bulk_batch_size(self, fields: Sequence[Any], objs: Sequence[Any]) -> int:
        """Return how many of `objs` fit into one statement, each with a value for each of `fields`."""
        return MAX_VALUES // len(fields) if fields else len(objs)


class DatabaseWrapper(ScopedWrapper):
    """Alias `default`. A statement in autocommit mode runs in a short transaction of its own."""

    ops_class = DatabaseOperations
    _login_is_safe = False

    def wanted_scope(self) -> Scope | None:
        return current_scope()

    def required_scope(self) -> Scope:
        return required_scope()

    def _configure_connection(self, connection: Any) -> bool:
        """Prepare a new connection for `tatami.postgresql.statements`."""
        must_commit: bool = super()._configure_connection(connection)  # type: ignore[misc]
        connection.prepared = PreparedStatements(connection, most=settings.TATAMI_PREPARED_STATEMENTS)
        connection.schemas_served = set()
        return must_commit

    def _begin(self, scope: Scope | None) -> None:
        super()._begin(scope)
        if scope is not None:
            self.connection.schemas_served.add(scope.schema_name)

    def close_if_unusable_or_obsolete(self) -> None:
        """Close the connection, too, if its backend has served `TATAMI_CONNECTION_DOJOS` dojos.

        A PostgreSQL backend keeps the catalogue of every schema that it has served in memory.
        """
        super().close_if_unusable_or_obsolete()
        if self.connection is not None and not self.in_atomic_block and self._has_served_enough():
            self.close()

    def _has_served_enough(self) -> bool:
        return len(self.connection.schemas_served) >= settings.TATAMI_CONNECTION_DOJOS

    @property
    def schema_name(self) -> str:
        """Return the schema of the current scope, which django-tenants' router and model mixin read."""
        scope = current_scope()
        return scope.schema_name if scope else ""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises `UnsafeLogin` if the login has privileges that the app must not have."""
        connection = super().get_new_connection(conn_params)
        if not DatabaseWrapper._login_is_safe:
            self.check_new(connection, check_app_login)
            DatabaseWrapper._login_is_safe = True
        return connection

    def run_alone(self, scope: Scope, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.ensure_connection()
        self._begin(scope)
        try:
            answer = self._timed(execute, sql, params, many, context)
        except BaseException:
            self._roll_back()
            raise
        self._commit()
        return answer

    def _roll_back(self) -> None:
        """Roll back. If that fails the connection is lost, which the error that is being raised describes better."""
        try:
            self._rollback()
        except DatabaseError:
            self.close()
