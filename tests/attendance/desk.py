"""What stands at a front desk, made quickly: rows in bulk, tokens with the dojo's own key."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.codes import Kind, make_token
from tenant_apps.attendance.models import Attendance, Card, Device
from tenant_apps.attendance.pairing import add_device, pair
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student
from tests.support.clients import Caller, Dojo


@dataclass
class Desk:
    """One dojo, and shortcuts to what scanning needs."""

    dojo: Dojo
    made: int = 0
    addresses: int = field(default=0)

    @property
    def host(self) -> str:
        return self.dojo.host

    def device(self, location: str = "") -> tuple[Device, Caller]:
        """Return a device that was paired, and the caller with its token."""
        self.made += 1
        with tenant_scope(self.dojo.tenant):
            _, code = add_device(name=f"Kiosk {self.made}", location=location, now=clock.now())
            device, token = pair(code=code, address=f"192.0.2.{self.made}", now=clock.now())
        return device, Caller(self.host, token=token)

    def students(self, number: int, **fields: Any) -> list[Student]:
        with tenant_scope(self.dojo.tenant):
            rows = []
            for _ in range(number):
                self.made += 1
                row = Student(
                    first_name="Mika", last_name=f"Sato {self.made}", check_in_id=secrets.token_bytes(16)
                )
                for name, value in fields.items():
                    setattr(row, name, value)
                row.set_search_name()
                rows.append(row)
            return list(Student.objects.bulk_create(rows))

    def cards(self, students: list[Student]) -> list[str]:
        """Return the token of a new card for each student."""
        with tenant_scope(self.dojo.tenant):
            rows = [Card(student=student, code=secrets.token_bytes(16)) for student in students]
            Card.objects.bulk_create(rows)
            return [self.token(Kind.CARD, bytes(row.code)) for row in rows]

    def token(self, kind: Kind, subject: bytes, at: datetime | None = None) -> str:
        return make_token(kind, subject, tenant_id=self.dojo.tenant.tenant_id, now=at or clock.now())

    def rotating(self, student: Student, at: datetime | None = None) -> str:
        return self.token(Kind.STUDENT, bytes(student.check_in_id), at)

    def session(self, starts_at: datetime | None = None, **fields: Any) -> ClassSession:
        """Return a session of an hour; without a start one that began five minutes ago."""
        starts_at = starts_at or clock.now() - timedelta(minutes=5)
        with tenant_scope(self.dojo.tenant):
            return ClassSession.objects.create(
                **{"name": "Open mat", **fields},
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=1),
                local_date=clock.local_date(starts_at, self.dojo.tenant.timezone),
            )

    def rows(self, **narrow: Any) -> list[Attendance]:
        with tenant_scope(self.dojo.tenant):
            return list(Attendance.objects.filter(**narrow))
