"""Scans that were taken offline: uploaded in any order, in pieces, and more than once; each is answered finally.

The device's clock is judged by what it said when it sent: a scan's age is `sent_at - scanned_at` by that one clock, so
an error of the clock that has not changed since cancels out, and our own clock says when the scan was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from tenant_apps.attendance.checkin import OLDEST_SCAN, check_in, scanner_of
from tenant_apps.attendance.refusals import ClockUnreliable
from tenant_apps.attendance.scans import Scan, Scanner

LARGEST_BATCH: Final = 500
LARGEST_SEQ: Final = 2**53
LARGEST_SKEW: Final = timedelta(minutes=10)
"""A clock that is wrong by more was set by nobody; when its scans were taken cannot be told."""
TRAVEL_TIME: Final = timedelta(seconds=5)
"""A difference so small is the time that the upload took, not the clock's fault."""

# Never waits: another upload of this device that has just marked it as seen may be waiting for one of our nonces.
_NOTE_LAST: Final = """
UPDATE attendance_device SET last_seq = %(last)s, updated_at = %(now)s WHERE id IN (
    SELECT id FROM attendance_device WHERE id = %(device)s AND (last_seq IS NULL OR last_seq < %(last)s)
    FOR NO KEY UPDATE SKIP LOCKED
)
"""

_TRANSIENT: Final = frozenset({"40001", "40P01", "55P03", "23503"})
"""A deadlock, a lock that was not to be had, or a row that vanished meanwhile: the same batch may succeed next time."""


@dataclass(frozen=True, slots=True)
class Item:
    """One scan of an upload. `seq` counts the scans of a device; gaps and repeats change nothing."""

    token: str
    nonce: str
    scanned_at: datetime
    class_session: UUID | None = None
    seq: int | None = None


def upload(*, sent_at: datetime, items: Sequence[Item], caller: Any, now: datetime) -> list[dict[str, Any]]:
    """Record scans in the order in which they were taken; return a result for each, in the order of `items`.

    The number of statements does not depend on theirs. An upload that was cut off is sent again, whole or in other
    pieces: what was answered before stays as it was. Where the database asks to try again, all items say `retry`.
    """
    scanner = scanner_of(caller)
    order = sorted(range(len(items)), key=lambda place: (*_order(items[place]), place))
    scans = [_scan(items[place], sent_at=sent_at, now=now) for place in order]
    try:
        with transaction.atomic():
            answers = check_in(scans, scanner=scanner, now=now)
            _note_last(items, scanner, now=now)
    except DatabaseError as fault:
        if getattr(fault.__cause__, "sqlstate", None) not in _TRANSIENT:
            raise
        return [{"nonce": item.nonce, "status": "retry"} for item in items]
    by_place = dict(zip(order, answers, strict=True))
    return [by_place[place].as_result(item.nonce) for place, item in enumerate(items)]


def _order(item: Item) -> tuple[bool, int, datetime]:
    return item.seq is None, item.seq or 0, item.scanned_at


def _scan(item: Item, *, sent_at: datetime, now: datetime) -> Scan:
    skew, age = now - sent_at, sent_at - item.scanned_at
    is_trusted = abs(skew) <= LARGEST_SKEW and timedelta() <= age <= OLDEST_SCAN
    correction = skew if abs(skew) > TRAVEL_TIME else timedelta()
    return Scan(
        token=item.token,
        nonce=item.nonce,
        class_session=item.class_session,
        scanned_at=min(item.scanned_at + correction, now) if is_trusted else item.scanned_at,
        fault=None if is_trusted else ClockUnreliable(),
    )


def _note_last(items: Sequence[Item], scanner: Scanner, *, now: datetime) -> None:
    """Keep the highest order number that a device has sent: what is missing below it was never uploaded."""
    last = max((item.seq for item in items if item.seq is not None), default=None)
    if scanner.device is not None and last is not None:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE_LAST, {"device": scanner.device, "last": last, "now": now})
