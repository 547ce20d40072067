"""The console: only for superadmins, only on the platform host, with the services of the API."""

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
from shared_apps.tenants.exports import build
from shared_apps.tenants.exports.build import build_next_export
from shared_apps.tenants.models import PendingJob, Tenant, TenantExport
from shared_apps.tenants.usage import collect
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.committed import erase_dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok

PASSWORD = "the old bamboo sword"
DOJOS = "/console/tenants/tenant/"


class Browser:
    """A browser at a host: it keeps cookies, and sends forms with the CSRF token of their page."""

    def __init__(self, host: str = "localhost") -> None:
        self.host = host
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers={"Host": self.host})

    def send(self, path: str, form: dict[str, Any], *, page: str | None = None) -> Any:
        """Send a form from its page; return the response."""
        page_shown = self.get(page or path)
        assert page_shown.status_code == 200, (page_shown.status_code, page_shown.content[:500])
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page_shown.content.decode())
        assert token
        return self.client.post(
            path, {**form, "csrfmiddlewaretoken": token.group(1)}, headers={"Host": self.host}
        )

    def sign_in(self, email: str = "root@example.com", password: str = PASSWORD) -> Any:
        return self.send("/console/login/", {"username": email, "password": password})

    def act(self, name: str, *tenants: TenantScope) -> str:
        """Run an action of the list; return the next page."""
        chosen = [str(one.tenant_id) for one in tenants]
        answer = self.send(DOJOS, {"action": name, "_selected_action": chosen, "index": "0"})
        assert answer.status_code == 302, answer.content[:500]
        return str(self.get(answer.headers["Location"]).content.decode())


def superadmin_with_password(platform: Platform) -> Caller:
    """Return a superadmin who can sign in to the console."""
    caller = platform.superadmin()
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    return caller


@pytest.fixture
def root(platform: Platform) -> Caller:
    return superadmin_with_password(platform)


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
    """Return what this superadmin did. Tests that commit leave entries of others, which cannot be deleted."""
    rows = ok(root.get(f"/audit?action={action}"))["results"]
    return [row for row in rows if row["actor"]["id"] == str(root.user.pk)]


# --- sign-in ---


def test_a_superadmin_signs_in_and_sees_the_dojos(browser: Browser) -> None:
    assert browser.get("/console/").headers["Location"] == DOJOS
    page = browser.get(DOJOS)
    assert page.status_code == 200
    assert b"Seishin Dojo" in page.content
    assert b"current" in page.content
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"


def test_each_page_leads_to_the_others_and_to_the_way_out(browser: Browser) -> None:
    page = browser.get(DOJOS).content.decode()
    assert 'action="/console/logout/"' in page
    entries = set(re.findall(r'href="(/console/[a-z]+/[a-z]+/)"', page))
    assert len(entries) >= 5
    for entry in entries | {"/console/second-factors/"}:
        assert browser.get(entry).status_code == 200, entry


def test_without_a_session_pages_redirect_to_the_sign_in_form(root: Caller) -> None:
    for path in (DOJOS, "/console/accounts/auditentry/", f"{DOJOS}add/"):
        answer = Browser().get(path)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/console/login/")


