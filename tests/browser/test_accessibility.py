"""axe on each page, in light and dark, at phone and desk size: nothing serious; and the weight of each page."""

import gzip
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Response

from tatami.api.routes import Route, routes
from tests.browser.conftest import DESK, PHONE, Site, open_context, sign_in
from tests.browser.sample_addresses import sample_address
from tests.desk.expected_pages import PAGES

MAX_KILOBYTES = 60
"""Of a page with its styles and scripts, compressed; without fonts and the scanner."""
NOT_COUNTED = ("/static/scanner/", ".woff2", ".wasm")


def pages_for(role: str) -> list[Route]:
    return [
        one
        for one in routes("config.urls_tenant")
        if one.name.startswith("desk:") and role in PAGES[one.name.partition(":")[2]].get("GET", frozenset())
    ]


CASES = [
    *((route, "admin") for route in pages_for("admin")),
    *((route, "student") for route in pages_for("student") if not route.name.startswith("desk:sign")),
]


@pytest.fixture(scope="module", params=["admin", "student"])
def signed_in(
    request: pytest.FixtureRequest, chromium: Browser, site: Site
) -> Iterator[tuple[str, BrowserContext]]:
    context = open_context(chromium)
    page = context.new_page()
    sign_in(page, site, "parent" if request.param == "student" else request.param)
    page.close()
    yield request.param, context
    context.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [PHONE, pytest.param(DESK, marks=pytest.mark.slow)], ids=["phone", "desk"])
def test_axe_finds_nothing_serious_on_any_page(
    signed_in: tuple[str, BrowserContext], site: Site, scheme: str, size: dict[str, int]
) -> None:
    role, context = signed_in
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size(size)  # type: ignore[arg-type]
    found = {}
    for route in pages_for(role):
        address = sample_address(page, site, route)
        if address is None:
            continue
        response = page.goto(site.url + address)
        if response is None or not is_page(response):
            continue
        result = Axe().run(page)
        faults = [
            f"{one['id']}: {one['nodes'][0]['html'][:160]}"
            for one in result.response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            faults.append(f"the page is {wide} px wider than the window")
        if faults:
            found[route.name] = faults
    page.close()
    assert found == {}


@pytest.mark.slow
def test_each_page_is_small(
    signed_in: tuple[str, BrowserContext], site: Site, record_property: Callable[[str, Any], None]
) -> None:
    role, context = signed_in
    weights = {route.name: weigh(context, site, route) for route in pages_for(role)}
    rows = [
        (f"{name} with all it loads ({role})", None, weight / 1024)
        for name, weight in weights.items()
        if weight
    ]
    record_property("page costs", rows)
    assert {name: weight for name, weight in weights.items() if weight > MAX_KILOBYTES * 1024} == {}


def is_page(response: Response) -> bool:
    """Return whether this is a whole page, not a part of one or a file."""
    is_html = "text/html" in response.headers.get("content-type", "")
    return is_html and response.text().lstrip().lower().startswith("<!doctype html")


def weigh(context: BrowserContext, site: Site, route: Route) -> int:
    """Return the bytes of a page and of what it loads, compressed with gzip.

    The page is opened in a tab of its own, so that nothing that another page asked for is counted.
    """
    page = context.new_page()
    try:
        address = sample_address(page, site, route)
        return 0 if address is None else _loaded_bytes(page, site.url + address)
    finally:
        page.close()


def _loaded_bytes(page: Page, url: str) -> int:
    received: list[Response] = []
    page.on("response", lambda one: received.append(one))  # noqa: PLW0108 - Playwright marks the function
    response = page.goto(url, wait_until="load")
    if response is None or not is_page(response):
        return 0
    counted = [
        one
        for one in received
        if one.ok
        and not any(part in urlsplit(one.url).path for part in NOT_COUNTED)
        and not re.match("data:|blob:", one.url)
    ]
    return sum(len(gzip.compress(one.body())) for one in counted)
