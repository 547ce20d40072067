"""A scan, who took it, and the verdict on it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared_apps.accounts.models import STAFF_ROLES, Role
from tatami.errors import DomainError
from tenant_apps.attendance.facts import Person
from tenant_apps.attendance.recording import Pair, Visit
from tenant_apps.classes.models import ClassSession


@dataclass(frozen=True, slots=True)
class Scanner:
    """Who scans: a user or a device, as the rules see it."""

    id: UUID
    role: str
    location: str = ""

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF_ROLES

    @property
    def user(self) -> UUID | None:
        return self.id if self.role in Role.values else None

    @property
    def device(self) -> UUID | None:
        return None if self.role in Role.values else self.id


@dataclass(frozen=True, slots=True)
class Scan:
    """What was asked: the text of a code, and what the caller said beside it."""

    token: str
    scanned_at: datetime
    nonce: str | None = None
    class_session: UUID | None = None
    student: UUID | None = None
    fault: DomainError | None = None
    """What is wrong with `scanned_at`: the nonce comes first, so only a scan that is new is refused for it."""


@dataclass(slots=True)
class Verdict:
    """What is to become of a scan: a visit to write down, unless there is a refusal. Known parts are set anyway."""

    scan: Scan
    refusal: DomainError | None = None
    person: Person | None = None
    session: ClassSession | None = None
    visit: Visit | None = None
    card: UUID | None = None
    alerts: list[str] = field(default_factory=list)

    @property
    def pair(self) -> Pair:
        assert self.person is not None
        assert self.session is not None
        return self.person.student.pk, self.session.pk
