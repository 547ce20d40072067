"""A dojo gets another slug: its old links lead on for 90 days, and no other dojo gets the old address meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import reserve_slug
from shared_apps.tenants.tasks import sweep_former_subdomains
from tatami import clock
from tatami.errors import DomainError
from tatami.ids import uuid7
from tatami.tenancy.hosts import origin
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.undo import rolled_back

LAST_DAY = timedelta(days=90)


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


def rename(root: Caller, tenant: TenantScope, slug: str) -> Any:
    response = root.patch(f"/tenants/{tenant.tenant_id}", {"slug": slug})
    host_resolver.cache_clear()
    return response


def at(caller: Caller, host: str) -> Caller:
    return Caller(host, token=caller.token, user=caller.user)


@pytest.fixture
def renamed(root: Caller, dojo: Dojo) -> Iterator[Caller]:
    """The dojo aiki, renamed to seishin, as its admin."""
    admin = dojo.admin
    ok(rename(root, dojo.tenant, "seishin"))
    yield admin
    host_resolver.cache_clear()


def test_both_addresses_serve_the_dojo(root: Caller, dojo: Dojo, renamed: Caller) -> None:
    shown = ok(root.get(f"/tenants/{dojo.tenant.tenant_id}"))
    assert (shown["slug"], shown["schema_name"]) == ("seishin", dojo.tenant.schema_name)
    assert {(one["domain"], one["is_primary"]) for one in shown["domains"]} == {
        ("seishin.localhost", True),
        ("aiki.localhost", False),
    }
    for host in ("seishin.localhost", "aiki.localhost"):
        assert ok(at(renamed, host).get("/me"))["tenant"]["slug"] == "seishin"
    made = ok(at(renamed, "aiki.localhost").post("/students", {"first_name": "Mika"}), 201)
    assert ok(at(renamed, "seishin.localhost").get(f"/students/{made['id']}"))["name"] == "Mika"
    assert ok(root.get("/tenants?search=seishin"))["count"] >= 1
    with platform_scope():
        scope = Tenant.objects.with_primary_domain().get(pk=dojo.tenant.tenant_id).scope
    with tenant_scope(scope):
        assert "//seishin.localhost" in origin()


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_a_browser_is_led_to_the_new_address(renamed: Caller, accept: str) -> None:
    path = "/certificates/ABCD-EFGH-JKLM-NPQR?lang=en"
    response = at(renamed, "aiki.localhost:8000").get(path, Accept=accept)
    assert response.status_code == 302
    assert response.headers["Location"].endswith(path)
    assert "//seishin.localhost" in response.headers["Location"]
    served = at(renamed, "seishin.localhost").get("/docs", Accept=accept)
    assert served.status_code == 200
    posted = at(renamed, "aiki.localhost").post("/auth/logout", {"refresh": "x"}, Accept=accept)
    assert posted.status_code != 302


def test_old_links_lead_on_for_90_days(renamed: Caller) -> None:
    admin = at(renamed, "aiki.localhost")
    for age, status in ((LAST_DAY - timedelta(seconds=1), 401), (LAST_DAY, 404)):
        host_resolver.cache_clear()
        with clock.fixed(NOW + age):
            assert admin.get("/me").status_code == status  # the token is too old
    host_resolver.cache_clear()


def test_no_other_dojo_gets_the_old_address_meanwhile(
    root: Caller, dojo: Dojo, other_tenant: TenantScope, renamed: Caller
) -> None:
    assert_error(rename(root, other_tenant, "aiki"), 409, "slug_taken")
    assert_error(rename(root, other_tenant, "seishin"), 409, "slug_taken")
    with platform_scope(), pytest.raises(SlugTaken):
        reserve_slug(uuid7(), name="New", slug="aiki", timezone="UTC", now=NOW)
    with clock.fixed(NOW + LAST_DAY):
        with platform_scope(), rolled_back():
            assert reserve_slug(uuid7(), name="New", slug="aiki", timezone="UTC", now=NOW + LAST_DAY)
        late = Platform().superadmin("late-root@example.com")
        assert ok(rename(late, other_tenant, "aiki"))["slug"] == "aiki"
        with platform_scope():
            assert Tenant.objects.get(pk=other_tenant.tenant_id).domains.filter(is_primary=True).count() == 1
            assert Tenant.objects.get(pk=dojo.tenant.tenant_id).domains.count() == 1


def test_a_dojo_can_have_its_former_slug_again(root: Caller, dojo: Dojo, renamed: Caller) -> None:
    ok(rename(root, dojo.tenant, "aiki"))
    domains = ok(root.get(f"/tenants/{dojo.tenant.tenant_id}/domains"))["results"]
    assert {one["domain"]: (one["is_primary"], bool(one["served_until"])) for one in domains} == {
        "aiki.localhost": (True, False),
        "seishin.localhost": (False, True),
    }
    again = ok(rename(root, dojo.tenant, "aiki"))
    assert again["slug"] == "aiki"


def test_a_former_subdomain_can_be_removed_but_not_be_made_primary(
    root: Caller, dojo: Dojo, renamed: Caller
) -> None:
    path = f"/tenants/{dojo.tenant.tenant_id}/domains/aiki.localhost"
    assert_error(root.patch(path, {"is_primary": True}), 409, "conflict")
    ok(root.delete(path), 204)
    host_resolver.cache_clear()
    assert_error(at(renamed, "aiki.localhost").get("/me"), 404, "tenant_not_found")
    assert_error(root.delete(path.replace("aiki", "seishin")), 409, "conflict")


def test_a_domain_of_its_own_stays_the_primary_one(root: Caller, dojo: Dojo) -> None:
    with platform_scope():
        tenant = Tenant.objects.get(pk=dojo.tenant.tenant_id)
        tenant.domains.update(is_primary=False)
        tenant.domains.create(domain="www.seishin.example", is_primary=True, verified_at=NOW)
    shown = ok(rename(root, dojo.tenant, "seishin"))
    assert [one["domain"] for one in shown["domains"] if one["is_primary"]] == ["www.seishin.example"]


@pytest.mark.parametrize("slug", ["", "a", "Aiki", "admin", "xn--aiki", "-aiki", "a" * 41, "a_b", None])
def test_a_malformed_or_reserved_slug_is_refused(root: Caller, tenant: TenantScope, slug: Any) -> None:
    assert_invalid(rename(root, tenant, slug), "slug")


def test_the_sweeper_deletes_what_leads_on_no_more(renamed: Caller) -> None:
    for age, found in ((LAST_DAY - timedelta(seconds=1), 0), (LAST_DAY, 1)):
        assert sweep_former_subdomains(now=NOW + age, dry_run=True) == found
        assert sweep_former_subdomains(now=NOW + age) == found
    host_resolver.cache_clear()
    with pytest.raises(DomainError):
        host_resolver().resolve("aiki.localhost")
