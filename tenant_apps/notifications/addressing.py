"""Who is written to about whom: a student of age herself, a child's guardians in her place, each address once."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from tatami.tenancy.scope import current_tenant_id
from tatami.text import email_key
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.attachments import MOST_CERTIFICATES
from tenant_apps.ranks.civil_dates import LeapDayBirthday, full_age
from tenant_apps.students.models import Guardian, Student, StudentGuardian, StudentQuerySet
from tenant_apps.students.notices import Notice

OF_AGE: Final = 18


@dataclass(slots=True)
class Mail:
    """One mail: to whom, and what about each of the students. Without an address nobody can be reached."""

    recipient: str
    address: str = ""
    guardian: UUID | None = None
    students: list[dict[str, Any]] = field(default_factory=list)

    @property
    def student_ids(self) -> list[UUID]:
        """Return the students it is about, each once; of a trial none, as she is made up."""
        return list(dict.fromkeys(UUID(one["id"]) for one in self.students if "id" in one))

    def has_room_for(self, about: Mapping[str, Any]) -> bool:
        """Say whether what comes along still fits into this mail."""
        if "certificate" not in about:
            return True
        return sum("certificate" in one for one in self.students) < MOST_CERTIFICATES


def address_hash(address: str, *, at: UUID | None = None) -> bytes:
    """Return by what an address is known here (or at another dojo): the same however spelled, another at each dojo."""
    return hashlib.sha256((at or current_tenant_id()).bytes + email_key(address).encode()).digest()


def mails_for(notices: Sequence[Notice], *, settings: DojoSettings, on: date) -> list[Mail]:
    """Return the mails for what students are told, in the order of the notices. Two statements.

    Nobody of them is erased before the transaction ends: until then an erasure waits, and will find the mails.

    Students who were archived or erased are told nothing. A mail without an address stands for a student whom nobody
    can be reached about. An address gets one mail, and another when the certificates in it would be too many.
    """
    ids = {notice.student for notice in notices}
    students = _held(Student.objects.live().filter(pk__in=ids)) if ids else {}
    guardians = _guardians(students)
    leap_day = LeapDayBirthday(settings.leap_day_birthday)
    mails: dict[str, list[Mail]] = {}
    unreached: dict[UUID, Mail] = {}
    for notice in notices:
        student = students.get(notice.student)
        if student is None:
            continue
        about = _about(student, notice)
        people = list(_people(student, guardians.get(student.pk, ()), on, leap_day))
        for person in people:
            written = mails.setdefault(email_key(person.address), [person])
            if not written[-1].has_room_for(about):
                written.append(person)
            written[-1].students.append(about)
        if not people:
            unreached.setdefault(student.pk, Mail(recipient=student.name)).students.append(about)
    return [*chain.from_iterable(mails.values()), *unreached.values()]


def _held(students: StudentQuerySet) -> dict[UUID, Student]:
    """Return students, locked in key order; who was erased meanwhile is not there. One statement.

    It is the weakest lock that an erasure waits for; Django does not know it. Promotions and visits go on meanwhile.
    """
    sql, params = students.order_by("pk").query.sql_with_params()
    return {student.pk: student for student in Student.objects.raw(f"{sql} FOR KEY SHARE", params)}


def _about(student: Student, notice: Notice) -> dict[str, Any]:
    certificate = {"certificate": str(notice.certificate)} if notice.certificate else {}
    return {**notice.values, "id": str(student.pk), "name": student.name, **certificate}


def _people(
    student: Student, guardians: Iterable[Guardian], on: date, leap_day: LeapDayBirthday
) -> Iterator[Mail]:
    """Yield whom to write to. Of whom no birth date is known, she may be a child: guardians go first."""
    age = full_age(student.birth_date, on, leap_day) if student.birth_date else None
    answering = [Mail(one.name, one.email, guardian=one.pk) for one in guardians if is_deliverable(one.email)]
    if age is not None and age >= OF_AGE:
        answering = []
    yield from answering
    may_be_of_age = age is None or age >= OF_AGE
    if not answering and may_be_of_age and is_deliverable(student.email):
        yield Mail(student.name, student.email)


def is_deliverable(address: str) -> bool:
    """Say whether this is an address at all: one that came by another way than a form may hold anything."""
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def _guardians(students: Mapping[UUID, Student]) -> dict[UUID, list[Guardian]]:
    links = StudentGuardian.objects.filter(student__in=list(students)).select_related("guardian")
    found: dict[UUID, list[Guardian]] = {}
    for link in links.order_by("created_at", "pk"):
        found.setdefault(link.student_id, []).append(link.guardian)
    return found
