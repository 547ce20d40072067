"""The dojo's logo as a file: kept in the storage under the dojo's id.

Its name is made of what is in it: the same logo twice is one file, and a new one never overwrites what a paper that is
being printed reads. The settings name it in their own transaction; what nobody names any more is removed after the
commit. Killed in between, a file is left that nobody sees.
"""

import base64
import binascii
import hashlib
import re
from functools import partial
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.logo import BadLogo, read_logo
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import change_settings, settings_row

_DATA_URI: Final = re.compile(r"data:image/(?:png|jpeg);base64,(?P<content>[A-Za-z0-9+/]+=*)")


def logo_in(uri: str) -> bytes:
    """Return the picture in a data URI as it is kept. Raises `BadLogo`."""
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise BadLogo
    try:
        return read_logo(base64.b64decode(found["content"], validate=True))
    except binascii.Error as broken:
        raise BadLogo from broken


def data_uri(logo: bytes) -> str:
    """Return a kept logo as a data URI."""
    kind = "png" if logo.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(logo).decode()}"


@transaction.atomic
def set_logo(logo: bytes | None) -> None:
    """Keep a logo that `read_logo` returned in place of the present one; None takes it away."""
    before = settings_row().logo
    name = ""
    if logo is not None:
        name = f"{current_tenant_id()}/logo-{hashlib.sha256(logo).hexdigest()[:32]}"
        if not default_storage.exists(name):
            default_storage.save(name, ContentFile(logo))
    if name != before:
        change_settings(changes={"logo": name})
        if before:
            transaction.on_commit(partial(default_storage.delete, before), robust=True)


def kept_logo(settings: DojoSettings) -> bytes | None:
    """Return the dojo's logo, None where there is none (any more)."""
    if not settings.logo or not default_storage.exists(settings.logo):
        return None
    with default_storage.open(settings.logo) as kept:
        return bytes(kept.read())
