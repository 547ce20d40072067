"""Each page with odd values in each parameter that it reads: it may refuse them, but it never fails.

The pages come from the URL table. What a page reads is seen while it answers: each name that it looks up in its query
or in the form that was sent. A form is first filled in as its page offers it, then one value at a time is replaced.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any, Final

import pytest
from django.http import QueryDict

from tatami import clock
from tatami.api.routes import Route
from tests.desk import addresses
from tests.desk.addresses import name_of, pages
from tests.desk.expected_pages import PAGES
from tests.http.sample_dojos import SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import Visitor, close_file, visitor
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

ODD: Final = (
    "9" * 5_000,
    "²",
    "018f0000-0000-7000-8000-000000000000",
    "9999-12-31",
    "99999999999999999999",
    "{{ ' \" % \\ ; </script> \u202e ☃",
)
VALUES_PER_NAME: Final = 3
"""Each name gets so many of these values by itself, in turn; and each value is sent in all names at once."""
FILLINGS: Final = {"date": "2026-06-15", "time": "18:30", "number": "1", "email": "one@example.com"}
"""Type of an empty control → what a person could enter."""
PARTS: Final = 4
"""The pages are tried in so many tests, so that processes share them."""
MOST_NAMES: Final = 12
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


def address_of(route: Route, sample: SampleHost, role: str) -> str:
    """Return an address of a page: of an object of the sample dojo; for pages that have no GET maybe of none."""
    if "GET" in route.methods:
        return addresses.address_of(route, sample, role)
    try:
        return addresses.address_of(route, sample, role)
    except (AssertionError, KeyError):
        return addresses.unknown_address(route)


def answered(send: Callable[[], Any]) -> tuple[int, str]:
    """Return the status and the text of a response, and undo what the request changed."""
    with rolled_back():
        response = send()
        status, text = response.status_code, ""
        if response.streaming:
            close_file(response)
        else:
            text = response.content.decode(errors="replace")
    return status, text


def faults(
    browser: Visitor, method: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[Any, ...]]:
    """Return the parameters and values with which a page fails."""
    _, page = answered(lambda: browser.get(address)) if method == "POST" else (0, "")
    filled = Controls(page).values
    headers: list[dict[str, str]] = [{}, {"HX_Request": "true"}]

    def send(values: dict[str, str], given: dict[str, str]) -> int:
        if method == "POST":
            return answered(lambda: browser.post(address, values, **given))[0]
        data = QueryDict(mutable=True)
        data.update(values)
        return answered(lambda: browser.get(f"{address}?{data.urlencode()}", **given))[0]

    with names_read(monkeypatch) as read:
        for given in headers:
            send(filled, given)
            send({}, given)
    names = sorted({*read, *filled} - {"csrfmiddlewaretoken"})[:MOST_NAMES]
    cases = [(names, value) for value in ODD] if len(names) > 1 else []
    for place, name in enumerate(names):
        cases += [([name], ODD[(place + more) % len(ODD)]) for more in range(VALUES_PER_NAME)]
    found = []
    for place, (replaced, value) in enumerate(cases):
        status = send({**filled, **dict.fromkeys(replaced, value)}, headers[place % 2])
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            found.append((method, address, replaced, value[:30], status))
    return found


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("role", ["admin", "student"])
def test_no_page_fails_with_odd_values(
    dojo: Dojo, role: str, part: int, monkeypatch: pytest.MonkeyPatch, hashings: Any
) -> None:
    with clock.fixed(NOW):
        sample = create_sample_dojo(dojo, password_hash())
        browser = visitor(dojo, role)
        found: list[tuple[Any, ...]] = []
        for route in pages()[part::PARTS]:
            name = name_of(route)
            for method in route.methods:
                if role in PAGES[name].get(method, frozenset()) and name != "sign-out":
                    found += faults(browser, method, address_of(route, sample, role), monkeypatch)
    assert found == []
