"""`manage.py reset_second_factor` lets a user in again who lost their second factor."""

from io import StringIO
from typing import Any

import orjson
import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.core.management.base import CommandError
from pyotp import TOTP

from config.management.commands.prepare import Command as Prepare
from shared_apps.accounts.models import AuditEntry, RecoveryCode, SecondFactor, User
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, ok

PASSWORD = "the old bamboo sword"


def reset(*given: str) -> str:
    output = StringIO()
    call_command("reset_second_factor", *given, stdout=output)
    return output.getvalue()


def set_up(caller: Caller) -> None:
    """Give a user a password and an authenticator."""
    assert caller.user
    caller.user.password = make_password(PASSWORD)
    caller.user.save()
    made = ok(caller.post("/me/second-factors", {"password": PASSWORD}), 201)
    code = TOTP(made["secret"]).at(int(NOW.timestamp()))
    ok(caller.post(f"/me/second-factors/{made['id']}/confirmation", {"code": code}))


def login(caller: Caller, email: str) -> Any:
    return caller.post("/auth/login", {"email": email, "password": PASSWORD})


def test_a_superadmin_gets_in_again_and_the_audit_shows_why(platform: Platform) -> None:
    root = platform.superadmin()
    with platform_scope():
        set_up(root)
    assert_error(login(platform.anonymous, "root@example.com"), 401, "second_factor_required")
    printed = reset("ROOT@example.com", "--reason", "lost the phone")
    assert printed == "1 second factors of root@example.com were removed; the sessions have ended.\n"
    assert_error(root.get("/me"), 401, "token_invalid")
    ok(login(platform.anonymous, "root@example.com"))
    with platform_scope():
        entry = AuditEntry.objects.get(action="second-factor.reset-by-command", object=root.user.pk)  # type: ignore[union-attr]
        assert entry.reason == "lost the phone"
        assert not RecoveryCode.objects.exists()


def test_a_user_of_one_dojo_is_reset(dojo: Dojo, other_dojo: Dojo) -> None:
    for one in (dojo, other_dojo):
        with tenant_scope(one.tenant):
            set_up(one.admin)
    ok(dojo.admin.patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    with platform_scope():
        printed = reset("admin@example.com", "--tenant", dojo.tenant.slug, "--json")
    with tenant_scope(dojo.tenant):
        user = User.objects.get(email="admin@example.com")
        assert not SecondFactor.objects.exists()
    assert orjson.loads(printed) == {"user": str(user.pk), "removed": 1, "enrolment_needed": True}
    asked = assert_error(login(dojo.anonymous, "admin@example.com"), 401, "second_factor_required")
    assert asked["enrolment_needed"] is True
    with tenant_scope(other_dojo.tenant):
        assert SecondFactor.objects.count() == 1


def test_an_unknown_user_or_dojo_is_named(dojo: Dojo) -> None:
    with pytest.raises(CommandError, match=r"The platform has no user unknown@example\.com\."):
        reset("unknown@example.com")
    with pytest.raises(CommandError, match="The dojo aiki has no user"):
        reset("unknown@example.com", "--tenant", "aiki")
    with pytest.raises(CommandError, match="There is no dojo nowhere"):
        reset("admin@example.com", "--tenant", "nowhere")


def test_a_new_superadmin_is_told_what_the_platform_demands(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok(platform.superadmin().patch("/sign-in-policy", {"second_factor_roles": ["admin"]}))
    monkeypatch.setenv("TATAMI_SUPERADMIN_EMAIL", "new@example.com")
    monkeypatch.setenv("TATAMI_SUPERADMIN_PASSWORD", PASSWORD)
    output = StringIO()
    with platform_scope():
        Prepare(stdout=output)._create_superadmin()
    assert output.getvalue().splitlines() == [
        "created the superadmin new@example.com",
        "Superadmins need a second factor: the first sign-in asks to set one up.",
    ]
