"""The world in which tests run: a real PostgreSQL with two logins, and two dojos with the same names in both.

Schemas are made once per session; each test runs in a transaction that is rolled back. The test database is made by
the same code as `make run`'s, migrated by the owner, queried as the app.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg.conninfo import make_conninfo

from shared_apps.accounts.models import Session, User
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant, migrate_all
from tatami import clock
from tatami.embedded.logins import OWNER, create_database, drop_database
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed import committed_dojo
from tests.support.committed_dojos import (
    committed_dojos,
    hashings,
    north,
    south,
    superuser,
    without_transaction,
)
from tests.support.now import NOW

__all__ = ["committed_dojos", "hashings", "north", "south", "superuser", "without_transaction"]


def _admin_conninfo() -> str:
    url = os.environ.get("ADMIN_DATABASE_URL")
    if not url:
        pytest.exit("ADMIN_DATABASE_URL is not set: run the tests with `make test`", returncode=4)
    return make_conninfo(url)


@pytest.fixture(scope="session")
def database_name(worker_id: str) -> str:
    """One database for each xdist worker."""
    return f"test_tatami_{worker_id}"


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """Return xdist's name of this process, `master` without xdist."""
    workerinput = getattr(request.config, "workerinput", None)
    return str(workerinput["workerid"]) if workerinput else "master"


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any, database_name: str) -> Iterator[None]:
    """Make the test database with the bootstrap code of `make run`, migrate it as owner, make the two dojos."""
    admin = _admin_conninfo()
    create_database(admin, database_name, OWNER, recreate=True)
    for alias in ("default", "owner"):
        settings.DATABASES[alias]["NAME"] = database_name
        connections[alias].settings_dict["NAME"] = database_name
    with django_db_blocker.unblock(), platform_scope():
        list(migrate_all())
        for slug, name in (("aiki", "Seishin Dojo"), ("kendo", "Seishin Dojo")):
            admin_of_dojo = FirstAdmin(email="head@example.com", name="Head Instructor", password_hash="!")
            create_tenant(name=name, slug=slug, timezone="Europe/Berlin", admin=admin_of_dojo, now=NOW)
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    drop_database(admin, database_name)


@pytest.fixture(autouse=True)
def _fresh_routing() -> Iterator[None]:
    """Let no test see the hosts that another one looked up."""
    host_resolver.cache_clear()
    yield
    host_resolver.cache_clear()


@pytest.fixture(autouse=True)
def _own_dns(settings: Any) -> None:
    """Ask nobody else's name servers."""
    settings.TATAMI_RESOLVER = "tests.support.dns.text_records"


@pytest.fixture
def now() -> Iterator[datetime]:
    """Fix the present moment: a Monday evening in summer, 18:40 in Berlin."""
    with clock.fixed(NOW) as moment:
        yield moment


def _tenant(slug: str) -> TenantScope:
    with platform_scope():
        return Tenant.objects.with_primary_domain().get(slug=slug).scope


@pytest.fixture
def tenant(db: None) -> TenantScope:
    """The dojo that the test is about."""
    return _tenant("aiki")


@pytest.fixture
def other_tenant(db: None) -> TenantScope:
    """The other dojo, with the same names in it."""
    return _tenant("kendo")


@pytest.fixture
def dojo(tenant: TenantScope, now: datetime) -> Dojo:
    """The dojo as its people use it, over HTTP."""
    return Dojo(tenant)


@pytest.fixture
def other_dojo(other_tenant: TenantScope, now: datetime) -> Dojo:
    """The other dojo, over HTTP."""
    return Dojo(other_tenant)


@pytest.fixture
def platform(db: None, now: datetime) -> Platform:
    """The platform host, as superadmins use it."""
    return Platform()


@contextmanager
def _psycopg(alias: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    wanted = settings.DATABASES[alias]
    parts = {
        "user": wanted["USER"],
        "password": wanted["PASSWORD"],
        "host": wanted["HOST"],
        "port": wanted["PORT"],
    }
    given = {key: value for key, value in parts.items() if value}
    with psycopg.connect(dbname=name, autocommit=True, **given) as connection:
        yield connection


@pytest.fixture
def as_app(django_db_setup: None, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """A bare connection with the app login."""
    with _psycopg("default", database_name) as connection:
        yield connection


@pytest.fixture
def as_owner(django_db_setup: None, database_name: str) -> Iterator[psycopg.Connection[Any]]:
    """A bare connection with the owner login."""
    with _psycopg("owner", database_name) as connection:
        yield connection


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let the module write for good, at the fixed present. What it makes, it takes away again."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        yield


@pytest.fixture(scope="module")
def root(committed: None) -> Iterator[Caller]:
    """A superadmin who is really there."""
    caller = Platform().superadmin("committed-root@example.com")
    yield caller
    with platform_scope():
        # Not `delete`: it would follow the users' relations into tables that only dojos have.
        mine = User.objects.filter(email="committed-root@example.com")
        Session.objects.filter(user__in=mine)._raw_delete("default")
        mine._raw_delete("default")


@pytest.fixture(scope="module")
def real_dojo(committed: None) -> Iterator[Dojo]:
    """A dojo that is really there, purged in the end."""
    with committed_dojo("real", "Real") as dojo:
        yield dojo
