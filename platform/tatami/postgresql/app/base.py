"""The app login's backend: every statement runs in the scope in force, or not at all."""

from typing import Any

from psycopg import Error as PsycopgError

from tatami.postgresql.logins import UnsafeLogin, refuse_unsafe_login
from tatami.postgresql.scoped import ScopedWrapper
from tatami.tenancy.scope import Scope, current_scope, required_scope


class DatabaseWrapper(ScopedWrapper):
    """Alias `default`. A statement in autocommit becomes a short transaction of its own."""

    _login_is_safe = False

    def wanted_scope(self) -> Scope | None:
        return current_scope()

    def required_scope(self) -> Scope:
        return required_scope()

    @property
    def schema_name(self) -> str:
        """Return the schema in force, which django-tenants' router and model mixin ask for."""
        scope = current_scope()
        return scope.schema_name if scope else ""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises `UnsafeLogin` where the login could do more than the app should."""
        connection = super().get_new_connection(conn_params)
        if not DatabaseWrapper._login_is_safe:
            try:
                refuse_unsafe_login(connection)
            except UnsafeLogin:
                self.connection = connection
                self.close()
                self.connection = None
                raise
            DatabaseWrapper._login_is_safe = True
        return connection

    def run_alone(self, scope: Scope, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.ensure_connection()
        self._begin(scope)
        try:
            answer = execute(sql, params, many, context)
        except BaseException:
            self._give_up()
            raise
        with self.wrap_database_errors:
            self.connection.commit()
        return answer

    def _give_up(self) -> None:
        """Roll back. Where that cannot be done the connection is lost, which the error before says better."""
        try:
            if self.connection is not None:
                self.connection.rollback()
        except PsycopgError:
            self.close()
