"""The scope: whose data a statement reads and writes. Enter it with `tenant_scope(tenant)` or `platform_scope()`.

Within a scope, texts that people read (`gettext`) are in the language of the dojo: for requests, jobs and commands.

The scope is a context variable, so threads do not see each other's scope, and a new thread starts without one. The
database backend reads it at every statement and refuses a statement without a scope.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.utils import translation

PUBLIC_SCHEMA: Final = "public"
PLATFORM_ID: Final = UUID(int=0)


class NoScope(RuntimeError):
    """A statement was sent outside `tenant_scope` and `platform_scope`."""


class ScopeConflict(RuntimeError):
    """Another scope was entered or used inside a transaction of the first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The schema on the search_path, and the id that row-level security compares."""

    schema_name: str
    tenant_id: UUID

    @property
    def language(self) -> str:
        """Return the language of texts that people read: that of the platform, unless it is a dojo's."""
        return str(settings.LANGUAGE_CODE)

    @property
    def plan_key(self) -> str:
        """Return what tells the prepared statements of this schema from those of others."""
        return self.schema_name


@dataclass(frozen=True, slots=True)
class TenantScope(Scope):
    """A dojo as the kernel knows it: a snapshot of its row in `public`.

    Two snapshots of one dojo are equal, even if the dojo was renamed in between.
    """

    slug: str = field(compare=False)
    name: str = field(compare=False)
    timezone: str = field(compare=False)
    status: str = field(compare=False)
    primary_domain: str = field(compare=False)
    is_behind: bool = field(default=False, compare=False)
    """Its schema is outdated: it must be migrated before this code can serve it."""
    schema_version: str = field(default="", compare=False)
    """A short checksum of the migrations that the schema has."""
    language_code: str = field(default="en", compare=False)
    """The language of the dojo, as Django writes it: `pt-br`."""

    @property
    def language(self) -> str:
        return self.language_code

    @property
    def plan_key(self) -> str:
        return f"{self.schema_name}@{self.schema_version}"


class Tenant(Protocol):
    """An object with a scope: the model of a dojo."""

    @property
    def scope(self) -> TenantScope: ...


PLATFORM: Final = Scope(schema_name=PUBLIC_SCHEMA, tenant_id=PLATFORM_ID)

_current: ContextVar[Scope | None] = ContextVar("tatami.scope", default=None)


def current_scope() -> Scope | None:
    """Return the current scope, or `None`."""
    return _current.get()


def required_scope() -> Scope:
    """Return the current scope. Raises `NoScope` without one."""
    scope = _current.get()
    if scope is None:
        raise NoScope("no scope: enter tenant_scope(tenant) or platform_scope() first")
    return scope


def current_tenant() -> TenantScope:
    """Return the current dojo. Raises `NoScope` without a scope, and in the platform's scope."""
    scope = _current.get()
    if not isinstance(scope, TenantScope):
        raise NoScope("no tenant scope: enter tenant_scope(tenant) first")
    return scope


def current_tenant_id() -> UUID:
    """Return the `tenant_id` of new rows; the nil UUID on the platform. Raises `NoScope`."""
    return required_scope().tenant_id


def _speaking(language: str) -> AbstractContextManager[object]:
    # Most scopes have the language that is in force. `manage.py` enters the platform's before the apps are loaded.
    return nullcontext() if translation.get_language() == language else translation.override(language)


@contextmanager
def _entered(scope: Scope) -> Iterator[None]:
    for connection in connections.all(initialized_only=True):
        refuse = getattr(connection, "refuse_other_scope", None)
        if refuse is not None:
            refuse(scope)
    token = _current.set(scope)
    try:
        with _speaking(scope.language):
            yield
    finally:
        _current.reset(token)


@contextmanager
def tenant_scope(tenant: TenantScope | Tenant) -> Iterator[TenantScope]:
    """Make this dojo the current scope within the block. Raises `ScopeConflict` inside another scope's transaction."""
    scope = tenant if isinstance(tenant, TenantScope) else tenant.scope
    with _entered(scope):
        yield scope


@contextmanager
def platform_scope() -> Iterator[Scope]:
    """Make the platform (`public`) the current scope within the block. Raises `ScopeConflict` like `tenant_scope`."""
    with _entered(PLATFORM):
        yield PLATFORM
