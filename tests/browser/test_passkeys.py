"""A passkey in a real browser with a simulated authenticator: made in the account, used to sign in, removed."""

from playwright.sync_api import Page, expect

from demo.dojos import demo_password
from tests.browser.conftest import Site, sign_in

OWNER = "assistant"


def test_a_passkey_is_made_signs_in_and_is_removed(passkey_page: Page, site: Site) -> None:
    page = passkey_page
    sign_in(page, site, OWNER)
    page.goto(f"{site.url}/desk/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Test laptop")
    page.get_by_label("Your password").fill(demo_password())
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    expect(page.locator(".codes code")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Test laptop")).to_be_visible()

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: url.endswith("/desk"))

    # After a password, the passkey is the second factor.
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("E-mail").fill(site.email(OWNER))
    page.get_by_label("Password").fill(demo_password())
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: url.endswith("/desk"))

    page.goto(f"{site.url}/desk/account")
    expect(page.get_by_text("Chrome, Linux").first).to_be_visible()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The second factor is removed.")).to_be_visible()
    expect(page.get_by_text("Test laptop")).to_have_count(0)
