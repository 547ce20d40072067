"""An evening of a new dojo in real browsers, from the first sign-in to the parent who looks at the visit.

The dojo lives in a time zone where it is noon now, so no class begins on one day and ends on the next. Where the
browser packages are not installed (`make browser-packages`), the code of the card is typed, as scanners do.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import Browser, BrowserContext, Page, expect

from demo.dojos import demo_password
from shared_apps.accounts.users import hash_password
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance
from tenant_apps.desk.kiosk.view import READER
from tenant_apps.promotions import batches
from tests.browser.conftest import PHONE, Site, open_context, sign_in, zone_where_it_is
from tests.browser.fake_camera import browser_with_camera, read_code
from tests.notifications.recording_smtp import smtp_server
from tests.support.committed import purge_dojo
from tests.support.live_server import LiveServer
from tests.support.password_mail import send_waiting_password_mails

SLUG: Final = "evening"
PIN: Final = "2468"
CHILD: Final = "Mika Sato"
OTHERS: Final = [f"Student{letter} Santos" for letter in "ABCDEFGHIJ"]
CLASS: Final = "Evening class"
WITHIN: Final = 40_000
"""Milliseconds; the kiosk sends what waits every ten seconds."""


@dataclass
class Evening:
    """The dojo, its browsers, and what later steps need of earlier ones."""

    site: Site
    chromium: Browser
    folder: Path
    stack: ExitStack
    codes: list[str] = field(default_factory=list)
    """The codes of the cards of `OTHERS`."""

    @property
    def scope(self) -> TenantScope:
        return self.site.tenant

    def context(self, browser: Browser | None = None, **options: Any) -> BrowserContext:
        context = open_context(browser or self.chromium, **options)
        self.stack.callback(context.close)
        return context

    def open(self, page: Page, path: str) -> None:
        page.goto(self.site.url + path)

    def visits(self) -> list[str]:
        """Return the names of those who are recorded, one for each attendance."""
        with tenant_scope(self.scope):
            found = Attendance.objects.not_voided().select_related("student")
            return sorted(one.student.name for one in found)


@pytest.fixture
def evening(web: LiveServer, chromium: Browser, tmp_path: Path) -> Iterator[Evening]:
    """A dojo that has nothing but its admin."""
    now = clock.now()
    admin = FirstAdmin(
        email=f"admin@{SLUG}.example", name="Ana Admin", password_hash=hash_password(demo_password())
    )
    with platform_scope():
        zone = zone_where_it_is(12, now)
        made, _ = create_tenant(name="Evening Dojo", slug=SLUG, timezone=zone, admin=admin, now=now)
        scope = Tenant.objects.with_primary_domain().get(pk=made.pk).scope
    try:
        with ExitStack() as stack:
            yield Evening(Site(web, scope), chromium, tmp_path, stack)
    finally:
        purge_dojo(SLUG)


def test_an_evening_of_a_new_dojo(evening: Evening) -> None:
    desk = evening.context().new_page()
    sign_in(desk, evening.site, "admin")
    choose_an_art_and_its_grades(evening, desk)
    plan_a_class_that_is_open_now(evening, desk)
    enter_a_child_and_import_the_others(evening, desk)
    invite(evening, desk)

    kiosk = pair_a_kiosk_that_sees_the_card(evening, desk)
    check_in_ten_without_a_network(evening, kiosk)
    expect_steps(evening, desk, done=6)
    mark_the_roster_on_a_phone(evening)

    award_a_batch_and_revert_it(evening, desk)
    hold_an_exam(evening, desk)
    look_as_a_parent(evening)


# --- the first steps ------------------------------------------------------------------------------------------------


def expect_steps(evening: Evening, desk: Page, done: int) -> None:
    evening.open(desk, "/desk/settings/first-steps")
    expect(desk.get_by_role("listitem").get_by_text("done", exact=True)).to_have_count(done)


def begin_next_step(evening: Evening, desk: Page) -> None:
    """Open the first steps, and begin the first that is not done."""
    evening.open(desk, "/desk/settings/first-steps")
    desk.get_by_role("link", name="Begin").first.click()


def choose_an_art_and_its_grades(evening: Evening, desk: Page) -> None:
    desk.get_by_role("link", name="First steps").click()
    expect(desk.get_by_role("link", name="Begin")).to_have_count(6)
    begin_next_step(evening, desk)
    desk.get_by_label("Name", exact=True).fill("Jiu-Jitsu")
    desk.get_by_role("button", name="Add", exact=True).click()
    begin_next_step(evening, desk)
    desk.get_by_role("link", name="New rank system").click()
    desk.get_by_label("Discipline").select_option("Jiu-Jitsu")
    desk.get_by_role("button", name="Start from IBJJF belts, adults and kids").click()
    expect(desk.get_by_role("heading", name="IBJJF belts, adults and kids")).to_be_visible()


def plan_a_class_that_is_open_now(evening: Evening, desk: Page) -> None:
    starts_at = clock.now().astimezone(ZoneInfo(evening.scope.timezone)) + timedelta(minutes=5)
    begin_next_step(evening, desk)
    desk.get_by_role("link", name="New class").first.click()
    desk.get_by_label("Name", exact=True).fill(CLASS)
    desk.get_by_role("checkbox", name=f"{starts_at:%a}").check()
    desk.get_by_label("Start", exact=True).fill(f"{starts_at:%H:%M}")
    desk.get_by_label("Minutes", exact=True).fill("60")
    desk.get_by_role("combobox", name="Place optional").fill("Mat")
    desk.get_by_role("button", name="Add the class").click()
    expect(desk.get_by_role("heading", name=CLASS)).to_be_visible()


def enter_a_child_and_import_the_others(evening: Evening, desk: Page) -> None:
    begin_next_step(evening, desk)
    desk.get_by_role("link", name="New student").first.click()
    desk.get_by_label("First name").fill(CHILD.split()[0])
    desk.get_by_label("Last name").fill(CHILD.split()[1])
    desk.get_by_label("Date of birth").fill("2016-05-04")
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_role("heading", name=CHILD)).to_be_visible()
    desk.get_by_role("link", name="Enrol").click()
    desk.get_by_role("dialog").get_by_label("Class").select_option(CLASS)
    desk.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    expect(desk.get_by_text("The student is enrolled.")).to_be_visible()
    evening.open(desk, "/desk/students/import")
    lines = ["first_name,last_name", *(name.replace(" ", ",") for name in OTHERS)]
    content = {"name": "list.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    desk.get_by_label("File", exact=True).set_input_files(content)  # type: ignore[arg-type]
    desk.get_by_role("button", name="Preview").click()
    desk.get_by_role("button", name="Import 10 lines").click()
    desk.get_by_role("link", name="Show the students").click()
    expect(desk.get_by_text("11 students")).to_be_visible()
    evening.open(desk, "/desk/students/cards?search=Santos")
    evening.codes = [read_code(desk.get_by_role("img", name=f"Code of {name}")) for name in OTHERS]


def invite(evening: Evening, desk: Page) -> None:
    """Invite an assistant, and a parent of the child; both set a password by the link in their mail."""
    evening.open(desk, "/desk/settings/users")
    form = desk.locator("form", has=desk.get_by_role("button", name="Invite"))
    form.get_by_label("E-mail").fill(evening.site.email("assistant"))
    form.get_by_role("combobox", name="Role").select_option("Assistant")
    form.get_by_role("button", name="Invite").click()
    expect(desk.get_by_text("gets a mail with a link")).to_be_visible()
    open_student(evening, desk, CHILD)
    desk.get_by_role("link", name="Invite").click()
    desk.get_by_role("dialog").get_by_label("E-mail").fill(evening.site.email("parent"))
    desk.get_by_role("dialog").get_by_role("button", name="Invite").click()
    expect(desk.get_by_text("The login is linked.")).to_be_visible()
    with smtp_server() as server:
        send_waiting_password_mails(evening.scope)
    assert len(server.taken) == 2
    page = evening.context().new_page()
    for mail in server.taken:
        link = re.search(r"/set-password#\S+", mail.get_content())
        assert link
        evening.open(page, link[0])
        page.get_by_label("New password").fill(demo_password())
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def open_student(evening: Evening, desk: Page, name: str) -> None:
    evening.open(desk, "/desk/students")
    # The list is replaced while one types, so wait for the answer before the click.
    with desk.expect_response(lambda answer: "search=" in answer.url):
        desk.get_by_label("Search by name").fill(name)
    expect(desk).to_have_url(re.compile("search="))
    desk.get_by_role("link", name=name).click()
    expect(desk.get_by_role("heading", name=name)).to_be_visible()


# --- at the door ----------------------------------------------------------------------------------------------------


def pair_a_kiosk_that_sees_the_card(evening: Evening, desk: Page) -> Page:
    """Return the page of a kiosk that has read the card of the child."""
    open_student(evening, desk, CHILD)
    desk.get_by_role("link", name="Card", exact=True).click()
    card = desk.get_by_role("img", name=f"Code of {CHILD}")
    code = read_code(card)
    browser = browser_with_camera(evening.chromium, card, evening.folder)
    evening.stack.callback(browser.close)
    begin_next_step(evening, desk)
    desk.get_by_label("Name", exact=True).fill("Door")
    desk.get_by_label("Location").fill("Mat")
    desk.get_by_role("button", name="Add", exact=True).click()
    pairing_code = desk.locator("code.secret").inner_text()

    kiosk = evening.context(browser, permissions=["camera"]).new_page()
    evening.open(kiosk, "/kiosk")
    kiosk.get_by_label("Pairing code").fill(pairing_code)
    kiosk.get_by_label("PIN to leave the kiosk").fill(PIN)
    kiosk.get_by_label("The same PIN again").fill(PIN)
    kiosk.get_by_role("button", name="Pair", exact=True).click()
    kiosk.get_by_role("button", name="Start the kiosk").click()
    if not all(finders.find(one) for one in READER):
        type_code(kiosk, code)
    expect(kiosk.locator("#answer").get_by_role("heading", name=CHILD)).to_be_visible()
    expect(kiosk.locator("#answer").get_by_text(CLASS)).to_be_visible()
    kiosk.evaluate("navigator.serviceWorker.ready.then(() => true)")
    turn_off_the_camera(kiosk)
    assert evening.visits() == [CHILD]
    return kiosk


def turn_off_the_camera(kiosk: Page) -> None:
    """Set the kiosk to a scanner that types, so that the card that lies before the camera is not read again."""
    kiosk.get_by_role("button", name="Menu").click()
    kiosk.get_by_label("PIN", exact=True).fill(PIN)
    kiosk.get_by_role("button", name="Open the menu").click()
    kiosk.get_by_role("combobox", name="Camera").select_option("off")
    kiosk.get_by_role("button", name="Save").click()
    expect(kiosk.get_by_role("dialog")).to_have_count(0)


def type_code(kiosk: Page, code: str) -> None:
    kiosk.keyboard.type(code)
    kiosk.keyboard.press("Enter")


def check_in_ten_without_a_network(evening: Evening, kiosk: Page) -> None:
    """Scan ten cards, of which the kiosk's tab is closed after five."""
    context = kiosk.context
    context.set_offline(True)
    for number, code in enumerate(evening.codes, start=1):
        type_code(kiosk, code)
        expect(kiosk.locator("#state")).to_have_text(re.compile(f"^{number} not sent yet"))
        if number == 5:
            kiosk.close()
            kiosk = context.new_page()
            evening.open(kiosk, "/kiosk")
            expect(kiosk.locator("#state")).to_have_text("5 not sent yet")
            expect(kiosk.get_by_role("heading", name="Show your code")).to_be_visible()
    assert evening.visits() == [CHILD]
    context.set_offline(False)
    expect(kiosk.locator("#state")).to_have_text("All sent", timeout=WITHIN)
    assert evening.visits() == [CHILD, *OTHERS]


