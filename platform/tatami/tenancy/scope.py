"""The one way to say whose data is meant: `tenant_scope(tenant)` or `platform_scope()`.

A scope lives on a context variable, so two threads never see each other's, and a new thread starts
without one. The database backend reads it at every statement; without a scope there is no data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from django.db import connections

PUBLIC_SCHEMA: Final = "public"
PLATFORM_ID: Final = UUID(int=0)


class NoScope(RuntimeError):
    """Data was asked for outside `tenant_scope` and `platform_scope`."""


class ScopeConflict(RuntimeError):
    """Another scope was entered, or used, inside a transaction of the first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose data is meant: the schema that is searched and the id that row-level security compares."""

    schema_name: str
    tenant_id: UUID


@dataclass(frozen=True, slots=True)
class TenantScope(Scope):
    """A dojo as the kernel knows it: a snapshot of its row in `public`, taken without holding on to it.

    Two snapshots of one dojo are the same scope, whatever was renamed between them.
    """

    slug: str = field(compare=False)
    name: str = field(compare=False)
    timezone: str = field(compare=False)
    status: str = field(compare=False)
    primary_domain: str = field(compare=False)
    is_behind: bool = field(default=False, compare=False)
    """Its schema lacks something that this code needs: it is to be migrated before it is served."""


class Tenant(Protocol):
    """What stands for a dojo elsewhere (the model) and can say its scope."""

    @property
    def scope(self) -> TenantScope: ...


PLATFORM: Final = Scope(schema_name=PUBLIC_SCHEMA, tenant_id=PLATFORM_ID)

_current: ContextVar[Scope | None] = ContextVar("tatami.scope", default=None)


def current_scope() -> Scope | None:
    """Return the scope in force here, or None."""
    return _current.get()


def required_scope() -> Scope:
    """Return the scope in force. Raises `NoScope` where there is none."""
    scope = _current.get()
    if scope is None:
        raise NoScope("no tenant, no data: enter tenant_scope(tenant) or platform_scope() first")
    return scope


def current_tenant() -> TenantScope:
    """Return the dojo in force. Raises `NoScope` outside a dojo's scope, on the platform too."""
    scope = _current.get()
    if not isinstance(scope, TenantScope):
        raise NoScope("this needs a dojo: enter tenant_scope(tenant) first")
    return scope


def current_tenant_id() -> UUID:
    """Return the id that every row made here carries; the nil UUID on the platform. Raises `NoScope`."""
    return required_scope().tenant_id


@contextmanager
def _entered(scope: Scope) -> Iterator[None]:
    for connection in connections.all(initialized_only=True):
        refuse = getattr(connection, "refuse_other_scope", None)
        if refuse is not None:
            refuse(scope)
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def tenant_scope(tenant: TenantScope | Tenant) -> Iterator[TenantScope]:
    """Mean this dojo within the block. Raises `ScopeConflict` inside another scope's transaction."""
    scope = tenant if isinstance(tenant, TenantScope) else tenant.scope
    with _entered(scope):
        yield scope


@contextmanager
def platform_scope() -> Iterator[Scope]:
    """Mean the platform itself (`public`) within the block. Raises `ScopeConflict` like `tenant_scope`."""
    with _entered(PLATFORM):
        yield PLATFORM
