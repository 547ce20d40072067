"""The published OpenAPI document is complete, valid and true: every example is sent and the response compared.

The document therefore pins the shape of every response: a field that is added, renamed or removed fails here.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from shared_apps.tenants.schema import ddl
from tatami.api.openapi.document import Document
from tatami.api.routes import routes
from tests.http.examples import HOSTS, Case, ExampleHost, cases, document, json_of, send
from tests.support.clients import Caller
from tests.support.responses import ok

pytestmark = pytest.mark.slow

FREE_FORM = {"rank-system-rules"}
"""Routes with free documents: an example shows only a part, and the schema itself is closed."""


NEED_A_BROWSER: Final = {"oidc-callback"}
"""Routes that need a cookie and a provider: tests/accounts/test_identity_provider.py tries them."""

every_case = pytest.mark.parametrize("case", cases(), ids=str)
described_case = pytest.mark.parametrize("case", [one for one in cases() if one.described], ids=str)
DRY_RUNS: Final = {"student-transfers"}
"""Routes that answer a dry run, not a repeated request, with another status."""
repeated_case = pytest.mark.parametrize(
    "case",
    [
        one
        for one in cases()
        if one.described and one.described.other_statuses and one.route.name not in DRY_RUNS
    ],
    ids=str,
)
query_case = pytest.mark.parametrize(
    ("case", "query"),
    [
        (one, {name: choice})
        for one in cases()
        if one.described
        for name, schema in one.described.query.items()
        for choice in schema.get("enum", ())
    ],
    ids=str,
)
text_case = pytest.mark.parametrize(
    ("case", "media_type"),
    [(one, media_type) for one in cases() if one.described for media_type in one.described.text_examples],
    ids=str,
)
every_urlconf = pytest.mark.parametrize("urlconf", list(HOSTS))


# --- complete and valid -----------------------------------------------------------------------------------------------


@every_case
def test_every_route_has_an_example(case: Case, db: None) -> None:
    described = case.described
    assert described is not None, f"{case.method} {case.route.name} has no `operations` on its view"
    assert set(described.path) == {
        one["name"] for one in map(case.resolved, case.operation.get("parameters", [])) if one["in"] == "path"
    }
    bodies = [case.operation["responses"][str(one)] for one in (described.status, *described.other_statuses)]
    for body in (*bodies, case.operation.get("requestBody", {})):
        for content in body.get("content", {}).values():
            schema = case.resolved(content["schema"])
            rows = schema.get("properties", {}).get("results", {}).get("items", {})
            assert content.get("example") or schema.get("examples") or case.resolved(rows).get("examples")


@every_urlconf
def test_every_example_belongs_to_a_route(urlconf: str) -> None:
    present = {(route.name, method) for route in routes(urlconf) for method in route.methods}
    described = {
        (name, method) for name, methods in import_module(urlconf).operations.items() for method in methods
    }
    assert described <= present


@every_urlconf
def test_the_document_is_valid_openapi(urlconf: str, db: None) -> None:
    validate_schema(document(urlconf))


@every_urlconf
def test_the_document_is_generated_without_warnings(urlconf: str) -> None:
    """As `spectacular --fail-on-warn`."""
    with GENERATOR_STATS.silence():
        Document(urlconf=urlconf).get_schema(request=None, public=True)
    assert not GENERATOR_STATS


MOST_BYTES = 400_000
FREE_OBJECTS = {"ErrorResponse", "StudentExport", "Conflict"}
WEBAUTHN = ("properties/options", "properties/passkey")
"""What the WebAuthn functions of browsers take and return. Their standard grows, so no schema of ours closes them."""
"""Components with an object whose members depend on the error code, on the app or on the conflict."""


@every_urlconf
def test_the_document_is_small_enough_for_generators_and_browsers(urlconf: str, db: None) -> None:
    assert len(Caller(HOSTS[urlconf]).get("/openapi.json").content) <= MOST_BYTES


@every_urlconf
def test_every_operation_has_a_name_of_its_own_that_begins_with_a_verb(urlconf: str, db: None) -> None:
    paths = document(urlconf)["paths"].values()
    names = [one["operationId"] for path in paths for one in path.values()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name)]
    assert not [name for name in names if name.partition("_")[0] in {"post", "put", "patch"}]


def untyped(node: Any, place: str) -> Iterator[str]:
    """Yield each schema that accepts anything, or an object with any members."""
    if isinstance(node, list):
        for member in node:
            yield from untyped(member, place)
    elif isinstance(node, dict):
        is_object = "object" in node.get("type", ()) and "properties" not in node
        if not node or (is_object and node.get("additionalProperties", {}) in ({}, True)):
            yield place
        for key, member in node.items():
            if key not in {"example", "examples", "default", "enum", "const", "bearer"} and not (
                member is True or member is False
            ):
                yield from untyped(member, f"{place}/{key}")


@every_urlconf
def test_every_value_has_a_type(urlconf: str, db: None) -> None:
    whole = document(urlconf)
    found = [place for path in whole["paths"].values() for place in untyped(path, "paths")]
    for name, schema in whole["components"]["schemas"].items():
        found += untyped(schema, name) if name not in FREE_OBJECTS else ()
    assert not [place for place in found if not any(part in place for part in WEBAUTHN)]


@every_urlconf
def test_every_description_is_for_clients(urlconf: str, db: None) -> None:
    text = Caller(HOSTS[urlconf]).get("/openapi.json").content.decode()
    assert "Meta.fields" not in text
    assert "readOnly" not in text


# --- true -------------------------------------------------------------------------------------------------------------


def closed(node: Any) -> Any:
    """Return a copy of a schema that forbids fields it does not name."""
    if isinstance(node, list):
        return [closed(member) for member in node]
    if not isinstance(node, dict):
        return node
    found = {key: member if key == "if" else closed(member) for key, member in node.items()}
    if "properties" in node and not {"additionalProperties", "allOf"} & node.keys():
        found["additionalProperties"] = False
    return found


@cache
def closed_components(urlconf: str) -> Any:
    return closed(document(urlconf)["components"])


def fits(case: Case, schema: dict[str, Any], value: Any) -> None:
    """Assert that a value matches a schema of the document and has no other fields."""
    whole = {**closed(schema), "components": closed_components(case.route.urlconf)}
    checker = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert not [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def has_only(value: Any, examples: list[Any], place: str = "$") -> None:
    """Assert that a value has no key that is missing in all examples."""
    if isinstance(value, dict) and (objects := [one for one in examples if isinstance(one, dict)]):
        assert not value.keys() - set().union(*objects), place
        for key, member in value.items():
            has_only(member, [one[key] for one in objects if key in one], f"{place}.{key}")
    elif isinstance(value, list):
        members = [member for one in examples if isinstance(one, list) for member in one]
        for member in value:
            has_only(member, members, f"{place}[]")


def names_in(media_type: str, text: str) -> set[str]:
    """Return the columns of a table, the properties of a calendar, or the magic bytes of a PDF or zip file."""
    if media_type == "application/pdf":
        return {text[:5]}
    if media_type == "application/zip":
        return {text[:2]}
    if media_type == "text/csv":
        return set(text.removeprefix("\ufeff").splitlines()[0].replace('"', "").split(","))
    return {re.split("[;:]", line)[0] for line in text.splitlines() if line and not line.startswith(" ")}


@described_case
def test_an_example_fits_its_schema(case: Case, db: None) -> None:
    described = case.described
    assert described
    assert described.takes_body == ("requestBody" in case.operation)
    if "requestBody" in case.operation:
        (request,) = case.operation["requestBody"]["content"].values()
        fits(case, request["schema"], described.request_example)
    for status in (described.status, *described.other_statuses):
        response = case.operation["responses"][str(status)]
        if "application/json" in response.get("content", {}):
            fits(case, json_of(response)["schema"], case.example_of(status))


def is_as_documented(case: Case, status: int, response: Any) -> None:
    """Assert that a response has the documented status and shape."""
    documented = case.operation["responses"][str(status)]
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if case.described and media_type in case.described.text_examples:
        assert response.status_code == status
        found = names_in(media_type, response.getvalue().decode(errors="replace"))
        assert found <= names_in(media_type, documented["content"][media_type]["example"])
        return
    body = ok(response, status)
    if "content" not in documented:
        assert body is None
        return
    fits(case, json_of(documented)["schema"], body)
    if "results" in body:
        assert body["results"], "an empty list proves nothing"
    if case.route.name not in FREE_FORM:
        has_only(body, [case.example_of(status)])


@pytest.fixture
def schemas_to_drop() -> Iterator[list[str]]:
    """Schemas that the owner login has committed; they are dropped after the test."""
    names: list[str] = []
    yield names
    for name in names:
        ddl.drop_schema(name)


@pytest.mark.parametrize(
    "case", [one for one in cases() if one.described and one.route.name not in NEED_A_BROWSER], ids=str
)
def test_the_response_to_an_example_is_as_documented(
    schemas_to_drop: list[str], hosts: dict[str, ExampleHost], case: Case
) -> None:
    assert case.described
    response = send(case, hosts, case.described.request_example)
    if case.route.name == "tenants" and case.method == "POST":
        schemas_to_drop.append(response.json()["schema_name"])
    is_as_documented(case, case.described.status, response)


@pytest.mark.parametrize(
    "case", [one for one in cases() if one.route.name in DRY_RUNS and one.described], ids=str
)
def test_the_response_to_a_dry_run_is_as_documented(hosts: dict[str, ExampleHost], case: Case) -> None:
    assert case.described
    response = send(case, hosts, case.described.request_example, {"dry_run": "true"})
    assert response.status_code == 200
    is_as_documented(case, 200, response)


@repeated_case
def test_the_response_to_a_repeated_example_is_as_documented(
    hosts: dict[str, ExampleHost], case: Case
) -> None:
    assert case.described
    body = {
        name: value for name, value in case.described.request_example.items() if name != "nonce"
    }  # a nonce would replay the first response
    ok(send(case, hosts, body), case.described.status)
    (status,) = case.described.other_statuses
    is_as_documented(case, status, send(case, hosts, body))


@query_case
def test_the_response_to_every_query_value_is_as_documented(
    hosts: dict[str, ExampleHost], case: Case, query: dict[str, str]
) -> None:
    body = ok(send(case, hosts, None, query))
    assert body["results"], "an empty list proves nothing"
    fits(case, json_of(case.operation["responses"]["200"])["schema"], body)


@text_case
def test_a_text_response_is_as_documented(hosts: dict[str, ExampleHost], case: Case, media_type: str) -> None:
    assert case.described
    response = send(case, hosts, case.described.request_example, Accept=media_type)
    assert response.headers["Content-Type"].startswith(media_type)
    is_as_documented(case, case.described.status, response)
