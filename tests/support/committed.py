"""A dojo that is really there, for what the transaction around a test would hide."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope
from tests.support.clients import Dojo


@contextmanager
def committed_dojo(slug: str, name: str) -> Iterator[Dojo]:
    """Make a dojo by the clock in force; purge it in the end."""
    with platform_scope():
        first = FirstAdmin(email="first@example.com", password_hash="!")
        made, _ = create_tenant(name=name, slug=slug, timezone="Europe/Berlin", admin=first, now=clock.now())
        scope = Tenant.objects.with_primary_domain().get(pk=made.pk).scope
    try:
        yield Dojo(scope)
    finally:
        purge(slug)


def purge(slug: str) -> None:
    """Drop a dojo and its schema, if it is there."""
    with platform_scope():
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is not None:
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=clock.now()))
    host_resolver.cache_clear()
