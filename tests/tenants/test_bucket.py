"""Files in an S3 bucket instead of a folder, with a mock server and the real client."""

import io
import os
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.test import override_settings
from moto.server import ThreadedMotoServer

from config import backups
from config.environment import storage
from shared_apps.tenants import lifecycle
from shared_apps.tenants.exports import build
from shared_apps.tenants.exports.archive import ArchiveReader
from shared_apps.tenants.exports.build import build_next_export
from shared_apps.tenants.exports.restore import restore_export
from shared_apps.tenants.models import Tenant, TenantExport
from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.scope import TenantScope, platform_scope
from tatami.tenant_files import delete_tenant_files
from tests.support import factories
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, ok, url_path
from tests.tenants.archives import COPY, archive_of, contents, full, live

pytestmark = pytest.mark.slow

__all__ = ["full", "live"]

BUCKET, REGION = "dojos", "eu-central-1"


@pytest.fixture(scope="module")
def files() -> Iterator[Any]:
    """Django's storage: a bucket for this module."""
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


def test_a_backup_takes_the_files_of_a_bucket_and_brings_them_back(files: Any, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    default_storage.save("0197/photos/logo-1", ContentFile(content))
    default_storage.save("0198/logo-1", ContentFile(b"x"))
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        stored: set[str] = set()
        backups._add_files(archive, stored)
    assert stored == names(files)
    default_storage.delete("0197/photos/logo-1")
    with tarfile.open(tmp_path / "files.tar") as archive:
        for entry in archive:
            backups._restore_file(default_storage, entry.name, File(archive.extractfile(entry)))
    assert names(files) == stored
    with default_storage.open("0197/photos/logo-1") as restored:
        assert restored.read() == content
    for name in ("0197/photos/logo-1", "0198/logo-1"):
        default_storage.delete(name)


def test_removing_a_dojos_files_leaves_other_dojos_files(files: Any) -> None:
    own, other = uuid7(), uuid7()
    for name in (f"{own}/logo-1", f"{own}/exports/1.zip", f"{own}/exports/deep/2.zip", f"{other}/logo-1"):
        default_storage.save(name, ContentFile(b"kept"))
    for _ in range(2):
        delete_tenant_files(own)
        assert {name for name in names(files) if name.startswith((str(own), str(other)))} == {
            f"{other}/logo-1"
        }


@pytest.fixture
def export(files: Any, live: TenantScope) -> TenantExport:
    """A finished export in the bucket."""
    with platform_scope():
        tenant = Tenant.objects.get(pk=live.tenant_id)
        requested = build.request_export(tenant=tenant, requested_by=None, now=clock.now())
    assert build_next_export()
    with platform_scope():
        requested.refresh_from_db()
    assert requested.status == "done"
    assert requested.name in names(files)
    return requested


def test_an_archive_can_be_downloaded_and_restored(
    export: TenantExport, live: TenantScope, superuser: Any
) -> None:
    try:
        root = Platform().superadmin("root-of-the-bucket@example.com")
        resource = ok(root.get(f"/tenants/{live.tenant_id}/exports/{export.pk}"))
        downloaded = Caller("localhost").get(url_path(resource["download_url"])).getvalue()
        assert len(downloaded) == export.bytes
    finally:
        for table in ("session", "auditentry", "idempotentanswer", "user"):
            superuser.execute(f"DELETE FROM public.accounts_{table}")
    copy, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    scope = Tenant.objects.with_primary_domain().get(pk=copy.pk).scope
    assert contents(archive_of(scope)[1]) == contents(ArchiveReader(io.BytesIO(downloaded)).manifest)


def test_expired_archives_are_deleted(export: TenantExport, files: Any) -> None:
    assert build.sweep_exports(now=export.expires_at) == 1
    assert export.name not in names(files)


def test_purging_a_dojo_deletes_its_files(export: TenantExport, files: Any) -> None:
    copy, _ = restore_export(export.pk, name="Copy", slug=COPY, admin=None, now=NOW)
    default_storage.save(f"{copy.pk}/logo-1", ContentFile(b"kept"))
    with platform_scope():
        lifecycle.purge(tenant=lifecycle.delete_tenant(tenant=copy, now=NOW))
    assert not {name for name in names(files) if name.startswith(str(copy.pk))}
    assert export.name in names(files)


@pytest.mark.parametrize("accepts", [False, True], ids=["away", "silent"])
def test_a_bucket_that_does_not_answer_is_503(dojo: Dojo, accepts: bool) -> None:
    """A request waits for it for a few seconds, as a web process is told; it is not tried again."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if accepts:
            listener.listen()  # connections are made, and nothing answers them
        endpoint = quote(f"http://127.0.0.1:{listener.getsockname()[1]}", safe="")
        settings = storage(
            f"s3://key:secret@{BUCKET}?endpoint={endpoint}", Path("/nowhere"), in_requests=True
        )
        static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        with override_settings(STORAGES={"default": settings, "staticfiles": static}):
            response = dojo.admin.put("/settings/logo", {"image": factories.RED_PIXEL})
    assert_error(response, 503, "service_unavailable")
    assert response.headers["Retry-After"]
    assert_error(dojo.admin.get("/settings/logo"), 404, "not_found")  # nothing was changed
