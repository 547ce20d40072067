"""No log holds a secret or personal data: neither ours, in both formats, nor PostgreSQL's."""

import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from psycopg.types.json import Jsonb
from pyotp import TOTP

from shared_apps.accounts.models import User
from tatami.api.openapi.examples import CODE_VERIFIER
from tatami.observability import logging_configuration
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.desk.sessions import SESSION_COOKIE
from tests.http.sample_dojos import (
    KEY,
    LINK,
    PASSWORD,
    READ_ONLY_KEY,
    SampleHost,
    create_sample_dojo,
    create_sample_platform,
    password_hash,
)
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.pages import Visitor, close_file, visitor
from tests.support.responses import ok

pytestmark = pytest.mark.slow

NOTE = "canary-medical-note"
NAME = "Canary Canaryson"
EMAIL = "canary@example.com"
QUERY = "canary-in-a-query"
PROVIDER_CODE = "canary-code-of-the-provider"
CLIENT_SECRET = "canary-client-secret"
SHORTEST = 8
"""A shorter text could be in a line by chance."""


@pytest.fixture
def sample(dojo: Dojo, hashings: Any) -> SampleHost:
    return create_sample_dojo(dojo, password_hash())


@contextmanager
def our_log() -> Iterator[Callable[[], str]]:
    """Collect what the root logger writes within the block, as JSON and as console lines."""
    written = io.StringIO()
    handlers = []
    before = list(logging.getLogger().handlers)
    try:
        for log_format in ("console", "json"):
            logging_configuration(log_format)
            formatter = logging.getLogger().handlers[0].formatter
            handler = logging.StreamHandler(written)
            handler.setFormatter(formatter)
            handlers.append(handler)
        logging.getLogger().handlers = [*before, *handlers]
        yield written.getvalue
    finally:
        logging.getLogger().handlers = before


@pytest.fixture
def postgres_log() -> Callable[[], str]:
    """Return a function that returns what the server has logged since the test began."""
    path = Path(os.environ["TATAMI_DATA"]) / "logs" / "postgres.log"
    start = path.stat().st_size
    return lambda: path.read_bytes()[start:].decode(errors="replace")


@dataclass
class Canaries:
    """The secrets that were sent or received, by kind, and the statuses of the requests that really took each."""

    secrets: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, set[int]] = field(default_factory=dict)

    def add(self, kind: str, secret: Any, *answers: Any) -> None:
        """Note a secret and the answers of the routes that take or give it. Call it again for more routes."""
        assert len(str(secret)) >= SHORTEST, f"{kind} is too short to be found in a log"
        self.secrets[kind] = str(secret)
        self.statuses.setdefault(kind, set()).update(answer.status_code for answer in answers)


def send_tokens(canaries: Canaries, sample: SampleHost) -> None:
    """Send what authenticates a request, also mistyped: bearer tokens, and cookies of pages."""
    for kind, caller in {
        "access token": sample.callers["admin"],
        "API key": sample.callers[f"{KEY} of admin"],
        "read-only API key": sample.callers[READ_ONLY_KEY],
        "device token": sample.callers["device"],
    }.items():
        mistyped = Caller(sample.host, token=f"{caller.token}x")
        canaries.add(kind, caller.token, caller.get("/me"), mistyped.get("/me"))
    anonymous = Caller(sample.host)
    answers = [anonymous.post("/auth/refresh", {"refresh": sample.refresh}) for _ in range(2)]
    canaries.add("refresh token", sample.refresh, *answers, anonymous.post("/auth/logout", {"refresh": "x"}))


def send_codes(canaries: Canaries, sample: SampleHost) -> None:
    """Send each code in the path or the field that is for it, right and mistyped, and in paths that do not exist."""
    anonymous, admin, codes = Caller(sample.host), sample.callers["admin"], sample.codes
    for kind, path in {
        "check-in": f"/check-in/{codes['check-in']}",
        "unsubscribe": f"/unsubscribe/{codes['unsubscribe']}",
        "certificate": f"/certificates/{codes['certificate']}",
        "feed": f"/calendar.ics?token={codes['feed']}",
    }.items():
        canaries.add(kind, codes[kind], *(one.get(path) for one in (anonymous, admin)))
        for mistyped in (f"{path}x", f"{path}/", f"/x{path}"):
            anonymous.get(mistyped)
            admin.post(mistyped, {"code": codes[kind]})
    for kind in ("student", "card", "session"):
        scans = [
            caller.post("/attendance/scan", {"token": codes[kind] + more, "nonce": kind + more})
            for caller in (admin, sample.callers["device"])
            for more in ("", "x")
        ]
        synced = sample.callers["device"].post(
            "/attendance/sync", {"sent_at": NOW.isoformat(), "scans": [{"token": codes[kind], "nonce": "n"}]}
        )
        canaries.add(kind, codes[kind], *scans, synced)
        anonymous.get(f"/check-in/{codes[kind]}")
    canaries.add("pairing", codes["pairing"], anonymous.post("/devices/pairing", {"code": codes["pairing"]}))
    anonymous.post("/devices/pairing", {"code": f"{codes['pairing']}x"})
    anonymous.post("/devices/pair", {"code": codes["pairing"]})
    canaries.add("query", QUERY, admin.get(f"/students?search={QUERY}&page=x"))


