"""Issuing codes: printed cards, rotating codes of students, codes of sessions, and QR symbols as images."""

import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Final

import qrcode
from django.db import transaction
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pure import PyPNGImage
from qrcode.image.svg import SvgPathImage

from tatami.tenancy.addresses import origin
from tatami.tenancy.scope import current_tenant
from tenant_apps.attendance.check_in.codes import URL_PATH, CodeKind, make_token, step_at, step_end
from tenant_apps.attendance.models import Card
from tenant_apps.classes.models import ClassSession
from tenant_apps.students.locking import lock_student
from tenant_apps.students.models import Student

QUIET_ZONE: Final = 4
"""White modules around a QR symbol, as ISO/IEC 18004 requires."""
PIXELS_PER_MODULE: Final = 8
MEDIA_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to show or print. `expires_at` is `None` if it does not rotate; `image` is a data URI."""

    token: str
    url: str
    kind: str
    expires_at: datetime | None
    image: str


def student_code(student: Student, *, image_format: str, now: datetime) -> IssuedCode:
    """Return the rotating code of a student."""
    return _issue(CodeKind.STUDENT, bytes(student.check_in_id), image_format, now)


def card_code(card: Card, *, image_format: str, now: datetime) -> IssuedCode:
    """Return the code of a card. It is valid until the card is revoked."""
    return _issue(CodeKind.CARD, bytes(card.code), image_format, now)


def session_code(session: ClassSession, *, rotates: bool, image_format: str, now: datetime) -> IssuedCode:
    """Return the code of a session. Its image holds the URL, so that the camera of any phone opens the page."""
    kind = CodeKind.SESSION_ROTATING if rotates else CodeKind.SESSION
    return _issue(kind, session.pk.bytes, image_format, now)


@transaction.atomic
def valid_card(*, student: Student) -> Card:
    """Return the valid card of a student; create it if there is none. Concurrent calls return the same card.

    Raises `NotFound` if the student was erased in the meantime.
    """
    lock_student(student.pk)
    card = Card.objects.filter(student=student, revoked_at__isnull=True).first()
    return card or _create_card(student)


@transaction.atomic
def reissue_card(*, student: Student, now: datetime) -> Card:
    """Revoke the card of a student and return a new one. Raises `NotFound` if the student was erased meanwhile."""
    lock_student(student.pk)
    revoke_card(student=student, now=now)
    return _create_card(student)


def revoke_card(*, student: Student, now: datetime) -> None:
    """Revoke the card of a student. Does nothing if there is none."""
    Card.objects.filter(student=student, revoked_at__isnull=True).update(revoked_at=now, updated_at=now)


def qr_data_uri(text: str, image_format: str) -> str:
    """Return `text` as a QR symbol of level M, as a data URI in `svg` or `png`."""
    symbol = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=PIXELS_PER_MODULE, border=QUIET_ZONE)
    symbol.add_data(text, optimize=0)
    symbol.make(fit=True)
    picture = BytesIO()
    symbol.make_image(image_factory=SvgPathImage if image_format == "svg" else PyPNGImage).save(picture)
    return f"data:{MEDIA_TYPES[image_format]};base64,{b64encode(picture.getvalue()).decode()}"


def _create_card(student: Student) -> Card:
    return Card.objects.create(student=student, code=secrets.token_bytes(16))


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
