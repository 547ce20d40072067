"""The link from which an archive is downloaded: it needs no login, names one export, and is valid for a few minutes.

So a browser or curl can open it without an access token in the address. Only superadmins get it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.core.signing import BadSignature
from django.urls import reverse

from shared_apps.tenants.models import TenantExport
from tatami.errors import NotFound, TokenExpired
from tatami.keys import tenant_signer

LINK_LIFETIME: Final = timedelta(minutes=15)
_PURPOSE: Final = "download of an export"
_MAX_TOKEN_LENGTH: Final = 200


def link_token(export: TenantExport, *, now: datetime) -> str:
    """Return the token of a link: the export's id and the deadline, signed with the tenant's key."""
    deadline = int((now + LINK_LIFETIME).timestamp())
    return tenant_signer(_PURPOSE, export.tenant_id).sign_object([str(export.pk), deadline])


def archive_path(export: TenantExport, *, now: datetime) -> str | None:
    """Return the link to an export's archive on the platform host, valid from `now` on; `None` until it is done."""
    if export.status != TenantExport.Status.DONE:
        return None
    path = reverse("tenant-export-archive", kwargs={"id": export.tenant_id, "export_id": export.pk})
    return f"{path}?token={link_token(export, now=now)}"


def check_link(export: TenantExport, token: str, *, now: datetime) -> None:
    """Raise `NotFound` unless `token` was signed for this export, and `TokenExpired` if its deadline has passed."""
    try:
        export_id, deadline = tenant_signer(_PURPOSE, export.tenant_id).unsign_object(
            token[:_MAX_TOKEN_LENGTH]
        )
    except BadSignature:
        raise NotFound from None
    if export_id != str(export.pk):
        raise NotFound
    if now >= datetime.fromtimestamp(deadline, tz=UTC):
        raise TokenExpired("This link has expired. Request a new one.")