def sign_in_everywhere(canaries: Canaries, sample: SampleHost) -> None:
    """Sign in over the API and on the pages, with every factor; set passwords; come from a provider."""
    anonymous, admin, codes = Caller(sample.host), sample.callers["admin"], sample.codes
    assert admin.user
    for kind, password in {"password": PASSWORD, "wrong password": "canary-wrong-password"}.items():
        values = {"email": admin.user.email, "password": password}
        page = Visitor(sample.host).post("/sign-in", values)
        canaries.add(kind, password, anonymous.post("/auth/login", values), page)
    for kind in ("passkey challenge", "challenge", "enrolment challenge"):
        values = {"challenge": codes[kind], "passkey": sample.passkey, "code": codes["totp"]}
        page = Visitor(sample.host).post("/sign-in", {"challenge": codes[kind], "code": codes["totp"]})
        passkey = {"challenge": codes[kind], "passkey": sample.passkey}
        answers = [
            anonymous.post("/auth/passkey", passkey),
            anonymous.post("/auth/second-factor", {"challenge": codes[kind], "code": codes["totp"]}),
            anonymous.post("/auth/second-factor/enrolment", values),
        ]
        canaries.add(kind, codes[kind], *answers, page)
        canaries.add("signature of a passkey", sample.passkey["response"]["signature"], answers[0])
    for new, path in (
        ("canary-new-password", "/auth/password/reset/confirm"),
        ("canary-page", "/set-password"),
    ):
        if path == "/set-password":
            answer = Visitor(sample.host).post(path, {"secret": LINK, "new_password": new})
        else:
            answer = anonymous.post(path, {"token": LINK, "new_password": new})
        canaries.add("mailed link", LINK, answer)
        canaries.add(f"password sent to {path}", new, answer)
    anonymous.get(f"/{LINK}")
    for _ in range(2):
        body = {"code": codes["identity code"], "code_verifier": CODE_VERIFIER}
        answer = anonymous.post("/auth/oidc/token", body)
        canaries.add("identity code", codes["identity code"], answer)
        canaries.add("verifier", CODE_VERIFIER, answer)
    anonymous.get(f"/auth/oidc/start?code_challenge={'x' * 43}&return_to=/{QUERY}")
    for path in ("/auth/oidc/callback", "/sign-in/provider/return"):
        answer = anonymous.get(
            f"{path}?code={PROVIDER_CODE}&state=x", Cookie=f"tatami_identity={PROVIDER_CODE}"
        )
        canaries.add("code of the identity provider", PROVIDER_CODE, answer)


def make_secrets(canaries: Canaries, sample: SampleHost) -> None:
    """Let the API make the secrets that it shows once, and send those that admins enter."""
    admin = sample.callers["admin"]
    provider = {"issuer": "https://login.example.com", "client_id": "x", "client_secret": CLIENT_SECRET}
    canaries.add("client secret", CLIENT_SECRET, admin.put("/identity-provider", provider))
    made = admin.post("/api-keys", {"name": "Canary", "role": "admin"})
    canaries.add("new API key", ok(made, 201)["key"], made)
    hook = admin.post("/webhooks", {"url": "https://hooks.example.com/canary", "events": ["*"]})
    secret = ok(hook, 201)["secret"]
    address = f"/webhooks/{hook.json()['id']}"
    canaries.add("signing secret of a webhook", secret, hook, admin.post(f"{address}/test"))
    assert admin.patch(address, {"description": secret}).status_code == 200
    factor = admin.post("/me/second-factors", {"password": PASSWORD, "name": "Canary"})
    totp = ok(factor, 201)["secret"]
    code = TOTP(totp).at(int(NOW.timestamp()))
    confirmed = admin.post(f"/me/second-factors/{factor.json()['id']}/confirmation", {"code": code})
    canaries.add("TOTP secret", totp, factor, confirmed)
    codes = (
        ok(confirmed)["recovery_codes"]
        or ok(admin.post("/me/recovery-codes", {"password": PASSWORD}), 201)["recovery_codes"]
    )
    anonymous = Caller(sample.host)
    assert admin.user
    login = anonymous.post("/auth/login", {"email": admin.user.email, "password": PASSWORD})
    challenge = login.json()["error"]["details"]["challenge"]
    step = {"challenge": challenge, "code": codes[0]}
    page = Visitor(sample.host).post("/sign-in", {"challenge": challenge, "code": codes[1]})
    canaries.add("recovery code", codes[0], anonymous.post("/auth/second-factor", step))
    canaries.add("recovery code on a page", codes[1], page)


