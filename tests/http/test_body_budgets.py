"""On every route that reads a body, the largest legal body and one a hundred times too large cost at most a second.

The bodies are made of the documented example and the schema of the document, so a new route is tested at once. The
budget is the processor time of the process; most requests use a hundredth of it.

The forms of the pages have the same budget, with the fields that each page shows. Imports have it for files that are
refused as a whole. A legal import is left out: it writes line by line, which is work and not a refusal; `make
bench-import` measures it, and one dojo has a share of the places only (docs/decisions/0032-deadlines.md).
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.urls import reverse

from shared_apps.tenants.schema import ddl
from tatami.api.body_middleware import ABSOLUTE_MAX_BODY_BYTES
from tatami.api.routes import Route
from tatami.errors import MAX_FAULTS
from tests.desk.addresses import address_of, name_of, pages
from tests.desk.expected_pages import PAGES
from tests.desk.page_links import forms_of
from tests.http.examples import Case, ExampleHost, cases, json_of, send
from tests.students.csv_files import upload
from tests.support.clients import Dojo
from tests.support.cpu import CpuBudget
from tests.support.pages import Visitor, visitor
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

MOST_CPU_SECONDS = 1.0
MOST_ANSWER_BYTES = 64 * 1024
ITEMS = 500
"""In an array without `maxItems`."""
LENGTH = 10_000
"""Of a text without `maxLength`."""
FIXED = ("enum", "format", "const", "pattern")
IGNORES_PARTS = {"student-transfers"}
"""Takes in the whole export of a person, whatever other parts it has."""
every_body = pytest.mark.parametrize(
    "case",
    [
        one
        for one in cases()
        if one.method != "GET" and one.described and isinstance(one.described.request_example, dict)
        and "import" not in one.route.name
    ],
    ids=str,
)  # fmt: skip


def schema_of(case: Case) -> dict[str, Any]:
    return dict(json_of(case.operation["requestBody"])["schema"])


def enlarged(case: Case, schema: dict[str, Any], value: Any, times: int) -> Any:
    """Return `value` with texts and arrays as long as the schema allows, or longer by a factor."""
    schema = case.resolved(schema)
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if set(case.resolved(one).get("properties", ())) >= set(value if isinstance(value, dict) else ()):
            schema = case.resolved(one)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {name: enlarged(case, known.get(name, {}), member, times) for name, member in value.items()}
    if isinstance(value, list) and value:
        items = [
            enlarged(case, schema.get("items", {}), member, times if times == 1 else 1) for member in value
        ]
        most = schema.get("maxItems", ITEMS) * times
        return (items * (most // len(items) + 1))[:most]
    if isinstance(value, str) and not set(FIXED) & set(schema):
        return value.ljust(schema.get("maxLength", LENGTH) * times, "x")
    return value


def fitting(case: Case, body: dict[str, Any]) -> bytes:
    """Return the body as JSON; halve its longest values until the view accepts its size."""
    limit = getattr(case.route.view, "max_body_bytes", 0)
    while len(content := orjson.dumps(body)) > limit:
        name = max(body, key=lambda one: len(orjson.dumps(body[one])))
        value = body[name]
        if not isinstance(value, list | str) or len(value) < 2:
            return content[:limit]
        body = {**body, name: value[: len(value) // 2]}
    return content


@pytest.fixture
def schemas_to_drop() -> Iterator[list[str]]:
    names: list[str] = []
    yield names
    for name in names:
        ddl.drop_schema(name)


@every_body
def test_the_largest_legal_body_is_cheap(
    hosts: dict[str, ExampleHost], schemas_to_drop: list[str], case: Case
) -> None:
    assert case.described
    host = hosts[case.route.urlconf]
    body = fitting(case, host.put(enlarged(case, schema_of(case), case.described.request_example, 1)))
    with CpuBudget(MOST_CPU_SECONDS):
        response = send(case, hosts, body)
    if case.route.name == "tenants" and response.status_code == 201:
        schemas_to_drop.append(response.json()["schema_name"])
    assert response.status_code < 500, response.content[:500]


@every_body
def test_a_body_that_is_a_hundred_times_too_large_is_refused_cheaply(
    hosts: dict[str, ExampleHost], case: Case
) -> None:
    assert case.described
    host = hosts[case.route.urlconf]
    example = host.put(case.described.request_example)
    limit = getattr(case.route.view, "max_body_bytes", 0)
    bodies = [
        fitting(case, {**enlarged(case, schema_of(case), example, 100), "surprise": 1}),
        orjson.dumps({**example, **{f"k{number}": 1 for number in range(min(limit // 12, 60_000))}})[
            : limit + 1
        ],
    ]
    for body in bodies:
        with CpuBudget(MOST_CPU_SECONDS):
            response = send(case, hosts, body)
        if case.route.name in IGNORES_PARTS and response.status_code == 201:
            continue
        assert response.status_code in {400, 413}, response.content[:500]
        error = response.json()["error"]
        assert error["code"] in {"validation_error", "payload_too_large", "malformed_json"}, error
        assert len(error.get("details", ())) <= MAX_FAULTS
        assert len(response.content) <= MOST_ANSWER_BYTES


# --- imports --------------------------------------------------------------------------------------------------------

MEBIBYTE = 1024 * 1024
JUNK_FILES = {
    "larger than any body": (b"x" * ABSOLUTE_MAX_BODY_BYTES, 413),
    "blank lines": (b"first_name,last_name\n" + b"\n" * 9 * MEBIBYTE, 400),
    "too many lines": (b"first_name,last_name\n" + b"a,b\n" * 500_000, 400),
    "one long line": (b"x" * 9 * MEBIBYTE, 400),
    "one long value": (b'first_name,last_name\n"' + b"x" * 9 * MEBIBYTE + b'",b\n', 400),
    "an open quote": (b'first_name,last_name\n"' + b"x,y\n" * 2 * MEBIBYTE, 400),
    "many columns": (b",".join(b"c%d" % number for number in range(100_000)) + b"\n", 400),
    "quotes": (b'"' * 9 * MEBIBYTE, 400),
    "zeros": (b"\0" * 9 * MEBIBYTE, 400),
    "a damaged spreadsheet": (b"PK\x03\x04" + b"\xff" * 9 * MEBIBYTE, 400),
}
IMPORTS = sorted(
    f"/{one.route.path}" for one in cases() if "import" in one.route.name and one.method == "POST"
)


def test_there_are_imports() -> None:
    assert len(IMPORTS) >= 4


@pytest.mark.parametrize("path", IMPORTS)
@pytest.mark.parametrize("name", JUNK_FILES)
def test_a_file_that_is_no_table_is_refused_cheaply(
    hosts: dict[str, ExampleHost], path: str, name: str
) -> None:
    admin = hosts["config.urls_tenant"].sample.callers["admin"]
    content, status = JUNK_FILES[name]
    with CpuBudget(MOST_CPU_SECONDS):
        response = upload(admin, content, path)
    assert response.status_code == status, response.content[:300]
    assert len(response.content) <= MOST_ANSWER_BYTES


# --- pages ----------------------------------------------------------------------------------------------------------

FORM_PAGES = [one for one in pages() if "POST" in one.methods]
DEEP = {"arrays": "[" * 300_000, "objects": '{"a":' * 200_000, "tags": "{% if x %}" * 60_000}


def sent_to_page(hosts: dict[str, ExampleHost], route: Route) -> tuple[Visitor, str, dict[str, str]]:
    """Return a browser of a role that may open the page, its address, and the fields of its forms."""
    sample = hosts["config.urls_tenant"].sample
    assert sample.scope
    roles = PAGES[name_of(route)]["POST"]
    role = "admin" if "admin" in roles else "student"
    address = address_of(route, sample, role)
    browser = visitor(Dojo(sample.scope, sample.callers), role)
    browser.get(
        reverse("desk:account-password", "config.urls_tenant")
    )  # sets the cookie against forged forms
    fields: dict[str, str] = {}
    if "GET" in route.methods:
        shown = browser.get(address)
        if not shown.streaming and "text/html" in shown.get("Content-Type", ""):
            for form in forms_of(shown.content.decode(), address):
                if form.path == address:
                    fields |= form.fields
    return browser, address, fields or {"name": "", "text": "", "code": ""}


def bodies_of_junk(fields: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what a client could send to a form: many fields, long texts, and what is nested deeply."""
    yield "1,001 fields", {**fields, **{f"k{number}": "1" for number in range(1_001 - len(fields))}}
    yield "long texts", {name: "x" * (MEBIBYTE // len(fields)) for name in fields}
    for name in fields:
        yield f"a megabyte in {name}", {**fields, name: "x" * MEBIBYTE}
    for name, text in DEEP.items():
        yield f"nested {name}", {field: text[: MEBIBYTE // len(fields)] for field in fields}


@pytest.mark.parametrize("route", FORM_PAGES, ids=name_of)
def test_junk_in_the_form_of_a_page_is_cheap(hosts: dict[str, ExampleHost], route: Route) -> None:
    browser, address, fields = sent_to_page(hosts, route)
    cookies = browser.client.cookies.copy()
    for name, body in bodies_of_junk(fields):
        browser.client.cookies = cookies.copy()
        # A page without fields reads its form only to find out whether it was forged, which tests leave out elsewhere.
        browser.client.handler.enforce_csrf_checks = name == "1,001 fields"
        with rolled_back(), CpuBudget(MOST_CPU_SECONDS):
            response = browser.post(address, body)
        assert response.status_code < 500, (name, response.content[:500])
        sent = sum(len(value) for value in body.values())
        assert len(response.content) <= 3 * sent + MEBIBYTE // 2, name
        if name == "1,001 fields":
            assert response.status_code in {400, 413}, (name, response.status_code)
