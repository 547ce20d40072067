"""No request waits for a server outside, but for those that SECURITY.md names: what it has to tell others is a row,
which a worker sends later.

The named ones are a sign-in with an identity provider, with the limits that `tests/accounts/test_identity_provider.py`
tries, and the DNS look-up of a domain that a superadmin verifies, with those of `tests/tenants/test_domain_dns.py`.
PostgreSQL is reached by libpq, which Python does not see. Valkey, which wakes workers, may be asked for two seconds;
files are stored in a folder here, and in a bucket within the limits of `tests/tenants/test_bucket.py`.
"""

import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from shared_apps.accounts.oidc import provider_client
from tatami import clock
from tatami.outgoing import RequestFailed
from tests.accounts.oidc_hooks import CODE_CHALLENGE
from tests.desk.addresses import address_of, name_of, pages
from tests.desk.expected_pages import PAGES
from tests.desk.page_links import forms_of
from tests.http.sample_dojos import SampleHost, create_sample_dojo, create_sample_platform, password_hash
from tests.http.test_access_matrix import body_for, cases, is_platform, path_for, row_of, send_case
from tests.repository.pages import read, section
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW
from tests.support.pages import close_file, visitor
from tests.support.undo import rolled_back

pytestmark = pytest.mark.slow

BY_THE_OWNER = {("/tenants", "POST"), ("/tenants/{}/purge", "POST")}
"""They create and drop schemas with the owner login, which cannot be rolled back here."""
ASKS_OTHERS = {
    "/auth/oidc/start",
    "/auth/oidc/callback",
    "/sign-in/provider",
    "/sign-in/provider/return",
    "/tenants/{}/domains/{}/verification",
}
"""The named requests. SECURITY.md has the same list."""
EVENTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}


@dataclass
class Sockets:
    """What Python's sockets reach while `is_watching`."""

    reached: list[str] = field(default_factory=list)
    is_watching: bool = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_watching and event in EVENTS:
            asked = arguments[1] if event in {"socket.connect", "socket.sendto"} else arguments[0]
            self.reached.append(f"{event} {asked}")


SOCKETS = Sockets()
sys.addaudithook(SOCKETS.hook)  # a hook stays until the process ends


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    SOCKETS.is_watching = True
    yield SOCKETS
    SOCKETS.is_watching = False


@pytest.fixture
def hosts(dojo: Dojo, hashings: Any) -> Iterator[dict[bool, SampleHost]]:
    with clock.fixed(NOW):
        hashed_password = password_hash()
        yield {
            False: create_sample_dojo(dojo, hashed_password),
            True: create_sample_platform(Platform(), hashed_password),
        }


def is_valkey(line: str) -> bool:
    broker = urlsplit(settings.CELERY_BROKER_URL)
    return (broker.hostname or broker.path) in line


def test_no_route_of_the_api_reaches_another_server(hosts: dict[bool, SampleHost], sockets: Sockets) -> None:
    reached: dict[str, list[str]] = {}
    for case in cases():
        if case[1:] in BY_THE_OWNER or case[1] in ASKS_OTHERS:
            continue
        sample = hosts[is_platform(case)]
        path, body = path_for(case, sample, "admin"), body_for(case, sample, "admin")
        sockets.reached.clear()
        with rolled_back():
            answer = send_case(sample.callers["admin"], case, path, body)
            answer.getvalue()  # of a stream as well
            for close_file in answer._resource_closers:
                close_file()
        assert answer.status_code == row_of(case).admin, (case, answer.status_code)
        lines = [line for line in sockets.reached if not is_valkey(line)]
        if lines:
            reached[f"{case[2]} {case[1]}"] = lines
    assert reached == {}


def test_no_page_reaches_another_server(dojo: Dojo, hosts: dict[bool, SampleHost], sockets: Sockets) -> None:
    """Each page, and each form on it, as a role that may open it."""
    reached: dict[str, list[str]] = {}
    opened, sent = 0, 0

    def watch(name: str, request: Any) -> Any:
        sockets.reached.clear()
        with rolled_back():
            answer = request()
            if answer.streaming:
                answer.getvalue()
                close_file(answer)
        if lines := [line for line in sockets.reached if not is_valkey(line)]:
            reached[name] = lines
        return answer

    provider_client.clear_cache()
    for route in pages():
        roles = PAGES[name_of(route)].get("GET")
        if roles is None or f"/{route.path}" in ASKS_OTHERS:
            continue
        role = "admin" if "admin" in roles else "student"
        address = address_of(route, hosts[False], role)
        answer = watch(f"GET {route.path}", lambda role=role, at=address: visitor(dojo, role).get(at))
        opened += 1
        if answer.streaming or "text/html" not in answer.get("Content-Type", ""):
            continue
        for form in forms_of(answer.content.decode(), address):
            watch(
                f"POST {form.path} from {route.path}",
                lambda role=role, form=form: visitor(dojo, role).post(form.path, form.fields),
            )
            sent += 1
    assert reached == {}
    assert opened > 100
    assert sent > 50


@pytest.mark.parametrize("path", [f"/auth/oidc/start?code_challenge={CODE_CHALLENGE}", "/sign-in/provider"])
def test_a_sign_in_with_a_provider_asks_this_provider(
    dojo: Dojo, hosts: dict[bool, SampleHost], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What the provider says of itself is read within the request, and then kept for an hour."""
    asked: list[str] = []

    def refuse(_method: str, url: str, **_options: Any) -> Any:
        asked.append(url)
        raise RequestFailed("no network in tests")

    monkeypatch.setattr(provider_client, "request", refuse)
    provider_client.clear_cache()
    visitor(dojo).get(path, accept="*/*")
    assert len(asked) == 1
    assert "login.example.com" in asked[0]
    provider_client.clear_cache()


def test_security_md_names_the_requests_that_ask_others() -> None:
    promised = section(read("SECURITY.md"), "Requests to servers outside")
    named = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"`(/[^`]+)`", promised)}
    assert named == ASKS_OTHERS


def test_the_watch_sees_a_connection(sockets: Sockets) -> None:
    sockets.reached.clear()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", 1))
    assert any("127.0.0.1" in line for line in sockets.reached)
