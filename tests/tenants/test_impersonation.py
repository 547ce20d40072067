"""A superadmin acts as a dojo's user: for how long, as whom, and what is written down about it."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from structlog.testing import capture_logs

from shared_apps.accounts.models import AuditEntry, Session, User
from shared_apps.accounts.sessions import end_sessions
from shared_apps.tenants.models import RoutingEpoch, Tenant
from tatami import clock
from tatami.keys import token_secrets
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import done, invalid, refusal

REASON = "Ticket 4711: the roster looks wrong."


@pytest.fixture
def root(platform: Platform) -> Caller:
    return platform.superadmin()


def impersonate(root: Caller, tenant: TenantScope, **body: Any) -> Any:
    return root.post(f"/tenants/{tenant.tenant_id}/impersonations", {"reason": REASON, **body})


def acting(root: Caller, dojo: Dojo, **body: Any) -> Caller:
    return Caller(dojo.host, token=done(impersonate(root, dojo.tenant, **body), 201)["access"])


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def forged(token: str | None, **changes: Any) -> str:
    """Return a token that says something else, signed with the real key."""
    key_id, secret = next(iter(token_secrets().items()))
    return jwt.encode({**claims(str(token)), **changes}, secret, "HS256", headers={"kid": key_id})


def head_of(tenant: TenantScope) -> User:
    with tenant_scope(tenant):
        return User.objects.get(email="head@example.com")


def test_a_superadmin_acts_as_an_admin_for_fifteen_minutes(root: Caller, dojo: Dojo) -> None:
    answer = done(impersonate(root, dojo.tenant), 201)
    assert set(answer) == {"access", "expires_in", "url"}
    assert answer["expires_in"] == 900
    assert answer["url"] == "http://aiki.localhost:8000"
    assert root.user is not None
    assert claims(answer["access"])["sub"] == str(head_of(dojo.tenant).pk)
    assert claims(answer["access"])["act"]["sub"] == str(root.user.pk)
    me = done(Caller(dojo.host, token=answer["access"]).get("/me"))
    assert me["email"] == "head@example.com"
    assert me["impersonated_by"] == {"id": str(root.user.pk), "name": "Root"}


def test_nobody_acts_in_a_dojo_that_is_too_far_behind(root: Caller, dojo: Dojo) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(schema_version="")
    refusal(impersonate(root, dojo.tenant), 503, "service_unavailable")


def test_a_superadmin_acts_as_the_user_he_names_with_that_users_role(root: Caller, dojo: Dojo) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    caller = acting(root, dojo, user=str(instructor.pk))
    assert done(caller.get("/me"))["id"] == str(instructor.pk)
    refusal(caller.get("/audit"), 403, "permission_denied")


def test_whoever_is_himself_is_not_said_to_be_somebody_else(dojo: Dojo) -> None:
    assert "impersonated_by" not in done(dojo.admin.get("/me"))


def test_the_token_is_of_that_dojo_only(root: Caller, dojo: Dojo, other_dojo: Dojo) -> None:
    caller = acting(root, dojo)
    for host in (other_dojo.host, "localhost"):
        refusal(Caller(host, token=caller.token).get("/me"), 401, "token_invalid")


def test_the_token_ends_by_itself_and_cannot_be_renewed(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    refusal(dojo.anonymous.post("/auth/refresh", {"refresh": caller.token}), 401, "token_invalid")
    with clock.fixed(NOW + timedelta(minutes=14, seconds=59)):
        done(caller.get("/me"))
    with clock.fixed(NOW + timedelta(minutes=15)):
        refusal(caller.get("/me"), 401, "token_expired")


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "instructor"}])
def test_it_ends_when_the_superadmin_is_one_no_more(
    root: Caller, platform: Platform, dojo: Dojo, change: dict[str, Any]
) -> None:
    colleague, caller = platform.superadmin("colleague@example.com"), acting(root, dojo)
    assert root.user is not None
    done(colleague.patch(f"/users/{root.user.pk}", change))
    refusal(caller.get("/me"), 401, "token_invalid")


def test_it_ends_with_the_superadmins_session(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    assert root.user is not None
    with platform_scope():
        end_sessions(root.user.pk, now=NOW)
    refusal(caller.get("/me"), 401, "token_invalid")


def test_it_ends_when_the_user_is_deactivated(root: Caller, dojo: Dojo) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    caller = acting(root, dojo, user=str(instructor.pk))
    done(dojo.admin.patch(f"/users/{instructor.pk}", {"is_active": False}))
    refusal(caller.get("/me"), 401, "token_invalid")


def test_a_session_of_his_own_is_no_use_to_a_superadmin(root: Caller, dojo: Dojo) -> None:
    """The row says who acts; a token that says otherwise is worth nothing, whoever signed it."""
    caller = acting(root, dojo)
    with tenant_scope(dojo.tenant):
        Session.objects.filter(impersonator__isnull=False).update(impersonator=None)
    refusal(caller.get("/me"), 401, "token_invalid")


SOMEBODY = "0197722e-0001-7000-8000-5e15f1d0c0de"


@pytest.mark.parametrize(
    "act",
    [
        None,
        "root",
        [],
        {},
        {"sub": SOMEBODY},
        {"sub": SOMEBODY, "sid": "x"},
        {"sub": SOMEBODY, "sid": SOMEBODY},
        {"sub": SOMEBODY, "sid": SOMEBODY, "act": {}},
    ],
)
def test_an_actor_that_is_odd_or_unknown_is_refused(root: Caller, dojo: Dojo, act: Any) -> None:
    for token in (acting(root, dojo).token, dojo.admin.token):
        refusal(Caller(dojo.host, token=forged(token, act=act)).get("/me"), 401, "token_invalid")


def test_one_superadmin_cannot_be_taken_for_another(root: Caller, platform: Platform, dojo: Dojo) -> None:
    colleague, caller = platform.superadmin("colleague@example.com"), acting(root, dojo)
    theirs = {name: claims(str(colleague.token))[name] for name in ("sub", "sid")}
    refusal(Caller(dojo.host, token=forged(caller.token, act=theirs)).get("/me"), 401, "token_invalid")


def test_both_sides_write_down_who_and_why(root: Caller, dojo: Dojo) -> None:
    done(impersonate(root, dojo.tenant), 201)
    assert root.user is not None
    superadmin = {"id": str(root.user.pk), "name": "Root"}
    there = done(root.get("/audit?action=tenant-impersonations.post"))["results"][0]
    assert (there["actor"], there["object"], there["reason"]) == (
        superadmin,
        str(dojo.tenant.tenant_id),
        REASON,
    )
    here = done(dojo.admin.get("/audit?action=impersonations.post"))["results"][0]
    assert here["actor"] == {"id": str(head_of(dojo.tenant).pk), "name": "Head Instructor"}
    assert (here["impersonated_by"], here["reason"]) == (superadmin, REASON)


def test_every_deed_names_both(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    made = done(caller.post("/disciplines", {"name": "Kendo"}), 201)
    assert root.user is not None
    found = done(dojo.admin.get(f"/audit?impersonated_by={root.user.pk}&object={made['id']}"))["results"]
    assert [row["action"] for row in found] == ["disciplines.post"]
    assert found[0]["actor"]["name"] == "Head Instructor"
    assert found[0]["impersonated_by"]["name"] == "Root"


def test_what_people_do_themselves_names_nobody_else(dojo: Dojo) -> None:
    dojo.create("/disciplines", {"name": "Kendo"})
    assert done(dojo.admin.get("/audit?action=disciplines.post"))["results"][0]["impersonated_by"] is None


def test_the_log_names_both(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    assert root.user is not None
    with capture_logs() as lines:
        done(caller.get("/me"))
        done(dojo.admin.get("/me"))
    mine, theirs = (line for line in lines if line["event"] == "request")
    assert mine["userId"] == str(head_of(dojo.tenant).pk)
    assert mine["impersonatedBy"] == str(root.user.pk)
    assert "impersonatedBy" not in theirs


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
    ],
)
def test_what_would_outlast_it_is_refused(
    root: Caller, dojo: Dojo, method: str, path: str, body: dict[str, Any] | None
) -> None:
    instructor = dojo.instructor.user
    assert instructor is not None
    answer = acting(root, dojo).request(method, path.format(instructor.pk), body)
    refusal(answer, 403, "permission_denied")


def test_a_reason_is_needed(root: Caller, tenant: TenantScope) -> None:
    for reason in ("", "   "):
        invalid(impersonate(root, tenant, reason=reason), "reason")


def test_a_user_of_another_dojo_is_nobody_here(root: Caller, dojo: Dojo, other_dojo: Dojo) -> None:
    stranger = other_dojo.instructor.user
    assert stranger is not None
    invalid(impersonate(root, dojo.tenant, user=str(stranger.pk)), "user")


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        ("suspended", (403, "tenant_suspended")),
        ("deleting", (409, "conflict")),
        ("provisioning", (409, "conflict")),
    ],
)
def test_a_dojo_that_does_not_serve_has_nobody_to_act_as(
    root: Caller, tenant: TenantScope, status: str, answered: tuple[int, str]
) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status=status)
    refusal(impersonate(root, tenant), *answered)


def test_a_suspension_ends_it(root: Caller, dojo: Dojo) -> None:
    caller = acting(root, dojo)
    with platform_scope():
        Tenant.objects.filter(pk=dojo.tenant.tenant_id).update(status="suspended")
        RoutingEpoch.advance()
    host_resolver.cache_clear()
    refusal(caller.get("/me"), 403, "tenant_suspended")


def test_a_dojo_without_an_active_admin_needs_a_name(root: Caller, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        User.objects.update(is_active=False)
    refusal(impersonate(root, tenant), 409, "conflict")


def test_the_answer_is_a_secret_and_is_not_kept(root: Caller, tenant: TenantScope) -> None:
    path = f"/tenants/{tenant.tenant_id}/impersonations"
    first, second = (root.post(path, {"reason": REASON}, Idempotency_Key="once") for _ in range(2))
    assert first.json()["access"] != second.json()["access"]
    with tenant_scope(tenant):
        assert AuditEntry.objects.filter(action="impersonations.post").count() == 2
