"""Celery tasks that know whose work they do, and refuse to guess.

The dojo is captured when a task is called, not when the transaction commits or the worker starts; it travels as a
header. A worker enters that dojo's scope, or raises: a task that names none, an unknown or a suspended dojo is not run.
PostgreSQL is the truth about work; a task is a wake-up call, and runs twice safely.
"""

from typing import Any
from uuid import UUID

from celery import Task
from django.db import transaction

from tatami.observability import bound_task, current_request_id
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import NoScope, TenantScope, current_scope, platform_scope, tenant_scope

TENANT_HEADER = "tatami_tenant"
REQUEST_HEADER = "tatami_request"


class TenantUnavailable(RuntimeError):
    """A task names no dojo, or one that is unknown or not active."""


class _TracedTask(Task):  # type: ignore[type-arg]
    abstract = True

    def _headers(self) -> dict[str, Any]:
        return {REQUEST_HEADER: current_request_id()}

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        given = options.pop("headers", None) or {}
        # What was captured at the call stands: at the commit another scope may be in force, or none.
        options["headers"] = given if REQUEST_HEADER in given else {**self._headers(), **given}
        return super().apply_async(args, kwargs, **options)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Queue the task when the transaction commits, for the dojo in force now."""
        headers = self._headers()
        transaction.on_commit(lambda: self.apply_async(args, kwargs, headers=headers))

    def _header(self, name: str) -> Any:
        request = self.request
        return request.get(name) or (request.headers or {}).get(name)


class TenantTask(_TracedTask):
    """The base of tasks that work in one dojo. Calling it outside a dojo's scope raises `NoScope`."""

    abstract = True
    acks_late = True
    reject_on_worker_lost = True

    def _headers(self) -> dict[str, Any]:
        scope = current_scope()
        if not isinstance(scope, TenantScope):
            raise NoScope(f"{self.name} needs a dojo: call it inside tenant_scope(tenant)")
        return {**super()._headers(), TENANT_HEADER: str(scope.tenant_id)}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tenant = tenant_of_task(self._header(TENANT_HEADER))
        told = bound_task(self.name, self.request.id, tenant.tenant_id, self._header(REQUEST_HEADER))
        with told, tenant_scope(tenant):
            return super().__call__(*args, **kwargs)


class PlatformTask(_TracedTask):
    """The base of tasks that work on the platform itself: sweepers and dispatchers."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        told = bound_task(self.name, self.request.id, None, self._header(REQUEST_HEADER))
        with told, platform_scope():
            return super().__call__(*args, **kwargs)


def tenant_of_task(header: Any) -> TenantScope:
    """Return the active dojo that a task's header names. Raises `TenantUnavailable`."""
    try:
        tenant_id = UUID(header)
    except (TypeError, ValueError, AttributeError):
        raise TenantUnavailable("the task names no dojo") from None
    found = directory().find_tenant_by_id(tenant_id)
    if found is None or found.status != "active":
        raise TenantUnavailable(f"dojo {tenant_id} is {found.status if found else 'unknown'}")
    return found
