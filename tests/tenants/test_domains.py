"""Domains of one's own, through HTTP: claimed, verified by a DNS record, served, made the primary one, removed."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared_apps.tenants import domain_records
from shared_apps.tenants.domain_names import LONGEST_DOMAIN
from shared_apps.tenants.errors import DnsAway, DnsFailing
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami.tenancy.addresses import origin
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.dns import RECORDS

NAME = "www.seishin-dojo.de"


@pytest.fixture(autouse=True)
def _own_dns(settings: Any) -> Iterator[None]:
    settings.TATAMI_RESOLVER = "tests.support.dns.text_records"
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


def claimed(root: Caller, at: str, name: str = NAME) -> dict[str, Any]:
    answer = root.post(at, {"domain": name})
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


def publish(claim: dict[str, Any]) -> None:
    RECORDS[claim["record"]["name"]] = ["v=spf1 -all", claim["record"]["value"]]


def verified(root: Caller, at: str, name: str = NAME) -> dict[str, Any]:
    publish(claimed(root, at, name))
    answer = root.post(f"{at}/{name}/verification")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.content
    error: dict[str, Any] = answer.json()["error"]
    return error


def knock(host: str = NAME) -> tuple[int, str]:
    host_resolver.cache_clear()
    answer = Caller(host).get("/me")
    return answer.status_code, answer.json()["error"]["code"]


def epoch() -> int:
    with platform_scope():
        return RoutingEpoch.objects.values_list("value", flat=True).get()


# --- claimed and verified --------------------------------------------------------------------------------------------


def test_a_claim_names_the_record_and_is_not_served(root: Caller, at: str) -> None:
    claim = claimed(root, at)
    assert (claim["domain"], claim["verified"], claim["is_primary"]) == (NAME, False, False)
    assert claim["record"]["name"] == f"_tatami.{NAME}"
    assert claim["record"]["type"] == "TXT"
    assert knock() == (404, "tenant_not_found")


def test_a_verified_domain_is_served_and_forgets_its_record(root: Caller, at: str) -> None:
    shown = verified(root, at)
    assert (shown["verified"], shown["record"], shown["is_primary"]) == (True, None, False)
    assert knock() == (401, "not_authenticated")
    assert knock(f"{NAME.upper()}.:8000") == (401, "not_authenticated")
    assert root.get(f"{at}/{NAME}").json() == shown


def test_all_domains_of_a_dojo_are_listed(root: Caller, at: str, tenant: TenantScope) -> None:
    claimed(root, at)
    listed = root.get(at).json()["results"]
    assert [(one["domain"], one["is_primary"], one["verified"]) for one in listed] == [
        (f"{tenant.slug}.localhost", True, True),
        (NAME, False, False),
    ]


def test_the_record_differs_from_dojo_to_dojo_and_name_to_name(root: Caller, at: str, elsewhere: str) -> None:
    values = {
        claimed(root, one, name)["record"]["value"] for one in (at, elsewhere) for name in (NAME, "a.de")
    }
    assert len(values) == 4


def test_a_record_made_with_the_secret_before_counts(root: Caller, at: str, settings: Any) -> None:
    publish(claimed(root, at))
    settings.TATAMI_SECRETS = ["n" * 40, *settings.TATAMI_SECRETS]
    assert domain_records.proves(RECORDS[f"_tatami.{NAME}"], at_tenant(at), NAME)
    settings.TATAMI_SECRETS = settings.TATAMI_SECRETS[:1]
    assert not domain_records.proves(RECORDS[f"_tatami.{NAME}"], at_tenant(at), NAME)


def at_tenant(at: str) -> Any:
    with platform_scope():
        return Tenant.objects.get(pk=at.split("/")[2]).pk


def test_verifying_twice_changes_nothing_and_asks_nobody(root: Caller, at: str) -> None:
    first = verified(root, at)
    RECORDS.clear()
    before = epoch()
    assert root.post(f"{at}/{NAME}/verification").json() == first
    assert epoch() == before


def test_every_change_tells_all_processes(root: Caller, at: str) -> None:
    seen = [epoch()]
    publish(claimed(root, at))
    for change in (
        lambda: root.post(f"{at}/{NAME}/verification"),
        lambda: root.patch(f"{at}/{NAME}", {"is_primary": True}),
        lambda: root.delete(f"{at}/{NAME}"),
    ):
        change()
        seen.append(epoch())
    assert len(set(seen)) == 4


# --- the DNS does not say so -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "There is no such record in the DNS (yet)."),
        (["tatami-verification=another"], "The record says something else."),
    ],
)
def test_what_was_looked_for_and_found_is_told(root: Caller, at: str, found: list[str], message: str) -> None:
    claim = claimed(root, at)
    RECORDS[claim["record"]["name"]] = found
    error = refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")
    assert error["message"] == message
    assert error["details"] == {"record": claim["record"], "found": found}
    assert knock() == (404, "tenant_not_found")


def test_another_dojos_record_proves_nothing(root: Caller, at: str, elsewhere: str) -> None:
    claimed(root, at)
    publish(claimed(root, elsewhere))
    refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")


def fails(_name: str) -> list[str]:
    raise DnsFailing


def is_away(_name: str) -> list[str]:
    raise DnsAway


def test_a_domain_whose_servers_fail_is_not_verified(root: Caller, at: str, settings: Any) -> None:
    claim = claimed(root, at)
    settings.TATAMI_RESOLVER = f"{__name__}.fails"
    error = refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_not_verified")
    assert error["details"] == {"record": claim["record"], "found": []}


def test_without_dns_nobody_can_tell(root: Caller, at: str, settings: Any) -> None:
    claimed(root, at)
    settings.TATAMI_RESOLVER = f"{__name__}.is_away"
    answer = root.post(f"{at}/{NAME}/verification")
    refused(answer, 503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_a_claim_keeps_the_owner_of_the_domain_out_of_nothing(
    root: Caller, at: str, elsewhere: str, other_dojo: Dojo
) -> None:
    claimed(root, at)
    verified(root, elsewhere)
    assert knock() == (401, "not_authenticated")
    at_own_name = Caller(NAME, other_dojo.admin.token).get("/me").json()
    assert at_own_name["tenant"]["slug"] == other_dojo.tenant.slug
    refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_taken")


def test_a_domain_that_another_has_verified_is_taken(root: Caller, at: str, elsewhere: str) -> None:
    verified(root, at)
    refused(root.post(elsewhere, {"domain": NAME}), 409, "domain_taken")
    refused(root.post(at, {"domain": NAME.upper()}), 409, "domain_taken")


def test_of_two_who_verify_at_once_the_database_lets_one(
    root: Caller, at: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(claimed(root, at))
    theirs = claimed(root, elsewhere)

    def meanwhile(name: str) -> list[str]:
        RECORDS[name] = [*RECORDS[name], theirs["record"]["value"]]
        monkeypatch.undo()
        assert root.post(f"{elsewhere}/{NAME}/verification").status_code == 200
        return RECORDS[name]

    monkeypatch.setattr("tests.support.dns.text_records", meanwhile)
    refused(root.post(f"{at}/{NAME}/verification"), 409, "domain_taken")


def test_a_domain_that_was_given_up_is_free(root: Caller, at: str, elsewhere: str) -> None:
    verified(root, at)
    assert root.delete(f"{at}/{NAME}").status_code == 204
    assert knock() == (404, "tenant_not_found")
    verified(root, elsewhere)
    assert knock() == (401, "not_authenticated")


def test_a_token_of_the_subdomain_is_good_on_the_domain(root: Caller, at: str, dojo: Dojo) -> None:
    verified(root, at)
    answer = Caller(NAME, dojo.admin.token).get("/me").json()
    assert answer["tenant"]["slug"] == dojo.tenant.slug


def test_another_dojos_token_is_not(root: Caller, at: str, other_dojo: Dojo) -> None:
    verified(root, at)
    refused(Caller(NAME, other_dojo.admin.token).get("/me"), 401, "token_invalid")


# --- the primary one -------------------------------------------------------------------------------------------------


def origin_of(tenant: TenantScope) -> str:
    with platform_scope():
        scope = Tenant.objects.with_primary_domain().get(pk=tenant.tenant_id).scope
    with tenant_scope(scope):
        return origin()


def test_links_name_the_primary_domain(root: Caller, at: str, tenant: TenantScope) -> None:
    verified(root, at)
    assert NAME not in origin_of(tenant)
    assert root.patch(f"{at}/{NAME}", {"is_primary": True}).json()["is_primary"] is True
    assert NAME in origin_of(tenant)
    assert [one["is_primary"] for one in root.get(at).json()["results"]] == [True, False]


def test_a_claim_cannot_be_the_primary_domain(root: Caller, at: str, tenant: TenantScope) -> None:
    claimed(root, at)
    refused(root.patch(f"{at}/{NAME}", {"is_primary": True}), 409, "conflict")
    assert NAME not in origin_of(tenant)


def test_without_its_primary_domain_a_dojo_goes_by_its_subdomain(
    root: Caller, at: str, tenant: TenantScope
) -> None:
    verified(root, at)
    root.patch(f"{at}/{NAME}", {"is_primary": True})
    assert root.delete(f"{at}/{NAME}").status_code == 204
    assert f"//{tenant.slug}.localhost" in origin_of(tenant)


def test_a_dojo_keeps_its_subdomain(root: Caller, at: str, tenant: TenantScope) -> None:
    verified(root, at)
    root.patch(f"{at}/{NAME}", {"is_primary": True})
    refused(root.delete(f"{at}/{tenant.slug}.localhost"), 409, "conflict")
    assert knock(f"{tenant.slug}.localhost") == (401, "not_authenticated")


@pytest.mark.parametrize("body", [{"is_primary": False}, {}, {"verified": True}, {"domain": "a.de"}])
def test_nothing_else_of_a_domain_can_be_changed(root: Caller, at: str, body: dict[str, Any]) -> None:
    claimed(root, at)
    refused(root.patch(f"{at}/{NAME}", body), 400, "validation_error")


def test_the_domains_of_a_deleted_dojo_cannot_be_changed(root: Caller, at: str, tenant: TenantScope) -> None:
    publish(claimed(root, at))
    root.delete(f"/tenants/{tenant.tenant_id}")
    for answer in (
        root.post(at, {"domain": "a.de"}),
        root.post(f"{at}/{NAME}/verification"),
        root.delete(f"{at}/{NAME}"),
    ):
        refused(answer, 409, "conflict")


# --- names -----------------------------------------------------------------------------------------------------------


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
def test_a_name_is_kept_in_the_form_in_which_it_is_looked_up(
    root: Caller, at: str, given: str, kept: str
) -> None:
    claim = claimed(root, at, given)
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
def test_what_is_no_domain_or_not_ones_own_is_refused(root: Caller, at: str, given: Any) -> None:
    assert len(".".join(["a" * 60] * 4) + ".deee") > LONGEST_DOMAIN
    answer = root.post(at, {"domain": given})
    assert answer.status_code == 400, answer.content


@pytest.mark.parametrize("path", ["kein.de", "localhost", "%00", "%E2%98%83", "a..b", "x" * 300])
def test_a_domain_that_is_not_there_is_not_found(root: Caller, at: str, path: str) -> None:
    refused(root.get(f"{at}/{path}"), 404, "not_found")
