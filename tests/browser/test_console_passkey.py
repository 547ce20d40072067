"""A superadmin in a real browser makes a passkey while signing in to the console, and signs in with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Page, expect

from shared_apps.accounts.models import SignInPolicy, User
from tatami import clock
from tatami.tenancy.scope import platform_scope
from tests.support.live_server import LiveServer

EMAIL = "console@example.com"
PASSWORD = "a long bamboo sword"


@pytest.fixture
def superadmin(web: LiveServer, django_db_blocker: Any) -> Iterator[None]:
    """A committed superadmin. The platform asks for a second factor."""
    with django_db_blocker.unblock(), platform_scope():
        user = User.objects.create(
            email=EMAIL, email_key=EMAIL, name="Console", role="admin", password=make_password(PASSWORD)
        )
        policy = SignInPolicy.current()
        SignInPolicy.objects.update_or_create(pk=policy.pk, defaults={"second_factor_roles": ["admin"]})
    yield
    with django_db_blocker.unblock(), platform_scope():
        SignInPolicy.objects.all().delete()
        User.objects.filter(pk=user.pk).update(is_active=False, archived_at=clock.now())


@pytest.mark.usefixtures("superadmin")
def test_a_superadmin_makes_a_passkey_while_signing_in_and_uses_it(
    passkey_page: Page, web: LiveServer
) -> None:
    page = passkey_page
    console = f"http://localhost:{web.port}/console/"
    page.goto(console)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_alt_text("QR code for the authenticator app")).to_be_visible()
    page.get_by_role("button", name="Use a passkey instead").click()
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.locator("li code")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url(lambda url: url.endswith("/console/tenants/tenant/"))

    page.goto(f"{console}second-factors/")
    expect(page.get_by_text("Passkey for localhost")).to_be_visible()
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.locator("#new-passkey-error")).not_to_be_empty()  # this device has one already

    page.context.clear_cookies()
    page.goto(console)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: url.endswith("/console/tenants/tenant/"))

    page.goto(f"{console}second-factors/")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Set up another one first")).to_be_visible()
