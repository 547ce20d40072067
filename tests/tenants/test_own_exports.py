"""The admins of a dojo export it themselves."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from shared_apps.accounts.sessions import open_session
from shared_apps.accounts.users import create_user
from shared_apps.tenants import tasks
from shared_apps.tenants.exports.build import MOST_OWN_EXPORTS, claim_export, file_name, finish
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Dojo, Platform
from tests.support.pages import close_file
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error, ok


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "wake_export_worker", lambda: None)


def finish_export(export_id: str) -> None:
    """Finish an export as a worker does; its archive is a small file."""
    claimed = claim_export(now=clock.now())
    assert claimed is not None
    assert str(claimed.export_id) == export_id
    name = default_storage.save(claimed.file_name, ContentFile(b"PK\x05\x06"))
    finish(claimed, bytes=4, sha256="0" * 64, name=name, now=clock.now())


def read_file(response: Any) -> bytes:
    """Return the file of a response, and close it."""
    content: bytes = response.getvalue()
    close_file(response)
    return content


def request_export(caller: Caller) -> str:
    return str(ok(caller.post("/exports"), 202)["id"])


def test_an_admin_requests_watches_downloads_and_deletes(dojo: Dojo) -> None:
    admin = dojo.admin
    answer = admin.post("/exports")
    key = ok(answer, 202)["id"]
    assert answer.headers["Location"] == f"/exports/{key}"
    assert ok(admin.get(f"/exports/{key}"))["status"] == "queued"
    assert_error(admin.get(f"/exports/{key}/archive"), 404, "not_found")
    finish_export(key)
    (row,) = ok(admin.get("/exports"))["results"]
    assert (row["status"], row["bytes"]) == ("done", 4)
    file = admin.get(f"/exports/{key}/archive")
    assert read_file(file) == b"PK\x05\x06"
    assert dojo.tenant.slug in file.headers["Content-Disposition"]
    assert admin.delete(f"/exports/{key}").status_code == 204
    assert not default_storage.exists(file_name(dojo.tenant.tenant_id, row["id"], 1))
    assert_error(admin.get(f"/exports/{key}"), 404, "not_found")
    assert_error(admin.delete(f"/exports/{key}"), 404, "not_found")


def test_one_is_built_at_a_time_and_few_are_kept(dojo: Dojo, other_dojo: Dojo) -> None:
    admin = dojo.admin
    for _ in range(MOST_OWN_EXPORTS):
        key = request_export(admin)
        assert_error(admin.post("/exports"), 409, "export_unfinished")
        finish_export(key)
    assert_error(admin.post("/exports"), 409, "too_many_exports")
    request_export(other_dojo.admin)
    assert admin.delete(f"/exports/{key}").status_code == 204
    request_export(admin)


def test_a_dojo_sees_neither_exports_of_others_nor_those_of_superadmins(
    dojo: Dojo, other_dojo: Dojo, platform: Platform
) -> None:
    theirs = request_export(other_dojo.admin)
    ok(platform.superadmin().post(f"/tenants/{dojo.tenant.tenant_id}/exports"), 202)
    with platform_scope():
        platforms = str(TenantExport.objects.get(is_own=False).pk)
    assert ok(dojo.admin.get("/exports"))["results"] == []
    for key in (theirs, platforms):
        assert_error(dojo.admin.get(f"/exports/{key}"), 404, "not_found")
        assert_error(dojo.admin.get(f"/exports/{key}/archive"), 404, "not_found")
        assert_error(dojo.admin.delete(f"/exports/{key}"), 404, "not_found")
    with platform_scope():
        assert TenantExport.objects.count() == 2


def test_an_export_that_is_deleted_while_it_is_built_stops(dojo: Dojo) -> None:
    key = request_export(dojo.admin)
    claimed = claim_export(now=clock.now())
    assert claimed is not None
    assert dojo.admin.delete(f"/exports/{key}").status_code == 204
    with pytest.raises(Exception, match=key):
        finish(claimed, bytes=4, sha256="", name="x", now=clock.now())


@pytest.mark.parametrize("role", ["instructor", "assistant", "student"])
def test_only_admins_export(dojo: Dojo, role: str) -> None:
    caller = dojo.person(role)
    key = request_export(dojo.admin)
    calls: list[Any] = [
        caller.get("/exports"),
        caller.post("/exports"),
        caller.get(f"/exports/{key}/archive"),
    ]
    for answer in calls:
        assert_error(answer, 403, "permission_denied")


def test_a_body_is_refused(dojo: Dojo) -> None:
    assert_error(dojo.admin.post("/exports", {"x": 1}), 400, "validation_error")
    with platform_scope():
        assert not TenantExport.objects.filter(tenant__in=Tenant.objects.all(), is_own=True).exists()


def test_of_concurrent_requests_one_begins_an_export(north: TenantScope) -> None:
    admin = _committed_admin(north)
    try:
        answers = run_concurrently([lambda: admin.post("/exports")] * 4)
        raise_first_error(answers)
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        with platform_scope():
            assert TenantExport.objects.filter(tenant=north.tenant_id).count() == 1
    finally:
        with platform_scope():
            TenantExport.objects.filter(tenant=north.tenant_id).delete()


def _committed_admin(scope: TenantScope) -> Caller:
    with tenant_scope(scope):
        user = create_user(email="own@example.com", name="Own", role="admin", password_hash="!")
        token = open_session(user, now=clock.now()).access
    return Caller(f"{scope.slug}.localhost", token=token, user=user)
