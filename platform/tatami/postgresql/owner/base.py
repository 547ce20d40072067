"""The backend of the owner login, which creates and migrates schemas. Only `shared_apps.tenants` uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any, Final
from uuid import UUID
from weakref import WeakSet

from django.conf import settings
from django.db import ProgrammingError
from django.db.backends.postgresql import operations
from django.db.utils import DatabaseErrorWrapper
from psycopg.errors import InsufficientPrivilege

from tatami.postgresql.limits import request_limits, set_local_limits
from tatami.postgresql.login_check import check_owner_is_direct
from tatami.postgresql.owner.schema import DatabaseSchemaEditor
from tatami.postgresql.scoped import ScopedWrapper, set_local_statements
from tatami.tenancy.scope import PLATFORM, PUBLIC_SCHEMA, NoScope, Scope

LONG_STATEMENT_SECONDS: Final = 60
"""How long a statement of a restore may take in a web process: it loads and indexes all rows of a table."""

_lock: Final = Lock()
_owners: Final["WeakSet[DatabaseWrapper]"] = WeakSet()


def open_owners() -> "list[DatabaseWrapper]":
    """Return the connections of the owner login in all threads of this process."""
    with _lock:
        return [owner for owner in _owners if owner.connection is not None]


def _serves_requests() -> bool:
    return bool(settings.TATAMI_WEB_CONNECTIONS)


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

    In a web process its statements and waits for locks have the limits of requests, and `StatementWatch` watches it.

    It has `set_schema`, `set_schema_to_public` and `schema_name`, which django-tenants' `migrate_schemas` and
    router call. A statement outside a transaction stays outside one, as CREATE INDEX CONCURRENTLY requires.
    """

    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
    _is_direct = False

    def __init__(self, settings_dict: dict[str, Any], alias: str = "owner") -> None:
        super().__init__(settings_dict, alias)
        self._schema: Scope | None = None
        with _lock:
            _owners.add(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; in a web process with the limits of requests. Raises `PooledOwner` if a pooler is in between."""
        connection = super().get_new_connection(conn_params)
        self.check_new(connection, self._check_and_limit)
        return connection

    def _check_and_limit(self, connection: Any) -> None:
        if not DatabaseWrapper._is_direct:
            check_owner_is_direct(connection)
            DatabaseWrapper._is_direct = True
        if _serves_requests():
            # Not as options at the start: a pooler would refuse those, and we would not learn that it is one.
            connection.execute(
                set_local_limits(request_limits()).removeprefix("; ").replace("SET LOCAL", "SET")
            )

    @contextmanager
    def long_statements(self) -> Iterator[None]:
        """Let statements of the transactions in the block take `LONG_STATEMENT_SECONDS`, if they have a limit."""
        if not _serves_requests():
            yield
            return
        self.patience = LONG_STATEMENT_SECONDS
        self.transaction_limits = f"; SET LOCAL statement_timeout = {LONG_STATEMENT_SECONDS * 1000}"
        try:
            yield
        finally:
            self.patience, self.transaction_limits = None, ""

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
        with self.waiting():
            with self.wrap_database_errors:
                self.connection.execute(set_local_statements(scope).replace("SET LOCAL", "SET"))
            return execute(sql, params, many, context)
