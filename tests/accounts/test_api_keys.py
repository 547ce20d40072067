"""API keys: created once, shown once, valid for their role, their days and their networks until they are revoked."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from shared_apps.accounts.models import ApiKey, User
from tatami import clock
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import count_get_statements


def new_key(dojo: Dojo | Platform, **fields: Any) -> dict[str, Any]:
    admin = dojo.superadmin() if isinstance(dojo, Platform) else dojo.admin
    body = {"name": "Accounting", "role": "admin", **fields}
    made: dict[str, Any] = ok(admin.post("/api-keys", body), 201)
    return made


def caller_with(dojo: Dojo | Platform, made: dict[str, Any]) -> Caller:
    return Caller(dojo.host, token=made["key"])


def shown(dojo: Dojo, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = ok(dojo.admin.get(f"/api-keys/{made['id']}"))
    return found


def test_a_key_is_shown_once_and_stored_as_a_hash(dojo: Dojo) -> None:
    made = new_key(dojo)
    assert made["key"].startswith("tatk_")
    assert made["key"].startswith(made["prefix"])
    assert len(made["prefix"]) < len(made["key"]) // 3
    (listed,) = ok(dojo.admin.get("/api-keys"))["results"]
    assert "key" not in listed
    with tenant_scope(dojo.tenant):
        row = ApiKey.objects.get()
        assert made["key"].encode() not in bytes(row.key_hash)
        assert len(bytes(row.key_hash)) == 32


def test_the_key_acts_as_a_user_of_its_own(dojo: Dojo) -> None:
    made = new_key(dojo, role="instructor")
    me = ok(caller_with(dojo, made).get("/me"))
    assert (me["name"], me["role"], me["students"]) == ("Accounting", "instructor", [])
    student = ok(caller_with(dojo, made).post("/students", {"first_name": "Aoi", "last_name": "Mori"}), 201)
    (entry,) = ok(dojo.admin.get(f"/audit?object={student['id']}"))["results"]
    assert entry["actor"] == {"id": me["id"], "name": "Accounting"}


def test_the_user_of_a_key_is_not_a_user_of_the_dojo(dojo: Dojo) -> None:
    made = new_key(dojo)
    me = ok(caller_with(dojo, made).get("/me"))
    assert me["id"] not in {row["id"] for row in ok(dojo.admin.get("/users"))["results"]}
    assert_error(dojo.admin.get(f"/users/{me['id']}"), 404, "not_found")
    assert_error(dojo.admin.patch(f"/users/{me['id']}", {"is_active": True}), 404, "not_found")
    with tenant_scope(dojo.tenant):
        key_of_user = User.objects.get(pk=me["id"]).email_key
    for address in ("", key_of_user):
        answer = dojo.anonymous.post("/auth/login", {"email": address or "x", "password": "!"})
        assert_error(answer, 401, "invalid_credentials")


def test_a_key_is_no_admin_who_could_be_the_last(dojo: Dojo) -> None:
    admin = dojo.admin
    new_key(dojo, role="admin")
    assert admin.user is not None
    others = [row for row in ok(admin.get("/users?role=admin"))["results"] if row["id"] != str(admin.user.pk)]
    for other in others:
        ok(admin.delete(f"/users/{other['id']}"), 204)
    assert_error(admin.delete(f"/users/{admin.user.pk}"), 409, "last_admin")


def test_a_revoked_key_is_refused_at_once_and_stays_listed(dojo: Dojo) -> None:
    made = new_key(dojo)
    caller = caller_with(dojo, made)
    ok(caller.get("/students"))
    ok(dojo.admin.delete(f"/api-keys/{made['id']}"), 204)
    assert_error(caller.get("/students"), 401, "token_invalid")
    revoked_at = shown(dojo, made)["revoked_at"]
    assert revoked_at is not None
    with clock.fixed(NOW + timedelta(minutes=1)):
        ok(dojo.admin.delete(f"/api-keys/{made['id']}"), 204)
        assert shown(dojo, made)["revoked_at"] == revoked_at


def test_a_read_only_key_reads(dojo: Dojo) -> None:
    caller = caller_with(dojo, new_key(dojo, read_only=True))
    student = factories.student(dojo)
    assert ok(caller.get(f"/students/{student['id']}"))["id"] == student["id"]
    assert ok(caller.post("/promotions/check", {"students": [student["id"]]}))["results"] == []
    for method in ("PATCH", "DELETE"):
        answer = caller.request(method, f"/students/{student['id']}", {} if method == "PATCH" else None)
        assert_error(answer, 403, "permission_denied")


def test_a_key_is_valid_to_the_end_of_its_last_day_in_the_dojo(dojo: Dojo) -> None:
    """The dojo is in Berlin: its 15 June ends at 22:00 UTC."""
    caller = caller_with(dojo, new_key(dojo, expires_on="2026-06-15"))
    with clock.fixed(NOW.replace(hour=21, minute=59)):
        ok(caller.get("/students"))
    with clock.fixed(NOW.replace(hour=22, minute=0)):
        assert_error(caller.get("/students"), 401, "token_expired")


@pytest.mark.parametrize(
    ("allowed", "address", "is_accepted"),
    [
        (["203.0.113.0/24"], "203.0.113.200", True),
        (["203.0.113.0/24"], "203.0.114.1", False),
        (["203.0.113.7"], "203.0.113.7", True),
        (["203.0.113.7"], "203.0.113.8", False),
        (["203.0.113.0/24"], "::ffff:203.0.113.9", True),
        (["2001:db8::/32", "192.0.2.1"], "2001:db8:7::1", True),
        (["2001:db8::/32"], "203.0.113.7", False),
        (["203.0.113.0/24"], "not an address", False),
        ([], "198.51.100.1", True),
    ],
)
def test_a_key_may_be_bound_to_networks(
    dojo: Dojo, allowed: list[str], address: str, is_accepted: bool
) -> None:
    caller = caller_with(dojo, new_key(dojo, allowed_addresses=allowed))
    caller.client.defaults["REMOTE_ADDR"] = address
    if is_accepted:
        ok(caller.get("/students"))
    else:
        assert_error(caller.get("/students"), 403, "address_not_allowed")


def test_the_last_use_is_shown_to_the_minute(dojo: Dojo) -> None:
    made = new_key(dojo)
    caller = caller_with(dojo, made)
    assert shown(dojo, made)["last_used_at"] is None
    for seconds, address, expected in (
        (0, "192.0.2.1", (0, "192.0.2.1")),
        (59, "192.0.2.2", (0, "192.0.2.1")),
        (60, "192.0.2.3", (60, "192.0.2.3")),
    ):
        caller.client.defaults["REMOTE_ADDR"] = address
        with clock.fixed(NOW + timedelta(seconds=seconds)):
            ok(caller.get("/me"))
        row = shown(dojo, made)
        at = (NOW + timedelta(seconds=expected[0])).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (row["last_used_at"], row["last_used_address"]) == (at, expected[1])


def test_authentication_takes_one_statement(dojo: Dojo) -> None:
    caller = caller_with(dojo, new_key(dojo))
    assert count_get_statements(caller, "/disciplines") == count_get_statements(dojo.admin, "/disciplines")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "student"}, "role"),
        ({"role": "device"}, "role"),
        ({"name": ""}, "name"),
        ({"name": "A\nB"}, "name"),
        ({"expires_on": "2026-06-14"}, "expires_on"),
        ({"expires_on": "soon"}, "expires_on"),
        ({"read_only": "maybe"}, "read_only"),
        ({"allowed_addresses": ["203.0.113.300"]}, "allowed_addresses.0"),
        ({"allowed_addresses": ["203.0.113.0/33"]}, "allowed_addresses.0"),
        ({"allowed_addresses": "203.0.113.7"}, "allowed_addresses"),
        ({"allowed_addresses": ["203.0.113.7"] * 51}, "allowed_addresses"),
        ({"prefix": "tatk_000000"}, "prefix"),
        ({"key": "tatk_mine"}, "key"),
    ],
)
def test_a_bad_key_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    assert_invalid(dojo.admin.post("/api-keys", {"name": "A", "role": "admin", **change}), field)
    assert ok(dojo.admin.get("/api-keys"))["count"] == 0


def test_networks_are_shown_in_one_form(dojo: Dojo) -> None:
    given = ["203.0.113.77/24", "192.0.2.1/32", "2001:DB8:0::1/128"]
    assert new_key(dojo, allowed_addresses=given)["allowed_addresses"] == [
        "203.0.113.0/24",
        "192.0.2.1",
        "2001:db8::1",
    ]


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda key: key[:-1], lambda key: key + "0", lambda key: "tatk_", lambda key: key * 100],
    ids=["upper case", "shorter", "longer", "prefix only", "very long"],
)
def test_another_key_is_invalid(dojo: Dojo, change: Any) -> None:
    made = new_key(dojo)
    assert_error(Caller(dojo.host, token=change(made["key"])).get("/me"), 401, "token_invalid")


def test_a_key_survives_two_replacements_of_the_secret_if_it_is_used_between_them(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = new_key(dojo, name="Used"), new_key(dojo, name="Unused")
    first, second, third = settings.TATAMI_SECRETS[0], "second secret" * 4, "third secret" * 4
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [second, first])
    ok(caller_with(dojo, used).get("/me"))
    monkeypatch.setattr(settings, "TATAMI_SECRETS", [third, second])
    ok(caller_with(dojo, used).get("/me"))
    assert_error(caller_with(dojo, unused).get("/me"), 401, "token_invalid")


def test_a_key_of_the_platform_manages_dojos_and_has_the_role_of_superadmins(platform: Platform) -> None:
    made = new_key(platform)
    assert [row["slug"] for row in ok(caller_with(platform, made).get("/tenants"))["results"]]
    admin = platform.superadmin("second@example.com")
    assert_invalid(admin.post("/api-keys", {"name": "A", "role": "assistant"}), "role")
    with platform_scope():
        assert ApiKey.objects.count() == 1