def mark_the_roster_on_a_phone(evening: Evening) -> None:
    """An assistant marks a student as late by a tap, takes that back, and adds a visitor."""
    phone = evening.context(viewport=PHONE, has_touch=True).new_page()
    sign_in(phone, evening.site, "assistant")
    phone.get_by_role("link", name=CLASS).first.click()
    row = phone.get_by_role("listitem").filter(has_text=OTHERS[0])
    expect(row).to_contain_text("present")
    row.get_by_role("button").tap()
    expect(row).to_contain_text("late")
    phone.get_by_role("button", name="Undo").tap()
    expect(row).to_contain_text("present")
    phone.get_by_label("Find or add a student").fill("Vera")
    phone.get_by_label("First name").fill("Vera")
    phone.get_by_label("Last name").fill("Visitor")
    phone.get_by_role("button", name="Add and mark present").tap()
    expect(phone.get_by_role("listitem").filter(has_text="Vera Visitor")).to_contain_text("present")
    assert evening.visits() == [CHILD, *OTHERS, "Vera Visitor"]


# --- promotions -----------------------------------------------------------------------------------------------------


def award_a_batch_and_revert_it(evening: Evening, desk: Page) -> None:
    """Award the first rank to all, see the progress change by itself, and take the ranks back."""
    evening.open(desk, "/desk/promotions/batches/new")
    desk.get_by_label("Award ranks to all who are eligible").check()
    desk.get_by_role("button", name="Start").click()
    progress = desk.locator("#progress")
    expect(progress).to_contain_text("0 of 11 students are processed.")
    expect(progress.get_by_role("progressbar")).to_have_attribute("value", "0")
    with tenant_scope(evening.scope):
        # A run that failed before takes one student.
        batches.run_batches(JobRun(now=clock.now(), attempt=batches.MAX_CHUNK_ATTEMPTS + 1))
    expect(progress).to_contain_text("1 of 11 students are processed.", timeout=WITHIN)
    with tenant_scope(evening.scope):
        while batches.run_batches(JobRun(now=clock.now())) is not DONE:
            pass
    expect(progress).to_contain_text("11 of 11 students are processed.", timeout=WITHIN)
    desk.get_by_role("link", name="Revert").click()
    desk.get_by_label("Reason").fill("The wrong list")
    desk.get_by_role("button", name="Revert").click()
    expect(desk.get_by_text("The batch is reverted.")).to_be_visible()
    open_student(evening, desk, CHILD)
    expect(desk.get_by_text("1 entry was taken back")).to_be_visible()


