"""The logs of all processes of `make run` (web, worker, beat, PostgreSQL, Valkey, supervisor) hold no secret or name.

`test_log_canaries.py` sends each kind of secret to each route; here the processes are real, and worker and beat work.
"""

import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tatami.embedded.files import read_json
from tests.chaos.served_fleet import OUTPUT, PASSWORD, ServedFleet, running_fleet
from tests.notifications.recording_smtp import smtp_server
from tests.support.live_server import send_request

pytestmark = pytest.mark.slow

WITHIN_SECONDS = 90.0
NAME = "Canaryson"
ADDRESS = "canary.of.a.student@example.com"
NOTE = "canary-medical-note"
BODY = "canary-in-a-mail"
REFUSAL = f"421 4.7.0 <{ADDRESS}> is not welcome for now"
"""The reply of a mail server that repeats the address of the recipient."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the logs by name, and the secrets by name, of an installation that has sent mail, and failed to."""
    folder = tmp_path_factory.mktemp("logs")
    with smtp_server() as server:
        server.sender_replies = [REFUSAL] * 1_000
        mail = f"smtp://127.0.0.1:{settings.EMAIL_PORT}"
        with running_fleet(folder, dojos=1, EMAIL_URL=mail) as fleet:
            secrets = use(fleet)
            wait_for_line(folder / "data" / "logs" / "worker.log", b"mail_server_unavailable")
            secrets |= read_json(fleet.data / "secrets.json")
    found = {path.name: path.read_bytes() for path in (folder / "data" / "logs").iterdir()}
    return found | {OUTPUT: (folder / OUTPUT).read_bytes()}, secrets


def use(fleet: ServedFleet) -> dict[str, str]:
    """Let requests write, fail in the database, and queue mails; return what no log may hold."""
    (dojo,) = fleet.dojos
    someone = {"first_name": "Ada", "last_name": NAME, "email": ADDRESS, "external_id": "canary-1"}
    student = dojo.create("/students", {**someone, "medical_notes": NOTE})
    assert dojo.send("POST", "/students", someone)[0] == 409
    code = dojo.create("/qr", {"student": student["id"], "kind": "card"})["token"]
    dojo.send("POST", "/attendance/scan", {"token": code, "class_session": dojo.class_session})
    dojo.send("GET", f"/students/{code}?search={NAME}")
    text = {"subject": BODY, "body": f"{BODY} {{{{ student }}}}", "audience": {"students": [student["id"]]}}
    dojo.create("/notifications", text)
    for path in ("/auth/password/reset", "/auth/login"):
        send_request(dojo.port, "POST", dojo.host, path, {"email": "head@example.com"})
    return {
        "name": NAME,
        "address": ADDRESS,
        "note": NOTE,
        "body of a mail": BODY,
        "card": code,
        "password": PASSWORD,
        "access token": dojo.access,
        "refresh token": dojo.refresh,
        "address of the admin": "head@example.com",
        "token of the superadmin": fleet.superadmin,
    }


def wait_for_line(log: Path, event: bytes) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while event not in log.read_bytes():
        assert time.monotonic() < deadline, f"the worker did not log {event!r}"
        time.sleep(0.2)


def test_every_process_has_a_log(logs: Any) -> None:
    found, _ = logs
    assert {"postgres.log", "valkey.log", "worker.log", "beat.log", OUTPUT} <= found.keys()
    assert all(found.values())
    assert b"/students" in found[OUTPUT]


def test_no_log_holds_a_secret_or_a_person(logs: Any) -> None:
    found, secrets = logs
    assert len(secrets) > 12
    held = {
        (log, name)
        for log, text in found.items()
        for name, secret in secrets.items()
        if secret.encode() in text
    }
    assert held == set()


def test_a_reply_of_the_mail_server_is_logged_by_its_codes(logs: Any) -> None:
    found, _ = logs
    assert b"421 4.7.0" in found["worker.log"]
    assert b"not welcome" not in found["worker.log"]
