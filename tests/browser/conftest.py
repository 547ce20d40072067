"""A real browser: Chromium against a running web process, at the hosts of demo dojos.

The browser is Debian's (`/usr/bin/chromium`, or TATAMI_CHROMIUM). Where there is none, these tests are skipped with a
line that says so; `.ci/run` installs it.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from demo.build import make_demo_dojos
from demo.dojos import DEMO_DOJOS, demo_password
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.committed import purge_dojo
from tests.support.live_server import LiveServer, live_server

CHROMIUM: Final = os.environ.get("TATAMI_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 860}
PATIENCE: Final = 15_000
"""Milliseconds, for one action or expectation on a busy machine."""

# Playwright runs an event loop in this thread, in which Django refuses its ORM without this.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder where there is no Chromium."""
    if os.path.exists(CHROMIUM):  # noqa: PTH110
        return
    for item in items:
        if "/tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"))


@dataclass(frozen=True)
class Site:
    """The pages of one demo dojo on a running web process."""

    server: LiveServer
    tenant: TenantScope

    @property
    def url(self) -> str:
        return f"http://{self.tenant.slug}.localhost:{self.server.port}"

    def email(self, role: str) -> str:
        return f"{role}@{self.tenant.slug}.example"


@pytest.fixture(scope="session")
def demo_dojos(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[TenantScope]]:
    """The two demo dojos, committed, as they are now."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context():
        list(make_demo_dojos(now=clock.now()))
        with platform_scope():
            found = [Tenant.objects.with_primary_domain().get(slug=dojo.slug).scope for dojo in DEMO_DOJOS]
        yield found
        for dojo in DEMO_DOJOS:
            purge_dojo(dojo.slug)


@pytest.fixture(scope="session")
def web(demo_dojos: list[TenantScope], database_name: str) -> Iterator[LiveServer]:
    with live_server(database_name) as running:
        yield running


@pytest.fixture(scope="session")
def site(web: LiveServer, demo_dojos: list[TenantScope]) -> Site:
    """The first demo dojo."""
    return Site(web, demo_dojos[0])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()


def zone_where_it_is(hour: int, now: datetime) -> str:
    """Return the name of a time zone in which the clock shows this hour now.

    A dojo there has its evening whenever the tests run, and no class that ends on the next day.
    """
    ahead = (hour - now.astimezone(UTC).hour + 12) % 24 - 12
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"  # west is positive in these names


def open_context(chromium: Browser, **options: Any) -> BrowserContext:
    """Return a new browser profile."""
    context = chromium.new_context(**{"viewport": DESK, **options})
    context.set_default_timeout(PATIENCE)
    return context


def sign_in(page: Page, site: Site, role: str) -> None:
    """Sign in through the form."""
    page.goto(f"{site.url}/sign-in")
    page.get_by_label("E-mail").fill(site.email(role))
    page.get_by_label("Password").fill(demo_password())
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def add_authenticator(context: BrowserContext, page: Page) -> None:
    """Give the browser of a page a simulated platform authenticator that recognises its user."""
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )


@pytest.fixture
def passkey_page(chromium: Browser) -> Iterator[Page]:
    """A page in a browser with a platform authenticator that recognises its user."""
    context = open_context(chromium)
    page = context.new_page()
    add_authenticator(context, page)
    yield page
    context.close()
