"""What the facts about scans are asked for: the ids in their codes and bodies, and the moments."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.codes import Code, Kind, QrInvalid, read_token
from tenant_apps.attendance.facts import Facts, Wanted
from tenant_apps.attendance.gathering import gather
from tenant_apps.attendance.scans import Scan, Scanner


def code_of(token: str) -> Code | None:
    """Return what a code says, None where it is none of ours."""
    try:
        return read_token(token, tenant_id=current_tenant().tenant_id)
    except QrInvalid:
        return None


def facts_about(scans: Sequence[Scan], codes: Mapping[str, Code | None], scanner: Scanner) -> Facts:
    """Return the facts by which the scans are judged. One statement, none where no code is ours."""
    named = [(scan, code) for scan in scans if (code := codes[scan.token]) is not None]
    if not named:
        return Facts()
    speaks = [scan for scan, code in named if code.names_session]
    return gather(
        Wanted(
            check_in_ids=[code.id for _, code in named if code.kind is Kind.STUDENT],
            card_codes=[code.id for _, code in named if code.kind is Kind.CARD],
            students=[scan.student for scan in speaks if scan.student],
            speaker=scanner.user if speaks else None,
            sessions=[found for scan, code in named if (found := _named_session(scan, code))],
            moments=[
                scan.scanned_at
                for scan, code in named
                if not code.names_session and not scan.class_session and scan.fault is None
            ],
        )
    )


def _named_session(scan: Scan, code: Code) -> UUID | None:
    return UUID(bytes=code.id) if code.names_session else scan.class_session
