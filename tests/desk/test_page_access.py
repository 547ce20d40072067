"""Each page with each role: what the role may not is not answered; and objects of another dojo are not found.

The pages come from the URL table, the expected roles from `expected_pages.py`.
"""

import re
from uuid import uuid4

import pytest

from tatami.api.routes import Route, routes
from tests.desk.expected_pages import PAGES
from tests.support.clients import Dojo
from tests.support.pages import visitor

pytestmark = pytest.mark.slow

ROLES = ("admin", "instructor", "assistant", "student", None)
SLUGS = {"tab": "dojo", "kind": "totp", "report": "attendance", "name": "free"}
"""Values of path parameters that are no ids."""


def pages() -> list[Route]:
    found = [one for one in routes("config.urls_tenant") if one.name.startswith("desk:")]
    assert found
    return found


def name_of(route: Route) -> str:
    return route.name.partition(":")[2]


def address_of(route: Route) -> str:
    """Return an address of the page, with ids that no object has."""
    filled = re.sub(
        r"<(?:(\w+):)?(\w+)>",
        lambda found: str(uuid4()) if found[1] == "uuid" else SLUGS.get(found[2], "1"),
        route.path,
    )
    return f"/{filled}"


CASES = [(route, method, role) for route in pages() for method in route.methods for role in ROLES]


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    assert {name_of(route): set(route.methods) for route in pages()} == {
        name: set(methods) for name, methods in PAGES.items()
    }


@pytest.mark.parametrize(
    ("route", "method", "role"),
    CASES,
    ids=[f"{method} {name_of(route)} as {role}" for route, method, role in CASES],
)
def test_a_role_gets_the_pages_that_are_for_it(
    dojo: Dojo, route: Route, method: str, role: str | None
) -> None:
    browser = visitor(dojo, role)
    address = address_of(route)
    response = browser.get(address) if method == "GET" else browser.post(address, {})
    if role in PAGES[name_of(route)][method]:
        assert response.status_code not in {401, 403, 405, 500}, response.content[:400]
        # The ids in the address belong to no object.
        assert "<uuid:" not in route.path or response.status_code in {302, 400, 404}, response.content[:400]
    elif role is None:
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in?next=")
    else:
        assert response.status_code == 403
        assert b"not for your role" in response.content


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant", "student"])
def test_the_navigation_shows_what_the_role_may_open(dojo: Dojo, role: str) -> None:
    browser = visitor(dojo, role)
    page = browser.get(browser.get("/")["Location"]).content.decode()
    links = set(re.findall(r'<li><a href="(/[^"]+)"', page.partition("<main")[0]))
    assert links
    for link in links:
        assert browser.get(link).status_code == 200, link
