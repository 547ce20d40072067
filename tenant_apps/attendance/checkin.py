"""Check-in: from scanned codes to attendance, or to the named reasons why there is none.

One scan is a batch of one. A batch costs at most five statements whatever its size: the nonces are claimed, the facts
gathered, turns taken (only where seats are counted or the sharing of cards is flagged), visits written, answers kept.
What must be remembered although it is no success (a refusal, an answer) is returned, so that the caller commits it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tatami import clock
from tatami.errors import Invalid
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.answers import Answer, answer_of
from tenant_apps.attendance.errors import NonceReused
from tenant_apps.attendance.facts import Facts
from tenant_apps.attendance.judging import judge
from tenant_apps.attendance.keeping import CARD_SHARED, keep
from tenant_apps.attendance.nonces import Claim, claim_nonces
from tenant_apps.attendance.recording import Pair, Recorded, Visit, record, take_turns
from tenant_apps.attendance.refusals import SessionFull
from tenant_apps.attendance.scans import Scan, Scanner, Verdict
from tenant_apps.attendance.wanted import code_of, facts_about
from tenant_apps.dojo.models import CardPolicy

OLDEST_SCAN: Final = timedelta(hours=72)
AHEAD: Final = timedelta(seconds=10)
"""By so much the clock of an honest device may run ahead of ours."""
CARD_SHARED_WITHIN: Final = timedelta(seconds=60)
"""One card at two devices within this time is not in one pocket."""


def scanner_of(caller: Any) -> Scanner:
    """Return the caller of a request (a user or a device) as the one who scans."""
    return Scanner(id=caller.pk, role=caller.role, location=getattr(caller, "location", ""))


def scan_of(values: Mapping[str, Any], *, now: datetime) -> Scan:
    """Return the scan that a validated body asks for; without `scanned_at` it was taken now."""
    at = values.get("scanned_at", now)
    fault = (
        None
        if -AHEAD <= now - at <= OLDEST_SCAN
        else Invalid.field("scanned_at", "This is in the future, or more than 72 hours ago.")
    )
    return Scan(**{**values, "scanned_at": min(at, now)}, fault=fault)


def check_in(scans: Sequence[Scan], *, scanner: Scanner, now: datetime) -> list[Answer]:
    """Record that students are here; return an answer to each scan, in their order, which is that of processing.

    Needs a transaction, which must commit. Twice with one nonce, or at once: the first answer, to the byte. Killed
    half-way nothing has happened. Raises `Invalid` for values that no code explains, and nothing else.
    """
    claims = claim_nonces(scans, scanner=scanner, now=now)
    fresh = _fresh(scans, claims)
    codes = {scan.token: code_of(scan.token) for scan in fresh}
    facts = facts_about(fresh, codes, scanner)
    verdicts = [judge(scan, codes[scan.token], facts, scanner=scanner, now=now) for scan in fresh]
    standing = _write_down(verdicts, facts, scanner=scanner, now=now)
    today = clock.local_date(now, current_tenant().timezone)
    answered: list[tuple[Verdict, Answer]] = []
    told: set[Pair] = set()
    for verdict in verdicts:
        row = standing.get(verdict.pair) if verdict.visit else None
        if verdict.visit and row is None:
            verdict.refusal = SessionFull()
        is_new = row is not None and row.is_new and row.pair not in told
        if row is not None:
            told.add(row.pair)
        answered.append((verdict, answer_of(verdict, row, is_new=is_new, scanner=scanner, today=today)))
    keep(answered, scanner=scanner, now=now)
    return _in_order(scans, claims, answered)


def _fresh(scans: Sequence[Scan], claims: Mapping[str, Claim]) -> list[Scan]:
    """Return the scans that are to be judged now: each nonce once."""
    seen: set[str] = set()
    fresh = []
    for scan in scans:
        if scan.nonce is not None:
            claim = claims[scan.nonce]
            if claim.answer is not None or scan.nonce in seen or not claim.is_for(scan):
                continue
            seen.add(scan.nonce)
        fresh.append(scan)
    return fresh


def _in_order(
    scans: Sequence[Scan], claims: Mapping[str, Claim], answered: Sequence[tuple[Verdict, Answer]]
) -> list[Answer]:
    now_said = {verdict.scan.nonce or id(verdict.scan): said for verdict, said in answered}

    def answer_to(scan: Scan) -> Answer:
        if scan.nonce is None:
            return now_said[id(scan)]
        claim = claims[scan.nonce]
        return (claim.answer or now_said[scan.nonce]) if claim.is_for(scan) else Answer.of(NonceReused())

    return [answer_to(scan) for scan in scans]


def _write_down(
    verdicts: Sequence[Verdict], facts: Facts, *, scanner: Scanner, now: datetime
) -> dict[Pair, Recorded]:
    visits: dict[Pair, Visit] = {}
    for verdict in verdicts:
        if verdict.visit and verdict.pair not in facts.standing:
            visits.setdefault(verdict.pair, verdict.visit)
    seats = {visit.session for visit in visits.values() if visit.capacity is not None}
    cards: dict[UUID, datetime] = {}
    if facts.settings.card_policy == CardPolicy.FLAG:
        for verdict in verdicts:
            if verdict.card and verdict.visit:
                cards[verdict.card] = max(cards.get(verdict.card, verdict.visit.at), verdict.visit.at)
    if seats or cards:
        _flag_shared(verdicts, take_turns(sessions=seats, cards=cards, by=scanner.id), scanner)
    if not visits:
        return facts.standing
    written = record([*visits.values()], user=scanner.user, device=scanner.device, now=now)
    return {**facts.standing, **written}


def _flag_shared(
    verdicts: Sequence[Verdict], used: Mapping[UUID, tuple[datetime, UUID]], scanner: Scanner
) -> None:
    for verdict in verdicts:
        if verdict.card is not None and verdict.card in used and verdict.visit:
            at, who = used[verdict.card]
            if who != scanner.id and abs(verdict.visit.at - at) <= CARD_SHARED_WITHIN:
                verdict.alerts.append(CARD_SHARED)
