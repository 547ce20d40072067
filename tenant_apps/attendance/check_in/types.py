"""The data that the steps of a check-in pass on. No rules and no SQL in here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import models

from shared_apps.accounts.models import STAFF_ROLES, Role
from tatami.api.renderers import json_bytes
from tatami.clock import tenant_date
from tatami.errors import DomainError
from tatami.keys import secret_hash
from tatami.tenancy.scope import PLATFORM_ID
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.models import Student

LONG_ABSENCE: Final = timedelta(days=30)
"""A student whose last session was longer ago than this, in local dates, counts as absent for a long time."""
USER_ROLES: Final = frozenset(Role.values)
AttendanceKey: TypeAlias = tuple[UUID, UUID]
"""The id of a student and the id of a class session."""


class Method(models.TextChoices):
    """How an attendance was recorded."""

    QR_ROTATING = "qr_rotating"
    QR_CARD = "qr_card"
    SESSION_CODE = "session_code"
    MANUAL = "manual"
    IMPORT = "import"


# --- the request ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scanner:
    """The caller of a scan: a user or a device. `location` is the device's, empty for a user."""

    id: UUID
    role: str
    location: str = ""

    @classmethod
    def from_caller(cls, caller: Any) -> "Scanner":
        """Return the scanner that the caller of a request (`User` or `Device`) is."""
        return cls(id=caller.pk, role=caller.role, location=getattr(caller, "location", ""))

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def user(self) -> UUID | None:
        """The id of the user, `None` for a device."""
        return self.id if self.role in USER_ROLES else None

    @property
    def device(self) -> UUID | None:
        """The id of the device, `None` for a user."""
        return None if self.role in USER_ROLES else self.id


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan as requested: the text of the code, and the other fields of the body."""

    token: str
    scanned_at: datetime
    nonce: str | None = None
    class_session: UUID | None = None
    student: UUID | None = None
    scanned_at_error: DomainError | None = None
    """What is wrong with `scanned_at`. It is raised late: a repeated nonce replays its response instead."""


# --- the facts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookupKeys:
    """What the scans at hand refer to: ids in codes and bodies, and the instants of scans that name no session."""

    check_in_ids: Sequence[bytes] = ()
    card_codes: Sequence[bytes] = ()
    students: Sequence[UUID] = ()
    linked_user: UUID | None = None
    """The user whose linked students are needed."""
    sessions: Sequence[UUID] = ()
    instants: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class CodeOwner:
    """The student whose code was scanned. `card` is set if the code is a card's."""

    student: UUID
    card: UUID | None
    is_revoked: bool


