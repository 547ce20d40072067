"""Send what schemathesis generates through all middleware, in this process, and undo what it writes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import schemathesis

from shared_apps.tenants.schema import ddl
from tests.http.examples import Case, ExampleHost, document
from tests.support.clients import Caller
from tests.support.undo import rolled_back


class InProcess:
    """A WSGI application that hands each request to Django's test client.

    Checks that send a request again, without a token or with another one, come here, too.
    """

    def __init__(self) -> None:
        self.caller: Caller | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert self.caller
        given: Any = self.caller.client.request(**environ)
        start_response(f"{given.status_code} {given.reason_phrase}", list(given.headers.items()))
        return [given.getvalue()]


@cache
def schema_of(urlconf: str) -> Any:
    schema = schemathesis.openapi.from_dict(document(urlconf))
    schema.app = InProcess()
    return schema


class Sender:
    """A client of the API: it sends generated requests with the token of a caller, or without any."""

    def __init__(self, urlconf: str, caller: Caller) -> None:
        schema_of(urlconf).app.caller = caller
        self.headers = {"Authorization": f"Bearer {caller.token}"} if caller.token else {}
        self.options = {"base_url": f"http://{caller.host}"}

    def send(self, sent: Any) -> Any:
        """Send a generated request; return the response as schemathesis reads it."""
        return sent.call(headers=dict(self.headers), **self.options)

    def check(self, sent: Any, response: Any, checks: list[Any]) -> None:
        """Apply checks to a response. Raises `FailureGroup`."""
        sent.validate_response(
            response, checks=checks, headers=self.headers, transport_kwargs=dict(self.options)
        )


@contextmanager
def undone() -> Iterator[list[str]]:
    """Undo what a request writes; drop the schemas whose names are added to the list."""
    schemas: list[str] = []
    with rolled_back():
        yield schemas
    for name in schemas:
        ddl.drop_schema(name)


def put_ids(request: Any, host: ExampleHost, case: Case, names: list[str]) -> None:
    """Put the ids of sample objects into these parameters of the path."""
    assert case.described
    for name in names:
        request.path_parameters[name] = host.put(case.described.path[name])
