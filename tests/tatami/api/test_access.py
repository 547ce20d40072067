import logging
from typing import Any

import pytest
from django.test import Client

from tatami.api import checks
from tatami.api.rules import ALL, AUTHENTICATED, OWN, PUBLIC, Table, rule
from tests.tatami.api import sample
from tests.tatami.api.conftest import error_of


def as_role(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}"}


def test_nobody_is_asked_to_log_in(http: Client) -> None:
    response = http.get("/echo")
    assert error_of(response) == (401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("token", "code"), [("forged", "token_invalid"), ("expired", "token_expired")])
def test_a_token_that_is_not_believed_says_why(http: Client, token: str, code: str) -> None:
    response = http.get("/echo", headers=as_role(token))
    assert error_of(response) == (401, code)
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("role", "reach"), [("admin", "all"), ("student", "own"), ("assistant", "recorded")])
def test_a_role_reaches_as_far_as_the_table_says(http: Client, role: str, reach: str) -> None:
    assert http.get("/echo", headers=as_role(role)).json()["reach"] == reach


@pytest.mark.parametrize("role", ["instructor", "device", "nobody"])
def test_a_role_without_an_entry_may_not(http: Client, role: str) -> None:
    assert error_of(http.get("/echo", headers=as_role(role))) == (403, "permission_denied")


def test_each_method_has_its_own_rule(http: Client) -> None:
    response = http.post("/echo", {}, content_type="application/json", headers=as_role("student"))
    assert error_of(response) == (403, "permission_denied")


def test_head_is_ruled_like_get(http: Client) -> None:
    assert http.head("/echo", headers=as_role("student")).status_code == 200
    assert http.head("/echo", headers=as_role("instructor")).status_code == 403


def test_a_device_is_somebody(http: Client) -> None:
    assert http.get("/anybody", headers=as_role("device")).status_code == 200
    assert http.get("/anybody").status_code == 401


@pytest.mark.parametrize("token", ["forged", "expired", "admin"])
def test_on_a_public_route_no_token_is_looked_at(http: Client, token: str) -> None:
    assert http.get("/open", headers=as_role(token)).status_code == 200


def test_a_route_that_is_not_in_the_table_is_closed_and_logged(
    http: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert error_of(http.get("/closed", headers=as_role("admin"))) == (403, "permission_denied")
    assert any(
        record.msg["event"] == "access.no_rule" and record.msg["route"] == "closed"
        for record in caplog.records
    )


def test_a_refused_role_is_refused_before_its_body_is_read(http: Client) -> None:
    response = http.post("/echo", b"{nonsense", content_type="application/json", headers=as_role("student"))
    assert error_of(response) == (403, "permission_denied")


def findings() -> set[tuple[str | None, str]]:
    return {
        (found.id, found.msg.partition(": ")[2] or found.msg) for found in checks.every_route_has_a_rule()
    }


def test_the_check_finds_the_route_without_a_rule(site: Any) -> None:
    assert findings() == {("tatami.E004", "/closed (closed) has no rule for GET.")}


def table_with(change: dict[str, Any]) -> Table:
    return {**sample.ACCESS, "closed": {"GET": PUBLIC}, **change}


def test_a_table_that_fits_the_routes_passes(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(site, monkeypatch, table_with({}))
    assert findings() == set()


def test_the_check_finds_rules_without_a_route(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        site, monkeypatch, table_with({"ghost": {"GET": PUBLIC}, "students": {"POST": PUBLIC, "PUT": PUBLIC}})
    )
    assert {found for found, _ in findings()} == {"tatami.E005"}
    assert len(findings()) == 2


def use(site: Any, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setattr(sample, "OTHER", table, raising=False)
    site.TATAMI_ACCESS = "tests.tatami.api.sample.OTHER"


def test_the_check_wants_names_and_the_table_asked(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lax(sample.Closed):
        permission_classes = []

    use(site, monkeypatch, table_with({"lax": {"GET": PUBLIC}}))
    extra = [
        sample.path("nameless", sample.Closed.as_view()),
        sample.path("plain", sample.plain, name="plain"),
        sample.path("lax", Lax.as_view(), name="lax"),
    ]
    monkeypatch.setattr(sample, "urlpatterns", [*sample.urlpatterns, *extra])
    assert {found for found, _ in findings()} == {"tatami.E001", "tatami.E002", "tatami.E003"}


def test_debug_pages_are_refused(site: Any) -> None:
    site.DEBUG = True
    assert [found.id for found in checks.errors_are_json()] == ["tatami.E006"]


def test_a_rule_reads_like_the_matrix() -> None:
    students = rule(admin=ALL, student=OWN)
    assert [students.reach_of(role) for role in ("admin", "student", "device", None)] == [
        ALL,
        OWN,
        None,
        None,
    ]
    assert [PUBLIC.reach_of(role) for role in ("admin", None)] == [ALL, ALL]
    assert [AUTHENTICATED.reach_of(role) for role in ("device", None)] == [ALL, None]
