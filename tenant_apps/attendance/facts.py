"""What the rules of check-in ask about, for any number of scans. `gathering` fetches it by one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tenant_apps.attendance.recording import Pair, Recorded
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.ranks.facts import RankEvent, RankEventKind
from tenant_apps.ranks.holding import holdings
from tenant_apps.students.models import Student


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the scans at hand name: ids in codes, ids in bodies, and the moments for which no session was named."""

    check_in_ids: Sequence[bytes] = ()
    card_codes: Sequence[bytes] = ()
    students: Sequence[UUID] = ()
    speaker: UUID | None = None
    sessions: Sequence[UUID] = ()
    moments: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a code names, and the card where it is one."""

    student: UUID
    card: UUID | None
    is_revoked: bool


@dataclass(slots=True)
class Person:
    """A student, and what is asked about her beside her own row."""

    student: Student
    has_medical_notes: bool
    is_promotion_due: bool
    """By last night's check of the rules."""
    last_visit: datetime | None
    holds: list[tuple[date, date]] = field(default_factory=list)
    """Breaks from training, local dates, both included."""
    rank_events: Mapping[UUID, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def is_on_hold(self, on: date) -> bool:
        """Say whether a break from training is in force on a local date (`tenant_apps.students`: `status_on`)."""
        return any(first <= on <= last for first, last in self.holds)

    def ranks_held(self, on: date) -> list[Mapping[str, Any]]:
        """Return, for each rank system, the event whose rank is held on a local date (convention of `holdings`)."""
        return [
            found
            for events in self.rank_events.values()
            if (found := _held(events, on.toordinal())) is not None
        ]


@dataclass(slots=True)
class Facts:
    """The answers to `Wanted`. What is not here does not exist for this dojo."""

    settings: DojoSettings = field(default_factory=DojoSettings)
    subjects: dict[str, Subject] = field(default_factory=dict)
    spoken_for: list[UUID] = field(default_factory=list)
    people: dict[UUID, Person] = field(default_factory=dict)
    sessions: dict[UUID, ClassSession] = field(default_factory=dict)
    standing: dict[Pair, Recorded] = field(default_factory=dict)
    enrolled: set[tuple[UUID, UUID | None]] = field(default_factory=set)
    min_ranks: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    """Rank system and position of the ranks that sessions ask for."""

    def is_enrolled(self, student: Student, session: ClassSession) -> bool:
        return (student.pk, session.training_class_id) in self.enrolled


def _held(rows: Sequence[Mapping[str, Any]], day: int) -> Mapping[str, Any] | None:
    events = [
        RankEvent(row["code"], RankEventKind(row["kind"]), date.fromisoformat(row["effective_on"]))
        for row in rows
    ]
    for held in holdings(events, {row["code"]: row["position"] for row in rows}):
        if held.since <= day <= held.until and held.rank is not None:
            on = date.fromordinal(held.since).isoformat()
            return next(row for row in rows if row["code"] == held.rank and row["effective_on"] == on)
    return None
