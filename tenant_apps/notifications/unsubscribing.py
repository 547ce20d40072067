"""Not wanting mail: the link in each bulk mail, and what is remembered when it is used.

The link names an address by its hash, signed with the dojo's own key: it shows nobody's address, nobody can make one
up, and another dojo does not know it.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.urls import reverse

from tatami.errors import NotFound
from tatami.keys import tenant_keys
from tatami.tenancy.addresses import origin
from tatami.tenancy.scope import current_tenant_id
from tenant_apps.notifications.models import Address

_PURPOSE: Final = "unsubscribe"
_KEY_BYTES, _SEAL_BYTES = 32, 16

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "footer": "No more of these mails",
        "title": "Unsubscribe",
        "question": "Shall we send no more news to your address? Word of promotions, exams and cancelled classes "
        "still reaches you.",
        "button": "Send me no more news",
        "done": "You will get no more news from us.",
    },
    "pt-br": {
        "footer": "Não receber mais estes e-mails",
        "title": "Cancelar e-mails",
        "question": "Deseja não receber mais notícias neste endereço? Avisos de graduações, exames e aulas "
        "canceladas continuam chegando.",
        "button": "Não quero mais notícias",
        "done": "Você não receberá mais notícias nossas.",
    },
}


def unsubscribe_url(address_key: bytes) -> str:
    """Return the address of the page on which the owner of an address unsubscribes."""
    return origin() + reverse("unsubscribe", kwargs={"code": _code(address_key)})


def key_in(code: str) -> bytes:
    """Return the address that a code names, by its hash. Raises `NotFound` for a code that is none of this dojo's."""
    try:
        raw = base64.b64decode(code.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise NotFound from None
    key, seal = raw[:_KEY_BYTES], raw[_KEY_BYTES:]
    seals = [_seal(key, secret) for secret in tenant_keys(_PURPOSE, current_tenant_id())]
    if len(seal) != _SEAL_BYTES or not any([hmac.compare_digest(seal, one) for one in seals]):  # noqa: C419
        raise NotFound
    return key


def unsubscribe(*, address_key: bytes, now: datetime) -> None:
    """Send no more bulk mail to an address. Twice, or at once, is once: the first time stands."""
    Address.objects.bulk_create([Address(key=address_key)], ignore_conflicts=True)
    Address.objects.filter(key=address_key, unsubscribed_at__isnull=True).update(
        unsubscribed_at=now, updated_at=now
    )


def _code(address_key: bytes) -> str:
    secret = tenant_keys(_PURPOSE, current_tenant_id())[0]
    return base64.urlsafe_b64encode(address_key + _seal(address_key, secret)).decode("ascii")


def _seal(address_key: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, address_key, hashlib.sha256)[:_SEAL_BYTES]
