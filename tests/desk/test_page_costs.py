"""Each page with a filled dojo: its statements are bounded, and the run prints them in a table at its end."""

import gzip
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from tatami import clock
from tatami.api.routes import Route
from tests.desk.expected_pages import PAGES
from tests.desk.test_page_access import SLUGS, name_of, pages
from tests.http.sample_dojos import SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import close_file, visitor
from tests.support.statements import count_statements

pytestmark = pytest.mark.slow

MOST_STATEMENTS: Final = 40
SAMPLE_IDS: Final = {
    "account-factor": "second factor of {role}",
    "batch": "batch",
    "class": "class",
    "discipline": "discipline",
    "exam": "exam",
    "export": "kept export",
    "family-certificate": "award",
    "family": "student",
    "message": "notification",
    "rank-system": "rank system",
    "session": "session",
    "student": "student",
    "user": "user",
    "webhook": "webhook",
    "certificate": "award",
    "closure": "closure",
    "device": "device",
}
"""The name of a page begins so → the object of the sample dojo in its address. The longest beginning wins."""
RECORDS: Final = {
    "student-enrolment-end": "class",
    "student-fact-void": "fact",
    "student-hold-delete": "hold",
    "student-hold-edit": "hold",
    "student-login-end": "user",
    "student-note-delete": "note",
    "student-note-edit": "note",
    "student-rank-void": "rank event",
    "student-visit-void": "attendance",
}
PARAMETERS: Final = {"candidate": "candidate", "rank_id": "rank", "student": "student"}
PARTICULAR: Final = {
    ("exam-certificates", "exam_id"): "finished exam",
    ("exam-federation-report", "exam_id"): "finished exam",
    ("exam-fulfilment", "candidate"): "conditional candidate",
    ("exam-fulfilment", "id"): "conditional exam",
    ("exam-reopen", "id"): "finished exam",
    ("exam-sheet", "id"): "candidate",
}
"""Page and path parameter → the object, where the beginning of the name does not say it."""
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


def address_of(route: Route, sample: SampleHost, role: str) -> str:
    """Return an address of the page that the sample dojo has."""
    name = name_of(route)

    def fill(found: re.Match[str]) -> str:
        if found[1] != "uuid":
            return sample.codes["session"] if found[2] == "token" else SLUGS.get(found[2], "1")
        if found[2] == "record_id":
            return sample.ids[RECORDS[name]]
        if (name, found[2]) in PARTICULAR or found[2] in PARAMETERS:
            return sample.ids[PARTICULAR.get((name, found[2])) or PARAMETERS[found[2]]]
        begins = max((one for one in SAMPLE_IDS if name.startswith(one)), key=len, default=name)
        assert begins in SAMPLE_IDS, f"SAMPLE_IDS has no object for the page {name}"
        return sample.ids[SAMPLE_IDS[begins].format(role=role)]

    return "/" + re.sub(r"<(?:(\w+):)?(\w+)>", fill, route.path)


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