def open_pages(canaries: Canaries, dojo: Dojo, platform: SampleHost) -> None:
    """Open pages with a cookie, act as a user, and download an archive by its link."""
    browser = visitor(dojo, "admin")
    cookie = browser.client.cookies[SESSION_COOKIE].value
    canaries.add("cookie of a page", cookie, browser.get("/desk"), browser.get("/desk/settings"))
    browser.get(f"/desk/{cookie}")
    root = platform.callers["admin"]
    begun = root.post(f"/tenants/{dojo.tenant.tenant_id}/impersonations", {"reason": "Ticket 4711"})
    token = ok(begun, 201)["access"]
    acting = visitor(dojo)
    pages = [acting.post("/impersonate", {"access": token}), acting.get("/desk")]
    mistyped = visitor(dojo).post("/impersonate", {"access": f"{token}x"})
    canaries.add("token of an impersonation", token, begun, *pages, mistyped)
    link, ids = platform.codes["archive link"], platform.ids
    archive = f"/tenants/{ids['tenant']}/exports/{ids['export']}/archive?token={link}"
    download = Caller(platform.host).get(archive)
    if download.streaming:
        close_file(download)
    canaries.add("link of an archive", link, download, Caller(platform.host).get(f"{archive}x"))


def test_no_log_line_of_a_request_holds_a_secret(sample: SampleHost, dojo: Dojo, platform: Platform) -> None:
    canaries = Canaries()
    of_platform = create_sample_platform(platform, make_password(PASSWORD))
    with our_log() as written:
        send_tokens(canaries, sample)
        send_codes(canaries, sample)
        sign_in_everywhere(canaries, sample)
        make_secrets(canaries, sample)
        open_pages(canaries, dojo, of_platform)
    lines = written()
    assert "/check-in/<token>" in lines
    assert "(no route)" in lines
    assert {kind for kind, secret in canaries.secrets.items() if secret in lines} == set()
    # Each kind was really sent: a route took it, or refused it for its value.
    not_taken = {404, 405, 415}
    assert {kind: found for kind, found in canaries.statuses.items() if found <= not_taken} == {}
    assert {kind for kind, found in canaries.statuses.items() if max(found) >= 500} == set()
    codes = {*sample.codes, *of_platform.codes} - {
        "template",
        "totp",
        "domain",
        "claimed domain",
        "archive link",
    }
    assert codes <= {*canaries.secrets}, "a new code of the sample dojo is not sent"


def test_an_id_in_a_path_is_logged(sample: SampleHost) -> None:
    with our_log() as written:
        sample.callers["admin"].get(f"/students/{sample.ids['student']}")
    assert f"/students/{sample.ids['student']}" in written()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_no_row_and_no_local_variable(tenant: TenantScope, log_format: str) -> None:
    secret = "".join(["canary", "-local-variable"])  # not in a line of code, which a traceback shows
    with our_log() as written, tenant_scope(tenant):
        try:
            for _ in range(2):
                User.objects.create(email=EMAIL, email_key=EMAIL, name=NAME, role="student")
        except Exception:
            logging.getLogger("tatami.test").exception("failed")
    lines = written()
    assert "user_email_once" in lines
    assert secret not in lines
    assert EMAIL not in lines


def test_postgresqls_log_holds_no_row_and_no_statement(
    sample: SampleHost, postgres_log: Callable[[], str]
) -> None:
    """The log of the server that `make run` and `make test` start. docker-compose.yml has the same settings."""
    admin = sample.callers["admin"]
    user = {"email": EMAIL, "role": "student", "name": NAME, "password": "canary-password-of-a-user"}
    assert [admin.post("/users", user).status_code for _ in range(2)] == [201, 409]
    student = {"first_name": NAME, "last_name": "C", "external_id": "canary-1", "medical_notes": NOTE}
    assert [admin.post("/students", student).status_code for _ in range(2)] == [201, 409]
    with (
        connection.cursor() as cursor,
        tenant_scope(sample.scope),
        pytest.raises(Exception, match="violates"),
    ):
        cursor.execute(
            "INSERT INTO accounts_user (id, name, email, search_name) VALUES (NULL, %s, %s, %s)",
            [NAME, EMAIL, NOTE],
        )
    log = postgres_log()
    assert "user_email_once" in log
    found = {text for text in (EMAIL, NAME, NOTE, "argon2", "canary-1", "INSERT INTO") if text in log}
    assert found == set()


@pytest.mark.parametrize("login", ["default", "owner"])
def test_both_logins_keep_statements_out_of_the_log_of_any_server(
    login: str,
    as_app: psycopg.Connection[Any],
    as_owner: psycopg.Connection[Any],
    postgres_log: Callable[[], str],
) -> None:
    connected = as_app if login == "default" else as_owner
    for setting, value in (("log_min_error_statement", "panic"), ("log_error_verbosity", "terse")):
        row = connected.execute(
            "SELECT setting, source FROM pg_settings WHERE name = %s", [setting]
        ).fetchone()
        assert row == (value, "user")
    with pytest.raises(psycopg.Error):
        connected.execute("SELECT %s::jsonb::int", [Jsonb({"note": NOTE})])
    assert NOTE not in postgres_log()
