"""Issuing codes: printed cards, rotating codes of students, codes of sessions."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from tatami.errors import NotFound
from tatami.qr_images import qr_data_uri
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.check_in.codes import URL_PATH, CodeKind, make_token, step_at, step_end
from tenant_apps.attendance.models import Card
from tenant_apps.students.models import Student
from tenant_apps.students.queries import lock_student, lock_students


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to show or print. `expires_at` is `None` if it does not rotate; `image` is a data URI."""

    token: str
    url: str
    kind: str
    expires_at: datetime | None
    image: str


def student_code(check_in_id: bytes, *, image_format: str, now: datetime) -> IssuedCode:
    """Return the rotating code of the student with this `check_in_id`."""
    return _issue(CodeKind.STUDENT, check_in_id, image_format, now)


def card_code(card: Card, *, image_format: str, now: datetime) -> IssuedCode:
    """Return the code of a card. It is valid until the card is revoked."""
    return _issue(CodeKind.CARD, bytes(card.code), image_format, now)


def card_token(card: Card) -> str:
    """Return what the code of a card holds."""
    return make_token(
        CodeKind.CARD, bytes(card.code), tenant_id=current_tenant().tenant_id, now=card.created_at
    )


def session_code(session: UUID, *, rotates: bool, image_format: str, now: datetime) -> IssuedCode:
    """Return the code of the session with this id.

    Its image holds the URL, so that the camera of any phone opens the page.
    """
    kind = CodeKind.SESSION_ROTATING if rotates else CodeKind.SESSION
    return _issue(kind, session.bytes, image_format, now)


@transaction.atomic
def valid_card(*, student: Student) -> Card:
    """Return the valid card of a student; create it if there is none. Concurrent calls return the same card.

    Raises `NotFound` if the student was erased in the meantime.
    """
    lock_student(student.pk)
    card = valid_cards([student.pk]).get(student.pk)
    if card is None:
        raise NotFound
    return card


@transaction.atomic
def valid_cards(students: Collection[UUID]) -> dict[UUID, Card]:
    """Return the valid card of each student; create those that are missing. At most four statements.

    Concurrent calls return the same cards. Students who were erased in the meantime have none.
    """
    found = _valid_cards(students)
    if missing := [student for student in students if student not in found]:
        locked = lock_students(missing)
        found |= _valid_cards(missing)  # made by another call before the lock
        new = [Card(student_id=student, code=_new_code()) for student in sorted(locked - found.keys())]
        found |= {card.student_id: card for card in Card.objects.bulk_create(new)}
    return found


@transaction.atomic
def reissue_card(*, student: Student, now: datetime) -> Card:
    """Revoke the card of a student and return a new one. Raises `NotFound` if the student was erased meanwhile."""
    lock_student(student.pk)
    revoke_card(student=student, now=now)
    return _create_card(student)


def revoke_card(*, student: Student, now: datetime) -> None:
    """Revoke the card of a student. Does nothing if there is none."""
    Card.objects.filter(student=student, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)


def _valid_cards(students: Collection[UUID]) -> dict[UUID, Card]:
    rows = Card.objects.filter(student__in=students, student__erased_at__isnull=True, revoked_at__isnull=True)
    return {card.student_id: card for card in rows}


def _create_card(student: Student) -> Card:
    return Card.objects.create(student=student, code=_new_code())


def _new_code() -> bytes:
    return secrets.token_bytes(16)


def _issue(kind: CodeKind, subject: bytes, image_format: str, now: datetime) -> IssuedCode:
    token = make_token(kind, subject, tenant_id=current_tenant().tenant_id, now=now)
    url = f"{origin()}{URL_PATH}{token}"
    is_of_session = kind in {CodeKind.SESSION, CodeKind.SESSION_ROTATING}
    return IssuedCode(
        token=token,
        url=url,
        kind="rotating" if kind.rotates else "card",
        expires_at=step_end(step_at(now)) if kind.rotates else None,
        image=qr_data_uri(url if is_of_session else token, image_format),
    )
