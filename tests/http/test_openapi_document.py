"""The published OpenAPI document: complete, valid, and true. Its examples are sent, and the answers compared with it.

So the document also pins the shape of every answer: a field that is added, renamed or dropped shows here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from shared_apps.tenants import schemas
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.api.openapi import examples
from tatami.api.openapi.document import Document
from tatami.api.openapi.spec import OperationSpec, operation_spec
from tatami.api.routes import Route, routes, urlconfs
from tatami.tenancy.scope import platform_scope
from tests.http.sample_dojos import LINK, World, dojo_world, hashed, platform_world
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import done

HOSTS = {"config.urls_platform": "localhost", "config.urls_tenant": "aiki.localhost"}
FREE_FORM = {"rank-system-rules"}
"""Documents of which an example shows only a part; their schema is closed by itself."""


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
        """Return what the document says."""
        named = f"{self.method.lower()}_{self.route.name.replace('-', '_')}"
        every = (one for path in document(self.route.urlconf)["paths"].values() for one in path.values())
        return dict(next(one for one in every if one["operationId"] == named))


def cases() -> list[Case]:
    """Return every route and method that the document is about: it does not describe itself."""
    found = [
        Case(route, method)
        for urlconf in urlconfs()
        for route in routes(urlconf)
        if route.view is not None and route.view.schema is not None
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
choosing_case = pytest.mark.parametrize(
    ("case", "asked"),
    [
        (one, {name: choice})
        for one in cases()
        if one.described
        for name, schema in one.described.query.items()
        for choice in schema.get("enum", ())
    ],
    ids=str,
)
written_case = pytest.mark.parametrize(
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
def test_no_example_is_of_a_route_that_is_gone(urlconf: str) -> None:
    present = {(route.name, method) for route in routes(urlconf) for method in route.methods}
    described = {
        (name, method) for name, methods in import_module(urlconf).operations.items() for method in methods
    }
    assert described <= present


@every_urlconf
def test_the_document_is_valid_openapi(urlconf: str, db: None) -> None:
    validate_schema(document(urlconf))


@every_urlconf
def test_nothing_in_the_document_is_a_guess_gone_wrong(urlconf: str) -> None:
    """As `spectacular --fail-on-warn`."""
    with GENERATOR_STATS.silence():
        Document(urlconf=urlconf).get_schema(request=None, public=True)
    assert not GENERATOR_STATS


# --- true -------------------------------------------------------------------------------------------------------------


def closed(node: Any) -> Any:
    """Return a schema in which no object has a field that the schema does not name."""
    if isinstance(node, list):
        return [closed(member) for member in node]
    if not isinstance(node, dict):
        return node
    found = {key: member if key == "if" else closed(member) for key, member in node.items()}
    if "properties" in node and not {"additionalProperties", "allOf"} & node.keys():
        found["additionalProperties"] = False
    return found


def fits(case: Case, schema: dict[str, Any], value: Any) -> None:
    """Assert that a value is what a schema of the document says, and nothing more."""
    components = document(case.route.urlconf)["components"]
    whole = {**closed(schema), "components": closed(components)}
    checker = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert not [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def has_only(value: Any, examples: list[Any], place: str = "$") -> None:
    """Assert that a value has no key that none of the examples has."""
    if isinstance(value, dict) and (objects := [one for one in examples if isinstance(one, dict)]):
        assert not value.keys() - set().union(*objects), place
        for key, member in value.items():
            has_only(member, [one[key] for one in objects if key in one], f"{place}.{key}")
    elif isinstance(value, list):
        members = [member for one in examples if isinstance(one, list) for member in one]
        for member in value:
            has_only(member, members, f"{place}[]")


def names_in(media_type: str, text: str) -> set[str]:
    """Return what a text says something about: a table's columns, a calendar's properties, that it is a PDF or zip."""
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
        (asked,) = case.operation["requestBody"]["content"].values()
        fits(case, asked["schema"], asked["example"])
    for status in (described.status, *described.other_statuses):
        answered = case.operation["responses"][str(status)]
        if "application/json" in answered.get("content", {}):
            fits(case, json_of(answered)["schema"], json_of(answered)["example"])


@contextmanager
def undone() -> Iterator[None]:
    """Undo all that happens in the block. Like a test case's own transaction, dojos may take turns inside it."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


@dataclass(frozen=True)
class Real:
    """A host with one of everything, and what stands there for the examples' ids and secrets."""

    world: World
    names: dict[str, str]

    def put(self, example: Any) -> Any:
        """Return an example with the real ids and secrets."""
        if isinstance(example, dict):
            return {key: self.put(member) for key, member in example.items()}
        if isinstance(example, list):
            return [self.put(member) for member in example]
        if not isinstance(example, str):
            return example
        for name, real in self.names.items():
            example = example.replace(name, real)
        return example


@pytest.fixture(scope="module")
def all_real(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Real]]:
    """Make the platform's and a dojo's world once, in a transaction that is rolled back in the end."""
    with django_db_blocker.unblock(), clock.fixed(NOW), undone():
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        password_hash, dojo = hashed(), Dojo(scope)
        yield {
            "config.urls_platform": real_platform(platform_world(Platform(), password_hash)),
            "config.urls_tenant": real_dojo(dojo, dojo_world(dojo, password_hash)),
        }


@pytest.fixture
def real(all_real: dict[str, Real], now: Any) -> Iterator[dict[str, Real]]:
    """The worlds; what a test does to them is undone."""
    with undone():
        yield all_real


