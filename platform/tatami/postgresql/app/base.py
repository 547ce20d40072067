"""The backend of the app login: every statement runs in the current scope, or is refused."""

from typing import Any

from psycopg import Error as PsycopgError

from tatami.postgresql.login_check import UnsafeLogin, check_app_login
from tatami.postgresql.scoped import ScopedWrapper
from tatami.tenancy.scope import Scope, current_scope, required_scope


class DatabaseWrapper(ScopedWrapper):
    """Alias `default`. A statement in autocommit mode runs in a short transaction of its own."""

    _login_is_safe = False

    def wanted_scope(self) -> Scope | None:
        return current_scope()

    def required_scope(self) -> Scope:
        return required_scope()

    @property
    def schema_name(self) -> str:
        """Return the schema of the current scope, which django-tenants' router and model mixin read."""
        scope = current_scope()
        return scope.schema_name if scope else ""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises `UnsafeLogin` if the login has privileges that the app must not have."""
        connection = super().get_new_connection(conn_params)
        if not DatabaseWrapper._login_is_safe:
            try:
                check_app_login(connection)
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
            self._roll_back()
            raise
        with self.wrap_database_errors:
            self.connection.commit()
        return answer

    def _roll_back(self) -> None:
        """Roll back. If that fails the connection is lost, which the error that is being raised describes better."""
        try:
            if self.connection is not None:
                self.connection.rollback()
        except PsycopgError:
            self.close()
