"""On every route that reads a body, the largest legal body and one a hundred times too large cost at most a second.

The bodies are made of the documented example and the schema of the document, so a new route is tested at once. The
budget is the processor time of the process; most requests use a hundredth of it.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from shared_apps.tenants.schema import ddl
from tatami.errors import MAX_FAULTS
from tests.http.examples import Case, ExampleHost, cases, json_of, send
from tests.support.cpu import CpuBudget

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
