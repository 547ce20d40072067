"""A dojo that is really committed, for what a test's own transaction cannot show: two at once, and two logins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared_apps.accounts.models import Session, User
from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.clients import Caller, Dojo, Platform
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _own_dns(settings: Any) -> None:
    """Ask nobody else's name servers."""
    settings.TATAMI_RESOLVER = "tests.records.text_records"


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the module write for good, at the fixed present. What it makes, it takes away again."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        yield


@pytest.fixture(scope="module")
def root(committed: None) -> Iterator[Caller]:
    """A superadmin who is really there."""
    caller = Platform().superadmin("root-of-contract@example.com")
    yield caller
    with platform_scope():
        # Not `delete`: it would follow the users' relations into tables that only dojos have.
        mine = User.objects.filter(email="root-of-contract@example.com")
        Session.objects.filter(user__in=mine)._raw_delete("default")
        mine._raw_delete("default")


@pytest.fixture(scope="module")
def real_dojo(committed: None) -> Iterator[Dojo]:
    """A dojo that is really there, purged in the end."""
    with platform_scope():
        first = provisioning.FirstAdmin(email="first@example.com", password_hash="!")
        tenant, _ = provisioning.create_tenant(
            name="Real", slug="real", timezone="Europe/Berlin", admin=first, now=NOW
        )
        scope = replace(tenant.scope, status="active")
    yield Dojo(scope)
    purge("real")


def purge(slug: str) -> None:
    """Drop a dojo and its schema, if it is there."""
    with platform_scope():
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is not None:
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=clock.now()))
    host_resolver.cache_clear()