def hold_an_exam(evening: Evening, desk: Page) -> None:
    """Invite the child, who passes; the certificate opens."""
    evening.open(desk, "/desk/exams/new")
    desk.get_by_label("Name", exact=True).fill("Winter exam")
    desk.get_by_role("button", name="Save").click()
    desk.get_by_role("link", name="Invite").first.click()
    desk.get_by_role("searchbox", name="Name").fill(CHILD)
    desk.get_by_role("radio", name=CHILD).check()
    desk.get_by_label("For the rank").select_option("White belt")
    desk.get_by_role("button", name="Invite", exact=True).click()
    desk.get_by_role("group", name=f"Outcome of {CHILD}").get_by_label("Passed").check()
    expect(desk.get_by_text("Saved at")).to_be_visible()
    desk.get_by_role("link", name="Finish the exam").click()
    desk.get_by_role("button", name="Finish and award").click()
    certificate = desk.get_by_role("link", name="Certificate", exact=True).get_attribute("href")
    opened = desk.evaluate(
        """async (address) => {
          const answer = await fetch(address);
          return [answer.status, answer.headers.get("content-type"), (await answer.text()).slice(0, 5)];
        }""",
        certificate,
    )
    assert opened == [200, "application/pdf", "%PDF-"]


def look_as_a_parent(evening: Evening) -> None:
    phone = evening.context(viewport=PHONE).new_page()
    sign_in(phone, evening.site, "parent")
    phone.get_by_role("link", name=CHILD, exact=True).click()
    expect(phone.get_by_role("heading", name=CHILD)).to_be_visible()
    expect(phone.get_by_role("region", name="Visits")).to_contain_text(CLASS)
    expect(phone.get_by_role("region", name="Ranks")).to_contain_text("White belt")
    expect(phone.get_by_role("link", name="Certificate")).to_be_visible()
    expect(phone.get_by_role("link", name="Students")).to_have_count(0)
