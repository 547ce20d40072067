"""Domains of a dojo over HTTP: claimed, verified by a DNS record, served, made the primary one, removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared_apps.tenants import domain_dns
from shared_apps.tenants.domain_dns import MAX_DOMAIN_LENGTH
from shared_apps.tenants.errors import DnsFailure, DnsUnavailable
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami.tenancy.hosts import origin
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.dns import RECORDS

NAME = "www.seishin-dojo.de"


@pytest.fixture(autouse=True)
def _clear_records() -> Iterator[None]:
    yield
    RECORDS.clear()


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


@pytest.fixture
def at(tenant: TenantScope) -> str:
    return f"/tenants/{tenant.tenant_id}/domains"


@pytest.fixture
def elsewhere(other_tenant: TenantScope) -> str:
    return f"/tenants/{other_tenant.tenant_id}/domains"


def claim_domain(root: Caller, at: str, name: str = NAME) -> dict[str, Any]:
    answer = root.post(at, {"domain": name})
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


def publish(claim: dict[str, Any]) -> None:
    RECORDS[claim["record"]["name"]] = ["v=spf1 -all", claim["record"]["value"]]


def verify_domain(root: Caller, at: str, name: str = NAME) -> dict[str, Any]:
    publish(claim_domain(root, at, name))
    answer = root.post(f"{at}/{name}/verification")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def assert_refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.content
    error: dict[str, Any] = answer.json()["error"]
    return error


def request_me(host: str = NAME) -> tuple[int, str]:
    host_resolver.cache_clear()
    answer = Caller(host).get("/me")
    return answer.status_code, answer.json()["error"]["code"]


def epoch() -> int:
    with platform_scope():
        return RoutingEpoch.objects.values_list("value", flat=True).get()


# --- claim and verify ---


def test_a_claimed_domain_shows_its_record_and_is_not_served(root: Caller, at: str) -> None:
    claim = claim_domain(root, at)
    assert (claim["domain"], claim["verified"], claim["is_primary"]) == (NAME, False, False)
    assert claim["record"]["name"] == f"_tatami.{NAME}"
    assert claim["record"]["type"] == "TXT"
    assert request_me() == (404, "tenant_not_found")


def test_a_verified_domain_is_served_and_shows_no_record(root: Caller, at: str) -> None:
    shown = verify_domain(root, at)
    assert (shown["verified"], shown["record"], shown["is_primary"]) == (True, None, False)
    assert request_me() == (401, "not_authenticated")
    assert request_me(f"{NAME.upper()}.:8000") == (401, "not_authenticated")
    assert root.get(f"{at}/{NAME}").json() == shown


def test_all_domains_of_a_dojo_are_listed(root: Caller, at: str, tenant: TenantScope) -> None:
    claim_domain(root, at)
    listed = root.get(at).json()["results"]
    assert [(one["domain"], one["is_primary"], one["verified"]) for one in listed] == [
        (f"{tenant.slug}.localhost", True, True),
        (NAME, False, False),
    ]


def test_the_record_differs_for_each_dojo_and_name(root: Caller, at: str, elsewhere: str) -> None:
    values = {
        claim_domain(root, one, name)["record"]["value"] for one in (at, elsewhere) for name in (NAME, "a.de")
    }
    assert len(values) == 4


def test_a_record_made_with_the_previous_secret_is_accepted(root: Caller, at: str, settings: Any) -> None:
    publish(claim_domain(root, at))
    settings.TATAMI_SECRETS = ["n" * 40, *settings.TATAMI_SECRETS]
    assert domain_dns.is_proof(RECORDS[f"_tatami.{NAME}"], at_tenant(at), NAME)
    settings.TATAMI_SECRETS = settings.TATAMI_SECRETS[:1]
    assert not domain_dns.is_proof(RECORDS[f"_tatami.{NAME}"], at_tenant(at), NAME)


def at_tenant(at: str) -> Any:
    with platform_scope():
        return Tenant.objects.get(pk=at.split("/")[2]).pk


def test_verifying_twice_changes_nothing_and_sends_no_query(root: Caller, at: str) -> None:
    first = verify_domain(root, at)
    RECORDS.clear()
    before = epoch()
    assert root.post(f"{at}/{NAME}/verification").json() == first
    assert epoch() == before


def test_every_change_advances_the_routing_epoch(root: Caller, at: str) -> None:
    seen = [epoch()]
    publish(claim_domain(root, at))
    for change in (
        lambda: root.post(f"{at}/{NAME}/verification"),
        lambda: root.patch(f"{at}/{NAME}", {"is_primary": True}),
        lambda: root.delete(f"{at}/{NAME}"),
    ):
        change()
        seen.append(epoch())
    assert len(set(seen)) == 4


# --- without proof ---


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "There is no such record in the DNS yet."),
        (["tatami-verification=another"], "The record has another value."),
    ],
)
def test_a_failed_verification_shows_the_required_and_the_found_records(
    root: Caller, at: str, found: list[str], message: str
) -> None:
    claim = claim_domain(root, at)
    RECORDS[claim["record"]["name"]] = found
    error = assert_refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")
    assert error["message"] == message
    assert error["details"] == {"record": claim["record"], "found": found}
    assert request_me() == (404, "tenant_not_found")


def test_another_dojos_record_proves_nothing(root: Caller, at: str, elsewhere: str) -> None:
    claim_domain(root, at)
    publish(claim_domain(root, elsewhere))
    assert_refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")


@contextmanager
def dns_raises(error: type[Exception]) -> Iterator[None]:
    """Make all DNS look-ups raise this error."""

    def text_records(_name: str) -> list[str]:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain_dns, "text_records", text_records)
        yield


def test_a_domain_is_not_verified_if_its_name_servers_fail(root: Caller, at: str) -> None:
    claim = claim_domain(root, at)
    with dns_raises(DnsFailure):
        error = assert_refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")
    assert error["details"] == {"record": claim["record"], "found": []}


def test_verification_is_unavailable_if_the_dns_cannot_be_reached(root: Caller, at: str) -> None:
    claim_domain(root, at)
    with dns_raises(DnsUnavailable):
        answer = root.post(f"{at}/{NAME}/verification")
    assert_refused(answer, 503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


# --- one owner ---


def test_a_claim_does_not_block_the_owner_of_the_domain(
    root: Caller, at: str, elsewhere: str, other_dojo: Dojo
) -> None:
    claim_domain(root, at)
    verify_domain(root, elsewhere)
    assert request_me() == (401, "not_authenticated")
    at_own_name = Caller(NAME, other_dojo.admin.token).get("/me").json()
    assert at_own_name["tenant"]["slug"] == other_dojo.tenant.slug
    assert_refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_taken")


def test_a_verified_domain_cannot_be_claimed(root: Caller, at: str, elsewhere: str) -> None:
    verify_domain(root, at)
    assert_refused(root.post(elsewhere, {"domain": NAME}), 409, "domain_taken")
    assert_refused(root.post(at, {"domain": NAME.upper()}), 409, "domain_taken")


def test_only_one_of_two_concurrent_verifications_succeeds(
    root: Caller, at: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(claim_domain(root, at))
    other_claim = claim_domain(root, elsewhere)

    def verify_elsewhere_first(name: str) -> list[str]:
        RECORDS[name] = [*RECORDS[name], other_claim["record"]["value"]]
        monkeypatch.undo()
        assert root.post(f"{elsewhere}/{NAME}/verification").status_code == 200
        return RECORDS[name]

    monkeypatch.setattr(domain_dns, "text_records", verify_elsewhere_first)
    assert_refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_taken")


def test_a_removed_domain_can_be_claimed_by_another_dojo(root: Caller, at: str, elsewhere: str) -> None:
    verify_domain(root, at)
    assert root.delete(f"{at}/{NAME}").status_code == 204
    assert request_me() == (404, "tenant_not_found")
    verify_domain(root, elsewhere)
    assert request_me() == (401, "not_authenticated")


def test_a_token_is_valid_on_all_domains_of_its_dojo(root: Caller, at: str, dojo: Dojo) -> None:
    verify_domain(root, at)
    answer = Caller(NAME, dojo.admin.token).get("/me").json()
    assert answer["tenant"]["slug"] == dojo.tenant.slug


def test_another_dojos_token_is_not_valid_on_the_domain(root: Caller, at: str, other_dojo: Dojo) -> None:
    verify_domain(root, at)
    assert_refused(Caller(NAME, other_dojo.admin.token).get("/me"), 401, "token_invalid")


# --- the primary domain ---


def origin_of(tenant: TenantScope) -> str:
    with platform_scope():
        scope = Tenant.objects.with_primary_domain().get(pk=tenant.tenant_id).scope
    with tenant_scope(scope):
        return origin()


def test_links_use_the_primary_domain(root: Caller, at: str, tenant: TenantScope) -> None:
    verify_domain(root, at)
    assert NAME not in origin_of(tenant)
    assert root.patch(f"{at}/{NAME}", {"is_primary": True}).json()["is_primary"] is True
    assert NAME in origin_of(tenant)
    assert [one["is_primary"] for one in root.get(at).json()["results"]] == [True, False]


def test_a_claim_cannot_be_the_primary_domain(root: Caller, at: str, tenant: TenantScope) -> None:
    claim_domain(root, at)
    assert_refused(root.patch(f"{at}/{NAME}", {"is_primary": True}), 409, "conflict")
    assert NAME not in origin_of(tenant)


def test_removing_the_primary_domain_makes_the_subdomain_primary(
    root: Caller, at: str, tenant: TenantScope
) -> None:
    verify_domain(root, at)
    root.patch(f"{at}/{NAME}", {"is_primary": True})
    assert root.delete(f"{at}/{NAME}").status_code == 204
    assert f"//{tenant.slug}.localhost" in origin_of(tenant)


def test_the_subdomain_cannot_be_removed(root: Caller, at: str, tenant: TenantScope) -> None:
    verify_domain(root, at)
    root.patch(f"{at}/{NAME}", {"is_primary": True})
    assert_refused(root.delete(f"{at}/{tenant.slug}.localhost"), 409, "conflict")
    assert request_me(f"{tenant.slug}.localhost") == (401, "not_authenticated")


@pytest.mark.parametrize("body", [{"is_primary": False}, {}, {"verified": True}, {"domain": "a.de"}])
def test_nothing_else_of_a_domain_can_be_changed(root: Caller, at: str, body: dict[str, Any]) -> None:
    claim_domain(root, at)
    assert_refused(root.patch(f"{at}/{NAME}", body), 400, "validation_error")


def test_the_domains_of_a_deleted_dojo_cannot_be_changed(root: Caller, at: str, tenant: TenantScope) -> None:
    publish(claim_domain(root, at))
    root.delete(f"/tenants/{tenant.tenant_id}")
    for answer in (
        root.post(at, {"domain": "a.de"}),
        root.post(f"{at}/{NAME}/verification"),
        root.delete(f"{at}/{NAME}"),
    ):
        assert_refused(answer, 409, "conflict")


# --- names ---


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Dojo.Example.ORG", "dojo.example.org"),
        ("dojo.example.org.", "dojo.example.org"),
        ("  dojo.example.org ", "dojo.example.org"),
        ("münchen-judo.de", "xn--mnchen-judo-yhb.de"),
        ("MÜNCHEN-judo.de", "xn--mnchen-judo-yhb.de"),
        ("道場。jp", "xn--wgv71a119e.jp"),
        ("道場.jp", "xn--w0w309b.jp"),
    ],
)
def test_a_domain_is_stored_in_the_form_in_which_it_is_looked_up(
    root: Caller, at: str, given: str, kept: str
) -> None:
    claim = claim_domain(root, at, given)
    assert claim["domain"].startswith("xn--") is kept.startswith("xn--")
    assert claim["domain"].isascii()
    if not kept.startswith("xn--"):
        assert claim["domain"] == kept
    assert root.get(f"{at}/{given.strip()}").json() == claim


@pytest.mark.parametrize(
    "given",
    [
        "", "dojo", "localhost", "aiki.localhost", "deep.aiki.localhost", "dojo.test", "dojo.example",
        "10.0.0.1", "10.1", "dojo.0x7f", "[::1]", "::1", "2001:db8::1",
        "https://dojo.de", "dojo.de:8000", "dojo.de/path", "do jo.de", "a_b.de", "-a.de", "a-.de", "a..de",
        ".dojo.de", "dojo.de..", "*.dojo.de", "a" * 64 + ".de", "xn--0.de", "dojo.de\u0000", 7, None,
        ".".join(["a" * 60] * 4) + ".deee",
    ],
)  # fmt: skip
def test_invalid_and_reserved_domains_are_refused(root: Caller, at: str, given: Any) -> None:
    assert len(".".join(["a" * 60] * 4) + ".deee") > MAX_DOMAIN_LENGTH
    answer = root.post(at, {"domain": given})
    assert answer.status_code == 400, answer.content


@pytest.mark.parametrize("path", ["kein.de", "localhost", "%00", "%E2%98%83", "a..b", "x" * 300])
def test_an_unknown_domain_is_not_found(root: Caller, at: str, path: str) -> None:
    assert_refused(root.get(f"{at}/{path}"), 404, "not_found")
