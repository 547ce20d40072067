"""Each page with odd values in each parameter that it reads: it may refuse them, but it never fails.

The pages come from the URL table. What a page reads is seen while it answers: each name that it looks up in its query
or in the form that was sent. A form is first filled in as its page offers it, then one value at a time is replaced.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from django.db import transaction
from django.http import QueryDict

from tatami import clock
from tatami.api.routes import Route
from tests.desk import test_page_access, test_page_costs
from tests.desk.expected_pages import PAGES
from tests.desk.test_page_access import name_of, pages
from tests.http.sample_dojos import SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, close_file, visitor

pytestmark = pytest.mark.slow

ODD: Final = (
    "9" * 5_000,
    "99999999999999999999",
    "²",
    "abc",
    "018f0000-0000-7000-8000-000000000000",
    "9999-12-31",
    "{{ ' \" % \\ ; </script> \u202e ☃",
)
FILLINGS: Final = {"date": "2026-06-15", "time": "18:30", "number": "1", "email": "one@example.com"}
"""Type of an empty control → what a person could enter."""
MOST_NAMES: Final = 25
"""Pages whose forms have hundreds of fields, such as the rules of a rank system, have fields of few kinds."""


class Controls(HTMLParser):
    """The named controls of the forms of a page that are sent by POST, filled in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = self._text = ""
        self._is_post = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind, value = given.get("name", ""), given.get("type", "text"), given.get("value", "")
        if tag == "form":
            self._is_post = given.get("method") == "post"
        elif not self._is_post:
            return
        elif tag == "input" and name and kind not in {"file", "submit"}:
            if kind not in {"checkbox", "radio"} or "checked" in given:
                self.values[name] = value or FILLINGS.get(kind, "abc")
        elif tag == "textarea" and name:
            self._text = name
            self.values[name] = "abc"
        elif tag == "select":
            self._select = name
        elif tag == "option" and value and (self._select not in self.values or "selected" in given):
            self.values[self._select] = value

    def handle_data(self, data: str) -> None:
        if self._text and data.strip():
            self.values[self._text] = data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._select = self._text = ""


@contextmanager
def names_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Yield the names that are looked up in the query or the form of requests meanwhile."""
    found: set[str] = set()

    def recorded(name: str) -> Callable[..., Any]:
        original = getattr(QueryDict, name)

        def look_up(self: QueryDict, key: Any, *args: Any) -> Any:
            if not self._mutable and isinstance(key, str):  # those of the API's requests are mutable
                found.add(key)
            return original(self, key, *args)

        return look_up

    with monkeypatch.context() as patched:
        for name in ("__getitem__", "__contains__", "get", "getlist"):
            patched.setattr(QueryDict, name, recorded(name), raising=False)
        yield found
    found -= {"csrfmiddlewaretoken"}


def address_of(route: Route, sample: SampleHost, role: str) -> str:
    """Return an address of a page: of an object of the sample dojo; for pages that have no GET maybe of none."""
    if "GET" in route.methods:
        return test_page_costs.address_of(route, sample, role)
    try:
        return test_page_costs.address_of(route, sample, role)
    except (AssertionError, KeyError):
        return test_page_access.address_of(route)


def answered(send: Callable[[], Any]) -> tuple[int, str]:
    """Return the status and the text of a response, and undo what the request changed."""
    with transaction.atomic():
        response = send()
        status, text = response.status_code, ""
        if response.streaming:
            close_file(response)
        else:
            text = response.content.decode(errors="replace")
        transaction.set_rollback(True)
    return status, text


def faults(
    browser: Visitor, method: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Any, ...]]:
    """Return the parameters and values with which a page fails."""
    _, page = answered(lambda: browser.get(address)) if method == "POST" else (0, "")
    filled = Controls(page).values
    headers: list[dict[str, str]] = [{}, {"HX_Request": "true"}]

    def send(values: dict[str, str], given: dict[str, str]) -> tuple[int, str]:
        if method == "GET":
            data = QueryDict(mutable=True)
            data.update(values)
            return answered(lambda: browser.get(f"{address}?{data.urlencode()}", **given))
        return answered(lambda: browser.post(address, values, **given))

    with names_read(monkeypatch) as names:
        for given in headers:
            send(filled, given)
            send({}, given)
    found = []
    for name in sorted({*names, *filled})[:MOST_NAMES]:
        for value in ODD:
            status, _ = send({**filled, name: value}, headers[len(value) % 2])
            if status >= 500:
                found.append((method, address, name, value[:30], status))
    return found


@pytest.mark.parametrize("role", ["admin", "student"])
def test_no_page_fails_with_odd_values(
    dojo: Dojo, role: str, monkeypatch: pytest.MonkeyPatch, hashings: Any
) -> None:
    with clock.fixed(NOW):
        sample = create_sample_dojo(dojo, password_hash())
        browser = visitor(dojo, role)
        found: list[tuple[Any, ...]] = []
        for route in pages():
            name = name_of(route)
            for method in route.methods:
                if role in PAGES[name].get(method, frozenset()) and name != "sign-out":
                    found += faults(browser, method, address_of(route, sample, role), monkeypatch)
    assert found == []
