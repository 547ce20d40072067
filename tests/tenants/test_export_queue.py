"""Exports over HTTP and in the queue: requested, built by a worker, downloaded, restored, expired."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import OperationalError
from psycopg import sql

from shared_apps.tenants import lifecycle
from shared_apps.tenants.errors import ArchiveRefused, ExportLeaseLost, WrongState
from shared_apps.tenants.exports import build, snapshot
from shared_apps.tenants.exports.archive import ArchiveReader
from shared_apps.tenants.exports.build import (
    LEASE,
    MAX_ATTEMPTS,
    build_export,
    build_next_export,
    claim_export,
    request_export,
    sweep_exports,
)
from shared_apps.tenants.exports.files import store_file
from shared_apps.tenants.exports.restore import restore_export
from shared_apps.tenants.models import Tenant, TenantExport
from shared_apps.webhooks import services
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from tatami import clock
from tatami.postgresql.limits import Limits
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tests.support.clients import Caller, Platform
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_error, assert_invalid, ok, url_path
from tests.tenants.archives import COPY, archive_of, contents, files, full, live, nothing_changes

pytestmark = pytest.mark.slow

__all__ = ["files", "full", "live"]

HOST = "localhost"


@pytest.fixture
def root(live: TenantScope, superuser: Any) -> Any:
    """A superadmin whose rows are committed."""
    email = "root-of-exports@example.com"
    yield Platform().superadmin(email)
    for table in ("session", "auditentry", "idempotentanswer", "user"):
        superuser.execute(f"DELETE FROM public.accounts_{table}")


def requested_export(live: TenantScope) -> TenantExport:
    return request_export(tenant=Tenant.objects.get(pk=live.tenant_id), requested_by=None, now=clock.now())


def finished_export(live: TenantScope) -> TenantExport:
    export = requested_export(live)
    assert build_next_export()
    export.refresh_from_db()
    assert export.status == "done"
    return export


def test_an_export_is_requested_built_downloaded_and_restored(live: TenantScope, root: Caller) -> None:
    response = root.post(f"/tenants/{live.tenant_id}/exports")
    progress = ok(response, 202)
    assert progress["status"] == "queued"
    where = response.headers["Location"]
    assert url_path(progress["url"]) == where
    assert ok(root.get(where))["download_url"] is None
    assert build_next_export()
    shown = ok(root.get(where))
    assert (shown["status"], shown["total"]) == ("done", shown["done"])

    fetched = Caller(HOST).get(url_path(shown["download_url"]))
    assert fetched.status_code == 200
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="full-2026-06-15.zip"'
    assert fetched.headers["Content-Length"] == str(shown["bytes"])
    archive = fetched.getvalue()
    assert ArchiveReader(io.BytesIO(archive)).manifest.rows == shown["total"]

    copy = ok(root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": progress["id"]}), 201)
    assert (copy["status"], copy["timezone"]) == ("active", live.timezone)
    assert copy["admin"]["email"].endswith("@example.com")
    scope = Tenant.objects.with_primary_domain().get(pk=copy["id"]).scope
    assert contents(archive_of(scope)[1]) == contents(ArchiveReader(io.BytesIO(archive)).manifest)


def test_an_admin_is_required_without_an_archive(root: Caller) -> None:
    assert_invalid(root.post("/tenants", {"name": "Copy", "slug": COPY}), "admin")


def test_an_unknown_archive_is_refused(live: TenantScope, root: Caller) -> None:
    waiting = requested_export(live)
    for export in (str(waiting.pk), "0197722e-0001-7000-8000-5e15f1d0c0de"):
        assert_invalid(root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": export}), "archive")


def test_a_damaged_archive_is_refused(live: TenantScope, root: Caller, superuser: Any) -> None:
    export = finished_export(live)
    path = Path(default_storage.path(export.name))
    path.write_bytes(path.read_bytes()[:-1])
    with nothing_changes(superuser):
        answer = root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": str(export.pk)})
        assert_error(answer, 409, "archive_refused")


def test_a_link_is_valid_for_one_export_and_expires(live: TenantScope, root: Caller) -> None:
    export, other = finished_export(live), finished_export(live)
    url = url_path(ok(root.get(f"/tenants/{live.tenant_id}/exports/{export.pk}"))["download_url"])
    anonymous = Caller(HOST)
    assert_error(anonymous.get(url.replace(str(export.pk), str(other.pk))), 404, "not_found")
    for wrong in (
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.partition("?")[0],
        url.replace("token=", "token=9"),
    ):
        assert_error(anonymous.get(wrong), 404, "not_found")
    assert_error(anonymous.get(f"{url.partition('?')[0]}?token=%C3%A9.%C3%A9"), 404, "not_found")
    with clock.fixed(NOW + timedelta(minutes=16)):
        assert_error(anonymous.get(url), 401, "token_expired")


def test_a_dojo_that_is_being_created_cannot_be_exported(live: TenantScope) -> None:
    tenant = Tenant.objects.get(pk=live.tenant_id)
    tenant.status = Tenant.Status.PROVISIONING
    with pytest.raises(WrongState):
        request_export(tenant=tenant, requested_by=None, now=NOW)


@pytest.mark.parametrize("status", ["suspended", "deleting"])
def test_suspended_and_deleted_dojos_can_be_exported(live: TenantScope, superuser: Any, status: str) -> None:
    state = "UPDATE public.tenants_tenant SET status = %s WHERE id = %s"
    superuser.execute(state, [status, live.tenant_id])
    try:
        finished_export(live)
    finally:
        superuser.execute(state, ["active", live.tenant_id])


def test_an_archive_is_stored_below_the_dojos_id(live: TenantScope) -> None:
    export = finished_export(live)
    assert export.name == f"{live.tenant_id}/exports/{export.pk}-1.zip"
    assert export.bytes == default_storage.size(export.name)


def test_concurrent_workers_build_different_exports(live: TenantScope) -> None:
    for _ in range(3):
        requested_export(live)
    raise_first_error(run_concurrently([build_next_export] * 3))
    assert set(TenantExport.objects.values_list("status", flat=True)) == {"done"}
    assert not build_next_export()


def test_another_worker_starts_the_export_of_a_killed_worker_again(live: TenantScope) -> None:
    requested_export(live)
    claimed_before = claim_export(now=clock.now())
    assert claimed_before is not None
    store_file(io.BytesIO(b"part of it"), claimed_before.file_name)
    assert claim_export(now=clock.now()) is None
    with clock.fixed(NOW + LEASE):
        assert build_next_export()
        export = TenantExport.objects.get()
        assert (export.status, export.attempts) == ("done", 2)
        assert export.name != claimed_before.file_name
        with pytest.raises(ExportLeaseLost):
            build.renew(claimed_before, now=clock.now())
        build_export(claimed_before)  # a slow worker that lost its lease deletes only its own file
    assert not default_storage.exists(claimed_before.file_name)
    export.refresh_from_db()
    assert default_storage.size(export.name) == export.bytes


def test_an_export_does_not_wait_for_a_locked_table_without_end(
    live: TenantScope, superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next worker would claim it when its lease has ended, and wait, too."""
    assert snapshot.LONG_TASK.lock_seconds < LEASE.total_seconds()
    monkeypatch.setattr(snapshot, "LONG_TASK", Limits(lock_seconds=0.05))
    requested_export(live)
    table = sql.Identifier(live.schema_name, "students_student")
    with superuser.transaction():
        superuser.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        (error,) = run_concurrently([build_next_export])
    assert isinstance(error, OperationalError)
    assert "lock timeout" in str(error)
    with clock.fixed(NOW + LEASE):
        assert build_next_export()
    assert TenantExport.objects.get().status == "done"


