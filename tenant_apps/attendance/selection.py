"""Which class session a scan means, and when check-in for it is open."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tenant_apps.attendance.facts import Facts
from tenant_apps.attendance.refusals import (
    AmbiguousSession,
    ClassSessionNotFound,
    NoOpenSession,
    OutsideCheckInWindow,
    SessionCancelled,
)
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class Window:
    """When check-in for a session opens and closes, and from when it is late. Both bounds are included."""

    opens_at: datetime
    closes_at: datetime
    late_from: datetime

    def contains(self, instant: datetime) -> bool:
        return self.opens_at <= instant <= self.closes_at


def window_of(session: ClassSession, settings: DojoSettings) -> Window:
    """Return a session's check-in window: its own bounds, or the dojo's, in minutes from the start."""

    def bound(name: str) -> timedelta:
        own = getattr(session, name)
        return timedelta(minutes=own if own is not None else getattr(settings, name))

    return Window(
        opens_at=session.starts_at - bound("opens_minutes_before"),
        closes_at=session.starts_at + bound("closes_minutes_after"),
        late_from=session.starts_at + bound("late_after_minutes"),
    )


def named_session(facts: Facts, student: Student, session_id: UUID, *, at: datetime) -> ClassSession:
    """Return the session that was named. Who is recorded there already may be scanned again at any time.

    Raises `ClassSessionNotFound`, `SessionCancelled`, `OutsideCheckInWindow`.
    """
    session = facts.sessions.get(session_id)
    if session is None:
        raise ClassSessionNotFound
    if session.status == ClassSession.Status.CANCELLED:
        raise SessionCancelled
    is_recorded = (student.pk, session.pk) in facts.standing
    if not is_recorded and not window_of(session, facts.settings).contains(at):
        raise OutsideCheckInWindow
    return session


def meant_session(facts: Facts, student: Student, *, at: datetime, location: str) -> ClassSession:
    """Return the session that a scan at `at` means where none was named.

    Of those open: the ones at the device's `location` before others, then those where the student is enrolled, then
    the nearest start. Of several that are left, one where she is recorded already; else the tie is refused. Raises
    `NoOpenSession`, `SessionCancelled` (all that are open are cancelled), `AmbiguousSession`.
    """
    open_now = [one for one in facts.sessions.values() if window_of(one, facts.settings).contains(at)]
    scheduled = [one for one in open_now if one.status == ClassSession.Status.SCHEDULED]
    if not scheduled:
        raise SessionCancelled if open_now else NoOpenSession

    def preference(session: ClassSession) -> tuple[bool, bool, timedelta]:
        return (
            bool(location) and not _same_place(session.location, location),
            not facts.is_enrolled(student, session),
            abs(session.starts_at - at),
        )

    best = min(map(preference, scheduled))
    chosen = [session for session in scheduled if preference(session) == best]
    recorded = [session for session in chosen if (student.pk, session.pk) in facts.standing]
    if len(recorded or chosen) > 1:
        raise AmbiguousSession(details={"candidates": candidates(chosen)})
    return (recorded or chosen)[0]


def candidates(rows: Iterable[ClassSession | Student]) -> list[dict[str, str]]:
    """Return references among which the caller is to choose, in a stable order."""
    return [{"id": str(row.pk), "name": row.name} for row in sorted(rows, key=lambda row: row.pk)]


def _same_place(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
