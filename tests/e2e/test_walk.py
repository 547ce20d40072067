"""The walk of the README over real HTTP: a server of its own, on a loopback port, on the test database."""

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
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SUPERADMIN = {"email": "walker@example.com", "password": "one thousand cranes"}
SLUGS = ("walk-one", "walk-two")


class Browser:
    """Somebody at one host, with the token he was given: what `curl -H "Host: …"` does."""

    def __init__(self, port: int, host: str) -> None:
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Host": f"{host}:{port}"}, timeout=30
        )

    def ask(self, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        assert answer.headers["X-Request-ID"]
        return answer.json() if answer.content else None

    def log_in(self, email: str, password: str) -> None:
        answer = self.ask("POST", "/auth/login", 200, {"email": email, "password": password})
        self.http.headers["Authorization"] = f"{answer['token_type']} {answer['access']}"


def with_database(url: str, name: str) -> str:
    """Return the URL with the name of another database in it."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="module")
def port(
    django_db_setup: None, django_db_blocker: Any, database_name: str, tmp_path_factory: Any
) -> Iterator[int]:
    """Serve the test database as `make run` does, and stop that process in the end."""
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
            _take_back()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"the server does not answer: {log.read_text(errors='replace')[-2000:]}")


def _add_superadmin() -> None:
    with platform_scope():
        create_user(
            email=SUPERADMIN["email"], role="admin", password_hash=hash_password(SUPERADMIN["password"])
        )


def _take_back() -> None:
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
    """Return what opens a browser at a host; all are closed in the end."""
    with ExitStack() as opened:

        def at(host: str) -> Browser:
            one = Browser(port, host)
            opened.enter_context(one.http)
            return one

        yield at


def dojo(root: Browser, browser: Callable[[str], Browser], slug: str) -> Browser:
    """Have the superadmin make a dojo; return its admin, logged in on its subdomain."""
    admin = {"email": f"head@{slug}.example.com", "name": "Head", "password": "ten thousand cuts"}
    made = root.ask(
        "POST", "/tenants", 201, {"name": slug.title(), "slug": slug, "timezone": "UTC", "admin": admin}
    )
    assert made["status"] == "active"
    assert made["domains"][0]["domain"] == f"{slug}.localhost"
    head = browser(made["domains"][0]["domain"])
    head.log_in(admin["email"], admin["password"])
    me = head.ask("GET", "/me", 200)
    assert (me["role"], me["tenant"]["slug"]) == ("admin", slug)
    return head


def open_now() -> dict[str, Any]:
    """Return the recurrence of a class that begins now."""
    now = datetime.now(UTC)
    weekday = ("mo", "tu", "we", "th", "fr", "sa", "su")[now.weekday()]
    start = {"start_time": now.strftime("%H:%M"), "duration_minutes": 90}
    return {"weekdays": [weekday], "from": now.date().isoformat(), **start}


def text_of(data_uri: str) -> str:
    """Return what an independent decoder reads in the PNG."""
    assert data_uri.startswith("data:image/png;base64,")
    with Image.open(BytesIO(b64decode(data_uri.partition(",")[2]))) as picture:
        (symbol,) = zxingcpp.read_barcodes(picture.convert("L"))
    return str(symbol.text)


def test_a_student_checks_in_and_we_can_say_whether_she_may_be_promoted(
    browser: Callable[[str], Browser],
) -> None:
    root = browser("localhost")
    root.log_in(**SUPERADMIN)
    here, elsewhere = (dojo(root, browser, slug) for slug in SLUGS)

    # A class that is open now, and a student.
    art = here.ask("POST", "/disciplines", 201, {"name": "Aikido"})
    system = here.ask("POST", "/rank-systems", 201, {"preset": "aikikai", "discipline": art["id"]})
    group = here.ask(
        "POST", "/classes", 201, {"name": "Evening class", "discipline": art["id"], "recurrence": open_now()}
    )
    student = here.ask("POST", "/students", 201, {"first_name": "Mika", "last_name": "Sato"})
    here.ask("POST", f"/classes/{group['id']}/enrolments", 201, {"student": student["id"]})

    # Her code as a picture, read by another program, is scanned.
    code = here.ask("POST", "/qr", 201, {"student": student["id"], "format": "png"})
    token = text_of(code["image"])
    assert token == code["token"]
    first = here.ask("POST", "/attendance/scan", 201, {"token": token})
    assert first["status"] == "recorded"
    assert first["student"]["name"] == "Mika Sato"
    assert first["attendance"]["class_session"]["name"] == "Evening class"
    again = here.ask("POST", "/attendance/scan", 200, {"token": token})
    assert again == {**first, "status": "already_recorded"}
    refused = elsewhere.ask("POST", "/attendance/scan", 400, {"token": token})
    assert refused["error"]["code"] == "qr_invalid"

    # May she be promoted? Not yet: she came with a first dan that is a month old.
    ranks = {rank["code"]: rank["id"] for rank in system["ranks"]}
    today = date.fromisoformat(here.ask("POST", "/promotions/check", 200, {})["as_of"])

    def held_since(day: date) -> Any:
        event = {"rank": ranks["1-dan"], "kind": "import", "effective_on": day.isoformat()}
        return here.ask("POST", f"/students/{student['id']}/rank-events", 201, event)

    def fact(kind: str, value: Any) -> None:
        said = {"kind": kind, "value": value, "on": today.isoformat(), "rank_system": system["id"]}
        here.ask("POST", f"/students/{student['id']}/facts", 201, said)

    mistaken = held_since(today - timedelta(days=30))
    fact("opening_attendance", 100)
    (answer,) = here.ask("POST", "/promotions/check", 200, {"students": [student["id"]]})["results"]
    assert answer["status"] == "not_eligible"
    assert (answer["current_rank"]["id"], answer["target_rank"]["id"]) == (ranks["1-dan"], ranks["2-dan"])
    criteria = {one["kind"]: one for one in answer["criteria"]}
    assert set(criteria) == {"time_in_rank", "attendance_count", "document"}
    for criterion in criteria.values():
        assert {"have", "need", "earliest_on", "message"} <= set(criterion)
        assert criterion["status"] == "not_met"
    anniversary = date.fromisoformat(criteria["time_in_rank"]["earliest_on"])
    assert timedelta(days=334) <= anniversary - today <= timedelta(days=337)
    assert criteria["time_in_rank"]["need"] == 12
    assert (criteria["attendance_count"]["have"], criteria["attendance_count"]["need"]) == (101, 200)
    assert "article" in criteria["document"]["message"].lower()

    # The history and the attendance that she brought are imported: now she may.
    here.ask("POST", f"/rank-events/{mistaken['id']}/void", 200, {"reason": "The date was mistaken."})
    held_since(today - timedelta(days=800))
    fact("opening_attendance", 99)
    fact("document", "article")
    (answer,) = here.ask("POST", "/promotions/check", 200, {"students": [student["id"]]})["results"]
    assert answer["status"] == "eligible"
    assert {one["status"] for one in answer["criteria"]} == {"met"}
    assert elsewhere.ask("POST", "/promotions/check", 200, {})["results"] == []

    # What curl sees of any of it at a host that is none of ours.
    assert browser("nowhere.localhost").ask("GET", "/me", 404)["error"]["code"] == "tenant_not_found"