def signed_in(world: World) -> dict[str, str]:
    return {
        examples.USER: world.ids["user"],
        examples.EMAIL: "c@example.com",
        examples.REFRESH: world.refresh,
        examples.LINK: LINK,
    }


def real_platform(world: World) -> Real:
    done(world.callers["admin"].patch("/me", {"name": "Root"}))  # the first deed to be listed
    deleted = {
        examples.DELETED_TENANT: world.ids["tenant that is deleted"],
        examples.DELETED_SLUG: "spare-deleting",
    }
    return Real(
        world,
        {
            **signed_in(world),
            examples.TENANT: world.ids["tenant"],
            examples.SERVING_TENANT: world.ids["tenant that serves"],
            examples.EXPORT: world.ids["export"],
            examples.ARCHIVE_LINK: world.codes["archive link"],
            **deleted,
        },
    )


def real_dojo(dojo: Dojo, world: World) -> Real:
    ids = world.ids
    hold = dojo.create(f"/students/{ids['student']}/holds", {"from": "2026-05-01", "until": "2026-05-20"})
    refused = dojo.admin.post(
        "/attendance/scan", {"token": world.codes["student"], "class_session": factories.nobody()}
    )
    assert refused.status_code == 404
    return Real(
        world,
        {
            **signed_in(world),
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
            examples.CERTIFICATE: world.codes["certificate"],
            examples.DISCIPLINE: ids["discipline"],
            examples.RANK_SYSTEM: ids["rank system"],
            examples.RANK: ids["rank"],
            examples.CLASS: ids["class"],
            examples.SESSION: ids["session"],
            examples.ATTENDANCE: ids["attendance"],
            examples.CODE: world.codes["student"],
            examples.DEVICE: ids["device"],
            examples.PAIRING_CODE: world.codes["pairing"],
            examples.FEED: world.codes["feed"],
            examples.EXTERNAL_ID: "mika-1",
            examples.NOTIFICATION: ids["notification"],
            examples.UNSUBSCRIBE: world.codes["unsubscribe"],
            examples.ME: dojo.admin.user.email if dojo.admin.user else "",
        },
    )


def send(
    case: Case, real: dict[str, Real], body: Any, asked: dict[str, str] | None = None, **headers: str
) -> Any:
    here, described = real[case.route.urlconf], case.described
    assert described
    path = "/" + case.route.path
    for name, example in described.path.items():
        path = re.sub(f"<[a-z]+:{name}>", here.put(example), path)
    query = {name: schema["example"] for name, schema in described.query.items() if "example" in schema}
    if query or asked:
        path += "?" + urlencode({**here.put(query), **(asked or {})})
    content = here.put(body)
    if "multipart/form-data" in case.operation.get("requestBody", {}).get("content", {}):
        files = {name: SimpleUploadedFile(f"{name}.csv", text.encode()) for name, text in content.items()}
        content, headers = encode_multipart(BOUNDARY, files), {**headers, "Content_Type": MULTIPART_CONTENT}
    return here.world.callers["admin"].request(case.method, path, content, **headers)


def is_as_documented(case: Case, status: int, response: Any) -> None:
    """Assert that an answer has the documented status and shape."""
    answered = case.operation["responses"][str(status)]
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if case.described and media_type in case.described.text_examples:
        assert response.status_code == status
        found = names_in(media_type, response.getvalue().decode(errors="replace"))
        assert found <= names_in(media_type, answered["content"][media_type]["example"])
        return
    body = done(response, status)
    if "content" not in answered:
        assert body is None
        return
    fits(case, json_of(answered)["schema"], body)
    if "results" in body:
        assert body["results"], "an empty list shows nothing"
    if case.route.name not in FREE_FORM:
        has_only(body, [json_of(answered)["example"]])


@pytest.fixture
def dropped_later() -> Iterator[list[str]]:
    """Drop the schemas of dojos that were made, which the owner login has committed."""
    made: list[str] = []
    yield made
    for name in made:
        schemas.drop_schema(name)


@described_case
def test_an_example_is_answered_as_documented(
    dropped_later: list[str], real: dict[str, Real], case: Case
) -> None:
    assert case.described
    response = send(case, real, case.described.request_example)
    if case.route.name == "tenants" and case.method == "POST":
        dropped_later.append(response.json()["schema_name"])
    is_as_documented(case, case.described.status, response)


@repeated_case
def test_a_repeated_example_is_answered_as_documented(real: dict[str, Real], case: Case) -> None:
    assert case.described
    body = {
        name: value for name, value in case.described.request_example.items() if name != "nonce"
    }  # which replays
    done(send(case, real, body), case.described.status)
    (status,) = case.described.other_statuses
    is_as_documented(case, status, send(case, real, body))


@choosing_case
def test_every_choice_is_answered_as_documented(
    real: dict[str, Real], case: Case, asked: dict[str, str]
) -> None:
    body = done(send(case, real, None, asked))
    assert body["results"], "an empty list shows nothing"
    fits(case, json_of(case.operation["responses"]["200"])["schema"], body)


@written_case
def test_a_text_is_answered_as_documented(real: dict[str, Real], case: Case, media_type: str) -> None:
    assert case.described
    response = send(case, real, case.described.request_example, Accept=media_type)
    assert response.headers["Content-Type"].startswith(media_type)
    is_as_documented(case, case.described.status, response)
