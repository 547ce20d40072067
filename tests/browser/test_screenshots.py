"""The pictures of README and docs, from a demo dojo. `make screenshots` writes them; `make test` leaves them out.

Each is at most 150 KB. In the dojo it is between 18:00 and 19:00, and three sessions of the day are added, because not
every day has classes.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from demo.build import make_demo_dojos
from demo.dojos import DEMO_DOJOS, STAFF_NAMES, TORA, demo_password, demo_password_hash
from shared_apps.accounts.models import Role
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.browser.conftest import DESK, PHONE, Site, open_context, sign_in, zone_where_it_is
from tests.browser.fake_camera import browser_with_camera
from tests.support.committed import purge_dojo
from tests.support.live_server import send_request

pytestmark = pytest.mark.screenshots
FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MAX_BYTES: Final = 150 * 1024
COLOURS: Final = 128
TABLET: Final = {"width": 1080, "height": 760}
PIN: Final = "2468"
RUNNING: Final = "All levels"


@pytest.fixture(scope="session")
def demo_dojos(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[TenantScope]]:
    """A demo dojo whose belts have many colours, in a time zone where it is evening."""
    now = clock.now()
    admin = FirstAdmin(
        email=TORA.address("admin"), name=STAFF_NAMES[Role.ADMIN], password_hash=demo_password_hash()
    )
    with django_db_blocker.unblock():
        with platform_scope():
            zone = zone_where_it_is(18, now)
            create_tenant(name=TORA.name, slug=TORA.slug, timezone=zone, admin=admin, now=now)
        list(make_demo_dojos(now=now))
        with platform_scope():
            scope = Tenant.objects.with_primary_domain().get(slug=TORA.slug).scope
        yield [scope]
        for dojo in DEMO_DOJOS:
            purge_dojo(dojo.slug)


class Api:
    """The API of the dojo, as its admin."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.token = ""
        login = {"email": site.email("admin"), "password": demo_password()}
        self.token = self.call("POST", "/auth/login", login)["access"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        host = f"{self.site.tenant.slug}.localhost:{self.site.server.port}"
        status, answer = send_request(self.site.server.port, method, host, path, body, self.token)
        assert status < 300, answer
        return answer


@pytest.fixture(scope="module")
def api(site: Site) -> Api:
    """The dojo has three sessions today, with attendance."""
    api = Api(site)
    today = clock.now().astimezone(ZoneInfo(site.tenant.timezone))
    began = today.replace(minute=today.minute // 5 * 5, second=0, microsecond=0)
    sessions = [
        ("Fundamentals", began.replace(hour=16, minute=30), 60, 14),
        (RUNNING, began, 75, 9),
        ("Competition team", began.replace(hour=20, minute=30), 60, 0),
    ]
    classes = api.call("GET", "/classes")["results"]
    for (name, starts_at, minutes, present), of in zip(sessions, classes, strict=True):
        fields = {"class": of["id"], "name": name, "duration_minutes": minutes}
        session = api.call("POST", "/class-sessions", {"starts_at": starts_at.isoformat(), **fields})
        roster = api.call("GET", f"/class-sessions/{session['id']}")["roster"]
        marks = [{"student": one["student"]["id"], "state": "present"} for one in roster[:present]]
        if marks:
            marks[0]["state"] = "late"
            api.call("PUT", f"/class-sessions/{session['id']}/roster", {"entries": marks})
    return api


def save(page: Page, name: str) -> None:
    """Write a picture of what the window shows, with few colours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = FOLDER / f"{name}.png"
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size <= MAX_BYTES


def roster_of_the_running_session(page: Page) -> None:
    page.get_by_role("link", name=RUNNING).first.click()
    expect(page.get_by_role("heading", name="Roster")).to_be_visible()


def profile_of_a_student(page: Page) -> None:
    due = page.get_by_role("region", name="Due for promotion")
    due.get_by_role("listitem").first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Attendance")).to_be_visible()


PICTURES: Final[list[tuple[str, str, str, dict[str, int], str, Callable[[Page], None] | None]]] = [
    ("desk", "admin", "/desk", DESK, "light", None),
    ("desk-dark", "admin", "/desk", DESK, "dark", None),
    ("students", "admin", "/desk/students", DESK, "light", None),
    ("profile", "admin", "/desk", DESK, "light", profile_of_a_student),
    ("schedule", "admin", "/desk/schedule", DESK, "light", None),
    ("roster", "assistant", "/desk", PHONE, "light", roster_of_the_running_session),
    ("promotions", "admin", "/desk/promotions", DESK, "light", None),
    ("family", "parent", "/family", PHONE, "light", None),
]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("name", "role", "path", "size", "scheme", "walk"), PICTURES, ids=[one[0] for one in PICTURES]
)
def test_a_picture_is_made(
    chromium: Browser,
    site: Site,
    name: str,
    role: str,
    path: str,
    size: dict[str, int],
    scheme: Any,
    walk: Callable[[Page], None] | None,
) -> None:
    context = open_context(chromium, viewport=size, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, site, role)
    page.goto(site.url + path, wait_until="load")
    if walk:
        walk(page)
    save(page, name)
    context.close()


def test_a_picture_of_the_kiosk_is_made(chromium: Browser, site: Site, api: Api, tmp_path: Path) -> None:
    """The kiosk has read some codes, the last one from a card before its camera."""
    device = api.call("POST", "/devices", {"name": "Door", "location": ""})
    last, *others = expected_students(api, site)[:4]
    desk = open_context(chromium)
    card = desk.new_page()
    sign_in(card, site, "admin")
    card.goto(f"{site.url}/desk/students/{last['id']}/card")
    browser = browser_with_camera(chromium, card.locator(".student-card .code"), tmp_path)
    desk.close()
    context = open_context(browser, viewport=TABLET)
    page = context.new_page()
    page.goto(f"{site.url}/kiosk")
    page.get_by_label("Pairing code").fill(device["pairing_code"])
    page.get_by_label("PIN to leave the kiosk").fill(PIN)
    page.get_by_label("The same PIN again").fill(PIN)
    page.get_by_role("button", name="Pair", exact=True).click()
    page.get_by_role("button", name="Start the kiosk").click()
    expect(page.get_by_role("heading", name="Show your code")).to_be_visible()
    answer = page.locator("#answer")
    for student in others:
        page.keyboard.type(api.call("POST", "/qr", {"student": student["id"], "kind": "card"})["token"])
        page.keyboard.press("Enter")
        expect(answer.get_by_role("heading", name=student["name"])).to_be_visible()
    context.grant_permissions(["camera"])
    page.get_by_role("button", name="Menu").click()
    page.get_by_label("PIN", exact=True).fill(PIN)
    page.get_by_role("button", name="Open the menu").click()
    page.get_by_role("button", name="Save").click()
    expect(answer.get_by_role("heading", name=last["name"])).to_be_visible()
    save(page, "kiosk")
    browser.close()


def expected_students(api: Api, site: Site) -> list[dict[str, Any]]:
    """Return the students who are still expected at the running session."""
    today = clock.now().astimezone(ZoneInfo(site.tenant.timezone)).date()
    sessions = api.call("GET", f"/class-sessions?from={today}&to={today}")["results"]
    running = next(one for one in sessions if one["name"] == RUNNING)
    roster = api.call("GET", f"/class-sessions/{running['id']}")["roster"]
    return [one["student"] for one in roster if one["state"] == "expected"]
