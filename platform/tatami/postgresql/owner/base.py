"""The owner login's backend: owns the tables, makes and migrates schemas. Only `shared_apps.tenants` uses it."""

from typing import Any
from uuid import UUID

from django.db.backends.postgresql import operations

from tatami.postgresql.scoped import ScopedWrapper, local_settings
from tatami.tenancy.scope import PLATFORM, PUBLIC_SCHEMA, NoScope, Scope


class DatabaseOperations(operations.DatabaseOperations):
    """Foreign keys are checked at once: migrations, provisioning and Citus then agree (docs/decisions)."""

    def deferrable_sql(self) -> str:
        return " DEFERRABLE INITIALLY IMMEDIATE"


class DatabaseWrapper(ScopedWrapper):
    """Alias `owner`. Works in one named schema; fails closed when none was named.

    Offers `set_schema`, `set_schema_to_public` and `schema_name`, which django-tenants' `migrate_schemas` and
    router call. A statement outside a transaction stays outside one (CREATE INDEX CONCURRENTLY needs that).
    """

    ops_class = DatabaseOperations

    def __init__(self, settings_dict: dict[str, Any], alias: str = "owner") -> None:
        super().__init__(settings_dict, alias)
        self._schema: Scope | None = None

    @property
    def schema_name(self) -> str:
        """Return the schema that was named last, or an empty string."""
        return self._schema.schema_name if self._schema else ""

    def set_schema(
        self, schema_name: str, include_public: bool = False, tenant_type: str | None = None
    ) -> None:
        """Work in `schema_name` from the next statement on, never in `public` beside it."""
        self._schema = PLATFORM if schema_name == PUBLIC_SCHEMA else Scope(schema_name, UUID(int=0))

    def set_schema_to_public(self) -> None:
        """Work in `public` from the next statement on."""
        self._schema = PLATFORM

    def wanted_scope(self) -> Scope | None:
        return self._schema

    def required_scope(self) -> Scope:
        if self._schema is None:
            raise NoScope("the owner works in a schema that was named: call set_schema first")
        return self._schema

    def run_alone(self, scope: Scope, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.ensure_connection()
        with self.wrap_database_errors:
            self.connection.execute(local_settings(scope).replace("SET LOCAL", "SET"))
        return execute(sql, params, many, context)
