"""Bodies are strict on every route: no unknown field, no other JSON type, no field where there is no body.

The bodies are the documented examples, each with one fault. They are generated from the routes, so a new route has
these tests at once.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.http.examples import Case, ExampleHost, cases, send
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid

pytestmark = pytest.mark.slow

WRITES = [one for one in cases() if one.method != "GET" and one.described]
IGNORES_PARTS = {"student-transfers"}
"""Takes in the whole export of a person, of which it ignores parts."""
WEBAUTHN = "passkey"
"""What a browser has signed: its standard grows, and the library checks it."""
JSON_SCHEMA = {"rank-systems", "rank-system-rules"}
"""Their document is checked by a JSON schema, for which 40.0 is a whole number."""
NUMBERS = {"per_week", "rate", "value", "marks"}
"""Fields that accept a fraction."""
with_body = pytest.mark.parametrize(
    "case",
    [
        one
        for one in WRITES
        if one.described
        and isinstance(one.described.request_example, dict)
        and "import" not in one.route.name
    ],
    ids=str,
)
without_body = pytest.mark.parametrize(
    "case", [one for one in WRITES if one.described and not one.described.takes_body], ids=str
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each value of a document with its path."""
    yield path, value
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(member, (*path, key))


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of `body` with another value at `path`."""
    found = copy.deepcopy(body)
    node = found
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return found


OTHERS: dict[type[Any], Callable[[Any], list[Any]]] = {
    bool: lambda value: [str(value).lower(), int(value)],
    int: lambda value: [str(value), True],
    float: lambda value: [str(value), True],
    str: lambda value: [7, True, [value]],
    dict: lambda value: [[value], "text"],
    list: lambda value: ["text", 7],
    type(None): lambda value: [],
}
"""Type → values that look like a value of this type, but are of another one."""


@with_body
def test_an_unknown_field_is_refused_at_its_path(hosts: dict[str, ExampleHost], case: Case) -> None:
    assert case.described
    if case.route.name in IGNORES_PARTS:
        return
    body = case.described.request_example
    for path, node in places(body):
        is_free = path[:1] in {("licences",), ("marks",)} or {"marks", WEBAUTHN} & {*path}
        if isinstance(node, dict) and not is_free:
            faulty = changed(body, (*path, "surprise"), 1) if path else {**body, "surprise": 1}
            details = assert_error(send(case, hosts, faulty), 400, "validation_error")
            assert any("surprise" in name or "surprise" in str(text) for name, text in details.items()), (
                details
            )


@with_body
def test_a_value_of_another_type_is_refused(hosts: dict[str, ExampleHost], case: Case) -> None:
    assert case.described
    body = case.described.request_example
    for path, value in places(body):
        if not path or (case.route.name in IGNORES_PARTS and path[0] not in {"facts", "rank_events"}):
            continue
        if path[0] == WEBAUTHN and len(path) > 1:
            continue
        others = OTHERS[type(value)](value)
        if type(value) is int and case.route.name not in JSON_SCHEMA and not NUMBERS & {*path}:
            others.append(float(value))
        for other in others:
            response = send(case, hosts, changed(body, path, other))
            assert response.status_code == 400, (path, other, response.content[:200])


@without_body
def test_a_field_is_refused_where_there_is_no_body(hosts: dict[str, ExampleHost], case: Case) -> None:
    assert case.described
    assert_invalid(send(case, hosts, {"reason": "x", "n": 1}), "reason", "n")


@without_body
def test_an_empty_object_is_no_body(hosts: dict[str, ExampleHost], case: Case) -> None:
    assert case.described
    assert send(case, hosts, {}).status_code == case.described.status


@pytest.mark.parametrize("field", ["discipline", "min_rank"])
def test_an_empty_text_is_no_null(dojo: Dojo, field: str) -> None:
    recurrence = {"weekdays": ["mo"], "start_time": "18:30", "duration_minutes": 60, "from": "2026-06-01"}
    assert_invalid(dojo.admin.post("/classes", {"name": "x", "recurrence": recurrence, field: ""}), field)


@pytest.mark.parametrize(
    "id_", ["{0197722e-0001-7000-8000-5e15f1d0c0de}", "0197722e000170008000000000000000", 7]
)
def test_an_id_has_one_form(dojo: Dojo, id_: Any) -> None:
    assert_invalid(dojo.admin.post("/attendance/scan", {"token": "x", "class_session": id_}), "class_session")
