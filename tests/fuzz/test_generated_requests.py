"""Requests generated from the OpenAPI documents, valid and invalid, as every role: no 5xx, nothing undocumented.

`make test` sends a few hundred, always the same. `make test-fuzz` sends 20,000, of another seed in each run, which a
failure names. Some bodies are documented examples with one generated value, because few others get far.
"""

import re
import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.sending import Sender, put_ids, schema_of, undone
from tests.http.examples import HOSTS, Case, ExampleHost, cases
from tests.http.sample_dojos import DEVICE, KEY, READ_ONLY_KEY, ROLES
from tests.support.clients import Caller

PLATFORM, DOJO = "config.urls_platform", "config.urls_tenant"
NO_TOKEN = "no token"
CALLERS = [
    *((DOJO, name) for name in (*ROLES, f"{KEY} of instructor", READ_ONLY_KEY, DEVICE, NO_TOKEN)),
    *((PLATFORM, name) for name in ("admin", f"{KEY} of admin", NO_TOKEN)),
]
FEW_CASES = 440
KNOWN_ERRORS = {400, 401, 403, 404, 405, 406, 409, 413, 415, 429}
"""The statuses of errors. The document lists most of them for each operation, and the others once, as `default`."""
ACCEPTED_FAULTS = {
    "query: violates `additionalProperties`",
    "header: violates `required` (was Authorization)",
}
CONFORMANCE = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    ignored_auth,
]


@cache
def requests_of(urlconf: str, case: Case) -> st.SearchStrategy[Any]:
    """Return valid and invalid requests to one operation."""
    operation = schema_of(urlconf)[case.documented_path][case.method]
    return operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE)


def made_real(request: Any, host: ExampleHost, case: Case, draw: Callable[[Any], Any]) -> bool:
    """Put ids of sample objects into the path, and maybe an example into the body. Return whether anything changed."""
    described = case.described
    assert described
    names = [name for name in described.path if draw(st.booleans())]
    put_ids(request, host, case, names)
    changed = bool(names)
    example = host.put(described.request_example)
    if isinstance(example, dict) and isinstance(request.body, dict) and draw(st.booleans()):
        kept = draw(st.sampled_from(sorted(request.body))) if request.body else None
        request.body = example if kept is None else {**example, kept: request.body[kept]}
        changed = True
    return changed


def is_no_fault(description: str) -> bool:
    """Return whether all that is wrong with an accepted request is allowed, or was not sent.

    Unknown query parameters are ignored. The generated `Authorization` is left out, and that of the caller sent.
    """
    wrong = re.findall(r"^\s*- ((?:query|header|body|path|cookie)\b.*)", description, re.MULTILINE)
    return "parameter `Authorization`" in description or (bool(wrong) and set(wrong) <= ACCEPTED_FAULTS)


@pytest.mark.parametrize(("urlconf", "name"), CALLERS, ids=lambda one: str(one).removeprefix("config.urls_"))
def test_no_generated_request_gets_an_undocumented_response(
    request: Any, hosts: dict[str, ExampleHost], urlconf: str, name: str
) -> None:
    config = request.config
    number = config.getoption("--cases", None)
    chosen = config.getoption("--fuzz-seed", None)
    if chosen is None:
        chosen = secrets.randbelow(2**32) if number else 1
    host = hosts[urlconf]
    caller = host.sample.callers.get(name) or Caller(HOSTS[urlconf])

    sender = Sender(urlconf, caller)
    faults: dict[str, str] = {}

    @seed(chosen)
    @settings(
        max_examples=max(1, (number or FEW_CASES) // len(CALLERS)),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(data=st.data(), case=st.sampled_from([one for one in cases() if one.route.urlconf == urlconf]))
    def send(data: Any, case: Case) -> None:
        sent = data.draw(requests_of(urlconf, case))
        changed = made_real(sent, host, case, data.draw)
        checks = [*CONFORMANCE, *([] if changed else [negative_data_rejection])]
        try:
            with undone() as schemas:
                response = sender.send(sent)
                if case.route.name == "tenants" and response.status_code == 201:
                    schemas.append(response.json()["schema_name"])
                assert response.status_code in KNOWN_ERRORS or response.status_code < 300, response.text[:500]
                # Within the block: a check may send the request again, without a token.
                sender.check(sent, response, checks)
        except (AssertionError, FailureGroup) as error:
            for fault in getattr(error, "exceptions", [error]):
                if is_no_fault(str(fault)):
                    continue
                name_of_fault = f"{case} {type(fault).__name__}"
                faults.setdefault(name_of_fault, f"{fault}\n{error}")

    send()
    assert not faults, f"--fuzz-seed={chosen}\n" + "\n".join(
        f"{name}: {text}" for name, text in faults.items()
    )
