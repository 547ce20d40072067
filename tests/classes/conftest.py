"""A dojo that is really committed: two at once cannot be seen within one test's transaction."""

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.clients import Caller, Dojo
from tests.conftest import NOW


@pytest.fixture(scope="module")
def real_dojo(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A dojo whose rows last until the module's end, at the tests' present."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        with platform_scope():
            first = provisioning.FirstAdmin(email="first@example.com", password_hash="!")
            tenant, _ = provisioning.create_tenant(
                name="Schedule", slug="schedule", timezone="Europe/Berlin", admin=first, now=NOW
            )
            scope = replace(tenant.scope, status="active")
        yield Dojo(scope)
        with platform_scope():
            made = Tenant.objects.get(slug="schedule")
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=made, now=clock.now()))
        host_resolver.cache_clear()


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Return what does several things at the same moment, each in a thread with a connection of its own."""

    def run(*deeds: Callable[[], Any]) -> list[Any]:
        start = Barrier(len(deeds))

        def do(deed: Callable[[], Any]) -> Any:
            start.wait(10)
            try:
                return deed()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(deeds)) as threads:
            waiting = [threads.submit(contextvars.copy_context().run, do, deed) for deed in deeds]
            return [one.result(60) for one in waiting]

    return run


@pytest.fixture
def another() -> Callable[[Caller], Caller]:
    """Return what opens another window for the same person: a client is one thread's."""
    return lambda caller: Caller(caller.host, token=caller.token, user=caller.user)
