"""From an archive to a new dojo, under a new id and with a schema of its own.

The dojo is `provisioning` until all is in it and was compared with the archive, so it never serves half of it; cut off
in the middle, it is taken back like any other (`provisioning.clear_abandoned`). Its schema is built as it was when the
archive was made, filled in the same transaction of the owner, and only then migrated.
"""

from datetime import datetime
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.users import change_user
from shared_apps.tenants import provisioning, schemas
from shared_apps.tenants.exports.errors import ArchiveRefused
from shared_apps.tenants.exports.loading import UNTOLD, Ticks, filled
from shared_apps.tenants.exports.making import measured
from shared_apps.tenants.exports.reading import Archive
from shared_apps.tenants.exports.signals import dojo_restored
from shared_apps.tenants.models import Tenant, TenantExport
from shared_apps.tenants.provisioning import FirstAdmin
from tatami.errors import Invalid
from tatami.ids import uuid7
from tatami.tenancy.scope import tenant_scope
from tatami.text import email_key


def restore(
    archive: Archive,
    *,
    name: str,
    slug: str,
    timezone: str | None = None,
    admin: FirstAdmin | None = None,
    now: datetime,
    ticks: Ticks,
) -> tuple[Tenant, User | None]:
    """Make a dojo of an archive; return it, serving, and `admin` or else its first admin, if it has any.

    Without `timezone` it has that of the archive. `admin` is made one, or an active admin of whoever has the address.
    Call it outside a transaction, on the platform. Raises `ArchiveRefused` (of a damaged archive before anything is
    written), `SlugTaken`, and `ServiceUnavailable` where no owner login is configured; what was made is then undone.
    """
    schemas.require_owner()
    archive.verify(ticks.checking)
    tenant_id = uuid7()
    zone = timezone or archive.manifest.source.timezone
    with schemas.building(tenant_id):
        tenant = provisioning.reserve(tenant_id, name=name, slug=slug, timezone=zone, now=now)
        try:
            _store_files(archive, tenant_id)
            version = filled(archive, tenant, ticks)
            user = _admin_of(tenant, admin, now)
            with tenant_scope(tenant), transaction.atomic():
                dojo_restored.send(sender=Tenant, previous_id=archive.manifest.source.id, now=now)
            provisioning.activate(tenant, version)
        except BaseException:
            provisioning.take_back(tenant)
            raise
    return tenant, user


def restore_export(
    export_id: UUID,
    *,
    name: str,
    slug: str,
    timezone: str | None = None,
    admin: FirstAdmin | None,
    now: datetime,
) -> tuple[Tenant, User | None]:
    """Make a dojo of an export that lies in the storage; see `restore`.

    Raises `Invalid` for an export that is not there (any more), and `ArchiveRefused` where its file is not what it was.
    """
    export = TenantExport.objects.filter(pk=export_id, status=TenantExport.Status.DONE).first()
    if export is None or not default_storage.exists(export.name):
        raise Invalid.field("archive", "There is no such export, or it is not done.")
    with default_storage.open(export.name) as file:
        if measured(file) != (export.bytes, export.sha256):
            raise ArchiveRefused("It is damaged: the file is not the one that was stored.")
        return restore(
            Archive(file), name=name, slug=slug, timezone=timezone, admin=admin, now=now, ticks=UNTOLD
        )


def _store_files(archive: Archive, tenant_id: UUID) -> None:
    for kept in archive.manifest.files:
        default_storage.save(f"{tenant_id}/{kept.name}", ContentFile(archive.file(kept)))


def _admin_of(tenant: Tenant, admin: FirstAdmin | None, now: datetime) -> User | None:
    with tenant_scope(tenant), transaction.atomic():
        if admin is None:
            return User.objects.active_admins().order_by("created_at", "pk").first()
        known = User.objects.live().filter(email_key=email_key(admin.email)).first()
        if known is None:
            return provisioning.add_first_admin(tenant, admin, now)
        changes = {"role": Role.ADMIN, "is_active": True}
        return change_user(user=known, changes=changes, now=now, password_hash=admin.password_hash)
