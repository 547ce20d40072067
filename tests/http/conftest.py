"""Hosts with sample data, for tests of all routes."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.scope import platform_scope
from tests.http.examples import ExampleHost, example_dojo, example_platform
from tests.http.sample_dojos import create_sample_dojo, create_sample_platform, password_hash
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW
from tests.support.undo import rolled_back


@pytest.fixture(scope="module")
def all_hosts(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, ExampleHost]]:
    """Create the sample data of the platform and a dojo once, in a transaction that is rolled back afterwards."""
    with django_db_blocker.unblock(), clock.fixed(NOW), rolled_back():
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        hashed_password, dojo = password_hash(), Dojo(scope)
        yield {
            "config.urls_platform": example_platform(create_sample_platform(Platform(), hashed_password)),
            "config.urls_tenant": example_dojo(dojo, create_sample_dojo(dojo, hashed_password)),
        }


@pytest.fixture
def hosts(all_hosts: dict[str, ExampleHost], now: Any) -> Iterator[dict[str, ExampleHost]]:
    """Urlconf → host. What a test changes is rolled back."""
    with rolled_back():
        yield all_hosts
