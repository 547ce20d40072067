"""Fixtures for all tests: a real PostgreSQL with two logins, and two dojos with the same names in both.

Schemas are created once per session. Each test runs in a transaction that is rolled back. The test database is created
by the same code as that of `make run`, migrated by the owner login, and queried by the app login.
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
from hypothesis import settings as hypothesis_settings
from psycopg.conninfo import make_conninfo
from whitenoise.middleware import WhiteNoiseMiddleware

from shared_apps.accounts.models import IdempotentAnswer, Session, User
from shared_apps.tenants import domain_dns
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant, migrate_all
from shared_apps.tenants.tls_domains import tls_domains
from tatami import clock
from tatami.embedded.logins import OWNER, create_database, drop_database
from tatami.tenancy import hosts
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support import citus_rules, dns
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed import (
    committed_dojo,
    committed_dojos,
    north,
    south,
    superuser,
    without_transaction,
)
from tests.support.now import NOW
from tests.support.passwords import hashings
from tests.support.pgbouncer import is_pooled

__all__ = ["committed_dojos", "hashings", "north", "south", "superuser", "without_transaction"]

# Property tests use the same examples in every run, so that a failure has a cause in the code. `make test-volume` uses
# the profile `volume`: other and more examples in every run.
hypothesis_settings.register_profile("same-examples", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.register_profile("volume", deadline=None, max_examples=1_000, print_blob=True)
hypothesis_settings.load_profile("same-examples")


def pytest_configure() -> None:
    """Hash passwords with little work."""
    settings.PASSWORD_HASHERS = ["tests.support.passwords.QuickArgon2Hasher"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have measured of pages (`record_property("page costs", …)`): statements and kilobytes."""
    reports = [one for found in terminalreporter.stats.values() for one in found]
    costs = {
        name: (statements, kilobytes)
        for one in reports
        for key, rows in getattr(one, "user_properties", ())
        if key == "page costs"
        for name, statements, kilobytes in rows
    }
    if not costs:
        return
    terminalreporter.section("pages: statements, and kilobytes compressed")
    for name, (statements, kilobytes) in sorted(costs.items()):
        shown = "" if statements is None else statements
        terminalreporter.write_line(f"{name:<44} {shown:>4} {kilobytes:>7.1f}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests of a direct connection if there is none, and mark the property tests of the profile `volume`."""
    if is_pooled():
        for item in items:
            for mark in item.iter_markers("direct_connection"):
                item.add_marker(pytest.mark.skip(reason=f"needs a direct connection: {mark.args[0]}"))
    # With that profile they are marked `volume`, so that they run at full size, too.
    if config.getoption("--hypothesis-profile", default=None) != "volume":
        return
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.volume)


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
    """Create the test database as `make run` does, migrate it as owner, and create the two dojos."""
    admin = _admin_conninfo()
    create_database(admin, database_name, OWNER, recreate=True)
    for alias in ("default", "owner"):
        settings.DATABASES[alias]["NAME"] = database_name
        connections[alias].settings_dict["NAME"] = database_name
    with django_db_blocker.unblock(), platform_scope():
        assert migrate_all() == [], "tenants whose migration failed"
        for slug, name in (("aiki", "Seishin Dojo"), ("kendo", "Seishin Dojo")):
            admin_of_dojo = FirstAdmin(email="head@example.com", name="Head Instructor", password_hash="!")
            create_tenant(name=name, slug=slug, timezone="Europe/Berlin", admin=admin_of_dojo, now=NOW)
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    drop_database(admin, database_name)


@pytest.fixture(scope="session", autouse=True)
def _watched_statements() -> Iterator[None]:
    """Watch all statements, those of other fixtures too."""
    with citus_rules.watched_statements():
        yield


@pytest.fixture(autouse=True)
def _statements_suit_citus() -> Iterator[None]:
    """Fail the test if a statement was sent that Citus would refuse."""
    yield
    assert citus_rules.take_faults() == [], "docs/decisions/0006-citus.md has the rules"


@pytest.fixture(autouse=True)
def _fresh_routing() -> Iterator[None]:
    """Clear the cache of host names around each test, and wait for no other process to notice a change."""
    host_resolver.cache_clear()
    tls_domains.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "NOTICED_SECONDS", 0)
        yield
    host_resolver.cache_clear()
    tls_domains.cache_clear()


@pytest.fixture(autouse=True)
def _own_dns() -> Iterator[None]:
    """Send no DNS query: look-ups read `tests.support.dns.RECORDS`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain_dns, "text_records", dns.text_records)
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_found_once() -> Iterator[None]:
    """Look for the static files once. WhiteNoise looks for each client, which takes longer than many a test."""
    find = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files)
        yield


@pytest.fixture
def now() -> Iterator[datetime]:
    """Fix the present time: a Monday evening in summer, 18:40 in Berlin."""
    with clock.fixed(NOW) as fixed:
        yield fixed


def _tenant(slug: str) -> TenantScope:
    with platform_scope():
        return Tenant.objects.with_primary_domain().get(slug=slug).scope


@pytest.fixture
def tenant(db: None) -> TenantScope:
    """The scope of the dojo that the test is about."""
    return _tenant("aiki")


@pytest.fixture
def other_tenant(db: None) -> TenantScope:
    """The scope of the other dojo, with the same names in it."""
    return _tenant("kendo")


@pytest.fixture
def dojo(tenant: TenantScope, now: datetime) -> Dojo:
    """The dojo as HTTP clients see it."""
    return Dojo(tenant)


@pytest.fixture
def other_dojo(other_tenant: TenantScope, now: datetime) -> Dojo:
    """The other dojo as HTTP clients see it."""
    return Dojo(other_tenant)


@pytest.fixture
def platform(db: None, now: datetime) -> Platform:
    """The platform host as superadmins see it."""
    return Platform()


@contextmanager
def _psycopg(alias: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    login = settings.DATABASES[alias]
    parts = {
        "user": login["USER"],
        "password": login["PASSWORD"],
        "host": login["HOST"],
        "port": login["PORT"],
    }
    options = {key: value for key, value in parts.items() if value}
    with psycopg.connect(dbname=name, autocommit=True, **options) as connection:
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
    """Let the tests of the module commit, at the fixed time. The module removes what it creates."""
    with django_db_blocker.unblock(), clock.fixed(NOW):
        yield


@pytest.fixture(scope="module")
def root(committed: None) -> Iterator[Caller]:
    """A committed superadmin, signed in."""
    caller = Platform().superadmin("committed-root@example.com")
    yield caller
    with platform_scope():
        # Not `delete`, which would follow relations into tables that exist only in dojos.
        users = User.objects.filter(email="committed-root@example.com")
        Session.objects.filter(user__in=users)._raw_delete("default")
        IdempotentAnswer.objects.filter(caller__in=users.values("pk"))._raw_delete("default")
        users._raw_delete("default")


@pytest.fixture(scope="module")
def real_dojo(committed: None) -> Iterator[Dojo]:
    """A committed dojo, purged after the module."""
    with committed_dojo("real", "Real") as dojo:
        yield dojo
