"""The console: superadmins alone, on the platform host alone, and everything through the services of the API."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import end_sessions, open_session
from shared_apps.tenants.exports import queueing
from shared_apps.tenants.exports.making import make_next_export
from shared_apps.tenants.models import PendingJob, Tenant, TenantExport
from shared_apps.tenants.usage import collect
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed_dojos import erase_dojo
from tests.support.now import NOW
from tests.support.responses import done, refusal

PASSWORD = "the old bamboo sword"
DOJOS = "/console/tenants/tenant/"


class Browser:
    """A browser at a host: it keeps cookies, and sends forms with the token that their page holds."""

    def __init__(self, host: str = "localhost") -> None:
        self.host = host
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"Host": self.host})

    def send(self, path: str, form: dict[str, Any], *, page: str | None = None) -> Any:
        """Send a form from its page, and return the answer."""
        shown = self.get(page or path)
        assert shown.status_code == 200, (shown.status_code, shown.content[:500])
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.content.decode())
        assert token
        return self.client.post(
            path, {**form, "csrfmiddlewaretoken": token.group(1)}, headers={"Host": self.host}
        )

    def sign_in(self, email: str = "root@example.com", password: str = PASSWORD) -> Any:
        return self.send("/console/login/", {"username": email, "password": password})

    def act(self, name: str, *tenants: TenantScope) -> str:
        """Take an action of the list, and return the page that follows."""
        chosen = [str(one.tenant_id) for one in tenants]
        answer = self.send(DOJOS, {"action": name, "_selected_action": chosen, "index": "0"})
        assert answer.status_code == 302, answer.content[:500]
        return str(self.get(answer.headers["Location"]).content.decode())


@pytest.fixture
def root(platform: Platform) -> Caller:
    caller = platform.superadmin()
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    return caller


@pytest.fixture
def browser(root: Caller) -> Browser:
    """A superadmin's browser, signed in."""
    browser = Browser()
    answer = browser.sign_in()
    assert (answer.status_code, answer.headers["Location"]) == (302, "/console/")
    return browser


def status_of(tenant: TenantScope) -> str:
    with platform_scope():
        return Tenant.objects.get(pk=tenant.tenant_id).status


def audit(root: Caller, action: str) -> list[dict[str, Any]]:
    return list(done(root.get(f"/audit?action={action}"))["results"])


# --- who is let in ---


def test_a_superadmin_signs_in_and_sees_the_dojos(browser: Browser) -> None:
    assert browser.get("/console/").headers["Location"] == DOJOS
    page = browser.get(DOJOS)
    assert page.status_code == 200
    assert b"Seishin Dojo" in page.content
    assert b"current" in page.content
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"


def test_whoever_is_not_signed_in_is_led_to_the_form(root: Caller) -> None:
    for path in (DOJOS, "/console/accounts/auditentry/", f"{DOJOS}add/"):
        answer = Browser().get(path)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/console/login/")