def test_the_cookie_is_limited_to_the_console(browser: Browser) -> None:
    cookie = browser.client.cookies["tatami_console"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/console/", True, "Lax")
    assert not cookie["domain"]


def test_the_cookie_is_secure_behind_tls(root: Caller, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    browser = Browser()
    browser.sign_in()
    assert browser.client.cookies["tatami_console"]["secure"]


@pytest.mark.parametrize(
    ("email", "password"), [("root@example.com", "wrong"), ("unknown@example.com", PASSWORD), ("x", "\x00")]
)
def test_a_wrong_password_is_refused(root: Caller, email: str, password: str) -> None:
    browser = Browser()
    answer = browser.sign_in(email, password)
    assert answer.status_code == 200
    assert "tatami_console" not in browser.client.cookies


def test_failed_sign_ins_count_together_with_those_at_the_api(root: Caller, platform: Platform) -> None:
    for _ in range(10):
        guess = {"email": "root@example.com", "password": "wrong"}
        assert_error(platform.anonymous.post("/auth/login", guess), 401, "invalid_credentials")
    answer = Browser().sign_in()
    assert answer.status_code == 200
    assert b"Too many attempts" in answer.content


def test_a_user_who_is_not_an_admin_cannot_sign_in(root: Caller) -> None:
    with platform_scope():
        User.objects.update(role="instructor")
    assert Browser().sign_in().status_code == 200


def test_a_dojos_admin_cannot_sign_in(root: Caller, dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant):
        User.objects.update(password=make_password(PASSWORD))
    assert Browser().sign_in("head@example.com").status_code == 200


def test_tokens_are_not_accepted_as_cookies_nor_cookies_as_tokens(
    browser: Browser, root: Caller, dojo: Dojo
) -> None:
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
    assert_error(browser.get("/me"), 401, "not_authenticated")
    cookie = browser.client.cookies["tatami_console"].value
    assert_error(Caller("localhost", token=cookie).get("/me"), 401, "token_invalid")


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/login/", DOJOS])
def test_a_dojos_host_has_no_console(browser: Browser, dojo: Dojo, path: str) -> None:
    browser.host = dojo.host
    assert_error(browser.get(path), 404, "not_found")


def test_a_form_without_a_csrf_token_is_refused(browser: Browser, tenant: TenantScope) -> None:
    form = {"action": "suspend", "_selected_action": [str(tenant.tenant_id)]}
    answer = browser.client.post(DOJOS, form, headers={"Host": "localhost"})
    assert_error(answer, 403, "permission_denied")
    assert status_of(tenant) == "active"


def test_signing_out_ends_the_session(browser: Browser) -> None:
    cookie = browser.client.cookies["tatami_console"].value
    assert browser.send("/console/logout/", {}, page=DOJOS).status_code == 302
    browser.client.cookies["tatami_console"] = cookie
    assert browser.get(DOJOS).status_code == 302


def test_a_session_expires_and_ends_with_the_accounts_sessions(browser: Browser, root: Caller) -> None:
    with clock.fixed(NOW + timedelta(hours=12)):
        assert browser.get(DOJOS).status_code == 302
    assert browser.get(DOJOS).status_code == 200
    assert root.user is not None
    with platform_scope():
        end_sessions(root.user.pk, now=NOW)
    assert browser.get(DOJOS).status_code == 302


# --- pages ---

EXPORTS = "/console/tenants/tenantexport/"
PAGES = [
    DOJOS,
    "/console/tenants/domain/",
    "/console/tenants/tenantusage/",
    EXPORTS,
    "/console/accounts/auditentry/",
]


@pytest.mark.parametrize("path", PAGES)
def test_the_number_of_statements_of_a_list_does_not_depend_on_its_length(
    browser: Browser, root: Caller, tenant: TenantScope, path: str
) -> None:
    def cost() -> int:
        browser.get(path)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(path).status_code == 200
        return len(asked)

    ok(root.patch("/me", {"name": "Root"}))
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
            ok(root.patch("/me", {"name": f"Root {number}"}))
    assert cost() == few <= 12


def test_rows_cannot_be_changed_except_by_an_action(browser: Browser, tenant: TenantScope) -> None:
    for path in PAGES:
        if path != DOJOS:
            assert_error(browser.get(f"{path}add/"), 403, "permission_denied")
    page = f"{DOJOS}{tenant.tenant_id}/change/"
    page_shown = browser.get(page)
    assert page_shown.status_code == 200
    assert b"aiki.localhost" in page_shown.content
    assert_error(browser.send(page, {"name": "Changed"}, page=DOJOS), 403, "permission_denied")
    assert_error(browser.get(f"{DOJOS}{tenant.tenant_id}/delete/"), 403, "permission_denied")
    assert browser.get(f"{DOJOS}{tenant.tenant_id}/history/").status_code == 404


def test_static_files_of_the_pages_are_served(browser: Browser) -> None:
    page = browser.get(DOJOS).content.decode()
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert any("unfold" in one for one in files)
    for file in files:
        answer = browser.get(file)
        assert answer.status_code == 200, file
        answer.close()


def test_djangos_log_and_session_tables_do_not_exist(browser: Browser, superuser: Any) -> None:
    found = superuser.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_name IN ('django_admin_log', 'django_session')"
    ).fetchall()
    assert found == []


def test_the_usage_is_read_from_the_stored_count(browser: Browser, tenant: TenantScope) -> None:
    with tenant_scope(tenant):
        collect(now=NOW)
    page = browser.get("/console/tenants/tenantusage/").content.decode()
    assert "aiki" in page
    assert "MB" in page
    assert "MB" in browser.get(DOJOS).content.decode()


def test_the_search_ignores_accents_and_case(browser: Browser, tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.get(pk=tenant.tenant_id).save()
    assert b"aiki" in browser.get(f"{DOJOS}?q=SEÏSHIN").content
    assert str(tenant.tenant_id) not in browser.get(f"{DOJOS}?q=nothing").content.decode()


# --- actions ---


@pytest.fixture
def committing(north: TenantScope, superuser: Any, now: Any) -> Iterator[tuple[Browser, Caller]]:
    """A browser and its superadmin in tests that commit, as the creation of a dojo does."""
    root = Platform().superadmin()
    with platform_scope():
        User.objects.update(password=make_password(PASSWORD))
    browser = Browser()
    assert browser.sign_in().status_code == 302
    yield browser, root
    erase_dojo(superuser, "hikari")


def test_a_dojo_can_be_created(committing: tuple[Browser, Caller]) -> None:
    browser, root = committing
    form = {
        "name": "Hikari Dojo",
        "slug": "hikari",
        "timezone": "Asia/Tokyo",
        "admin_email": "ren@example.com",
    }
    answer = browser.send(f"{DOJOS}add/", form)
    assert answer.status_code == 302, answer.content[-3000:]
    with platform_scope():
        made = Tenant.objects.get(slug="hikari")
    assert made.status == "active"
    assert b"its admin was mailed a link" in browser.get(answer.headers["Location"]).content
    with tenant_scope(made.scope):
        assert User.objects.get().email == "ren@example.com"
    assert [row["object"] for row in audit(root, "tenants.post")] == [str(made.pk)]


def test_an_archive_can_be_downloaded_by_its_link(
    committing: tuple[Browser, Caller], north: TenantScope
) -> None:
    browser, _ = committing
    browser.act("export", north)
    with platform_scope():
        export = TenantExport.objects.get(tenant=north.tenant_id)
    try:
        waiting = browser.get(EXPORTS).content.decode()
        assert "queued" in waiting
        assert "Download" not in waiting
        assert build_next_export()
        with platform_scope():
            export.refresh_from_db()
        for page in (EXPORTS, f"{EXPORTS}{export.pk}/change/"):
            page_shown = browser.get(page).content.decode()
            link = re.search(r'href="(/tenants/[^"]+/archive\?token=[^"]+)"', page_shown)
            assert link
            answer = browser.get(link.group(1))
            assert answer.status_code == 200
            assert len(b"".join(answer.streaming_content)) == export.bytes
        assert export.sha256 in page_shown
    finally:
        with platform_scope():
            build.delete_export(export)


def test_a_slug_that_is_taken_is_refused(committing: tuple[Browser, Caller]) -> None:
    browser, root = committing
    form = {
        "name": "Hikari Dojo",
        "slug": "north",
        "timezone": "Asia/Tokyo",
        "admin_email": "ren@example.com",
    }
    answer = browser.send(f"{DOJOS}add/", form)
    assert answer.status_code == 200
    assert b"Another dojo has this slug." in answer.content
    assert audit(root, "tenants.post") == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("slug", "www", "reserved"), ("timezone", "Mars", "zone"), ("name", "", "required")],
)
def test_invalid_values_create_no_dojo(
    browser: Browser, tenant: TenantScope, field: str, value: str, message: str
) -> None:
    form = {"name": "Hikari Dojo", "slug": "hikari", "timezone": "UTC", "admin_email": "ren@example.com"}
    answer = browser.send(f"{DOJOS}add/", {**form, field: value})
    assert answer.status_code == 200
    assert message in answer.content.decode()
    with platform_scope():
        assert Tenant.objects.filter(name="Hikari Dojo").count() == 0


