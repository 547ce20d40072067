"""A superadmin acts as a user of a dojo: how long, as which user, and what the audit trails record."""

from datetime import timedelta
from typing import Any

import jwt
import pytest

from shared_apps.accounts.models import AuditEntry, Session, User
from shared_apps.accounts.sessions import end_sessions
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami import clock
from tatami.keys import token_secrets
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok

REASON = "Ticket 4711: the roster looks wrong."


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


def impersonate(root: Caller, tenant: TenantScope, **body: Any) -> Any:
    return root.post(f"/tenants/{tenant.tenant_id}/impersonations", {"reason": REASON, **body})


def acting(root: Caller, dojo: Dojo, **body: Any) -> Caller:
    return Caller(dojo.host, token=ok(impersonate(root, dojo.tenant, **body), 201)["access"])


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def forged(token: str | None, **changes: Any) -> str:
    """Return a token with changed claims, signed with the real key."""
    key_id, secret = next(iter(token_secrets().items()))
    return jwt.encode({**claims(str(token)), **changes}, secret, "HS256", headers={"kid": key_id})


def head_of(tenant: TenantScope) -> User:
    with tenant_scope(tenant):
        return User.objects.get(email="head@example.com")


def test_a_superadmin_acts_as_an_admin_for_fifteen_minutes(root: Caller, dojo: Dojo) -> None:
    answer = ok(impersonate(root, dojo.tenant), 201)
    assert set(answer) == {"access", "expires_in", "url"}
    assert answer["expires_in"] == 900
    assert answer["url"] == "http://aiki.localhost:8000"
    assert root.user is not None
    assert claims(answer["access"])["sub"] == str(head_of(dojo.tenant).pk)
    assert claims(answer["access"])["act"]["sub"] == str(root.user.pk)
    me = ok(Caller(dojo.host, token=answer["access"]).get("/me"))
    assert me["email"] == "head@example.com"
    assert me["impersonated_by"] == {"id": str(root.user.pk), "name": "Root"}


def test_a_dojo_that_is_too_far_behind_is_unavailable(root: Caller, dojo: Dojo) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(schema_version="")
    assert_error(impersonate(root, dojo.tenant), 503, "service_unavailable")


def test_a_superadmin_acts_as_the_given_user_with_that_users_role(root: Caller, dojo: Dojo) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    caller = acting(root, dojo, user=str(instructor.pk))
    assert ok(caller.get("/me"))["id"] == str(instructor.pk)
    assert_error(caller.get("/audit"), 403, "permission_denied")


def test_a_user_who_is_not_impersonated_has_no_impersonator(dojo: Dojo) -> None:
    assert "impersonated_by" not in ok(dojo.admin.get("/me"))


def test_the_token_is_valid_only_in_that_dojo(root: Caller, dojo: Dojo, other_dojo: Dojo) -> None:
    caller = acting(root, dojo)
    for host in (other_dojo.host, "localhost"):
        assert_error(Caller(host, token=caller.token).get("/me"), 401, "token_invalid")


def test_the_token_expires_and_cannot_be_refreshed(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    assert_error(dojo.anonymous.post("/auth/refresh", {"refresh": caller.token}), 401, "token_invalid")
    with clock.fixed(NOW + timedelta(minutes=14, seconds=59)):
        ok(caller.get("/me"))
    with clock.fixed(NOW + timedelta(minutes=15)):
        assert_error(caller.get("/me"), 401, "token_expired")


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "instructor"}])
def test_it_ends_when_the_superadmin_loses_the_role_or_is_deactivated(
    root: Caller, platform: Platform, dojo: Dojo, change: dict[str, Any]
) -> None:
    colleague, caller = platform.superadmin("colleague@example.com"), acting(root, dojo)
    assert root.user is not None
    ok(colleague.patch(f"/users/{root.user.pk}", change))
    assert_error(caller.get("/me"), 401, "token_invalid")


