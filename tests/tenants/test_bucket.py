"""Files in a bucket instead of a folder: a server that speaks S3, asked over HTTP by the real client."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import override_settings
from moto.server import ThreadedMotoServer

from config.environment import storage
from shared_apps.tenants import lifecycle
from shared_apps.tenants.exports import queueing
from shared_apps.tenants.exports.making import make_next_export
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.restoring import restore_export
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.files import remove_all
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope, platform_scope
from tests.support.clients import Caller, Platform
from tests.support.now import NOW
from tests.support.responses import done, path_of
from tests.tenants.archives import COPY, archive_of, contents, full, live

__all__ = ["full", "live"]

BUCKET, REGION = "dojos", "eu-central-1"


@pytest.fixture(scope="module")
def files() -> Iterator[Any]:
    """Django's storage: a bucket of this module's own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"s3://key:secret@{BUCKET}?region={REGION}&endpoint={quote(f'http://{host}:{port}', safe='')}"
        static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        with override_settings(STORAGES={"default": storage(url, Path("/nowhere")), "staticfiles": static}):
            bucket = default_storage.connection.Bucket(BUCKET)  # type: ignore[attr-defined]
            bucket.create(CreateBucketConfiguration={"LocationConstraint": REGION})
            yield bucket
    finally:
        server.stop()


def names(bucket: Any) -> set[str]:
    return {each.key for each in bucket.objects.all()}


def test_all_files_of_a_dojo_are_removed_and_no_others(files: Any) -> None:
    mine, theirs = uuid7(), uuid7()
    for name in (f"{mine}/logo-1", f"{mine}/exports/1.zip", f"{mine}/exports/deep/2.zip", f"{theirs}/logo-1"):
        default_storage.save(name, ContentFile(b"kept"))
    for _ in range(2):
        remove_all(mine)
        assert {name for name in names(files) if name.startswith((str(mine), str(theirs)))} == {
            f"{theirs}/logo-1"
        }


@pytest.fixture
def export(files: Any, live: TenantScope) -> TenantExport:
    """An export that lies in the bucket."""
    with platform_scope():
        tenant = Tenant.objects.get(pk=live.tenant_id)
        asked = queueing.request_export(tenant=tenant, requested_by=None, now=clock.now())
    assert make_next_export()
    with platform_scope():
        asked.refresh_from_db()
    assert asked.status == "done"
    assert asked.name in names(files)
    return asked


def test_an_archive_is_fetched_and_restored(export: TenantExport, live: TenantScope, superuser: Any) -> None:
    try:
        root = Platform().superadmin("root-of-the-bucket@example.com")
        shown = done(root.get(f"/tenants/{live.tenant_id}/exports/{export.pk}"))
        fetched = Caller("localhost").get(path_of(shown["download_url"])).getvalue()
        assert len(fetched) == export.bytes
    finally:
        for table in ("session", "auditentry", "idempotentanswer", "user"):
            superuser.execute(f"DELETE FROM public.accounts_{table}")
    copy, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    scope = Tenant.objects.with_primary_domain().get(pk=copy.pk).scope
    assert contents(archive_of(scope)[1]) == contents(Archive(io.BytesIO(fetched)).manifest)


def test_archives_go_when_their_time_is_over(export: TenantExport, files: Any) -> None:
    assert queueing.sweep(now=export.expires_at) == 1
    assert export.name not in names(files)


def test_files_go_with_their_dojo(export: TenantExport, files: Any) -> None:
    copy, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    default_storage.save(f"{copy.pk}/logo-1", ContentFile(b"kept"))
    with platform_scope():
        lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=copy, now=NOW))
    assert not {name for name in names(files) if name.startswith(str(copy.pk))}
    assert export.name in names(files)
