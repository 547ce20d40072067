"""The steps of docs/walkthrough.md over real HTTP: a server process on a loopback port, on the test database."""

import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import zxingcpp
from PIL import Image

from shared_apps.accounts.models import AttemptCount, Session, User
from shared_apps.accounts.users import create_user, hash_password
from shared_apps.tenants import lifecycle
from shared_apps.tenants.models import Tenant
from tatami.tenancy.scope import platform_scope
from tests.support.live_server import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SUPERADMIN = {"email": "superadmin.walk@example.com", "password": "one thousand cranes"}
SLUGS = ("walk-one", "walk-two")


class Browser:
    """A client of one host, with the token of its login, like `curl -H "Host: …"`."""

    def __init__(self, port: int, host: str) -> None:
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Host": f"{host}:{port}"}, timeout=30
        )

    def request(self, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        assert answer.headers["X-Request-ID"]
        return answer.json() if answer.content else None

    def log_in(self, email: str, password: str) -> None:
        answer = self.request("POST", "/auth/login", 200, {"email": email, "password": password})
        self.http.headers["Authorization"] = f"{answer['token_type']} {answer['access']}"


def with_database(url: str, name: str) -> str:
    """Return the URL with another database name."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="module")
def port(
    django_db_setup: None, django_db_blocker: Any, database_name: str, tmp_path_factory: Any
) -> Iterator[int]:
    """Serve the test database as `make run` does; stop the process after the module."""
    number = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "ADMIN_DATABASE_URL"}
    for name in ("DATABASE_URL", "OWNER_DATABASE_URL"):
        environment[name] = with_database(environment[name], database_name)
    environment |= {"PORT": str(number), "TATAMI_DATA": str(tmp_path_factory.mktemp("data"))}
    command = (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "config.wsgi:application", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(number), "--workers", "1", "--blocking-threads", "4"),
        *("--no-access-log", "--log-level", "error"),
    )
    log = tmp_path_factory.mktemp("log") / "web.log"
    with django_db_blocker.unblock(), log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _add_superadmin()
            _wait_until_ready(process, number, log)
            yield number
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()
            _delete_test_data()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"the server does not respond: {log.read_text(errors='replace')[-2000:]}")


def _add_superadmin() -> None:
    with platform_scope():
        create_user(
            email=SUPERADMIN["email"], role="admin", password_hash=hash_password(SUPERADMIN["password"])
        )


def _delete_test_data() -> None:
    with platform_scope():
        for tenant in Tenant.objects.filter(slug__in=SLUGS):
            lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=datetime.now(UTC)))
        mine = User.objects.filter(email=SUPERADMIN["email"])
        # Not `delete`: it would follow the user's relations into tables that only dojos have.
        Session.objects.filter(user__in=mine)._raw_delete("default")
        AttemptCount.objects.all()._raw_delete("default")
        mine._raw_delete("default")


@pytest.fixture
def browser(port: int) -> Iterator[Callable[[str], Browser]]:
    """Return a function that opens a client of a host; all are closed after the test."""
    with ExitStack() as opened:

        def at(host: str) -> Browser:
            one = Browser(port, host)
            opened.enter_context(one.http)
            return one

        yield at


def dojo(root: Browser, browser: Callable[[str], Browser], slug: str) -> Browser:
    """Create a dojo as superadmin; return its admin, signed in on the subdomain."""
    admin = {"email": f"head@{slug}.example.com", "name": "Head", "password": "ten thousand cuts"}
    made = root.request(
        "POST", "/tenants", 201, {"name": slug.title(), "slug": slug, "timezone": "UTC", "admin": admin}
    )
    assert made["status"] == "active"
    assert made["domains"][0]["domain"] == f"{slug}.localhost"
    head = browser(made["domains"][0]["domain"])
    head.log_in(admin["email"], admin["password"])
    me = head.request("GET", "/me", 200)
    assert (me["role"], me["tenant"]["slug"]) == ("admin", slug)
    return head


def open_now() -> dict[str, Any]:
    """Return the recurrence of a class that starts now."""
    now = datetime.now(UTC)
    weekday = ("mo", "tu", "we", "th", "fr", "sa", "su")[now.weekday()]
    start = {"start_time": now.strftime("%H:%M"), "duration_minutes": 90}
    return {"weekdays": [weekday], "from": now.date().isoformat(), **start}


def text_of(data_uri: str) -> str:
    """Return the text that an independent decoder reads in the PNG."""
    assert data_uri.startswith("data:image/png;base64,")
    with Image.open(BytesIO(b64decode(data_uri.partition(",")[2]))) as picture:
        (symbol,) = zxingcpp.read_barcodes(picture.convert("L"))
    return str(symbol.text)


def test_a_student_checks_in_and_is_checked_for_promotion(
    browser: Callable[[str], Browser],
) -> None:
    root = browser("localhost")
    root.log_in(**SUPERADMIN)
    here, elsewhere = (dojo(root, browser, slug) for slug in SLUGS)

    # A class that is open now, and a student.
    art = here.request("POST", "/disciplines", 201, {"name": "Aikido"})
    system = here.request("POST", "/rank-systems", 201, {"preset": "aikikai", "discipline": art["id"]})
    group = here.request(
        "POST", "/classes", 201, {"name": "Evening class", "discipline": art["id"], "recurrence": open_now()}
    )
    student = here.request("POST", "/students", 201, {"first_name": "Mika", "last_name": "Sato"})
    here.request("POST", f"/classes/{group['id']}/enrolments", 201, {"student": student["id"]})

    # The code is read from its image and scanned.
    code = here.request("POST", "/qr", 201, {"student": student["id"], "format": "png"})
    token = text_of(code["image"])
    assert token == code["token"]
    first = here.request("POST", "/attendance/scan", 201, {"token": token})
    assert first["status"] == "recorded"
    assert first["student"]["name"] == "Mika Sato"
    assert first["attendance"]["class_session"]["name"] == "Evening class"
    again = here.request("POST", "/attendance/scan", 200, {"token": token})
    assert again == {**first, "status": "already_recorded"}
    refused = elsewhere.request("POST", "/attendance/scan", 400, {"token": token})
    assert refused["error"]["code"] == "qr_invalid"

    # The student is not eligible: the imported first dan is a month old.
    ranks = {rank["code"]: rank["id"] for rank in system["ranks"]}
    today = date.fromisoformat(here.request("POST", "/promotions/check", 200, {})["as_of"])

    def held_since(day: date) -> Any:
        event = {"rank": ranks["1-dan"], "kind": "import", "effective_on": day.isoformat()}
        return here.request("POST", f"/students/{student['id']}/rank-events", 201, event)

    def fact(kind: str, value: Any) -> None:
        body = {"kind": kind, "value": value, "on": today.isoformat(), "rank_system": system["id"]}
        here.request("POST", f"/students/{student['id']}/facts", 201, body)

    mistaken = held_since(today - timedelta(days=30))
    fact("opening_attendance", 100)
    (answer,) = here.request("POST", "/promotions/check", 200, {"students": [student["id"]]})["results"]
    assert answer["status"] == "not_eligible"
    assert (answer["current_rank"]["id"], answer["target_rank"]["id"]) == (ranks["1-dan"], ranks["2-dan"])
    criteria = {one["kind"]: one for one in answer["criteria"]}
    assert set(criteria) == {"time_in_rank", "attendance_count", "document", "standing"}
    assert criteria.pop("standing")["status"] == "met"
    for criterion in criteria.values():
        assert {"have", "need", "earliest_on", "message"} <= set(criterion)
        assert criterion["status"] == "not_met"
    anniversary = date.fromisoformat(criteria["time_in_rank"]["earliest_on"])
    assert timedelta(days=334) <= anniversary - today <= timedelta(days=337)
    assert criteria["time_in_rank"]["need"] == 12
    assert (criteria["attendance_count"]["have"], criteria["attendance_count"]["need"]) == (101, 200)
    assert "article" in criteria["document"]["message"].lower()

    # With the imported history and attendance the student is eligible.
    here.request("POST", f"/rank-events/{mistaken['id']}/void", 200, {"reason": "The date was mistaken."})
    held_since(today - timedelta(days=800))
    fact("opening_attendance", 99)
    fact("document", "article")
    (answer,) = here.request("POST", "/promotions/check", 200, {"students": [student["id"]]})["results"]
    assert answer["status"] == "eligible"
    assert {one["status"] for one in answer["criteria"]} == {"met"}
    assert elsewhere.request("POST", "/promotions/check", 200, {})["results"] == []

    # An unknown host is not found.
    assert browser("nowhere.localhost").request("GET", "/me", 404)["error"]["code"] == "tenant_not_found"
