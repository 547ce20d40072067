"""No log holds a secret or personal data: neither ours, in both formats, nor PostgreSQL's."""

import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.types.json import Jsonb

from shared_apps.accounts.models import User
from tatami.api.openapi.examples import CODE_VERIFIER
from tatami.observability import logging_configuration
from tatami.tenancy.scope import TenantScope, tenant_scope
from tests.http.sample_dojos import LINK, PASSWORD, SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Caller, Dojo

pytestmark = pytest.mark.slow

NOTE = "canary-medical-note"
NAME = "Canary Canaryson"
EMAIL = "canary@example.com"
QUERY = "canary-in-a-query"
PROVIDER_CODE = "canary-code-of-the-provider"
CLIENT_SECRET = "canary-client-secret"


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


def requests_with_secrets(sample: SampleHost) -> dict[str, str]:
    """Send each kind of secret to the routes that take it, right and mistyped; return the secrets by name."""
    anonymous, admin = Caller(sample.host), sample.callers["admin"]
    codes = sample.codes
    for path in (
        f"/check-in/{codes['check-in']}",
        f"/check-in/{codes['student']}",
        f"/check-in/{codes['card']}/",
        f"/unsubscribe/{codes['unsubscribe']}",
        f"/unsubscribe/{codes['unsubscribe']}x",
        f"/certificates/{codes['certificate']}",
        f"/certificate/{codes['certificate']}",
        f"/calendar.ics?token={codes['feed']}",
        f"/calendar.ics/{codes['feed']}",
        f"/students?search={QUERY}&page=x",
        f"/{LINK}",
    ):
        for caller in (anonymous, admin, Caller(sample.host, token=f"{admin.token}x")):
            caller.get(path)
            caller.post(path, {"code": codes["card"]})
    for password in (PASSWORD, "canary-wrong-password"):
        anonymous.post("/auth/login", {"email": admin.user.email if admin.user else "", "password": password})
    anonymous.post("/auth/refresh", {"refresh": sample.refresh})
    anonymous.post("/auth/refresh", {"refresh": sample.refresh})
    anonymous.post("/auth/password/reset/confirm", {"token": LINK, "new_password": "canary-new-password"})
    for challenge in (codes["passkey challenge"], codes["challenge"]):
        for path in ("/auth/passkey", "/auth/second-factor", "/auth/second-factor/enrolment"):
            anonymous.post(path, {"challenge": challenge, "passkey": sample.passkey, "code": codes["totp"]})
    for _ in range(2):
        anonymous.post("/auth/oidc/token", {"code": codes["identity code"], "code_verifier": CODE_VERIFIER})
    anonymous.get(f"/auth/oidc/start?code_challenge={'x' * 43}&return_to=/{QUERY}")
    anonymous.get(
        f"/auth/oidc/callback?code={PROVIDER_CODE}&state=x", Cookie=f"tatami_identity={PROVIDER_CODE}"
    )
    admin.put(
        "/identity-provider",
        {"issuer": "https://login.example.com", "client_id": "x", "client_secret": CLIENT_SECRET},
    )
    anonymous.post("/devices/pairing", {"pairing_code": codes["pairing"]})
    anonymous.post("/devices/pair", {"code": codes["pairing"]})
    sample.callers["device"].get("/me")
    for code in ("student", "card", "session"):
        admin.post("/attendance/scan", {"token": codes[code], "class_session": "x"})
    secrets = {name: value for name, value in codes.items() if name not in {"template", "domain"}}
    return secrets | {
        "access token": str(admin.token),
        "device token": str(sample.callers["device"].token),
        "refresh token": sample.refresh,
        "password": PASSWORD,
        "wrong password": "canary-wrong-password",
        "new password": "canary-new-password",
        "mailed link": LINK,
        "query": QUERY,
        "code of the identity provider": PROVIDER_CODE,
        "client secret": CLIENT_SECRET,
        "verifier": CODE_VERIFIER,
        "signature of a passkey": sample.passkey["response"]["signature"],
    }


def test_no_log_line_of_a_request_holds_a_secret(sample: SampleHost) -> None:
    with our_log() as written:
        secrets = requests_with_secrets(sample)
    lines = written()
    assert "/check-in/<token>" in lines
    assert "(no route)" in lines
    assert {name for name, value in secrets.items() if value in lines} == set()


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
