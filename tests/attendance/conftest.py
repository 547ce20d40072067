"""A front desk: a dojo that is really committed, with students, cards, devices and sessions that are open now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.attendance.desk import Desk
from tests.clients import Dojo


@pytest.fixture(scope="module")
def desk(django_db_setup: None, django_db_blocker: Any) -> Iterator[Desk]:
    """A committed dojo at the real present; purged in the end."""
    with django_db_blocker.unblock():
        with platform_scope():
            first = provisioning.FirstAdmin(email="first@example.com", password_hash="!")
            tenant, _ = provisioning.create_tenant(
                name="Front Desk", slug="front-desk", timezone="Europe/Berlin", admin=first, now=clock.now()
            )
            scope = Tenant.objects.with_primary_domain().get(pk=tenant.pk).scope
        yield Desk(Dojo(scope))
        with platform_scope():
            left = Tenant.objects.get(pk=tenant.pk)
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=left, now=clock.now()))
        host_resolver.cache_clear()


def shortly_before(now: datetime) -> datetime:
    """Return a start of a session whose check-in is open at `now`."""
    return now - timedelta(minutes=5)
