"""The backend of the owner login, which creates and migrates schemas. Only `shared_apps.tenants` uses it."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import ProgrammingError
from django.db.backends.postgresql import operations
from django.db.utils import DatabaseErrorWrapper
from psycopg.errors import InsufficientPrivilege

from tatami.postgresql.login_check import PooledOwner, check_owner_is_direct
from tatami.postgresql.owner.schema import DatabaseSchemaEditor
from tatami.postgresql.scoped import ScopedWrapper, set_local_statements
from tatami.tenancy.scope import PLATFORM, PUBLIC_SCHEMA, NoScope, Scope


class OwnerLacksPrivilege(ProgrammingError):
    """The owner login may not do what it is for: a fault of the installation, not of a request."""


class _ErrorWrapper(DatabaseErrorWrapper):
    """Django's errors, and `OwnerLacksPrivilege`."""

    def __init__(self, owner: Any) -> None:
        super().__init__(owner)
        self.owner = owner

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if isinstance(exc_value, InsufficientPrivilege):
            self.owner.errors_occurred = True
            raise OwnerLacksPrivilege(*exc_value.args).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseOperations(operations.DatabaseOperations):
    """Foreign keys are checked immediately, so that migrations, provisioning and Citus agree (docs/decisions)."""

    def deferrable_sql(self) -> str:
        return " DEFERRABLE INITIALLY IMMEDIATE"


class DatabaseWrapper(ScopedWrapper):
    """Alias `owner`. Works in one named schema, and refuses statements before a schema is named.

    It has `set_schema`, `set_schema_to_public` and `schema_name`, which django-tenants' `migrate_schemas` and
    router call. A statement outside a transaction stays outside one, as CREATE INDEX CONCURRENTLY requires.
    """

    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
    _is_direct = False

    def __init__(self, settings_dict: dict[str, Any], alias: str = "owner") -> None:
        super().__init__(settings_dict, alias)
        self._schema: Scope | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises `PooledOwner` if the connection goes through a pooler."""
        connection = super().get_new_connection(conn_params)
        if not DatabaseWrapper._is_direct:
            try:
                check_owner_is_direct(connection)
            except PooledOwner:
                connection.close()
                raise
            DatabaseWrapper._is_direct = True
        return connection

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return the context manager that raises Django's errors, and `OwnerLacksPrivilege`."""
        return _ErrorWrapper(self)

    @property
    def schema_name(self) -> str:
        """Return the schema named last, or an empty string."""
        return self._schema.schema_name if self._schema else ""

    def set_schema(
        self, schema_name: str, include_public: bool = False, tenant_type: str | None = None
    ) -> None:
        """Use `schema_name`, without `public`, from the next statement on."""
        self._schema = PLATFORM if schema_name == PUBLIC_SCHEMA else Scope(schema_name, UUID(int=0))

    def set_schema_to_public(self) -> None:
        """Use `public` from the next statement on."""
        self._schema = PLATFORM

    def wanted_scope(self) -> Scope | None:
        return self._schema

    def required_scope(self) -> Scope:
        if self._schema is None:
            raise NoScope("the owner needs a schema: call set_schema first")
        return self._schema

    def run_alone(self, scope: Scope, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.ensure_connection()
        with self.wrap_database_errors:
            self.connection.execute(set_local_statements(scope).replace("SET LOCAL", "SET"))
        return execute(sql, params, many, context)
