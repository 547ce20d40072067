"""The logo of the dojo as a stored file.

The file name contains the dojo's id and a hash of the content. So the same logo is stored once, and a new one never
overwrites a file that a certificate is being printed from. The settings store the name in their own transaction; the
file that they no longer name is deleted after the commit. If the process dies in between, an unused file remains.
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
from tenant_apps.dojo.services import change_settings, get_or_create_settings

_DATA_URI: Final = re.compile(r"data:image/(?:png|jpeg);base64,(?P<content>[A-Za-z0-9+/]+=*)")


def decode_logo(uri: str) -> bytes:
    """Return the picture in a data URI as `read_logo` does. Raises `BadLogo`."""
    found = _DATA_URI.fullmatch(uri)
    if found is None:
        raise BadLogo
    try:
        return read_logo(base64.b64decode(found["content"], validate=True))
    except binascii.Error as error:
        raise BadLogo from error


def data_uri(logo: bytes) -> str:
    """Return a logo that `read_logo` returned as a data URI."""
    kind = "png" if logo.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(logo).decode()}"


@transaction.atomic
def set_logo(logo: bytes | None) -> None:
    """Replace the logo with one that `read_logo` returned; None removes it. Repeating it changes nothing."""
    before = get_or_create_settings().logo
    name = ""
    if logo is not None:
        name = f"{current_tenant_id()}/logo-{hashlib.sha256(logo).hexdigest()[:32]}"
        if not default_storage.exists(name):
            default_storage.save(name, ContentFile(logo))
    if name != before:
        change_settings(changes={"logo": name})
        if before:
            transaction.on_commit(partial(default_storage.delete, before), robust=True)


def stored_logo(settings: DojoSettings) -> bytes | None:
    """Return the stored logo; None if the dojo has none, or if the file is missing."""
    if not settings.logo or not default_storage.exists(settings.logo):
        return None
    with default_storage.open(settings.logo) as stored:
        return bytes(stored.read())
