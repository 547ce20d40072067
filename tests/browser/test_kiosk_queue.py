"""The queue of the kiosk in a real browser: no check-in is lost, and none is recorded twice.

Codes are typed, as many scanners do, so no camera is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from demo.dojos import demo_password
from tatami import clock
from tests.browser.conftest import Site, open_context
from tests.support.live_server import send_request

PIN = "2468"
WITHIN = 40_000
"""Milliseconds; the kiosk sends what waits every ten seconds."""


@dataclass(frozen=True)
class Door:
    """A place of its own in the demo dojo, with a class session that is open now."""

    site: Site
    token: str
    location: str
    session: str

    @property
    def host(self) -> str:
        return f"{self.site.tenant.slug}.localhost:{self.site.server.port}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = send_request(self.site.server.port, method, self.host, path, body, self.token)
        assert status < 300, answer
        return answer

    def device(self) -> tuple[str, str]:
        """Add a device; return its id and its pairing code."""
        made = self.call("POST", "/devices", {"name": "Door", "location": self.location})
        return made["id"], made["pairing_code"]

    def cards(self, number: int) -> list[str]:
        """Return the codes of the cards of so many active students."""
        students = self.call("GET", f"/students?status=active&page_size={number}")["results"]
        assert len(students) == number
        return [self.call("POST", "/qr", {"student": one["id"], "kind": "card"})["token"] for one in students]

    def present(self) -> list[str]:
        """Return the ids of those who are recorded at the session, one for each attendance."""
        found = self.call("GET", f"/attendance?class_session={self.session}&page_size=50")["results"]
        return [one["student"]["id"] for one in found]


@pytest.fixture
def door(site: Site) -> Door:
    login = {"email": site.email("admin"), "password": demo_password()}
    token = Door(site, "", "", "").call("POST", "/auth/login", login)["access"]
    place = Door(site, token, f"Door {uuid4().hex[:8]}", "")
    starts_at = (clock.now() + timedelta(minutes=5)).isoformat()
    session = {"name": "Evening", "starts_at": starts_at, "duration_minutes": 60, "location": place.location}
    return replace(place, session=place.call("POST", "/class-sessions", session)["id"])


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = open_context(chromium)
    yield opened
    opened.close()


def pair(page: Page, code: str) -> None:
    page.get_by_label("Pairing code").fill(code)
    page.get_by_label("PIN to leave the kiosk").fill(PIN)
    page.get_by_label("The same PIN again").fill(PIN)
    page.get_by_role("button", name="Pair", exact=True).click()
    page.get_by_role("button", name="Start the kiosk").click()
    expect(page.get_by_role("heading", name="Show your code")).to_be_visible()


def open_kiosk(context: BrowserContext, door: Door) -> Page:
    """Return the page of a kiosk that has been paired and keeps its files for the time without a network."""
    page = context.new_page()
    page.goto(f"{door.site.url}/kiosk")
    pair(page, door.device()[1])
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return page


def scan(page: Page, code: str) -> None:
    """Type a code wherever the focus is, as a scanner does, and see that it is noted and not sent."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator("#answer").get_by_role("heading", name="Noted, not sent yet")).to_be_visible()


def expect_state(page: Page, text: str) -> None:
    expect(page.locator("#state")).to_have_text(text, timeout=WITHIN)


def test_ten_scans_without_a_network_survive_a_closed_tab_and_are_recorded_once(
    context: BrowserContext, door: Door
) -> None:
    codes = door.cards(10)
    page = open_kiosk(context, door)
    context.set_offline(True)
    for number, code in enumerate(codes[:5], start=1):
        scan(page, code)
        expect_state(page, "1 not sent yet" if number == 1 else f"{number} not sent yet")
    page.close()
    page = context.new_page()
    page.goto(f"{door.site.url}/kiosk")
    expect_state(page, "5 not sent yet")
    expect(page.get_by_role("heading", name="Show your code")).to_be_visible()
    for number, code in enumerate(codes[5:], start=6):
        scan(page, code)
        expect_state(page, f"{number} not sent yet")
    context.set_offline(False)
    expect_state(page, "All sent")
    present = door.present()
    assert (len(present), len(set(present))) == (10, 10)


def test_a_scan_whose_answer_is_lost_is_recorded_once(context: BrowserContext, door: Door) -> None:
    (code,) = door.cards(1)
    page = open_kiosk(context, door)

    def lose_the_answer(route: Route) -> None:
        token = route.request.headers["authorization"].removeprefix("Bearer ")
        Door(door.site, token, "", "").call("POST", "/attendance/scan", route.request.post_data_json)
        route.abort()

    page.route("**/attendance/scan", lose_the_answer)
    scan(page, code)
    assert len(door.present()) == 1
    expect_state(page, "All sent")
    assert len(door.present()) == 1


def test_the_page_of_a_router_is_no_answer(context: BrowserContext, door: Door) -> None:
    (code,) = door.cards(1)
    page = open_kiosk(context, door)
    page.route(
        "**/attendance/*", lambda route: route.fulfill(content_type="text/html", body="<p>Please sign in")
    )
    scan(page, code)
    with page.expect_response("**/attendance/sync", timeout=WITHIN):
        pass
    expect_state(page, "1 not sent yet")
    page.unroute("**/attendance/*")
    expect_state(page, "All sent")
    assert len(door.present()) == 1


def test_what_a_removed_kiosk_noted_is_sent_when_it_is_paired_again(
    context: BrowserContext, door: Door
) -> None:
    (code,) = door.cards(1)
    page = context.new_page()
    page.goto(f"{door.site.url}/kiosk")
    device, pairing_code = door.device()
    pair(page, pairing_code)
    page.route("**/attendance/*", lambda route: route.abort())
    scan(page, code)
    door.call("DELETE", f"/devices/{device}")
    page.unroute("**/attendance/*")
    expect(page.get_by_text("This kiosk is not paired any more.")).to_be_visible(timeout=WITHIN)
    pair(page, door.device()[1])
    expect_state(page, "All sent")
    assert len(door.present()) == 1


def test_only_the_pin_opens_the_menu(context: BrowserContext, door: Door) -> None:
    page = open_kiosk(context, door)
    page.get_by_role("button", name="Menu").click()
    page.get_by_label("PIN", exact=True).fill("1111")
    page.get_by_role("button", name="Open the menu").click()
    expect(page.get_by_text("This PIN is wrong.")).to_be_visible()
    page.get_by_label("PIN", exact=True).fill(PIN)
    page.get_by_role("button", name="Open the menu").click()
    page.get_by_label("Show the code of the class (wall)").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("img", name="Code of the class, for phones")).to_be_visible()
    expect(page.get_by_role("heading", name="Evening")).to_be_visible()
