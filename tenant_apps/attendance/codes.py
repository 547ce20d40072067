"""The codes that are scanned: what they say, and how a forged, foreign or stale one is told from a good one. Pure.

A code is base64url (no padding) of: one byte of kind, a random 16-byte id, for rotating codes the number of a 30-second
step (4 bytes), and 16 bytes of HMAC-SHA256 with the dojo's own key, which is derived from the installation's secret and
the dojo's UUID. It holds nothing about a person, fits a version 4 QR symbol at level M (62 bytes), and means nothing in
another dojo. Two generations of keys are valid while secrets rotate.
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

from tatami.errors import DomainError
from tatami.keys import tenant_keys

STEP_SECONDS: Final = 30
LONGEST_TOKEN: Final = 62
_PURPOSE: Final = "check-in code"
_ID_BYTES: Final = 16
_STEP_BYTES: Final = 4
_MAC_BYTES: Final = 16
URL_PATH: Final = "/check-in/"


class QrInvalid(DomainError):
    """This code is not valid here."""

    code = "qr_invalid"
    status = 400


class QrExpired(DomainError):
    """This code has expired. Show a fresh one."""

    code = "qr_expired"
    status = 400


class QrRevoked(DomainError):
    """This card has been replaced or reported lost."""

    code = "qr_revoked"
    status = 400


class Kind(IntEnum):
    """What the id in a code names."""

    STUDENT = 1
    CARD = 2
    SESSION = 3
    SESSION_ROTATING = 4

    @property
    def rotates(self) -> bool:
        """Say whether the code is good for two steps only."""
        return self in {Kind.STUDENT, Kind.SESSION_ROTATING}


@dataclass(frozen=True, slots=True)
class Code:
    """A code whose MAC is right. `step` is set where it rotates."""

    kind: Kind
    id: bytes
    step: int | None

    @property
    def names_session(self) -> bool:
        """Say whether the id is a class session's, not a student's or a card's."""
        return self.kind in {Kind.SESSION, Kind.SESSION_ROTATING}

    def refuse_stale(self, instant: datetime) -> None:
        """Raise `QrExpired` unless the code was in its step, or the one after, at `instant`."""
        if self.step is not None and step_of(instant) not in {self.step, self.step + 1}:
            raise QrExpired


def step_of(instant: datetime) -> int:
    """Return the number of the 30-second step that contains `instant`."""
    return int(instant.timestamp()) // STEP_SECONDS


def step_ends(step: int) -> datetime:
    """Return when a step ends and its code is replaced, in UTC."""
    return datetime.fromtimestamp((step + 1) * STEP_SECONDS, tz=UTC)


def make_token(kind: Kind, subject: bytes, *, tenant_id: UUID, now: datetime) -> str:
    """Return the code for the 16-byte id `subject` in this dojo."""
    step = step_of(now).to_bytes(_STEP_BYTES, "big") if kind.rotates else b""
    said = bytes([kind]) + subject + step
    return urlsafe_b64encode(said + _mac(tenant_keys(_PURPOSE, tenant_id)[0], said)).rstrip(b"=").decode()


def read_token(text: str, *, tenant_id: UUID) -> Code:
    """Return what a token, or the URL that ends in one, says. Raises `QrInvalid`, alike for every kind of fault."""
    token = _token_of(text)
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        kind = Kind(raw[0])
    except (ValueError, IndexError):
        raise QrInvalid from None
    said, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    step = said[1 + _ID_BYTES :]
    is_whole = len(said) == 1 + _ID_BYTES + (_STEP_BYTES if kind.rotates else 0)
    is_canonical = urlsafe_b64encode(raw).rstrip(b"=").decode() == token
    is_ours = any(hmac.compare_digest(_mac(key, said), mac) for key in tenant_keys(_PURPOSE, tenant_id))
    if not (is_whole and is_canonical and is_ours):
        raise QrInvalid
    return Code(kind=kind, id=said[1 : 1 + _ID_BYTES], step=int.from_bytes(step, "big") if step else None)


def _token_of(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        return text if text.isascii() else ""
    try:
        path = urlsplit(text).path
    except ValueError:
        raise QrInvalid from None
    if not path.startswith(URL_PATH) or not path.isascii():
        raise QrInvalid
    return path.removeprefix(URL_PATH)


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, hashlib.sha256)[:_MAC_BYTES]
