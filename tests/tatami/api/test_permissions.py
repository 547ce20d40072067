"""The table of access rules decides which role may call which method."""

import logging
from typing import Any

import pytest
from django.core.checks import registry as system_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from tatami.api import registry, routes
from tatami.api.permissions import ALL, AUTHENTICATED, OWN, PUBLIC, RuleTable, rule
from tests.tatami.api import sample_site
from tests.tatami.api.conftest import error_of


def as_role(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}"}


def test_an_anonymous_caller_gets_401(anonymous: Client) -> None:
    response = anonymous.get("/echo")
    assert error_of(response) == (401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("token", "code"), [("forged", "token_invalid"), ("expired", "token_expired")])
def test_a_refused_token_gets_its_own_error_code(anonymous: Client, token: str, code: str) -> None:
    response = anonymous.get("/echo", headers=as_role(token))
    assert error_of(response) == (401, code)
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("role", "visibility"), [("admin", "all"), ("student", "own"), ("assistant", "recorded")]
)
def test_the_table_says_what_a_role_sees(anonymous: Client, role: str, visibility: str) -> None:
    assert anonymous.get("/echo", headers=as_role(role)).json()["visibility"] == visibility


@pytest.mark.parametrize("role", ["instructor", "device", "unknown"])
def test_a_role_without_an_entry_gets_403(anonymous: Client, role: str) -> None:
    assert error_of(anonymous.get("/echo", headers=as_role(role))) == (403, "permission_denied")


def test_each_method_has_its_own_rule(anonymous: Client) -> None:
    response = anonymous.post("/echo", {}, content_type="application/json", headers=as_role("student"))
    assert error_of(response) == (403, "permission_denied")


def test_head_has_the_rule_of_get(anonymous: Client) -> None:
    assert anonymous.head("/echo", headers=as_role("student")).status_code == 200
    assert anonymous.head("/echo", headers=as_role("instructor")).status_code == 403


def test_authenticated_includes_devices(anonymous: Client) -> None:
    assert anonymous.get("/any-role", headers=as_role("device")).status_code == 200
    assert anonymous.get("/any-role").status_code == 401


@pytest.mark.parametrize("token", ["forged", "expired", "admin"])
def test_a_public_route_ignores_tokens(anonymous: Client, token: str) -> None:
    assert anonymous.get("/open", headers=as_role(token)).status_code == 200


def test_a_route_without_a_rule_is_refused_and_logged(
    anonymous: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert error_of(anonymous.get("/without-rule", headers=as_role("admin"))) == (
            403,
            "permission_denied",
        )
    assert any(
        record.msg["event"] == "access.no_rule" and record.msg["route"] == "without-rule"
        for record in caplog.records
    )


def test_a_role_is_refused_before_the_body_is_read(anonymous: Client) -> None:
    response = anonymous.post(
        "/echo", b"{nonsense", content_type="application/json", headers=as_role("student")
    )
    assert error_of(response) == (403, "permission_denied")


def problems() -> set[tuple[str | None, str]]:
    return {(found.id, found.msg) for found in routes.every_route_has_a_rule()}


def test_the_checks_are_registered() -> None:
    checks = {routes.every_route_has_a_rule, routes.errors_are_json}
    assert checks <= set(system_checks.registry.get_checks())


def test_the_check_finds_a_route_without_a_rule(site: Any) -> None:
    place = f"{sample_site.__name__}: /without-rule (without-rule)"
    assert problems() == {("tatami.E004", f"{place} has no access rule for GET.")}


def test_the_check_says_where_to_add_a_rule(site: Any) -> None:
    (problem,) = routes.every_route_has_a_rule()
    assert "config/access.py" in (problem.hint or "")
    assert "tests/http/expected_access.py" in (problem.hint or "")


def complete_table(**more: Any) -> RuleTable:
    return {**sample_site.ACCESS, "without-rule": {"GET": PUBLIC}, **more}


def test_a_table_that_matches_the_routes_passes(site: Any) -> None:
    with registry.access_table.replaced_by(complete_table()):
        assert problems() == set()


def test_the_check_finds_rules_without_a_route(site: Any) -> None:
    table = complete_table(removed={"GET": PUBLIC}, students={"POST": PUBLIC, "PUT": PUBLIC})
    with registry.access_table.replaced_by(table):
        found = problems()
    assert {code for code, _ in found} == {"tatami.E005"}
    assert len(found) == 2


def test_the_check_finds_routes_outside_the_table(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lax(sample_site.WithoutRule):
        permission_classes = []

    extra = [
        sample_site.path("nameless", sample_site.WithoutRule.as_view()),
        sample_site.path("django", sample_site.view_of_django, name="django"),
        sample_site.path("lax", Lax.as_view(), name="lax"),
    ]
    monkeypatch.setattr(sample_site, "urlpatterns", [*sample_site.urlpatterns, *extra])
    with registry.access_table.replaced_by(complete_table(lax={"GET": PUBLIC})):
        assert {code for code, _ in problems()} == {"tatami.E001", "tatami.E002", "tatami.E003"}


def test_a_namespace_with_its_own_access_control_needs_no_rule(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = ([sample_site.path("page", sample_site.view_of_django, name="page")], "console")
    extra = sample_site.path("console/", sample_site.include(pages))
    monkeypatch.setattr(sample_site, "urlpatterns", [*sample_site.urlpatterns, extra])
    with registry.access_table.replaced_by(complete_table()):
        assert {code for code, _ in problems()} == {"tatami.E002"}
        monkeypatch.setattr(sample_site, "namespaces_with_own_access_control", ("console",), raising=False)
        assert problems() == set()


def test_a_missing_registration_names_what_to_do() -> None:
    empty: registry.Registration[int] = registry.Registration("access_table")
    with pytest.raises(ImproperlyConfigured, match=r"registry\.access_table\.register"):
        empty.get()
    with empty.replaced_by(5):
        assert empty.get() == 5
    with pytest.raises(ImproperlyConfigured):
        empty.get()


def test_debug_is_refused(site: Any) -> None:
    site.DEBUG = True
    assert [found.id for found in routes.errors_are_json()] == ["tatami.E006"]


def test_a_rule_returns_what_each_role_sees() -> None:
    students = rule(admin=ALL, student=OWN)
    assert [students.visibility_for(role) for role in ("admin", "student", "device", None)] == [
        ALL,
        OWN,
        None,
        None,
    ]
    assert [PUBLIC.visibility_for(role) for role in ("admin", None)] == [ALL, ALL]
    assert [AUTHENTICATED.visibility_for(role) for role in ("device", None)] == [ALL, None]
