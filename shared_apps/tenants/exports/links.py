"""The address from which an archive is fetched: it needs no login, names one export, and is good for a few minutes.

So a browser can open it, and curl can, without an access token in it. Only superadmins are told it.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from django.urls import reverse

from shared_apps.tenants.models import TenantExport
from tatami.errors import NotFound, TokenExpired
from tatami.keys import tenant_keys

GOOD_FOR: Final = timedelta(minutes=15)
_PURPOSE: Final = "download of an export"
_LONGEST: Final = 100


def link_token(export: TenantExport, *, now: datetime) -> str:
    """Return what the address of an export's archive ends in: when it ends, and a seal."""
    until = int((now + GOOD_FOR).timestamp())
    return f"{until}.{_seal(export, until, tenant_keys(_PURPOSE, export.tenant_id)[0])}"


def archive_path(export: TenantExport, *, now: datetime) -> str | None:
    """Return where an export's archive is fetched from now on, on the platform host; None until it is done."""
    if export.status != TenantExport.Status.DONE:
        return None
    path = reverse("tenant-export-archive", kwargs={"id": export.tenant_id, "export_id": export.pk})
    return f"{path}?token={link_token(export, now=now)}"


def refuse_other_link(export: TenantExport, token: str, *, now: datetime) -> None:
    """Raise `NotFound` unless `token` is one of ours for this export, and `TokenExpired` if its time is over."""
    until, _, seal = token[:_LONGEST].partition(".")
    if not (until.isascii() and until.isdecimal() and seal.isascii()):
        raise NotFound
    seals = (_seal(export, int(until), key) for key in tenant_keys(_PURPOSE, export.tenant_id))
    if not any(hmac.compare_digest(one, seal) for one in seals):
        raise NotFound
    if now >= datetime.fromtimestamp(int(until), tz=UTC):
        raise TokenExpired("This link is too old: ask for a new one.")


def _seal(export: TenantExport, until: int, key: bytes) -> str:
    return hmac.digest(key, export.pk.bytes + str(until).encode(), hashlib.sha256).hex()
