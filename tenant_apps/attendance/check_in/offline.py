"""Scans that a device took offline. It uploads them in any order, in parts, and repeats uploads that were cut off.

The age of a scan is `sent_at - scanned_at`, both by the device's clock, so a constant error of that clock cancels out.
Our own clock then says when the scan was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import DatabaseError, transaction
from rest_framework import serializers

from tatami.postgresql.sqlstates import RETRYABLE, sqlstate_of
from tatami.postgresql.statements import Statement
from tenant_apps.attendance.check_in.responses import AttendanceSerializer
from tenant_apps.attendance.check_in.service import OLDEST_SCAN, check_in
from tenant_apps.attendance.check_in.types import Scan, Scanner, ScanResponse
from tenant_apps.attendance.errors import ClockUnreliable

MAX_BATCH_SIZE: Final = 500
MAX_SEQ: Final = 2**53
MAX_CLOCK_ERROR: Final = timedelta(minutes=10)
"""If a clock is wrong by more than this, the instants of its scans cannot be known."""
UPLOAD_DURATION_TOLERANCE: Final = timedelta(seconds=5)
"""A smaller difference between the clocks is the duration of the upload and is not corrected."""

# SKIP LOCKED: this never waits. Another upload of the device, which has just updated `last_seen_at`, may be waiting for
# one of the nonces of this upload.
UPDATE_LAST_SEQ: Final = Statement(
    "device's last seq",
    """
UPDATE attendance_device SET last_seq = $2::bigint, updated_at = $3 WHERE id IN (
    SELECT id FROM attendance_device WHERE id = $1 AND (last_seq IS NULL OR last_seq < $2::bigint)
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id
""",
)

_FOREIGN_KEY_VIOLATION: Final = "23503"
"""A row that a scan refers to was deleted in the meantime."""


@dataclass(frozen=True, slots=True)
class OfflineScan:
    """One scan of an upload. `seq` counts the scans of a device; gaps and repeats are allowed."""

    token: str
    nonce: str
    scanned_at: datetime
    class_session: UUID | None = None
    seq: int | None = None


class SyncResultSerializer(serializers.Serializer[Any]):
    """The result of one scan: `attendance` if it is recorded, `code` if it is refused; `retry` is not final."""

    nonce = serializers.CharField()
    status = serializers.ChoiceField(choices=["recorded", "already_recorded", "refused", "retry"])
    attendance = AttendanceSerializer(required=False)
    code = serializers.CharField(required=False)


def upload_scans(
    *, sent_at: datetime, items: Sequence[OfflineScan], caller: Any, now: datetime
) -> list[dict[str, Any]]:
    """Record scans in the order of `seq`; return a `SyncResultSerializer` dict for each of `items`, in their order.

    Scans without `seq` come last, in the order of `scanned_at`. `sent_at` is the device's clock at the upload. The
    number of statements does not depend on the number of scans. If a device repeats an upload, whole or in other parts,
    scans keep their first result. If the database asks to repeat the transaction (for example after a deadlock),
    nothing is recorded and every result is `retry`.
    """
    scanner = Scanner.from_caller(caller)
    order = sorted(range(len(items)), key=lambda place: (*_order_key(items[place]), place))
    scans = [_corrected_scan(items[place], sent_at=sent_at, now=now) for place in order]
    try:
        with transaction.atomic():
            responses = check_in(scans, scanner=scanner, now=now)
            _update_last_seq(items, scanner, now=now)
    except DatabaseError as error:
        if sqlstate_of(error) not in {*RETRYABLE, _FOREIGN_KEY_VIOLATION}:
            raise
        return [{"nonce": item.nonce, "status": "retry"} for item in items]
    by_place = dict(zip(order, responses, strict=True))
    return [_result(item.nonce, by_place[place]) for place, item in enumerate(items)]


def _order_key(item: OfflineScan) -> tuple[bool, int, datetime]:
    return item.seq is None, item.seq or 0, item.scanned_at


def _corrected_scan(item: OfflineScan, *, sent_at: datetime, now: datetime) -> Scan:
    """Return the scan with its instant corrected by the error of the device's clock, or with the error to raise."""
    clock_error, age = now - sent_at, sent_at - item.scanned_at
    is_trusted = abs(clock_error) <= MAX_CLOCK_ERROR and timedelta() <= age <= OLDEST_SCAN
    correction = clock_error if abs(clock_error) > UPLOAD_DURATION_TOLERANCE else timedelta()
    return Scan(
        token=item.token,
        nonce=item.nonce,
        class_session=item.class_session,
        scanned_at=min(item.scanned_at + correction, now) if is_trusted else item.scanned_at,
        scanned_at_error=None if is_trusted else ClockUnreliable(),
    )


def _result(nonce: str, response: ScanResponse) -> dict[str, Any]:
    body = orjson.loads(response.body)
    if "error" in body:
        return {"nonce": nonce, "status": "refused", "code": body["error"]["code"]}
    return {"nonce": nonce, "status": body["status"], "attendance": body["attendance"]}


def _update_last_seq(items: Sequence[OfflineScan], scanner: Scanner, *, now: datetime) -> None:
    """Store the highest `seq` that a device has sent, so that the desk can see whether scans are missing below it."""
    last = max((item.seq for item in items if item.seq is not None), default=None)
    if scanner.device is not None and last is not None:
        UPDATE_LAST_SEQ.rows(scanner.device, last, now)
