"""The codes that are scanned: their format, and how a forged, foreign or expired one is detected.

A code is base64url (no padding) of: one byte of kind, a random 16-byte id, for rotating codes the number of a 30-second
step (4 bytes), and 16 bytes of HMAC-SHA256 with the dojo's own key. The key is derived from the secret of the
installation and the UUID of the dojo. A code holds nothing about a person, fits a version 4 QR symbol at level M (62
bytes), and is invalid in every other dojo. While secrets rotate, two generations of keys are valid.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from tatami.keys import tenant_keys
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.errors import QrExpired, QrInvalid

STEP_SECONDS: Final = 30
URL_PATH: Final = "/check-in/"
_PURPOSE: Final = "check-in code"
_ID_BYTES: Final = 16
_STEP_BYTES: Final = 4
_MAC_BYTES: Final = 16


class CodeKind(IntEnum):
    """What the id in a code identifies."""

    STUDENT = 1
    CARD = 2
    SESSION = 3
    SESSION_ROTATING = 4

    @property
    def rotates(self) -> bool:
        """Say whether the code is valid for two steps only."""
        return self in {CodeKind.STUDENT, CodeKind.SESSION_ROTATING}


@dataclass(frozen=True, slots=True)
class Code:
    """A code whose MAC is right. `step` is set if the code rotates."""

    kind: CodeKind
    id: bytes
    step: int | None

    @property
    def is_of_session(self) -> bool:
        """Say whether the id is that of a class session, not of a student or a card."""
        return self.kind in {CodeKind.SESSION, CodeKind.SESSION_ROTATING}

    def check_not_expired(self, instant: datetime) -> None:
        """Raise `QrExpired` unless `instant` is in the code's step or in the next one."""
        if self.step is not None and step_at(instant) not in {self.step, self.step + 1}:
            raise QrExpired


def step_at(instant: datetime) -> int:
    """Return the number of the 30-second step that contains `instant`."""
    return int(instant.timestamp()) // STEP_SECONDS


def step_end(step: int) -> datetime:
    """Return the instant, in UTC, at which a step ends and its code is replaced."""
    return datetime.fromtimestamp((step + 1) * STEP_SECONDS, tz=UTC)


def make_token(kind: CodeKind, subject: bytes, *, tenant_id: UUID, now: datetime) -> str:
    """Return the code for the 16-byte id `subject` in a dojo."""
    step = step_at(now).to_bytes(_STEP_BYTES, "big") if kind.rotates else b""
    payload = bytes([kind]) + subject + step
    return (
        urlsafe_b64encode(payload + _mac(tenant_keys(_PURPOSE, tenant_id)[0], payload)).rstrip(b"=").decode()
    )


def read_token(text: str, *, tenant_id: UUID) -> Code:
    """Return the code in a token, or in a URL that ends in one.

    Raises `QrInvalid` with the same message for every fault, so that a caller cannot probe for codes. Does not check
    whether the code has expired.
    """
    token = _token_in(text)
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        kind = CodeKind(raw[0])
    except (ValueError, IndexError):
        raise QrInvalid from None
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    step = payload[1 + _ID_BYTES :]
    is_complete = len(payload) == 1 + _ID_BYTES + (_STEP_BYTES if kind.rotates else 0)
    is_canonical = urlsafe_b64encode(raw).rstrip(b"=").decode() == token
    is_signed = any(hmac.compare_digest(_mac(key, payload), mac) for key in tenant_keys(_PURPOSE, tenant_id))
    if not (is_complete and is_canonical and is_signed):
        raise QrInvalid
    return Code(kind=kind, id=payload[1 : 1 + _ID_BYTES], step=int.from_bytes(step, "big") if step else None)


def read_code(token: str) -> Code | None:
    """Return the code in a token, `None` if it is not a valid code of the current dojo."""
    try:
        return read_token(token, tenant_id=current_tenant().tenant_id)
    except QrInvalid:
        return None


def _token_in(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        return text if text.isascii() else ""
    try:
        path = urlsplit(text).path
    except ValueError:
        raise QrInvalid from None
    if not path.startswith(URL_PATH) or not path.isascii():
        raise QrInvalid
    return path.removeprefix(URL_PATH)


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)[:_MAC_BYTES]
