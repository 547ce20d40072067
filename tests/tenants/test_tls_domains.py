"""For which domains the proxy may obtain a certificate: those that are served, asked for from inside, at no cost."""

from datetime import timedelta
from typing import Any

import pytest

from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Domain, RoutingEpoch, Tenant
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Caller
from tests.support.now import NOW
from tests.support.statements import sent_statements

NAME = "www.seishin-dojo.de"
OUTSIDE = "8.8.8.8"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]


@pytest.fixture
def proxy() -> Caller:
    """A client on this machine, at the host of the platform."""
    return Caller("localhost")


def status(proxy: Caller, domain: str, **headers: str) -> int:
    return int(proxy.get(f"/tls/domain?domain={domain}", **headers).status_code)


def add_domain(tenant: TenantScope, domain: str, **fields: Any) -> None:
    """Add a verified domain, and notice it at once."""
    with platform_scope():
        values = {"verified_at": NOW, "is_primary": False, **fields}
        Domain.objects.create(tenant=Tenant.objects.get(pk=tenant.tenant_id), domain=domain, **values)
        RoutingEpoch.advance()
    host_resolver().read_epoch_again()


def change_status(tenant: TenantScope, to: str) -> None:
    with platform_scope():
        lifecycle.change_tenant(tenant=Tenant.objects.get(pk=tenant.tenant_id), now=NOW, status=to)
    host_resolver().read_epoch_again()


def test_the_platform_and_its_dojos_have_certificates(proxy: Caller, tenant: TenantScope) -> None:
    answer = proxy.get("/tls/domain?domain=localhost")
    assert (answer.status_code, answer.json()) == (200, {"domain": "localhost"})
    assert status(proxy, f"{tenant.slug}.localhost") == 200
    assert status(proxy, f"{tenant.slug.upper()}.LocalHost.") == 200


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "unknown.localhost",
        "a.aiki.localhost",
        "www.localhost",
        "aiki",
        NAME,
        "127.0.0.1",
        "*.localhost",
        "%00",
    ],
)
def test_other_names_have_none(proxy: Caller, tenant: TenantScope, domain: str) -> None:
    assert status(proxy, domain) in ({404, 400} if domain == "%00" else {404})


def test_a_request_without_a_name_is_refused(proxy: Caller) -> None:
    assert proxy.get("/tls/domain").status_code == 404


def test_a_custom_domain_has_one_from_its_verification_to_its_removal(
    proxy: Caller, tenant: TenantScope
) -> None:
    add_domain(tenant, NAME, verified_at=None)
    assert status(proxy, NAME) == 404
    with platform_scope():
        Domain.objects.filter(domain=NAME).update(verified_at=NOW)
        RoutingEpoch.advance()
    host_resolver().read_epoch_again()
    assert status(proxy, NAME) == 200
    with platform_scope():
        Domain.objects.filter(domain=NAME).delete()
        RoutingEpoch.advance()
    host_resolver().read_epoch_again()
    assert status(proxy, NAME) == 404


def test_a_former_subdomain_has_one_as_long_as_it_leads_on(proxy: Caller, tenant: TenantScope) -> None:
    add_domain(tenant, "former.localhost", served_until=NOW + timedelta(days=1))
    add_domain(tenant, "expired.localhost", served_until=NOW)
    assert (status(proxy, "former.localhost"), status(proxy, "expired.localhost")) == (200, 404)


def test_a_suspended_dojo_keeps_its_certificate_and_a_deleted_one_does_not(
    proxy: Caller, tenant: TenantScope
) -> None:
    change_status(tenant, "suspended")
    assert status(proxy, f"{tenant.slug}.localhost") == 200
    with platform_scope():
        lifecycle.delete_tenant(tenant=Tenant.objects.get(pk=tenant.tenant_id), now=NOW)
    host_resolver().read_epoch_again()
    assert status(proxy, f"{tenant.slug}.localhost") == 404


@pytest.mark.parametrize(
    "forwarded",
    [OUTSIDE, f"10.0.0.7, {OUTSIDE}", "2a00:1450:4001:829::200e", "::ffff:8.8.8.8", "unknown", ""],
)
def test_a_request_from_outside_is_refused(proxy: Caller, tenant: TenantScope, forwarded: str) -> None:
    """A proxy in front adds the address of its client, so its clients cannot ask, whatever they send."""
    assert status(proxy, f"{tenant.slug}.localhost", X_Forwarded_For=forwarded) == 404


def test_a_request_from_outside_without_a_proxy_is_refused(tenant: TenantScope) -> None:
    outside = Caller("localhost")
    outside.client.defaults["REMOTE_ADDR"] = OUTSIDE
    assert status(outside, f"{tenant.slug}.localhost") == 404
    outside.client.defaults["REMOTE_ADDR"] = "172.18.0.3"
    assert status(outside, f"{tenant.slug}.localhost") == 200
    assert status(outside, f"{tenant.slug}.localhost", X_Forwarded_For=f"{OUTSIDE}, 127.0.0.1") == 200


def test_dojos_have_no_such_route(tenant: TenantScope) -> None:
    assert Caller(f"{tenant.slug}.localhost").get("/tls/domain?domain=localhost").status_code == 404


def test_names_that_lead_nowhere_send_no_statement(proxy: Caller, tenant: TenantScope) -> None:
    """One statement reads the epoch and one all names; then any number of unknown names costs none."""
    with sent_statements() as first:
        assert status(proxy, "junk.example.org") == 404
    assert len([text for text in first if "domain" in text]) == 1
    resolver = host_resolver()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolver, "_monotonic", lambda: resolver._epoch_read_at)  # no time passes
        with sent_statements() as later:
            assert {status(proxy, f"junk-{number}.example.org") for number in range(50)} == {404}
            assert status(proxy, f"{tenant.slug}.localhost") == 200
    assert later == []


def test_names_are_read_again_only_after_a_change(proxy: Caller, tenant: TenantScope) -> None:
    status(proxy, NAME)
    host_resolver().read_epoch_again()
    with sent_statements() as unchanged:
        assert status(proxy, NAME) == 404
    add_domain(tenant, NAME)
    with sent_statements() as changed:
        assert status(proxy, NAME) == 200
    reads = [[text for text in texts if "tenants_domain" in text] for texts in (unchanged, changed)]
    assert (len(reads[0]), len(reads[1])) == (0, 1)
