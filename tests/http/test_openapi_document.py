"""The published OpenAPI document is complete, valid and true: every example is sent and the response compared.

The document therefore pins the shape of every response: a field that is added, renamed or removed fails here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from shared_apps.tenants.models import Tenant
from shared_apps.tenants.schema import ddl
from tatami import clock
from tatami.api.openapi import examples
from tatami.api.openapi.document import Document
from tatami.api.openapi.spec import OperationSpec, operation_spec
from tatami.api.routes import Route, routes, urlconfs
from tatami.tenancy.scope import platform_scope
from tests.http.sample_dojos import (
    LINK,
    SampleHost,
    create_sample_dojo,
    create_sample_platform,
    password_hash,
)
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import ok
from tests.support.undo import rolled_back

HOSTS = {"config.urls_platform": "localhost", "config.urls_tenant": "aiki.localhost"}
FREE_FORM = {"rank-system-rules"}
"""Routes with free documents: an example shows only a part, and the schema itself is closed."""


@dataclass(frozen=True)
class Case:
    """One route and method of one kind of host."""

    route: Route
    method: str

    def __str__(self) -> str:
        return f"{'platform' if 'platform' in self.route.urlconf else 'dojo'}-{self.method}-{self.route.name}"

    @property
    def described(self) -> OperationSpec | None:
        return operation_spec(self.route.urlconf, self.route.name, self.route.view, self.method)

    @property
    def operation(self) -> dict[str, Any]:
        """Return the operation object of the document."""
        named = f"{self.method.lower()}_{self.route.name.replace('-', '_')}"
        every = (one for path in document(self.route.urlconf)["paths"].values() for one in path.values())
        return dict(next(one for one in every if one["operationId"] == named))


def cases() -> list[Case]:
    """Return every route and method of the document. It does not describe itself."""
    found = [
        Case(route, method)
        for urlconf in urlconfs()
        for route in routes(urlconf)
        if route.is_api and route.view.schema is not None  # pages are not in the document
        for method in route.methods
    ]
    assert found
    return found


@cache
def document(urlconf: str) -> Any:
    """Return the document as the host publishes it."""
    return Caller(HOSTS[urlconf]).get("/openapi.json").json()


every_case = pytest.mark.parametrize("case", cases(), ids=str)
described_case = pytest.mark.parametrize("case", [one for one in cases() if one.described], ids=str)
repeated_case = pytest.mark.parametrize(
    "case", [one for one in cases() if one.described and one.described.other_statuses], ids=str
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
        one["name"] for one in case.operation.get("parameters", []) if one["in"] == "path"
    }
    for status in (described.status, *described.other_statuses):
        for content in case.operation["responses"][str(status)].get("content", {}).values():
            assert content["example"] is not None
    for content in case.operation.get("requestBody", {}).get("content", {}).values():
        assert content["example"] is not None


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


def json_of(response: dict[str, Any]) -> dict[str, Any]:
    return dict(response["content"]["application/json"])


@described_case
def test_an_example_fits_its_schema(case: Case, db: None) -> None:
    described = case.described
    assert described
    if "requestBody" in case.operation:
        (request,) = case.operation["requestBody"]["content"].values()
        fits(case, request["schema"], request["example"])
    for status in (described.status, *described.other_statuses):
        response = case.operation["responses"][str(status)]
        if "application/json" in response.get("content", {}):
            fits(case, json_of(response)["schema"], json_of(response)["example"])


@dataclass(frozen=True)
class ExampleHost:
    """A host with sample data, and the real ids and secrets that replace those of the examples."""

    sample: SampleHost
    replacements: dict[str, str]

    def put(self, example: Any) -> Any:
        """Return a copy of an example with the real ids and secrets."""
        if isinstance(example, dict):
            return {key: self.put(member) for key, member in example.items()}
        if isinstance(example, list):
            return [self.put(member) for member in example]
        if not isinstance(example, str):
            return example
        for placeholder, value in self.replacements.items():
            example = example.replace(placeholder, value)
        return example


@pytest.fixture(scope="module")
def all_hosts(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, ExampleHost]]:
    """Create the sample data of the platform and a dojo once, in a transaction that is rolled back afterwards."""
    with django_db_blocker.unblock(), clock.fixed(NOW), rolled_back():
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        hashed_password, dojo = password_hash(), Dojo(scope)
        yield {
            "config.urls_platform": example_platform(create_sample_platform(Platform(), hashed_password)),
            "config.urls_tenant": example_dojo(dojo, create_sample_dojo(dojo, hashed_password)),
        }


@pytest.fixture
def hosts(all_hosts: dict[str, ExampleHost], now: Any) -> Iterator[dict[str, ExampleHost]]:
    """Urlconf → host. What a test changes is rolled back."""
    with rolled_back():
        yield all_hosts


def signed_in(sample: SampleHost) -> dict[str, str]:
    return {
        examples.USER: sample.ids["user"],
        examples.EMAIL: "c@example.com",
        examples.REFRESH: sample.refresh,
        examples.LINK: LINK,
        examples.API_KEY: sample.ids["api key"],
        examples.WEBHOOK: sample.ids["webhook"],
        examples.WEBHOOK_DELIVERY: sample.ids["webhook delivery"],
        examples.SECOND_FACTOR: sample.ids["second factor"],
        examples.NEW_SECOND_FACTOR: sample.ids["new second factor"],
        examples.CHALLENGE: sample.codes["challenge"],
        examples.ENROLMENT_CHALLENGE: sample.codes["enrolment challenge"],
        examples.TOTP_CODE: sample.codes["totp"],
    }


def example_platform(sample: SampleHost) -> ExampleHost:
    ok(sample.callers["admin"].patch("/me", {"name": "Root"}))  # gives the audit an entry
    deleted = {
        examples.DELETED_TENANT: sample.ids["tenant that is deleted"],
        examples.DELETED_SLUG: "spare-deleting",
    }
    return ExampleHost(
        sample,
        {
            **signed_in(sample),
            examples.TENANT: sample.ids["tenant"],
            examples.SERVING_TENANT: sample.ids["tenant that serves"],
            examples.EXPORT: sample.ids["export"],
            examples.ARCHIVE_LINK: sample.codes["archive link"],
            **deleted,
        },
    )


def example_dojo(dojo: Dojo, sample: SampleHost) -> ExampleHost:
    ids = sample.ids
    hold = dojo.create(f"/students/{ids['student']}/holds", {"from": "2026-05-01", "until": "2026-05-20"})
    refused = dojo.admin.post(
        "/attendance/scan", {"token": sample.codes["student"], "class_session": factories.unknown_id()}
    )
    assert refused.status_code == 404
    return ExampleHost(
        sample,
        {
            **signed_in(sample),
            examples.STUDENT: ids["student"],
            examples.NEW_STUDENT: ids["third student"],
            examples.NOTE: ids["note"],
            examples.FACT: ids["fact"],
            examples.HOLD: hold["id"],
            examples.RANK_EVENT: ids["rank event"],
            examples.AWARD: ids["award"],
            examples.BATCH: ids["batch"],
            examples.EXAM: ids["exam"],
            examples.FINISHED_EXAM: ids["finished exam"],
            examples.CANDIDATE: ids["candidate"],
            examples.CONDITIONAL_EXAM: ids["conditional exam"],
            examples.CONDITIONAL_CANDIDATE: ids["conditional candidate"],
            examples.CERTIFICATE: sample.codes["certificate"],
            examples.DISCIPLINE: ids["discipline"],
            examples.RANK_SYSTEM: ids["rank system"],
            examples.RANK: ids["rank"],
            examples.CLASS: ids["class"],
            examples.CLOSURE: ids["closure"],
            examples.SESSION: ids["session"],
            examples.ATTENDANCE: ids["attendance"],
            examples.CODE: sample.codes["student"],
            examples.DEVICE: ids["device"],
            examples.PAIRING_CODE: sample.codes["pairing"],
            examples.FEED: sample.codes["feed"],
            examples.EXTERNAL_ID: "mika-1",
            examples.NOTIFICATION: ids["notification"],
            examples.UNSUBSCRIBE: sample.codes["unsubscribe"],
            examples.ME: dojo.admin.user.email if dojo.admin.user else "",
        },
    )


def send(
    case: Case, hosts: dict[str, ExampleHost], body: Any, query: dict[str, str] | None = None, **headers: str
) -> Any:
    host, described = hosts[case.route.urlconf], case.described
    assert described
    path = "/" + case.route.path
    for name, example in described.path.items():
        path = re.sub(f"<[a-z]+:{name}>", host.put(example), path)
    examples_of_query = {
        name: schema["example"] for name, schema in described.query.items() if "example" in schema
    }
    if examples_of_query or query:
        path += "?" + urlencode({**host.put(examples_of_query), **(query or {})})
    content = host.put(body)
    if "multipart/form-data" in case.operation.get("requestBody", {}).get("content", {}):
        files = {name: SimpleUploadedFile(f"{name}.csv", text.encode()) for name, text in content.items()}
        content, headers = encode_multipart(BOUNDARY, files), {**headers, "Content_Type": MULTIPART_CONTENT}
    return host.sample.callers["admin"].request(case.method, path, content, **headers)


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
        has_only(body, [json_of(documented)["example"]])


@pytest.fixture
def schemas_to_drop() -> Iterator[list[str]]:
    """Schemas that the owner login has committed; they are dropped after the test."""
    names: list[str] = []
    yield names
    for name in names:
        ddl.drop_schema(name)


@described_case
def test_the_response_to_an_example_is_as_documented(
    schemas_to_drop: list[str], hosts: dict[str, ExampleHost], case: Case
) -> None:
    assert case.described
    response = send(case, hosts, case.described.request_example)
    if case.route.name == "tenants" and case.method == "POST":
        schemas_to_drop.append(response.json()["schema_name"])
    is_as_documented(case, case.described.status, response)


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