def test_it_ends_with_the_superadmins_session(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    assert root.user is not None
    with platform_scope():
        end_sessions(root.user.pk, now=NOW)
    assert_error(caller.get("/me"), 401, "token_invalid")


def test_it_ends_when_the_user_is_deactivated(root: Caller, dojo: Dojo) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    caller = acting(root, dojo, user=str(instructor.pk))
    ok(dojo.admin.patch(f"/users/{instructor.pk}", {"is_active": False}))
    assert_error(caller.get("/me"), 401, "token_invalid")


def test_the_token_is_refused_if_its_session_has_no_impersonator(root: Caller, dojo: Dojo) -> None:
    """The row of the session decides who acts, not the token."""
    caller = acting(root, dojo)
    with tenant_scope(dojo.tenant):
        Session.objects.filter(impersonator__isnull=False).update(impersonator=None)
    assert_error(caller.get("/me"), 401, "token_invalid")


UNKNOWN_ID = "0197722e-0001-7000-8000-5e15f1d0c0de"


@pytest.mark.parametrize(
    "act",
    [
        None,
        "root",
        [],
        {},
        {"sub": UNKNOWN_ID},
        {"sub": UNKNOWN_ID, "sid": "x"},
        {"sub": UNKNOWN_ID, "sid": UNKNOWN_ID},
        {"sub": UNKNOWN_ID, "sid": UNKNOWN_ID, "act": {}},
    ],
)
def test_an_invalid_or_unknown_actor_is_refused(root: Caller, dojo: Dojo, act: Any) -> None:
    for token in (acting(root, dojo).token, dojo.admin.token):
        assert_error(Caller(dojo.host, token=forged(token, act=act)).get("/me"), 401, "token_invalid")


def test_the_actor_of_another_superadmin_is_refused(root: Caller, platform: Platform, dojo: Dojo) -> None:
    colleague, caller = platform.superadmin("colleague@example.com"), acting(root, dojo)
    other_actor = {name: claims(str(colleague.token))[name] for name in ("sub", "sid")}
    assert_error(
        Caller(dojo.host, token=forged(caller.token, act=other_actor)).get("/me"), 401, "token_invalid"
    )


def test_both_audit_trails_record_the_superadmin_and_the_reason(root: Caller, dojo: Dojo) -> None:
    ok(impersonate(root, dojo.tenant), 201)
    assert root.user is not None
    superadmin = {"id": str(root.user.pk), "name": "Root"}
    platform_row = ok(root.get("/audit?action=tenant-impersonations.post"))["results"][0]
    assert (platform_row["actor"], platform_row["object"], platform_row["reason"]) == (
        superadmin,
        str(dojo.tenant.tenant_id),
        REASON,
    )
    tenant_row = ok(dojo.admin.get("/audit?action=impersonations.post"))["results"][0]
    assert tenant_row["actor"] == {"id": str(head_of(dojo.tenant).pk), "name": "Head Instructor"}
    assert (tenant_row["impersonated_by"], tenant_row["reason"]) == (superadmin, REASON)


def test_every_action_is_recorded_with_both_names(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    made = ok(caller.post("/disciplines", {"name": "Kendo"}), 201)
    assert root.user is not None
    found = ok(dojo.admin.get(f"/audit?impersonated_by={root.user.pk}&object={made['id']}"))["results"]
    assert [row["action"] for row in found] == ["disciplines.post"]
    assert found[0]["actor"]["name"] == "Head Instructor"
    assert found[0]["impersonated_by"]["name"] == "Root"


def test_actions_of_users_themselves_have_no_impersonator(dojo: Dojo) -> None:
    dojo.create("/disciplines", {"name": "Kendo"})
    assert ok(dojo.admin.get("/audit?action=disciplines.post"))["results"][0]["impersonated_by"] is None


def test_the_log_names_both(root: Caller, dojo: Dojo, caplog: pytest.LogCaptureFixture) -> None:
    caller, admin = acting(root, dojo), dojo.admin
    assert root.user is not None
    caplog.clear()
    ok(caller.get("/me"))
    ok(admin.get("/me"))
    mine, other_actor = (record.msg for record in caplog.records if record.name == "tatami.request")
    assert isinstance(mine, dict)
    assert isinstance(other_actor, dict)
    assert mine["userId"] == str(head_of(dojo.tenant).pk)
    assert mine["impersonatedBy"] == str(root.user.pk)
    assert "impersonatedBy" not in other_actor


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/password", {"current_password": "x", "new_password": "a much newer bokken"}),
        ("POST", "/users", {"email": "new@example.com", "role": "admin"}),
        ("PATCH", "/users/{}", {"role": "instructor"}),
        ("PATCH", "/users/{}", {"email": "new@example.com"}),
        ("DELETE", "/users/{}", None),
        ("POST", "/devices", {"name": "Side door"}),
        ("POST", "/me/calendar", {}),
        ("PATCH", "/me/notifications", {"news": True}),
    ],
)
def test_actions_that_would_outlast_the_impersonation_are_refused(
    root: Caller, dojo: Dojo, method: str, path: str, body: dict[str, Any] | None
) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    answer = acting(root, dojo).request(method, path.format(instructor.pk), body)
    assert_error(answer, 403, "permission_denied")


def test_a_reason_is_required(root: Caller, tenant: TenantScope) -> None:
    for reason in ("", "   "):
        assert_invalid(impersonate(root, tenant, reason=reason), "reason")


def test_a_user_of_another_dojo_cannot_be_impersonated(root: Caller, dojo: Dojo, other_dojo: Dojo) -> None:
    stranger = other_dojo.instructor.user
    assert stranger is not None
    assert_invalid(impersonate(root, dojo.tenant, user=str(stranger.pk)), "user")


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        ("suspended", (403, "tenant_suspended")),
        ("deleting", (409, "conflict")),
        ("provisioning", (409, "conflict")),
    ],
)
def test_users_of_an_inactive_dojo_cannot_be_impersonated(
    root: Caller, tenant: TenantScope, status: str, answered: tuple[int, str]
) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    assert_error(impersonate(root, tenant), *answered)


def test_it_ends_when_the_dojo_is_suspended(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(status="suspended")
        RoutingEpoch.advance()
    host_resolver.cache_clear()
    assert_error(caller.get("/me"), 403, "tenant_suspended")


def test_a_dojo_without_an_active_admin_requires_a_user(root: Caller, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        User.objects.update(is_active=False)
    assert_error(impersonate(root, tenant), 409, "conflict")


def test_the_response_is_not_replayed_under_an_idempotency_key(root: Caller, tenant: TenantScope) -> None:
    path = f"/tenants/{tenant.tenant_id}/impersonations"
    first, second = (root.post(path, {"reason": REASON}, Idempotency_Key="once") for _ in range(2))
    assert first.json()["access"] != second.json()["access"]
    with tenant_scope(tenant):
        assert AuditEntry.objects.filter(action="impersonations.post").count() == 2
