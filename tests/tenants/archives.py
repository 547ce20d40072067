"""A dojo with rows in every table, its archive, and changes of an archive."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections
from django.test import override_settings

from shared_apps.tenants.exports.archive import ArchiveReader, ArchiveWriter
from shared_apps.tenants.exports.manifest import Manifest
from shared_apps.tenants.exports.restore import NO_CALLBACKS, restore
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.dojo.services import change_settings
from tenant_apps.notifications.models import Address, Delivery, Notification, NotificationTemplate
from tests.http.sample_dojos import SampleHost, create_sample_dojo, password_hash
from tests.support.clients import Dojo
from tests.support.committed import create_dojo, erase_dojo, superuser_connection
from tests.support.factories import unknown_id
from tests.support.now import NOW

LOGO = b"\x89PNG, as far as an archive is concerned"
FULL = "full"
COPY = "copy"


def nothing(rows: int) -> None:
    """Ignore progress."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Django's storage: a folder for this module."""
    folder = tmp_path_factory.mktemp("files")
    default = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(folder)},
    }
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={"default": default, "staticfiles": static}):
        yield folder


@pytest.fixture(scope="module")
def full(
    files: Path, django_db_setup: None, django_db_blocker: Any, database_name: str
) -> Iterator[tuple[TenantScope, SampleHost]]:
    """A committed dojo with rows in every table, one of them of an erased student."""
    with django_db_blocker.unblock(), superuser_connection(database_name) as superuser, clock.fixed(NOW):
        try:
            scope = create_dojo(FULL)
            world = create_sample_dojo(Dojo(scope), password_hash())
            _add_other_rows(Dojo(scope), world, scope)
            yield scope, world
        finally:
            connections.close_all()
            for slug in (FULL, COPY):
                erase_dojo(superuser, slug)


def _add_other_rows(dojo: Dojo, world: SampleHost, scope: TenantScope) -> None:
    gone = world.ids["student of the other family"]
    admin = world.callers["admin"]
    assert admin.post(f"/students/{gone}/erasure", {"confirm": gone}).status_code == 204
    third = world.ids["third student"]
    assert admin.post(f"/students/{third}/card").status_code == 201
    unknown = {"token": world.codes["student"], "class_session": unknown_id()}
    assert admin.post("/attendance/scan", unknown).status_code == 404
    instructors = {"instructors": [world.ids["user"]]}
    assert admin.patch(f"/classes/{world.ids['class']}", instructors).status_code == 200
    with tenant_scope(scope):
        name = default_storage.save(f"{scope.tenant_id}/logo-1", ContentFile(LOGO))
        change_settings(changes={"logo": name})
        notification = Notification.objects.create(
            kind="free", is_bulk=True, language="en", subject="Tab\there \\N"
        )
        Delivery.objects.create(
            notification=notification, address="hana@example.com", values={"a": "line\nbreak"}
        )
        Address.objects.create(key=b"k" * 32, unsubscribed_at=NOW)
        NotificationTemplate.objects.create(
            name="free", language="en", subject="Hi", body="\\. \r\n\t\x7f 級"
        )
        Delivery.objects.create(
            notification=notification, address="jun@example.com", state="sent", sent_at=NOW
        )


@pytest.fixture
def live(full: Any, django_db_blocker: Any, superuser: Any, now: Any) -> Iterator[TenantScope]:
    """That dojo, for a test that commits. Restored dojos and exports are removed afterwards."""
    with django_db_blocker.unblock():
        connections.close_all()
        try:
            with platform_scope():
                yield full[0]
        finally:
            connections.close_all()
            erase_dojo(superuser, COPY)
            superuser.execute("DELETE FROM public.tenants_tenantexport")


def archive_of(scope: TenantScope, on_rows: Callable[[int], None] = nothing) -> tuple[bytes, Manifest]:
    """Return a dojo's archive, and its manifest."""
    file = io.BytesIO()
    with platform_scope():
        tenant = Tenant.objects.with_primary_domain().get(pk=scope.tenant_id)
    manifest = ArchiveWriter(tenant, now=NOW).write(file, on_total=nothing, on_rows=on_rows)
    return file.getvalue(), manifest


def restored(archive: bytes, **more: Any) -> TenantScope:
    """Restore an archive; return the new dojo."""
    with platform_scope():
        values = {"name": "Copy", "slug": COPY, "now": NOW, "callbacks": NO_CALLBACKS, **more}
        restore(ArchiveReader(io.BytesIO(archive)), **values)
        return Tenant.objects.with_primary_domain().get(slug=COPY).scope


def contents(manifest: Manifest) -> dict[str, Any]:
    """Return what must be equal in the archives of two dojos with the same data."""
    return {entry.name: entry.content for entry in manifest.entries} | {
        kept.name: kept for kept in manifest.files
    }


def repacked(
    archive: bytes,
    change_members: Callable[[dict[str, bytes]], None] = lambda members: None,
    change_manifest: Callable[[dict[str, Any]], None] = lambda manifest: None,
) -> bytes:
    """Return an archive with changed members or a changed manifest."""
    with zipfile.ZipFile(io.BytesIO(archive)) as before:
        members = {name: before.read(name) for name in before.namelist()}
    manifest = json.loads(members["manifest.json"])
    change_manifest(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    change_members(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as after:
        for name, content in members.items():
            after.writestr(name, content)
    return file.getvalue()


@contextmanager
def nothing_changes(superuser: Any) -> Iterator[None]:
    """Assert that the block neither adds nor removes dojos, schemas and files."""
    before = _dojos_schemas_and_files(superuser)
    yield
    assert _dojos_schemas_and_files(superuser) == before


def _dojos_schemas_and_files(superuser: Any) -> Any:
    dojos = superuser.execute("SELECT id, slug, status FROM public.tenants_tenant ORDER BY id").fetchall()
    schemas = superuser.execute("SELECT nspname FROM pg_namespace ORDER BY nspname").fetchall()
    folder = Path(default_storage.location)
    return dojos, schemas, sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
