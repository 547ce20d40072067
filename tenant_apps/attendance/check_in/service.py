"""The check-in service: the steps of a check-in, in order. One scan is a batch of one.

A batch costs as many statements as one scan, at most ten: claim the nonces; load the students, the sessions (named,
around), the last dates of students who seem to have been absent for a long time, and the enrolments; lock sessions and
cards (only if seats are counted or shared cards are flagged); insert the attendances; save the responses, list the
refusals. A scan without a nonce that is recorded costs three of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext

from tatami.clock import tenant_date
from tatami.errors import Invalid
from tenant_apps.attendance.check_in.codes import read_code
from tenant_apps.attendance.check_in.queries import facts_for_scans
from tenant_apps.attendance.check_in.responses import build_response
from tenant_apps.attendance.check_in.rules import decide_scan
from tenant_apps.attendance.check_in.store import (
    CARD_SHARED,
    claim_nonces,
    insert_attendances,
    lock_sessions_and_cards,
    save_outcomes,
)
from tenant_apps.attendance.check_in.types import (
    AttendanceKey,
    CheckInFacts,
    NewAttendance,
    NonceClaim,
    RecordedAttendance,
    Scan,
    ScanDecision,
    Scanner,
    ScanResponse,
)
from tenant_apps.attendance.errors import NonceReused, SessionFull
from tenant_apps.dojo.models import CardPolicy

OLDEST_SCAN: Final = timedelta(hours=72)
CLOCK_TOLERANCE: Final = timedelta(seconds=10)
"""`scanned_at` may be later than our clock by this much."""
CARD_SHARED_WITHIN: Final = timedelta(seconds=60)
"""A card that is used at two devices within this time is flagged as shared."""


def scan_from_body(values: Mapping[str, Any], *, now: datetime) -> Scan:
    """Return the scan in a validated body. `scanned_at` is `now` if the body has none, and never later than `now`."""
    scanned_at = values.get("scanned_at", now)
    error = (
        None
        if -CLOCK_TOLERANCE <= now - scanned_at <= OLDEST_SCAN
        else Invalid.field("scanned_at", gettext("This is in the future, or more than 72 hours ago."))
    )
    return Scan(**{**values, "scanned_at": min(scanned_at, now)}, scanned_at_error=error)


def check_in(scans: Sequence[Scan], *, scanner: Scanner, now: datetime) -> list[ScanResponse]:
    """Record attendances for `scans`, processed in their order; return a response to each, in the same order.

    Call it in a transaction, and commit also if scans are refused: refusals and responses are stored. A repeated or
    concurrent nonce receives the stored response, byte for byte. If the process is killed before the commit, nothing
    has happened. Raises `Invalid` for values in a body that no error code names, and no other domain error.
    """
    claims = claim_nonces(scans, scanner=scanner, now=now)
    new_scans = _without_replays(scans, claims)
    codes = {scan.token: read_code(scan.token) for scan in new_scans}
    facts = facts_for_scans(new_scans, codes, scanner)
    decisions = [decide_scan(scan, codes[scan.token], facts, scanner=scanner, now=now) for scan in new_scans]
    recorded = _record(decisions, facts, scanner=scanner, now=now)
    outcomes = _respond(decisions, recorded, scanner=scanner, now=now)
    save_outcomes(outcomes, scanner=scanner, now=now)
    return _in_order(scans, claims, outcomes)


def _without_replays(scans: Sequence[Scan], claims: Mapping[str, NonceClaim]) -> list[Scan]:
    """Return the scans to decide on: each nonce once, and none that has a stored response or another code."""
    seen: set[str] = set()
    new_scans = []
    for scan in scans:
        if scan.nonce is not None:
            claim = claims[scan.nonce]
            if claim.response is not None or scan.nonce in seen or not claim.is_for(scan):
                continue
            seen.add(scan.nonce)
        new_scans.append(scan)
    return new_scans


def _record(
    decisions: Sequence[ScanDecision], facts: CheckInFacts, *, scanner: Scanner, now: datetime
) -> dict[AttendanceKey, RecordedAttendance]:
    """Write the attendances that are new; return those that count, old and new."""
    new: dict[AttendanceKey, NewAttendance] = {}
    for decision in decisions:
        if decision.attendance and decision.key not in facts.recorded:
            new.setdefault(decision.key, decision.attendance)
    sessions = {attendance.session for attendance in new.values() if attendance.capacity is not None}
    cards: dict[UUID, datetime] = {}
    if facts.settings.card_policy == CardPolicy.FLAG:
        for decision in decisions:
            if decision.card and decision.attendance:
                at = decision.attendance.checked_in_at
                cards[decision.card] = max(cards.get(decision.card, at), at)
    if sessions or cards:
        last_uses = lock_sessions_and_cards(sessions=sessions, cards=cards, scanner_id=scanner.id)
        _flag_shared_cards(decisions, last_uses, scanner)
    if not new:
        return facts.recorded
    inserted = insert_attendances(
        [*new.values()],
        user=scanner.user,
        device=scanner.device,
        has_webhooks=facts.has_webhooks,
        now=now,
    )
    return {**facts.recorded, **inserted}


def _flag_shared_cards(
    decisions: Sequence[ScanDecision], last_uses: Mapping[UUID, tuple[datetime, UUID]], scanner: Scanner
) -> None:
    for decision in decisions:
        if decision.card is not None and decision.card in last_uses and decision.attendance:
            used_at, used_by = last_uses[decision.card]
            apart = abs(decision.attendance.checked_in_at - used_at)
            if used_by != scanner.id and apart <= CARD_SHARED_WITHIN:
                decision.alerts.append(CARD_SHARED)


def _respond(
    decisions: Sequence[ScanDecision],
    recorded: Mapping[AttendanceKey, RecordedAttendance],
    *,
    scanner: Scanner,
    now: datetime,
) -> list[tuple[ScanDecision, ScanResponse]]:
    """Return the response to each decision. Of several scans with one key, the first is `recorded`."""
    today = tenant_date(now)
    outcomes: list[tuple[ScanDecision, ScanResponse]] = []
    reported: set[AttendanceKey] = set()
    for decision in decisions:
        row = recorded.get(decision.key) if decision.attendance else None
        if decision.attendance and row is None:
            decision.refusal = SessionFull()
        is_new = row is not None and row.is_new and row.key not in reported
        if row is not None:
            reported.add(row.key)
        response = build_response(decision, row, is_new=is_new, to_staff=scanner.is_staff, today=today)
        outcomes.append((decision, response))
    return outcomes


def _in_order(
    scans: Sequence[Scan],
    claims: Mapping[str, NonceClaim],
    outcomes: Sequence[tuple[ScanDecision, ScanResponse]],
) -> list[ScanResponse]:
    """Return a response to each scan: a new one, a stored one, or the error that its nonce was used before."""
    new = {decision.scan.nonce or id(decision.scan): response for decision, response in outcomes}

    def response_to(scan: Scan) -> ScanResponse:
        if scan.nonce is None:
            return new[id(scan)]
        claim = claims[scan.nonce]
        return (
            (claim.response or new[scan.nonce])
            if claim.is_for(scan)
            else ScanResponse.from_error(NonceReused())
        )

    return [response_to(scan) for scan in scans]