def test_an_export_fails_after_three_interrupted_attempts(live: TenantScope) -> None:
    requested_export(live)
    for attempt in range(MAX_ATTEMPTS):
        with clock.fixed(NOW + LEASE * attempt):
            assert claim_export(now=clock.now()) is not None
    with clock.fixed(NOW + LEASE * MAX_ATTEMPTS):
        assert claim_export(now=clock.now()) is None
    export = TenantExport.objects.get()
    assert (export.status, export.error) == ("failed", build.GAVE_UP_MESSAGE)


def test_an_interrupted_export_leaves_no_file(live: TenantScope, files: Path) -> None:
    requested_export(live)
    claim = claim_export(now=clock.now())
    assert claim is not None

    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_export(claim, on_rows=interrupt)
    assert not default_storage.exists(claim.file_name)


def test_an_export_is_requeued_if_the_schema_was_migrated(live: TenantScope, superuser: Any) -> None:
    requested_export(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    claim.tenant.schema_version = claim.tenant.schema_version.rpartition(",")[0]
    build_export(claim)
    assert TenantExport.objects.get().status == "queued"
    assert build_next_export()


def test_an_unknown_schema_version_fails_the_export(live: TenantScope) -> None:
    requested_export(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    claim.tenant.schema_version = "students.9999_from_tomorrow"
    build_export(claim)
    assert "students.9999_from_tomorrow" in TenantExport.objects.get().error


def test_progress_is_recorded_during_the_build(live: TenantScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "RENEW_EVERY", timedelta(0))
    requested_export(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    seen: list[tuple[int, int]] = []

    def look(rows: int) -> None:
        with platform_scope():
            seen.append(TenantExport.objects.values_list("done", "total").get())

    build_export(claim, on_rows=look)
    assert sorted(seen) == seen
    assert {total for _, total in seen} == {TenantExport.objects.get().total}


def test_expired_exports_are_deleted_with_their_files(live: TenantScope, settings: Any) -> None:
    export = finished_export(live)
    assert sweep_exports(now=NOW + timedelta(days=settings.TATAMI_EXPORT_DAYS) - timedelta(seconds=1)) == 0
    later = NOW + timedelta(days=settings.TATAMI_EXPORT_DAYS)
    assert sweep_exports(now=later, dry_run=True) == 1
    assert default_storage.exists(export.name)
    assert sweep_exports(now=later) == 1
    assert not default_storage.exists(export.name)
    assert not TenantExport.objects.exists()
    assert sweep_exports(now=later) == 0


def test_exports_of_a_purged_dojo_are_deleted(live: TenantScope, settings: Any) -> None:
    export = finished_export(live)
    tenant, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    own = finished_export(Tenant.objects.with_primary_domain().get(pk=tenant.pk).scope)
    lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=NOW))
    assert sweep_exports(now=NOW) == 1
    assert not default_storage.exists(own.name)
    assert TenantExport.objects.get() == export


def test_the_commands_export_and_restore_a_dojo(live: TenantScope, tmp_path: Path) -> None:
    archive, out = tmp_path / "full.zip", io.StringIO()
    call_command("tenant_export", "full", output=archive, stdout=out, stderr=io.StringIO())
    assert archive.stat().st_mode & 0o777 == 0o600
    with archive.open("rb") as file:
        manifest = ArchiveReader(file).manifest
    assert f"{manifest.rows:,} rows" in out.getvalue()
    call_command("tenant_restore", archive, slug=COPY, json=True, stdout=out, stderr=io.StringIO())
    copy = Tenant.objects.with_primary_domain().get(slug=COPY)
    assert copy.name == live.name
    assert contents(archive_of(copy.scope)[1]) == contents(manifest)


def test_tenant_export_without_output_stores_the_archive(live: TenantScope) -> None:
    out = io.StringIO()
    call_command("tenant_export", "full", json=True, stdout=out, stderr=io.StringIO())
    assert f'"{TenantExport.objects.get().pk}"' in out.getvalue()
    assert not build_next_export()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"slug": "admin"}, "reserved"),
        ({"slug": "full"}, "slug"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"name": "N" * 201}, "name"),
        ({"admin_email": "not-an-address"}, "email"),
    ],
)
def test_tenant_restore_reports_invalid_values(
    live: TenantScope, tmp_path: Path, given: dict[str, str], reason: str
) -> None:
    archive = tmp_path / "full.zip"
    archive.write_bytes(archive_of(live)[0])
    with pytest.raises(CommandError, match=reason):
        call_command("tenant_restore", archive, **{"slug": COPY, **given}, stderr=io.StringIO())


