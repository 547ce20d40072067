"""The codes that are scanned: their format, and how a forged, foreign or expired one is detected.

A code consists of: one byte of kind, a random 16-byte id, for rotating codes the number of a 30-second step (4 bytes),
and 16 bytes of HMAC-SHA256 with the dojo's own key. The key is derived from the secret of the installation and the UUID
of the dojo. A code holds nothing about a person and is invalid in every other dojo. While secrets rotate, two
generations of keys are valid.

Its text has two letters a byte. Most scanners type what they read like a keyboard, and the computer translates the keys
by its own layout. So the alphabet has only letters that have the same key on QWERTY, QWERTZ and AZERTY keyboards, and
case does not matter. A text has at most 74 characters, all of which QR symbols store in alphanumeric mode: version 4 at
level M has room for 90.
"""

import hashlib
import hmac
import re
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
CODE_LENGTHS: Final = (2 * (1 + _ID_BYTES + _MAC_BYTES), 2 * (1 + _ID_BYTES + _STEP_BYTES + _MAC_BYTES))
"""The number of letters of a code that does not rotate, and of one that does."""

ALPHABET: Final = "BCDFGHJKLNPRSTVX"
"""The letters for the hexadecimal digits 0 to F."""
_HEX_DIGITS: Final = "0123456789ABCDEF"
_TO_LETTERS: Final = str.maketrans(_HEX_DIGITS, ALPHABET)
_TO_HEX: Final = str.maketrans(ALPHABET, _HEX_DIGITS)
_LETTERS: Final = re.compile(f"[{ALPHABET}]+")
_SYMBOLOGY: Final = re.compile("[^A-Za-z0-9]..", re.DOTALL)
"""The identifier that some scanners put first (ISO/IEC 15424), `]Q1` for QR: as the keyboard layout shows it, `+Q1` or
`$A&` for example."""
_SURROUNDING: Final = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0\u200b\u2060\ufeff"
"""White space and control characters, such as the Enter, Tab or ETX that scanners add."""


class CodeKind(IntEnum):
    """What the id in a code identifies."""

    STUDENT = 1
    CARD = 2
    SESSION = 3
    SESSION_ROTATING = 4

    @property
    def rotates(self) -> bool:
        """Return whether the code is valid for two steps only."""
        return self in {CodeKind.STUDENT, CodeKind.SESSION_ROTATING}


@dataclass(frozen=True, slots=True)
class Code:
    """A code whose MAC is right. `step` is set if the code rotates."""

    kind: CodeKind
    id: bytes
    step: int | None

    @property
    def is_of_session(self) -> bool:
        """Return whether the id is that of a class session, not of a student or a card."""
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
    return _letters(payload + _mac(tenant_keys(_PURPOSE, tenant_id)[0], payload))


def read_token(text: str, *, tenant_id: UUID) -> Code:
    """Return the code in a token, or in a URL that ends in one, as a scanner or a phone read it.

    Ignored are case, white space and control characters around the text, and a symbology identifier before it. Raises
    `QrInvalid` with the same message for every fault, so that a caller cannot probe for codes.
    Does not check whether the code has expired.
    """
    token = _token_in(text)
    if not _LETTERS.fullmatch(token):
        raise QrInvalid
    try:
        raw = bytes.fromhex(token.translate(_TO_HEX))
        kind = CodeKind(raw[0])
    except ValueError:
        raise QrInvalid from None
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    step = payload[1 + _ID_BYTES :]
    is_complete = len(payload) == 1 + _ID_BYTES + (_STEP_BYTES if kind.rotates else 0)
    is_signed = any(hmac.compare_digest(_mac(key, payload), mac) for key in tenant_keys(_PURPOSE, tenant_id))
    if not (is_complete and is_signed):
        raise QrInvalid
    return Code(kind=kind, id=payload[1 : 1 + _ID_BYTES], step=int.from_bytes(step, "big") if step else None)


def read_code(token: str) -> Code | None:
    """Return the code in a token, `None` if it is not a valid code of the current dojo."""
    try:
        return read_token(token, tenant_id=current_tenant().tenant_id)
    except QrInvalid:
        return None


def _token_in(text: str) -> str:
    """Return the upper-case token in a text, or a text that is no token."""
    text = text.strip(_SURROUNDING)
    if _SYMBOLOGY.match(text):
        text = text[3:]
    if not text.isascii():
        raise QrInvalid
    if not text[:8].lower().startswith(("http://", "https://")):
        return text.upper()
    try:
        path = urlsplit(text).path.upper()
    except ValueError:
        raise QrInvalid from None
    if not path.startswith(URL_PATH.upper()):
        raise QrInvalid
    return path.removeprefix(URL_PATH.upper())


def _letters(raw: bytes) -> str:
    return raw.hex().upper().translate(_TO_LETTERS)


def _mac(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)[:_MAC_BYTES]