def test_the_cookie_is_for_the_console_alone(browser: Browser) -> None:
    cookie = browser.client.cookies["tatami_console"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/console/", True, "Lax")
    assert not cookie["domain"]


def test_the_cookie_is_secure_behind_tls(root: Caller, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    browser = Browser()
    browser.sign_in()
    assert browser.client.cookies["tatami_console"]["secure"]


@pytest.mark.parametrize(
    ("email", "password"), [("root@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("x", "\x00")]
)
def test_a_wrong_password_is_refused(root: Caller, email: str, password: str) -> None:
    browser = Browser()
    answer = browser.sign_in(email, password)
    assert answer.status_code == 200
    assert "tatami_console" not in browser.client.cookies


def test_guesses_are_counted_with_those_at_the_api(root: Caller, platform: Platform) -> None:
    for _ in range(10):
        guess = {"email": "root@example.com", "password": "wrong"}
        refusal(platform.anonymous.post("/auth/login", guess), 401, "invalid_credentials")
    answer = Browser().sign_in()
    assert answer.status_code == 200
    assert b"Too many attempts" in answer.content


def test_a_user_who_is_no_superadmin_is_refused(root: Caller) -> None:
    with platform_scope():
        User.objects.update(role="instructor")
    assert Browser().sign_in().status_code == 200


def test_a_dojos_admin_is_nobody_here(root: Caller, dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.update(password=make_password(PASSWORD))
    assert Browser().sign_in("head@example.com").status_code == 200


def test_a_token_is_no_cookie_and_a_cookie_no_token(browser: Browser, root: Caller, dojo: Dojo) -> None:
    for token in (root.token, dojo.admin.token):
        bearer = Client().get(DOJOS, headers={"Host": "localhost", "Authorization": f"Bearer {token}"})
        assert bearer.status_code == 302
    assert root.user is not None
    with platform_scope():
        refresh = open_session(root.user, now=NOW).refresh
        session = root.user.sessions.latest("created_at")  # type: ignore[attr-defined]
    for forged in (str(root.token), f"{session.pk}.{refresh}", "x", f"{session.pk}.", ".", "é.é"):
        other = Browser()
        other.client.cookies["tatami_console"] = forged
        assert other.get(DOJOS).status_code == 302
    refusal(browser.get("/me"), 401, "not_authenticated")
    cookie = browser.client.cookies["tatami_console"].value
    refusal(Caller("localhost", token=cookie).get("/me"), 401, "token_invalid")


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/login/", DOJOS])
def test_a_dojos_host_has_no_console(browser: Browser, dojo: Dojo, path: str) -> None:
    browser.host = dojo.host
    refusal(browser.get(path), 404, "not_found")


def test_a_form_of_another_page_is_refused(browser: Browser, tenant: TenantScope) -> None:
    form = {"action": "suspend", "_selected_action": [str(tenant.tenant_id)]}
    answer = browser.client.post(DOJOS, form, headers={"Host": "localhost"})
    refusal(answer, 403, "permission_denied")
    assert status_of(tenant) == "active"


def test_signing_out_ends_the_session(browser: Browser) -> None:
    cookie = browser.client.cookies["tatami_console"].value
    assert browser.send("/console/logout/", {}, page=DOJOS).status_code == 302
    browser.client.cookies["tatami_console"] = cookie
    assert browser.get(DOJOS).status_code == 302


def test_a_session_ends_by_itself_and_with_the_account(browser: Browser, root: Caller) -> None:
    with clock.fixed(NOW + timedelta(hours=12)):
        assert browser.get(DOJOS).status_code == 302
    assert browser.get(DOJOS).status_code == 200
    assert root.user is not None
    with platform_scope():
        end_sessions(root.user.pk, now=NOW)
    assert browser.get(DOJOS).status_code == 302


# --- what is shown ---

EXPORTS = "/console/tenants/tenantexport/"
PAGES = [
    DOJOS,
    "/console/tenants/domain/",
    "/console/tenants/tenantusage/",
    EXPORTS,
    "/console/accounts/auditentry/",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_list_costs_as_much_with_twenty_dojos_as_with_two(
    browser: Browser, root: Caller, tenant: TenantScope, path: str
) -> None:
    def cost() -> int:
        browser.get(path)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(path).status_code == 200
        return len(asked)

    done(root.patch("/me", {"name": "Root"}))
    few = cost()
    with platform_scope():
        for number in range(20):
            made = Tenant.objects.create(
                slug=f"spare-{number}",
                schema_name=f"t_{number}",
                name="Spare",
                timezone="UTC",
                status="active",
            )
            made.domains.create(domain=f"spare-{number}.localhost", verified_at=NOW)
            made.exports.create(lease_until=NOW, expires_at=NOW)
            done(root.patch("/me", {"name": f"Root {number}"}))
    assert cost() == few <= 12


def test_nothing_is_changed_but_by_a_deed(browser: Browser, tenant: TenantScope) -> None:
    for path in PAGES:
        if path != DOJOS:
            refusal(browser.get(f"{path}add/"), 403, "permission_denied")
    page = f"{DOJOS}{tenant.tenant_id}/change/"
    shown = browser.get(page)
    assert shown.status_code == 200
    assert b"aiki.localhost" in shown.content
    refusal(browser.send(page, {"name": "Changed"}, page=DOJOS), 403, "permission_denied")
    refusal(browser.get(f"{DOJOS}{tenant.tenant_id}/delete/"), 403, "permission_denied")
    assert browser.get(f"{DOJOS}{tenant.tenant_id}/history/").status_code == 404


def test_what_the_pages_need_is_served(browser: Browser) -> None:
    page = browser.get(DOJOS).content.decode()
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert any("unfold" in one for one in files)
    for file in files:
        answer = browser.get(file)
        assert answer.status_code == 200, file
        answer.close()


def test_django_keeps_no_log_and_no_sessions_of_its_own(browser: Browser, superuser: Any) -> None:
    found = superuser.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_name IN ('django_admin_log', 'django_session')"
    ).fetchall()
    assert found == []


def test_the_usage_is_read_from_its_table(browser: Browser, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        collect(now=NOW)
    page = browser.get("/console/tenants/tenantusage/").content.decode()
    assert "aiki" in page
    assert "MB" in page
    assert "MB" in browser.get(DOJOS).content.decode()


def test_dojos_are_found_without_regard_to_accents_and_case(browser: Browser, tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.get(pk=tenant.tenant_id).save()
    assert b"aiki" in browser.get(f"{DOJOS}?q=SEÏSHIN").content
    assert str(tenant.tenant_id) not in browser.get(f"{DOJOS}?q=nothing").content.decode()


# --- what is done ---


@pytest.fixture
def committing(north: TenantScope, superuser: Any, now: Any) -> Iterator[tuple[Browser, Caller]]:
    """A browser and its superadmin in a world that really commits, as the making of a dojo does."""
    root = Platform().superadmin()
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    browser = Browser()
    assert browser.sign_in().status_code == 302
    yield browser, root
    erase_dojo(superuser, "tora")


def test_a_dojo_is_made(committing: tuple[Browser, Caller]) -> None:
    browser, root = committing
    form = {"name": "Tora Dojo", "slug": "tora", "timezone": "Asia/Tokyo", "admin_email": "ren@example.com"}
    answer = browser.send(f"{DOJOS}add/", form)
    assert answer.status_code == 302, answer.content[-3000:]
    with platform_scope():
        made = Tenant.objects.get(slug="tora")
    assert made.status == "active"
    assert b"its admin was mailed a link" in browser.get(answer.headers["Location"]).content
    with tenant_scope(made.scope):
        assert User.objects.get().email == "ren@example.com"
    assert [row["object"] for row in audit(root, "tenants.post")] == [str(made.pk)]


def test_an_archive_is_fetched_by_its_link(committing: tuple[Browser, Caller], north: TenantScope) -> None:
    browser, _ = committing
    browser.act("export", north)
    with platform_scope():
        export = TenantExport.objects.get(tenant=north.tenant_id)
    try:
        waiting = browser.get(EXPORTS).content.decode()
        assert "queued" in waiting
        assert "Download" not in waiting
        assert make_next_export()
        with platform_scope():
            export.refresh_from_db()
        for page in (EXPORTS, f"{EXPORTS}{export.pk}/change/"):
            shown = browser.get(page).content.decode()
            link = re.search(r'href="(/tenants/[^"]+/archive\?token=[^"]+)"', shown)
            assert link
            answer = browser.get(link.group(1))
            assert answer.status_code == 200
            assert len(b"".join(answer.streaming_content)) == export.bytes
        assert export.sha256 in shown
    finally:
        with platform_scope():
            queueing.delete(export)


def test_a_slug_that_is_taken_is_refused(committing: tuple[Browser, Caller]) -> None:
    browser, root = committing
    form = {"name": "Tora Dojo", "slug": "north", "timezone": "Asia/Tokyo", "admin_email": "ren@example.com"}
    answer = browser.send(f"{DOJOS}add/", form)
    assert answer.status_code == 200
    assert b"Another dojo has this slug." in answer.content
    assert audit(root, "tenants.post") == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("slug", "www", "reserved"), ("timezone", "Mars", "zone"), ("name", "", "required")],
)
def test_a_dojo_that_the_rules_refuse_is_not_made(
    browser: Browser, tenant: TenantScope, field: str, value: str, said: str
) -> None:
    form = {"name": "Tora Dojo", "slug": "tora", "timezone": "UTC", "admin_email": "ren@example.com"}
    answer = browser.send(f"{DOJOS}add/", {**form, field: value})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    with platform_scope():
        assert Tenant.objects.filter(name="Tora Dojo").count() == 0


def test_dojos_are_suspended_and_resumed(
    browser: Browser, root: Caller, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    assert "aiki is suspended." in browser.act("suspend", tenant, other_tenant)
    assert {status_of(tenant), status_of(other_tenant)} == {"suspended"}
    assert "aiki is serving." in browser.act("resume", tenant)
    assert (status_of(tenant), status_of(other_tenant)) == ("active", "suspended")
    rows = audit(root, "tenant.patch")
    assert [row["fields"] for row in rows] == [["status"]] * 3
    assert {row["actor"]["name"] for row in rows} == {"Root"}


def test_what_a_service_refuses_is_said(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="deleting")
    assert "aiki: A dojo that is deleting cannot become suspended." in browser.act("suspend", tenant)
    assert audit(root, "tenant.patch") == []


def test_a_dojo_is_deleted_by_typing_its_slug(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    page = f"{DOJOS}{tenant.tenant_id}/delete-with-grace/"
    assert browser.send(page, {"confirm": "kendo"}).status_code == 200
    assert status_of(tenant) == "active"
    assert browser.send(page, {"confirm": "aiki"}).status_code == 302
    assert status_of(tenant) == "deleting"
    assert len(audit(root, "tenant.delete")) == 1


def test_an_export_and_a_count_are_asked_for(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    assert "aiki is queued for its export." in browser.act("export", tenant)
    assert "aiki is queued to be counted." in browser.act("count", tenant)
    with platform_scope():
        assert TenantExport.objects.get(tenant=tenant.tenant_id).status == "queued"
        assert PendingJob.objects.filter(tenant=tenant.tenant_id, job="tenants.usage").exists()
    assert len(audit(root, "tenant-exports.post")) == 1


def test_a_superadmin_acts_as_a_user_until_he_signs_out(browser: Browser, root: Caller, dojo: Dojo) -> None:
    page = f"{DOJOS}{dojo.tenant.tenant_id}/act-as/"
    answer = browser.send(page, {"reason": "Ticket 4711"})
    found = re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", answer.content.decode())
    assert found, answer.content
    caller = Caller(dojo.host, token=found.group())
    assert done(caller.get("/me"))["impersonated_by"]["name"] == "Root"
    (row,) = audit(root, "tenant-impersonations.post")
    assert (row["reason"], row["object"]) == ("Ticket 4711", str(dojo.tenant.tenant_id))
    browser.send("/console/logout/", {}, page=DOJOS)
    refusal(caller.get("/me"), 401, "token_invalid")


def test_acting_as_somebody_needs_a_reason_and_a_dojo_that_serves(
    browser: Browser, tenant: TenantScope
) -> None:
    page = f"{DOJOS}{tenant.tenant_id}/act-as/"
    assert b"This field is required" in browser.send(page, {"reason": " "}).content
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="suspended")
    assert b"Resume it first" in browser.send(page, {"reason": "Ticket 4711"}).content
