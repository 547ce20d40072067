"""Which host leads to which dojo, and how soon processes see a change."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami.errors import TenantNotFound, TenantSuspended
from tatami.tenancy import hosts
from tatami.tenancy.hosts import HostResolver
from tatami.tenancy.scope import PLATFORM, TenantScope, platform_scope
from tatami.tenancy.tenant_registry import tenant_registry
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently


@dataclass
class Process:
    """A process with its own resolver on the real tables. The test sets its time."""

    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    epochs_read: int = 0
    cache_size: int = hosts.HOST_CACHE_SIZE

    def __post_init__(self) -> None:
        self.resolver = HostResolver(
            base_domain="localhost",
            find_tenant=self.find_tenant,
            read_epoch=self.read_epoch,
            monotonic=lambda: self.seconds,
            sleep=self.sleep,
            cache_size=self.cache_size,
        )

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def find_tenant(self, host: str) -> TenantScope | None:
        self.asked.append(host)
        return tenant_registry().find_tenant(host)

    def read_epoch(self) -> int:
        self.epochs_read += 1
        return tenant_registry().read_epoch()

    def resolve(self, host: str) -> str:
        """Return the schema that `host` leads to, or the code of the refusal."""
        try:
            return self.resolver.resolve(host).schema_name
        except (TenantNotFound, TenantSuspended) as refusal:
            return refusal.code


@pytest.fixture
def process(db: None) -> Process:
    return Process()


def change_status(tenant: TenantScope, status: str) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=Tenant.objects.get(pk=tenant.tenant_id), now=NOW, status=status)


# --- host names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["aiki.localhost", "AIKI.LocalHost", "aiki.localhost.", "aiki.localhost:8000", "AIKI.localhost.:443"],
)
def test_a_dojos_host_is_found_in_every_spelling(process: Process, tenant: TenantScope, host: str) -> None:
    assert process.resolve(host) == tenant.schema_name
    assert process.asked == ["aiki.localhost"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "localhost:8000"])
def test_the_platforms_host_needs_no_query(process: Process, host: str) -> None:
    assert process.resolver.resolve(host) == PLATFORM
    assert process.asked == []
    assert process.epochs_read == 0


@pytest.mark.parametrize(
    "host",
    [
        "nowhere.localhost",
        "www.aiki.localhost",
        "www.localhost",
        "aiki.localhost..",
        "localhost..",
        ".aiki.localhost",
        "aiki..localhost",
        "aiki",
        "aiki.",
        "aiki.example.com",
        "kiai.localhost",
        "x.aiki.localhost",
        "aiki.localhost.example.com",
        "127.0.0.1",
        "[::1]",
        "[::1]:8000",
        "%61iki.localhost",
        "aiki_localhost",
    ],
)
def test_any_other_host_is_not_found(process: Process, host: str) -> None:
    assert process.resolve(host) == "tenant_not_found"


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":",
        ":8000",
        "aiki.localhost:",
        "aiki.localhost:x",
        "aiki.localhost:80:80",
        "aiki.localhost/",
        "aiki.localhost\n",
        " aiki.localhost",
        "aiki localhost",
        "a@aiki.localhost",
        "aiki.localhost?x",
        "aiki.localhost\x00",
        "aikí.localhost",
        "::1",
        "[aiki.localhost]",
        "' OR 1=1 --",
    ],
)
def test_a_malformed_host_is_not_found_without_a_query(process: Process, host: str) -> None:
    assert process.resolve(host) == "tenant_not_found"
    assert process.asked == []


HEADERS = ["aiki.localhost", "AIKI.LOCALHOST:8000", "aiki.localhost."]
STRANGE_HEADERS = [
    "nowhere.localhost",
    "www.aiki.localhost",
    "aiki.localhost..",
    "",
    "[::1]",
    "a b",
    "aiki.localhost:x",
]


@pytest.mark.parametrize("host", HEADERS)
def test_the_host_header_leads_to_the_dojo(tenant: TenantScope, now: Any, host: str) -> None:
    token = Dojo(tenant).admin.token
    assert Caller(host, token).get("/me").json()["tenant"]["slug"] == "aiki"


@pytest.mark.parametrize("host", STRANGE_HEADERS)
def test_an_unknown_host_header_is_404_in_the_error_envelope(db: None, host: str) -> None:
    answer = Client(raise_request_exception=False).get("/me", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "tenant_not_found")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-Host"])
def test_headers_of_a_proxy_are_ignored(dojo: Dojo, other_dojo: Dojo, header: str) -> None:
    value = f"host={other_dojo.host}" if header == "Forwarded" else other_dojo.host
    answer = dojo.admin.get("/me", **{header.replace("-", "_"): value})
    assert answer.json()["tenant"]["slug"] == "aiki"


def test_an_unverified_domain_is_not_found(process: Process, tenant: TenantScope) -> None:
    with platform_scope():
        Domain.objects.create(
            tenant_id=tenant.tenant_id, domain="dojo.example.com", is_primary=False, verified_at=None
        )
    assert process.resolve("dojo.example.com") == "tenant_not_found"


def test_a_verified_domain_leads_to_its_dojo(process: Process, tenant: TenantScope) -> None:
    with platform_scope():
        Domain.objects.create(
            tenant_id=tenant.tenant_id, domain="dojo.example.com", is_primary=False, verified_at=NOW
        )
    assert process.resolve("dojo.example.com") == tenant.schema_name


# --- status -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("provisioning", (404, "tenant_not_found")),
        ("deleting", (404, "tenant_not_found")),
        ("suspended", (403, "tenant_suspended")),
        ("active", (401, "not_authenticated")),
    ],
)
def test_a_dojo_is_served_by_its_status(tenant: TenantScope, status: str, answer: tuple[int, str]) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    response = Caller("aiki.localhost").get("/me")
    assert (response.status_code, response.json()["error"]["code"]) == answer


def test_another_process_sees_a_suspension_within_half_a_second(
    process: Process, tenant: TenantScope
) -> None:
    assert process.resolve("aiki.localhost") == tenant.schema_name
    change_status(tenant, "suspended")
    process.seconds += 0.49
    assert process.resolve("aiki.localhost") == tenant.schema_name
    process.seconds += 0.02
    assert process.resolve("aiki.localhost") == "tenant_suspended"


def test_a_dojo_that_is_resumed_is_served_again_within_half_a_second(
    process: Process, tenant: TenantScope
) -> None:
    change_status(tenant, "suspended")
    assert process.resolve("aiki.localhost") == "tenant_suspended"
    change_status(tenant, "active")
    process.seconds += 0.51
    assert process.resolve("aiki.localhost") == tenant.schema_name


def test_after_waiting_every_process_knows_a_change(
    tenant: TenantScope, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "NOTICED_SECONDS", hosts.EPOCH_TTL_SECONDS)
    here, elsewhere = Process(), Process()
    for process in (here, elsewhere):
        assert process.resolver.resolve("aiki.localhost").name == tenant.name  # type: ignore[attr-defined]
    with platform_scope():
        lifecycle.change_tenant(tenant=Tenant.objects.get(pk=tenant.tenant_id), now=NOW, name="Neues Dojo")
    here.resolver.wait_until_noticed()
    elsewhere.seconds = here.seconds
    for process in (here, elsewhere):
        assert process.resolver.resolve("aiki.localhost").name == "Neues Dojo"  # type: ignore[attr-defined]


def test_a_new_host_is_found_within_half_a_second(process: Process, tenant: TenantScope) -> None:
    assert process.resolve("late.localhost") == "tenant_not_found"
    with platform_scope():
        Domain.objects.create(
            tenant_id=tenant.tenant_id, domain="late.localhost", is_primary=False, verified_at=NOW
        )
        RoutingEpoch.advance()
    process.seconds += 0.51
    assert process.resolve("late.localhost") == tenant.schema_name


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Renamed"},
        {"timezone": "Asia/Tokyo"},
        {"status": "suspended"},
        {"status": "deleting"},
    ],
    ids=lambda change: "-".join(f"{key}-{value}" for key, value in change.items()),
)
def test_every_change_to_a_dojo_increments_the_epoch(tenant: TenantScope, change: dict[str, str]) -> None:
    before = tenant_registry().read_epoch()
    with platform_scope():
        lifecycle.change_tenant(tenant=Tenant.objects.get(pk=tenant.tenant_id), now=NOW, **change)
    assert tenant_registry().read_epoch() > before


# --- statements ---------------------------------------------------------------------------------------------


def statements(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


@pytest.mark.parametrize("host", ["aiki.localhost", "nowhere.localhost"])
def test_a_host_is_looked_up_once(process: Process, host: str) -> None:
    assert statements(lambda: process.resolve(host)) == 2  # the epoch and the host
    assert statements(lambda: [process.resolve(host) for _ in range(100)]) == 0
    process.seconds += 0.51
    assert statements(lambda: [process.resolve(host) for _ in range(100)]) == 1  # the epoch
    assert process.asked == [host]


def test_a_host_is_looked_up_again_when_the_epoch_has_changed(process: Process, tenant: TenantScope) -> None:
    process.resolve("aiki.localhost")
    with platform_scope():
        RoutingEpoch.advance()
    process.seconds += 0.51
    assert statements(lambda: [process.resolve("aiki.localhost") for _ in range(100)]) == 2
    assert process.asked == ["aiki.localhost"] * 2


def test_a_request_to_a_cached_host_needs_no_query_about_it(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "EPOCH_TTL_SECONDS", 60.0)
    dojo.anonymous.get("/me")
    with CaptureQueriesContext(connection) as captured:
        assert dojo.anonymous.get("/me").status_code == 401
    assert [query["sql"] for query in captured if "tenants_" in query["sql"]] == []


def test_the_cache_is_bounded_and_evicts_the_least_recently_used_host(
    db: None,
) -> None:
    process = Process(cache_size=10)
    process.resolve("aiki.localhost")
    for number in range(30):
        process.resolve(f"guess-{number}.localhost")
        process.resolve("aiki.localhost")
    assert len(process.resolver._cache) == 10
    assert process.asked.count("aiki.localhost") == 1
    process.resolve("guess-0.localhost")
    assert process.asked.count("guess-0.localhost") == 2


def test_the_hosts_of_a_dojo_have_one_share_once_they_are_known(
    process: Process, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    with platform_scope():
        domain = Domain.objects.create(
            tenant_id=tenant.tenant_id, domain="www.kita.de", is_primary=False, verified_at=NOW
        )
    assert process.resolver.share_of("www.kita.de") == "www.kita.de"
    for host in ("aiki.localhost", "www.kita.de", "kendo.localhost", "unknown.localhost"):
        process.resolve(host)
    asked = len(process.asked)
    shares = [
        process.resolver.share_of(host) for host in ("aiki.localhost", "www.kita.de", "kendo.localhost")
    ]
    assert shares == [tenant.schema_name, tenant.schema_name, other_tenant.schema_name]
    assert process.resolver.share_of("unknown.localhost") == "unknown.localhost"
    assert process.resolver.share_of("localhost") == "localhost"
    assert len(process.asked) == asked, "no look-up is made for it"
    with platform_scope():
        domain.delete()
        RoutingEpoch.advance()
    process.seconds += 1
    assert process.resolve("www.kita.de") == "tenant_not_found"
    assert process.resolver.share_of("www.kita.de") == "www.kita.de"


def test_the_shares_of_hosts_are_bounded(tenant: TenantScope) -> None:
    process = Process(cache_size=2)
    with platform_scope():
        for number in range(5):
            name = f"d{number}.kita.de"
            Domain.objects.create(tenant_id=tenant.tenant_id, domain=name, is_primary=False, verified_at=NOW)
            process.resolve(name)
    assert process.resolver.share_of("d4.kita.de") == tenant.schema_name
    assert len(process.resolver._shares) <= 2


def test_a_result_older_than_a_change_is_not_cached(process: Process, tenant: TenantScope) -> None:
    """Between reading and caching a dojo in one thread, another thread reads a newer epoch."""
    process.resolve("kendo.localhost")
    plain = process.find_tenant

    def held_up(host: str) -> TenantScope | None:
        found = plain(host)
        if process.asked.count(host) == 1:
            change_status(tenant, "suspended")
            process.seconds += 0.51
            assert process.resolve("kendo.localhost") != "tenant_not_found"
        return found

    process.resolver._find_tenant = held_up
    process.resolve("aiki.localhost")
    assert process.resolve("aiki.localhost") == "tenant_suspended"


def test_threads_get_the_right_dojo(north: TenantScope, south: TenantScope) -> None:
    process = Process()

    def resolve_hosts() -> None:
        for _ in range(50):
            process.seconds += 0.1
            assert process.resolve("north.localhost") == north.schema_name
            assert process.resolve("south.localhost") == south.schema_name
            assert process.resolve(f"{threading.get_ident()}.localhost") == "tenant_not_found"

    raise_first_error(run_concurrently([resolve_hosts] * 8))


# --- database unavailable -----------------------------------------------------------------------------------


def unavailable(*_: Any) -> Any:
    return psycopg.connect("host=/nowhere dbname=nothing")


def test_a_database_error_is_not_reported_as_not_found(process: Process) -> None:
    process.resolver._find_tenant = unavailable
    with pytest.raises(psycopg.OperationalError):
        process.resolver.resolve("aiki.localhost")


def test_an_unreadable_epoch_is_an_error(process: Process) -> None:
    process.resolve("aiki.localhost")
    process.resolver._read_epoch = unavailable
    process.seconds += 0.51
    with pytest.raises(psycopg.OperationalError):
        process.resolver.resolve("aiki.localhost")


def test_an_error_is_not_cached(process: Process, tenant: TenantScope) -> None:
    plain = process.resolver._find_tenant
    process.resolver._find_tenant = unavailable
    with pytest.raises(psycopg.OperationalError):
        process.resolver.resolve("aiki.localhost")
    process.resolver._find_tenant = plain
    assert process.resolve("aiki.localhost") == tenant.schema_name


def test_a_request_is_503_while_the_database_is_unavailable(
    north: TenantScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    with platform_scope(), pytest.raises(OperationalError):
        Tenant.objects.count()
    for host in ("north.localhost", "nowhere.localhost"):
        answer = Caller(host).get("/me")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
