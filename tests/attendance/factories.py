"""Bulk data for tests of check-in: students, cards, devices and sessions, with tokens signed by the dojo's own key."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.check_in.codes import CodeKind, make_token
from tenant_apps.attendance.devices import add_device, pair_device
from tenant_apps.attendance.models import Attendance, Card, Device
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.models import Student
from tests.support.clients import Caller, Dojo


@dataclass
class CheckInDojo:
    """A dojo, and factories for what a scan needs. Rows are created directly, not over HTTP, to be quick."""

    dojo: Dojo
    made: int = 0
    """How many devices and students were made. It makes their names unique."""

    @property
    def host(self) -> str:
        return self.dojo.host

    def device(self, location: str = "") -> tuple[Device, Caller]:
        """Return a paired device, and the caller with its token."""
        self.made += 1
        with tenant_scope(self.dojo.tenant):
            _, code = add_device(name=f"Kiosk {self.made}", location=location, now=clock.now())
            device, token = pair_device(code=code, address=f"192.0.2.{self.made}", now=clock.now())
        return device, Caller(self.host, token=token)

    def students(self, number: int, **fields: Any) -> list[Student]:
        """Return new students; each has another last name."""
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
            return [self.token(CodeKind.CARD, bytes(row.code)) for row in rows]

    def token(self, kind: CodeKind, subject: bytes, at: datetime | None = None) -> str:
        """Return the token of a code, made at `at` or now."""
        return make_token(kind, subject, tenant_id=self.dojo.tenant.tenant_id, now=at or clock.now())

    def rotating(self, student: Student, at: datetime | None = None) -> str:
        """Return the rotating token of a student, made at `at` or now."""
        return self.token(CodeKind.STUDENT, bytes(student.check_in_id), at)

    def session(self, starts_at: datetime | None = None, **fields: Any) -> ClassSession:
        """Return a new session of one hour; without `starts_at`, one that began five minutes ago."""
        starts_at = starts_at or clock.now() - timedelta(minutes=5)
        with tenant_scope(self.dojo.tenant):
            session = ClassSession(**{"name": "Open mat", **fields})
            session.set_times(starts_at, timedelta(hours=1))
            session.save()
            return session

    def rows(self, **filters: Any) -> list[Attendance]:
        """Return the attendances that match `filters`."""
        with tenant_scope(self.dojo.tenant):
            return list(Attendance.objects.filter(**filters))