@dataclass(slots=True)
class ScannedStudent:
    """A student, and what the rules need beside the student's own row."""

    student: Student
    has_medical_notes: bool
    is_promotion_due: bool
    """By the check of last night."""
    last_attended_on: date | None
    """The last local date of a session that the student attended."""
    holds: list[tuple[date, date]] = field(default_factory=list)
    """Breaks from training: local dates, both included."""
    rank_events: Mapping[UUID, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rank system id → the rank events that are not voided."""

    def is_on_hold(self, on: date) -> bool:
        """Return whether a break from training covers a local date (as `status_on` of `tenant_apps.students`)."""
        return any(first <= on <= last for first, last in self.holds)


@cache
def default_settings() -> DojoSettings:
    """Return the settings of a dojo that has saved none. Do not change them: all dojos share them."""
    return DojoSettings(id=PLATFORM_ID, tenant_id=PLATFORM_ID)


@dataclass(slots=True)
class CheckInFacts:
    """What the database knows about some `LookupKeys`. What is missing here does not exist in this dojo."""

    settings: DojoSettings = field(default_factory=default_settings)
    code_owners: dict[str, CodeOwner] = field(default_factory=dict)
    """Id in a code, as hexadecimal digits → its owner."""
    linked_students: list[UUID] = field(default_factory=list)
    students: dict[UUID, ScannedStudent] = field(default_factory=dict)
    sessions: dict[UUID, ClassSession] = field(default_factory=dict)
    recorded: dict[AttendanceKey, "RecordedAttendance"] = field(default_factory=dict)
    """The attendances that exist already and are not voided."""
    enrolled: dict[tuple[UUID, UUID | None], date] = field(default_factory=dict)
    """Student id and class id → the local date on which the enrolment begins."""
    min_ranks: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    """Rank id → its rank system and position, for the minimum ranks of the sessions."""
    has_webhooks: bool = False
    """Whether a webhook asked for new attendances."""

    def is_enrolled(self, student: Student, session: ClassSession) -> bool:
        """Return whether an enrolment that is in force begins with the session, or earlier."""
        starts_on = self.enrolled.get((student.pk, session.training_class_id))
        # A student may be enrolled at the desk after midnight, while the session is running.
        return starts_on is not None and (
            starts_on <= session.local_date or starts_on <= tenant_date(session.ends_at)
        )


# --- attendances and decisions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewAttendance:
    """An attendance to write. `capacity` is set only if the dojo enforces it."""

    student: UUID
    session: UUID
    checked_in_at: datetime
    method: str
    late: bool
    uploaded_late: bool = False
    capacity: int | None = None


RECORDED: Final = "attendance.recorded"
"""The event of a new attendance."""


def attendance_event(id_: UUID, student: UUID, class_session: UUID) -> dict[str, UUID]:
    """Return what webhooks are told about an attendance: its ids."""
    return {"id": id_, "student": student, "class_session": class_session}


@dataclass(slots=True)
class RecordedAttendance:
    """An attendance that exists in the database and is not voided."""

    id: UUID
    student_id: UUID
    class_session_id: UUID
    checked_in_at: datetime
    method: str
    late: bool
    uploaded_late: bool
    created_at: datetime
    updated_at: datetime
    is_new: bool = False

    @property
    def key(self) -> AttendanceKey:
        return self.student_id, self.class_session_id

    @property
    def event_data(self) -> dict[str, UUID]:
        """What a webhook is told about the attendance."""
        return attendance_event(self.id, self.student_id, self.class_session_id)

    @classmethod
    def columns(cls, table: str) -> str:
        """Return the SQL of the columns that `from_row` expects."""
        return ", ".join(f"{table}.{field.name}" for field in fields(cls) if field.name != "is_new")

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "RecordedAttendance":
        """Return the attendance in a row of `columns`."""
        return cls(UUID(row[0]), UUID(row[1]), UUID(row[2]), *row[3:])


@dataclass(slots=True)
class ScanDecision:
    """The decision on one scan: an attendance to write, or a refusal. The parts found before a refusal stay set."""

    scan: Scan
    refusal: DomainError | None = None
    student: ScannedStudent | None = None
    session: ClassSession | None = None
    attendance: NewAttendance | None = None
    card: UUID | None = None
    alerts: list[str] = field(default_factory=list)

    @property
    def key(self) -> AttendanceKey:
        assert self.student is not None
        assert self.session is not None
        return self.student.student.pk, self.session.pk


# --- the response ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScanResponse:
    """An HTTP status and an encoded JSON body. Bytes, so that a replay is equal to the first response."""

    status: int
    body: bytes

    @classmethod
    def from_error(cls, error: DomainError) -> "ScanResponse":
        return cls(error.status, json_bytes(error.envelope()))


@dataclass(frozen=True, slots=True)
class NonceClaim:
    """A nonce of this caller: the code it was first used with, and the stored response.

    `response` is `None` if the nonce is new, which means that this transaction claimed it.
    """

    token_hash: bytes
    response: ScanResponse | None

    def is_for(self, scan: Scan) -> bool:
        """Return whether the nonce was first used with the code of this scan."""
        return secret_hash(scan.token) == self.token_hash
