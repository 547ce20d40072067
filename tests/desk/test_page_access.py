"""Each page with each role: what the role may not is not answered and not shown; and objects of another dojo are not
found.

The pages come from the URL table, the expected roles from `expected_pages.py`.
"""

import re
from typing import Any

import pytest

from tatami import clock
from tatami.api.routes import Route
from tests.desk.addresses import address_of, name_of, pages, unknown_address
from tests.desk.expected_pages import PAGES
from tests.desk.page_links import offers_of, refused_offers
from tests.http.sample_dojos import SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, close_file, visitor
from tests.support.responses import ok

pytestmark = pytest.mark.slow

ROLES = ("admin", "instructor", "assistant", "student", None)


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
    address = unknown_address(route)
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


GONE_IS_NO_FAULT = {"account-session-end", "account-factor-confirm", "export-delete"}
"""Pages that lead back to their list if the object is gone meanwhile, and so also if it never was there."""


def is_not_found(browser: Visitor, name: str, method: str, response: Any) -> bool:
    """Return whether a response tells nothing of an object. A redirect must lead to a page that is not found."""
    if response.status_code == 302 and name not in GONE_IS_NO_FAULT:
        response = browser.get(response["Location"])
    if response.status_code == 400:
        return method == "POST"  # without its fields, a form is refused before anything is looked for
    return response.status_code == 404 or (response.status_code == 302 and name in GONE_IS_NO_FAULT)


def kept(sample: SampleHost) -> Any:
    """Return what the pages of `GONE_IS_NO_FAULT` could end."""
    paths = ("/me/sessions", "/me/second-factors", f"/exports/{sample.ids['own export']}")
    return [ok(sample.callers["admin"].get(path)) for path in paths]


def test_objects_of_another_dojo_are_not_found(dojo: Dojo, other_dojo: Dojo, hashings: Any) -> None:
    """Each page with an id, as a role that may open it: with ids that the other dojo has, and that are found there."""
    with clock.fixed(NOW):
        theirs = create_sample_dojo(other_dojo, password_hash())
        owners = {role: visitor(other_dojo, role) for role in ("admin", "student")}
        before = kept(theirs)
        faults, found = [], 0
        for route in pages():
            if "<uuid:" not in route.path:
                continue
            name = name_of(route)
            for method, roles in PAGES[name].items():
                role = "admin" if "admin" in roles else "student"
                address = address_of(route, theirs, role)
                browser = visitor(dojo, role)
                response = browser.get(address) if method == "GET" else browser.post(address, {})
                if not is_not_found(browser, name, method, response):
                    faults.append(f"{method} {address}: {response.status_code}")
            if "GET" in route.methods:
                there = owners[role].get(address)
                if there.streaming:
                    close_file(there)
                assert there.status_code in {200, 302}, f"not even found there: {address}"
                found += 1
        assert not faults, "\n".join(faults)
        assert found > 50
        assert kept(theirs) == before


@pytest.mark.parametrize("role", ROLES)
def test_a_page_offers_only_what_the_role_may(dojo: Dojo, role: str | None, hashings: Any) -> None:
    """Each link, form and button of each page that the role may open leads to a route that the role may call."""
    with clock.fixed(NOW):
        sample = create_sample_dojo(dojo, password_hash())
        browser = visitor(dojo, role)
        faults: dict[str, set[str]] = {}
        offered = 0
        for route in pages():
            if role not in PAGES[name_of(route)].get("GET", frozenset()):
                continue
            address = address_of(route, sample, str(role or "student"))
            response = browser.get(address)
            if response.streaming:
                close_file(response)
            elif "text/html" in response.get("Content-Type", ""):
                offers = offers_of(response.content.decode(), address)
                offered += len(offers)
                if refused := refused_offers(offers, role):
                    faults[name_of(route)] = refused
    assert faults == {}
    assert offered > (10 if role is None else 50)


def test_an_offer_that_the_role_may_not_use_is_seen() -> None:
    page = """
      <a href="/desk/settings/users">x</a> <a href="https://example.com/">x</a> <a href="#main">x</a>
      <form method="post" action="/desk/students/new">
        <button formaction="/desk/settings/second-factor">x</button></form>
      <form><input name="q"></form>
      <form method="post" action="/desk/settings"><input type="hidden" name="csrf">
        <fieldset disabled><input name="name"></fieldset></form>
      <b hx-post="/desk/messages/count"></b> <a href="/nowhere">x</a>
    """
    assert refused_offers(offers_of(page, "/desk"), "admin") == {"GET /nowhere"}
    assert refused_offers(offers_of(page, "/desk"), "assistant") == {
        "GET /nowhere",
        "GET /desk/settings/users",
        "POST /desk/settings/second-factor",
        "POST /desk/messages/count",
    }
    assert "GET /desk" in refused_offers(offers_of(page, "/desk"), "student")
