"""Nonces: the same one is answered once, to the byte, whatever has changed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from tatami.ids import uuid7
from tatami.keys import secret_hash
from tenant_apps.attendance.answers import Answer
from tenant_apps.attendance.models import ScanAnswer
from tenant_apps.attendance.scans import Scan, Scanner

# The row is claimed before anything is looked up. A twin in flight waits here for the first one's answer.
_CLAIM: Final = """
INSERT INTO attendance_scananswer AS kept (id, caller, nonce, token_hash, status, answer, created_at, updated_at)
SELECT id, %(caller)s, nonce, token_hash, %(pending)s, '', %(now)s, %(now)s
FROM unnest(%(ids)s::uuid[], %(nonces)s::text[], %(hashes)s::bytea[]) AS claim(id, nonce, token_hash)
ORDER BY nonce
ON CONFLICT (caller, nonce) DO UPDATE SET updated_at = kept.updated_at
RETURNING nonce, token_hash, status, answer
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A nonce of this caller: the code it was first used with, and what that was answered; None: it is ours now."""

    token_hash: bytes
    answer: Answer | None

    def is_for(self, scan: Scan) -> bool:
        """Say whether a scan is of the code that the nonce was first used with."""
        return secret_hash(scan.token) == self.token_hash


def claim_nonces(scans: Sequence[Scan], *, scanner: Scanner, now: datetime) -> dict[str, Claim]:
    """Return, for each nonce, what is known of it; a new one belongs to the first scan that bears it.

    One statement, none without nonces.
    """
    tokens: dict[str, str] = {}
    for scan in scans:
        if scan.nonce is not None:
            tokens.setdefault(scan.nonce, scan.token)
    if not tokens:
        return {}
    params: dict[str, Any] = {
        "caller": scanner.id,
        "pending": ScanAnswer.PENDING,
        "now": now,
        "ids": [uuid7() for _ in tokens],
        "nonces": list(tokens),
        "hashes": [secret_hash(token) for token in tokens.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, params)
        return {
            nonce: Claim(
                bytes(token_hash), None if status == ScanAnswer.PENDING else Answer(status, bytes(answer))
            )
            for nonce, token_hash, status, answer in cursor.fetchall()
        }
