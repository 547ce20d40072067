"""Each page with a filled dojo: its statements are bounded, and the run prints them in a table at its end."""

import gzip
from collections.abc import Callable
from typing import Any, Final

import pytest

from tatami import clock
from tests.desk.addresses import address_of, name_of, pages
from tests.desk.expected_pages import PAGES
from tests.http.sample_dojos import create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import close_file, visitor
from tests.support.statements import count_statements

pytestmark = pytest.mark.slow

MOST_STATEMENTS: Final = 40
OTHER_STATUSES: Final = {
    "class-enrolments": 302,
    "session-visitors": 302,
    "account-calendar": 302,
    "account-factor-confirm": 302,
    "account-name": 302,
    "account-news": 302,
    "entry": 302,
    "family-calendar": 302,
    "family-news": 302,
    "sign-in": 302,
    "sign-in-provider": 302,
    "sign-in-return": 400,
}
"""Pages that lead elsewhere, or need what only a browser brings."""


@pytest.fixture(scope="module", params=["admin", "student"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_statements_of_each_page_are_bounded(
    dojo: Dojo, role: str, record_property: Callable[[str, Any], None], hashings: Any
) -> None:
    with clock.fixed(NOW):
        sample = create_sample_dojo(dojo, password_hash())
        browser = visitor(dojo, role)
        costs, odd = {}, {}
        for route in pages():
            name = name_of(route)
            if role not in PAGES[name].get("GET", frozenset()):
                continue
            address = address_of(route, sample, role)
            response = browser.get(address)
            if response.status_code != OTHER_STATUSES.get(name, 200):
                odd[name] = (address, response.status_code)
                continue
            if response.streaming:
                close_file(response)
                continue
            weight = len(gzip.compress(response.content)) / 1024
            costs[name] = (count_statements(lambda address=address: browser.get(address)), weight)
    assert odd == {}
    record_property("page costs", [(f"{name} ({role})", *cost) for name, cost in sorted(costs.items())])
    assert len(costs) > (60 if role == "admin" else 15)
    assert {name: number for name, (number, _) in costs.items() if number > MOST_STATEMENTS} == {}
