"""Exports over HTTP and as work: asked for, made by a worker, fetched by a link, restored from, swept."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from shared_apps.tenants import lifecycle
from shared_apps.tenants.errors import WrongState
from shared_apps.tenants.exports import queueing
from shared_apps.tenants.exports.errors import ArchiveRefused, ExportOvertaken
from shared_apps.tenants.exports.making import make, make_next_export, stored
from shared_apps.tenants.exports.queueing import LEASE, MOST_ATTEMPTS, claim_export, request_export, sweep
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.restoring import restore_export
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Caller, Platform
from tests.support.committed_dojos import at_once, raise_first
from tests.support.now import NOW
from tests.support.responses import done, invalid, path_of, refusal
from tests.tenants.archives import COPY, archive_of, contents, files, full, live, nothing_changes

__all__ = ["files", "full", "live"]

HOST = "localhost"


@pytest.fixture
def root(live: TenantScope, superuser: Any) -> Any:
    """A superadmin who is really there."""
    email = "root-of-exports@example.com"
    yield Platform().superadmin(email)
    for table in ("session", "auditentry", "idempotentanswer", "user"):
        superuser.execute(f"DELETE FROM public.accounts_{table}")


def wished(live: TenantScope) -> TenantExport:
    return request_export(tenant=Tenant.objects.get(pk=live.tenant_id), requested_by=None, now=clock.now())


def made(live: TenantScope) -> TenantExport:
    export = wished(live)
    assert make_next_export()
    export.refresh_from_db()
    assert export.status == "done"
    return export


def test_from_the_wish_to_the_copy(live: TenantScope, root: Caller) -> None:
    asked = root.post(f"/tenants/{live.tenant_id}/exports")
    progress = done(asked, 202)
    assert progress["status"] == "queued"
    where = asked.headers["Location"]
    assert path_of(progress["url"]) == where
    assert done(root.get(where))["download_url"] is None
    assert make_next_export()
    shown = done(root.get(where))
    assert (shown["status"], shown["total"]) == ("done", shown["done"])

    fetched = Caller(HOST).get(path_of(shown["download_url"]))
    assert fetched.status_code == 200
    assert fetched.headers["Content-Disposition"] == 'attachment; filename="full-2026-06-15.zip"'
    assert fetched.headers["Content-Length"] == str(shown["bytes"])
    archive = fetched.getvalue()
    assert Archive(io.BytesIO(archive)).manifest.rows == shown["total"]

    copy = done(root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": progress["id"]}), 201)
    assert (copy["status"], copy["timezone"]) == ("active", live.timezone)
    assert copy["admin"]["email"].endswith("@example.com")
    scope = Tenant.objects.with_primary_domain().get(pk=copy["id"]).scope
    assert contents(archive_of(scope)[1]) == contents(Archive(io.BytesIO(archive)).manifest)


def test_without_an_archive_an_admin_is_required(root: Caller) -> None:
    invalid(root.post("/tenants", {"name": "Copy", "slug": COPY}), "admin")


def test_an_archive_that_is_not_there_is_named(live: TenantScope, root: Caller) -> None:
    waiting = wished(live)
    for export in (str(waiting.pk), "0197722e-0001-7000-8000-5e15f1d0c0de"):
        invalid(root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": export}), "archive")


def test_an_archive_that_is_damaged_is_refused(live: TenantScope, root: Caller, superuser: Any) -> None:
    export = made(live)
    path = Path(default_storage.path(export.name))
    path.write_bytes(path.read_bytes()[:-1])
    with nothing_changes(superuser):
        answer = root.post("/tenants", {"name": "Copy", "slug": COPY, "archive": str(export.pk)})
        refusal(answer, 409, "archive_refused")


def test_a_link_is_good_for_its_export_and_for_a_while(live: TenantScope, root: Caller) -> None:
    export, other = made(live), made(live)
    url = path_of(done(root.get(f"/tenants/{live.tenant_id}/exports/{export.pk}"))["download_url"])
    anybody = Caller(HOST)
    refusal(anybody.get(url.replace(str(export.pk), str(other.pk))), 404, "not_found")
    for wrong in (
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.partition("?")[0],
        url.replace("token=", "token=9"),
    ):
        refusal(anybody.get(wrong), 404, "not_found")
    refusal(anybody.get(f"{url.partition('?')[0]}?token=%C3%A9.%C3%A9"), 404, "not_found")
    with clock.fixed(NOW + timedelta(minutes=16)):
        refusal(anybody.get(url), 401, "token_expired")


def test_a_dojo_in_the_making_is_not_exported(live: TenantScope) -> None:
    tenant = Tenant.objects.get(pk=live.tenant_id)
    tenant.status = Tenant.Status.PROVISIONING
    with pytest.raises(WrongState):
        request_export(tenant=tenant, requested_by=None, now=NOW)


@pytest.mark.parametrize("status", ["suspended", "deleting"])
def test_a_dojo_that_does_not_serve_can_be_exported(live: TenantScope, superuser: Any, status: str) -> None:
    state = "UPDATE public.tenants_tenant SET status = %s WHERE id = %s"
    superuser.execute(state, [status, live.tenant_id])
    try:
        made(live)
    finally:
        superuser.execute(state, ["active", live.tenant_id])


def test_an_archive_lies_under_the_dojos_id_for_the_owner_alone(live: TenantScope) -> None:
    export = made(live)
    assert export.name == f"{live.tenant_id}/exports/{export.pk}-1.zip"
    assert export.bytes == default_storage.size(export.name)


def test_two_wishes_are_two_exports_and_two_workers_take_two(live: TenantScope) -> None:
    for _ in range(3):
        wished(live)
    raise_first(at_once([make_next_export] * 3))
    assert set(TenantExport.objects.values_list("status", flat=True)) == {"done"}
    assert not make_next_export()


def test_a_killed_worker_loses_it_and_another_begins_again(live: TenantScope) -> None:
    wished(live)
    killed = claim_export(now=clock.now())
    assert killed is not None
    stored(io.BytesIO(b"half of it"), killed.file_name)
    assert claim_export(now=clock.now()) is None
    with clock.fixed(NOW + LEASE):
        assert make_next_export()
        export = TenantExport.objects.get()
        assert (export.status, export.attempts) == ("done", 2)
        assert export.name != killed.file_name
        with pytest.raises(ExportOvertaken):
            queueing.renew(killed, now=clock.now())
        make(killed)  # the one that was only slow: it takes its file away, and nothing else
    assert not default_storage.exists(killed.file_name)
    export.refresh_from_db()
    assert default_storage.size(export.name) == export.bytes


def test_what_never_comes_to_its_end_is_given_up(live: TenantScope) -> None:
    wished(live)
    for attempt in range(MOST_ATTEMPTS):
        with clock.fixed(NOW + LEASE * attempt):
            assert claim_export(now=clock.now()) is not None
    with clock.fixed(NOW + LEASE * MOST_ATTEMPTS):
        assert claim_export(now=clock.now()) is None
    export = TenantExport.objects.get()
    assert (export.status, export.error) == ("failed", queueing.GAVE_UP)


def test_an_interruption_leaves_no_file(live: TenantScope, files: Path) -> None:
    wished(live)
    claim = claim_export(now=clock.now())
    assert claim is not None

    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(claim, tick=interrupt)
    assert not default_storage.exists(claim.file_name)


def test_a_schema_that_moves_meanwhile_is_exported_again(live: TenantScope, superuser: Any) -> None:
    wished(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    claim.tenant.schema_version = claim.tenant.schema_version.rpartition(",")[0]
    make(claim)
    assert TenantExport.objects.get().status == "queued"
    assert make_next_export()


def test_a_version_that_this_code_does_not_know_is_told(live: TenantScope) -> None:
    wished(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    claim.tenant.schema_version = "students.9999_from_tomorrow"
    make(claim)
    assert "students.9999_from_tomorrow" in TenantExport.objects.get().error


def test_progress_is_noted_while_it_is_made(live: TenantScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "RENEWED_EVERY", timedelta(0))
    wished(live)
    claim = claim_export(now=clock.now())
    assert claim is not None
    seen: list[tuple[int, int]] = []

    def look(rows: int) -> None:
        with platform_scope():
            seen.append(TenantExport.objects.values_list("done", "total").get())

    make(claim, tick=look)
    assert sorted(seen) == seen
    assert {total for _, total in seen} == {TenantExport.objects.get().total}


def test_what_is_too_old_is_swept_with_its_file(live: TenantScope, settings: Any) -> None:
    export = made(live)
    assert sweep(now=NOW + timedelta(days=settings.TATAMI_EXPORT_DAYS) - timedelta(seconds=1)) == 0
    later = NOW + timedelta(days=settings.TATAMI_EXPORT_DAYS)
    assert sweep(now=later, dry_run=True) == 1
    assert default_storage.exists(export.name)
    assert sweep(now=later) == 1
    assert not default_storage.exists(export.name)
    assert not TenantExport.objects.exists()
    assert sweep(now=later) == 0


def test_exports_go_with_a_dojo_that_is_purged(live: TenantScope, settings: Any) -> None:
    export = made(live)
    tenant, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    own = made(Tenant.objects.with_primary_domain().get(pk=tenant.pk).scope)
    lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=tenant, now=NOW))
    assert sweep(now=NOW) == 1
    assert not default_storage.exists(own.name)
    assert TenantExport.objects.get() == export


def test_the_commands_make_the_same_round_trip(live: TenantScope, tmp_path: Path) -> None:
    archive, out = tmp_path / "full.zip", io.StringIO()
    call_command("tenant_export", "full", output=archive, stdout=out, stderr=io.StringIO())
    assert archive.stat().st_mode & 0o777 == 0o600
    with archive.open("rb") as file:
        manifest = Archive(file).manifest
    assert f"{manifest.rows:,} rows" in out.getvalue()
    call_command("tenant_restore", archive, slug=COPY, json=True, stdout=out, stderr=io.StringIO())
    copy = Tenant.objects.with_primary_domain().get(slug=COPY)
    assert copy.name == live.name
    assert contents(archive_of(copy.scope)[1]) == contents(manifest)


def test_a_command_without_an_output_keeps_the_archive_in_the_storage(live: TenantScope) -> None:
    out = io.StringIO()
    call_command("tenant_export", "full", json=True, stdout=out, stderr=io.StringIO())
    assert f'"{TenantExport.objects.get().pk}"' in out.getvalue()
    assert not make_next_export()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"slug": "admin"}, "reserved"),
        ({"slug": "full"}, "slug"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"name": "N" * 201}, "name"),
        ({"admin_email": "nobody"}, "email"),
    ],
)
def test_a_restore_that_cannot_be_is_told(
    live: TenantScope, tmp_path: Path, given: dict[str, str], reason: str
) -> None:
    archive = tmp_path / "full.zip"
    archive.write_bytes(archive_of(live)[0])
    with pytest.raises(CommandError, match=reason):
        call_command("tenant_restore", archive, **{"slug": COPY, **given}, stderr=io.StringIO())


def test_what_is_no_archive_is_told(live: TenantScope, tmp_path: Path) -> None:
    nonsense = tmp_path / "x.zip"
    nonsense.write_bytes(b"nonsense")
    with pytest.raises(CommandError, match="zip"):
        call_command("tenant_restore", nonsense, slug=COPY, stderr=io.StringIO())
    with pytest.raises(CommandError, match="No such file"):
        call_command("tenant_restore", tmp_path / "none.zip", slug=COPY, stderr=io.StringIO())
    with pytest.raises(CommandError, match="exists"):
        call_command("tenant_export", "full", output=nonsense, stderr=io.StringIO())
    with pytest.raises(CommandError, match="no dojo"):
        call_command("tenant_export", "nobody", stderr=io.StringIO())


def test_a_file_that_was_exchanged_is_refused(live: TenantScope) -> None:
    """One that is whole, too: it is not the one whose checksum was noted."""
    export, other = made(live), made(live)
    Path(default_storage.path(export.name)).write_bytes(
        Path(default_storage.path(other.name)).read_bytes() + b"\n"
    )
    with pytest.raises(ArchiveRefused, match="not the one that was stored"):
        restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
