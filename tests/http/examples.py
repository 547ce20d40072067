"""The documented examples of all routes, and hosts with sample data to which they can be sent.

`CASES` are all routes and methods of the OpenAPI documents. The fixtures `all_hosts` and `hosts` are in `conftest.py`.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, operation_spec
from tatami.api.routes import Route, routes, urlconfs
from tatami.api.views import Listing
from tests.http.sample_dojos import LINK, SampleHost
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.responses import ok

HOSTS = {"config.urls_platform": "localhost", "config.urls_tenant": "aiki.localhost"}


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
    def documented_path(self) -> str:
        """Return the path as in the document: `/students/{id}`."""
        return re.sub(r"<[a-z]+:([a-z_]+)>", r"{\1}", f"/{self.route.path}")

    @property
    def operation(self) -> dict[str, Any]:
        """Return the operation object of the document."""
        return dict(document(self.route.urlconf)["paths"][self.documented_path][self.method.lower()])

    def example_of(self, status: int) -> Any:
        """Return the example of the response with this status; of a list, a page with one row."""
        assert self.described
        examples = {self.described.status: self.described.response_example, **self.described.other_statuses}
        if self.method != "GET" or not issubclass(self.route.view or object, Listing):
            return examples[status]
        schema = json_of(self.operation["responses"][str(status)])["schema"]["$ref"]
        page = document(self.route.urlconf)["components"]["schemas"][schema.rpartition("/")[2]]
        empty: dict[str, Any] = {"count": 1, "next": None, "previous": None}
        return {name: empty.get(name, [examples[status]]) for name in page["properties"]}

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return the component to which a reference refers, or the node itself."""
        while "$ref" in node:
            kind, name = node["$ref"].split("/")[2:]
            node = document(self.route.urlconf)["components"][kind][name]
        return node


def cases() -> list[Case]:
    """Return every route and method of the document. It does not describe itself."""
    found = [
        Case(route, method)
        for urlconf in urlconfs()
        for route in routes(urlconf)
        if route.is_api and getattr(route.view, "schema", None) is not None
        for method in route.methods
    ]
    assert found
    return found


@cache
def document(urlconf: str) -> Any:
    """Return the document as the host publishes it."""
    return Caller(HOSTS[urlconf]).get("/openapi.json").json()


def json_of(response: dict[str, Any]) -> dict[str, Any]:
    return dict(response["content"]["application/json"])


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
        examples.OWN_SESSION: sample.ids["own session"],
        examples.OIDC_CODE: sample.codes.get("identity code", ""),
        examples.PASSKEY_CHALLENGE: sample.codes["passkey challenge"],
        **{
            value: ({**sample.passkey, **sample.passkey["response"]})[name]
            for name, value in examples.PASSKEY.items()
        },
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
            examples.OWN_EXPORT: ids["own export"],
            examples.KEPT_EXPORT: ids["kept export"],
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