def test_dojos_can_be_suspended_and_resumed(
    browser: Browser, root: Caller, tenant: TenantScope, other_tenant: TenantScope
) -> None:
    assert "aiki is suspended." in browser.act("suspend", tenant, other_tenant)
    assert {status_of(tenant), status_of(other_tenant)} == {"suspended"}
    assert "aiki is active." in browser.act("resume", tenant)
    assert (status_of(tenant), status_of(other_tenant)) == ("active", "suspended")
    rows = audit(root, "tenant.patch")
    assert [row["fields"] for row in rows] == [["status"]] * 3
    assert {row["actor"]["name"] for row in rows} == {"Root"}


def test_an_error_of_a_service_is_shown(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="deleting")
    assert "aiki: A dojo that is deleting cannot become suspended." in browser.act("suspend", tenant)
    assert audit(root, "tenant.patch") == []


def test_deleting_a_dojo_requires_its_slug(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    page = f"{DOJOS}{tenant.tenant_id}/delete-with-grace/"
    assert browser.send(page, {"confirm": "kendo"}).status_code == 200
    assert status_of(tenant) == "active"
    assert browser.send(page, {"confirm": "aiki"}).status_code == 302
    assert status_of(tenant) == "deleting"
    assert len(audit(root, "tenant.delete")) == 1


def test_an_export_and_a_count_can_be_requested(browser: Browser, root: Caller, tenant: TenantScope) -> None:
    assert "aiki is queued for export." in browser.act("export", tenant)
    assert "aiki is queued for counting." in browser.act("count", tenant)
    with platform_scope():
        assert TenantExport.objects.get(tenant=tenant.tenant_id).status == "queued"
        assert PendingJob.objects.filter(tenant=tenant.tenant_id, job="tenants.usage").exists()
    assert len(audit(root, "tenant-exports.post")) == 1


def test_an_impersonation_ends_when_the_superadmin_signs_out(
    browser: Browser, root: Caller, dojo: Dojo
) -> None:
    page = f"{DOJOS}{dojo.tenant.tenant_id}/act-as/"
    answer = browser.send(page, {"reason": "Ticket 4711"})
    found = re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", answer.content.decode())
    assert found, answer.content
    caller = Caller(dojo.host, token=found.group())
    assert ok(caller.get("/me"))["impersonated_by"]["name"] == "Root"
    (row,) = audit(root, "tenant-impersonations.post")
    assert (row["reason"], row["object"]) == ("Ticket 4711", str(dojo.tenant.tenant_id))
    browser.send("/console/logout/", {}, page=DOJOS)
    assert_error(caller.get("/me"), 401, "token_invalid")


def test_an_impersonation_requires_a_reason_and_an_active_dojo(browser: Browser, tenant: TenantScope) -> None:
    page = f"{DOJOS}{tenant.tenant_id}/act-as/"
    assert b"This field is required" in browser.send(page, {"reason": " "}).content
    with platform_scope():
        Tenant.objects.filter(pk=tenant.tenant_id).update(status="suspended")
    assert b"Resume it first" in browser.send(page, {"reason": "Ticket 4711"}).content
