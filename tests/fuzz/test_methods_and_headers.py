"""What each path answers to methods that it does not document, and to requests without a header that it needs.

The requests come from the documents and are always the same: schemathesis lists them. An admin sends them, and a client
without a token.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.meta import CoverageScenario, coverage_scenario
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    missing_required_header,
    response_headers_conformance,
    unsupported_method,
)

from tests.fuzz.sending import Sender, put_ids, schema_of, undone
from tests.http.examples import HOSTS, Case, ExampleHost, cases
from tests.support.clients import Caller

PLATFORM, DOJO = "config.urls_platform", "config.urls_tenant"
CHECKS = [not_a_server_error, unsupported_method, allow_header_conformance, missing_required_header]
NO_TOKEN = "no token"


def requests_about(urlconf: str, *scenarios: CoverageScenario) -> Iterator[tuple[Case, Any]]:
    """Return the listed requests of some scenarios to each operation of a kind of host."""
    schema = schema_of(urlconf)
    schema.coverage_unexpected_methods_seen.clear()
    for case in cases():
        if case.route.urlconf != urlconf:
            continue
        operation = schema[case.documented_path][case.method]
        for sent in schema.iter_coverage_cases(
            operation,
            generation_modes=list(GenerationMode),
            generation_config=schema.config.generation_for(operation=operation),
        ):
            if coverage_scenario(sent) in scenarios:
                yield case, sent


@pytest.mark.slow
@pytest.mark.parametrize("name", ["admin", NO_TOKEN])
@pytest.mark.parametrize("urlconf", [PLATFORM, DOJO])
def test_undocumented_methods_and_missing_headers_are_refused(
    hosts: dict[str, ExampleHost], urlconf: str, name: str
) -> None:
    host = hosts[urlconf]
    sender = Sender(urlconf, host.sample.callers.get(name) or Caller(HOSTS[urlconf]))
    faults, statuses = [], {}
    scenarios = [CoverageScenario.UNSPECIFIED_HTTP_METHOD]
    if name == NO_TOKEN:
        scenarios.append(CoverageScenario.MISSING_PARAMETER)
    for case, sent in requests_about(urlconf, *scenarios):
        assert case.described
        put_ids(sent, host, case, list(case.described.path))
        is_method = coverage_scenario(sent) is CoverageScenario.UNSPECIFIED_HTTP_METHOD
        with undone():
            response = sender.send(sent)
            try:
                sender.check(sent, response, CHECKS)
            except FailureGroup as error:
                faults += [f"{case} {sent.method}: {fault}" for fault in error.exceptions]
        if is_method:
            statuses.setdefault(response.status_code, []).append(f"{sent.method} {case}")
    assert not faults, "\n".join(faults)
    assert set(statuses) == {405}, statuses
    paths = {case.documented_path for case in cases() if case.route.urlconf == urlconf}
    assert len(statuses[405]) >= 3 * len(paths)


CARELESS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "A server that accepts everything", "version": "1"},
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/things": {
            "get": {
                "security": [{"token": []}],
                "parameters": [
                    {"in": "header", "name": "X-Needed", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {
                    "200": {
                        "description": "Things",
                        "headers": {"X-Promised": {"required": True, "schema": {"type": "string"}}},
                    }
                },
            }
        }
    },
}


def accept_everything(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Allow", "GET, PATCH")])
    return [b"{}"]


@pytest.mark.parametrize(
    ("check", "scenario", "method"),
    [
        (ignored_auth, None, "GET"),
        (response_headers_conformance, None, "GET"),
        (unsupported_method, CoverageScenario.UNSPECIFIED_HTTP_METHOD, None),
        (allow_header_conformance, CoverageScenario.UNSPECIFIED_HTTP_METHOD, "OPTIONS"),
        (missing_required_header, CoverageScenario.MISSING_PARAMETER, None),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_each_check_sees_its_fault_at_a_careless_server(
    check: Any, scenario: CoverageScenario | None, method: str | None
) -> None:
    schema = schemathesis.openapi.from_dict(CARELESS)
    schema.app = accept_everything
    listed = schema.iter_coverage_cases(
        schema["/things"]["GET"],
        generation_modes=list(GenerationMode),
        generation_config=schema.config.generation_for(),
    )
    failed = 0
    for sent in listed:
        if (scenario and coverage_scenario(sent) is not scenario) or method not in {None, sent.method}:
            continue
        headers = {"Authorization": "Bearer token"}
        options = {"base_url": "http://careless.example"}
        response = sent.call(headers=headers, **options)
        try:
            sent.validate_response(response, checks=[check], headers=headers, transport_kwargs=options)
        except FailureGroup:
            failed += 1
    assert failed