def test_files_that_cannot_be_used_are_reported(live: TenantScope, tmp_path: Path) -> None:
    nonsense = tmp_path / "x.zip"
    nonsense.write_bytes(b"nonsense")
    with pytest.raises(CommandError, match="zip"):
        call_command("tenant_restore", nonsense, slug=COPY, stderr=io.StringIO())
    with pytest.raises(CommandError, match="No such file"):
        call_command("tenant_restore", tmp_path / "none.zip", slug=COPY, stderr=io.StringIO())
    with pytest.raises(CommandError, match="exists"):
        call_command("tenant_export", "full", output=nonsense, stderr=io.StringIO())
    with pytest.raises(CommandError, match="no dojo"):
        call_command("tenant_export", "unknown", stderr=io.StringIO())


def test_a_replaced_file_is_refused(live: TenantScope) -> None:
    """Even if it is a complete archive, its checksum is not the recorded one."""
    export, other = finished_export(live), finished_export(live)
    Path(default_storage.path(export.name)).write_bytes(
        Path(default_storage.path(other.name)).read_bytes() + b"\n"
    )
    with pytest.raises(ArchiveRefused, match="not the one that was stored"):
        restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)


def test_webhooks_of_the_platform_and_of_the_dojo_are_told(
    live: TenantScope, root: Caller, superuser: Any
) -> None:
    body = {"url": "https://hooks.example.com/", "events": ["export.done"]}
    of_platform = ok(root.post("/webhooks", body), 201)
    with tenant_scope(live):
        of_dojo, _ = services.create_webhook(url=body["url"], events=body["events"])
    try:
        export = finished_export(live)
        with platform_scope():
            (sent,) = WebhookDelivery.objects.filter(webhook=of_platform["id"])
            assert sent.data == {"id": str(export.pk), "tenant": str(live.tenant_id)}
        with tenant_scope(live):
            (sent,) = WebhookDelivery.objects.filter(webhook=of_dojo)
            assert sent.data == {"id": str(export.pk)}
    finally:
        ok(root.delete(f"/webhooks/{of_platform['id']}"), 204)
        with tenant_scope(live):
            Webhook.objects.filter(pk=of_dojo.pk).delete()
