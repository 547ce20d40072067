"""Certificates: issuing them with their numbers, and what the public check says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import Max

from tatami.tenancy.scope import current_tenant_id
from tenant_apps.dojo.certificate_numbers import NumberFormat
from tenant_apps.promotions.models import Certificate, CertificateNumber
from tenant_apps.students.models import RankEvent, Student


def issue_certificates(events: Sequence[RankEvent], *, effective_on: date, scheme: str) -> None:
    """Store a certificate for each award of one day, numbered in this order by the dojo's scheme (empty: no numbers).

    Call it in the transaction of the awards. Concurrent calls wait for each other; a rollback gives the numbers back.
    """
    certificates = Certificate.objects.bulk_create(Certificate(event=event) for event in events)
    if scheme and certificates:
        _number(certificates, NumberFormat(scheme), effective_on.year)


def _number(certificates: Sequence[Certificate], scheme: NumberFormat, year: int) -> None:
    """Give certificates the next numbers that no other has: another scheme may have led to the same text."""
    series = scheme.series(year)
    with connection.cursor() as cursor:
        key = f"certificate numbers {current_tenant_id()} {series}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    numbers = CertificateNumber.objects.filter(series=series)
    last = numbers.aggregate(last=Max("running"))["last"] or 0
    found: dict[int, str] = {}
    while len(found) < len(certificates):
        first, last = last + 1, last + len(certificates) - len(found)
        new = {running: scheme.number(running, year) for running in range(first, last + 1)}
        taken = set(CertificateNumber.objects.filter(text__in=new.values()).values_list("text", flat=True))
        found |= {running: text for running, text in new.items() if text not in taken}
    CertificateNumber.objects.bulk_create(
        CertificateNumber(certificate=certificate, series=series, running=running, text=text)
        for certificate, (running, text) in zip(certificates, found.items(), strict=True)
    )


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """What a stranger who holds the paper may know, to compare it: `status` is genuine, revoked or unknown.

    Everything else is known only of a genuine certificate. `held` is False if the student was demoted below this rank
    since, on the day `held_until`.
    """

    code: str
    status: str
    number: str | None = None
    initials: str | None = None
    rank: str | None = None
    awarded_on: date | None = None
    held: bool | None = None
    held_until: date | None = None


def check_certificate(code: str, *, today: date) -> CertificateCheck:
    """Return what is known of a certificate on a local date. Two statements."""
    found = (
        Certificate.objects.not_erased()
        .filter(code=code.upper())
        .select_related("event__rank", "event__student", "numbering")
        .first()
    )
    if found is None:
        return CertificateCheck(code, "unknown")
    if found.event.voided_at is not None:
        return CertificateCheck(code, "revoked")
    held_until = rank_lost_on(found.event, today=today)
    return CertificateCheck(
        code,
        "genuine",
        number=found.number,
        initials=initials(found.event.student),
        rank=found.event.rank.name,
        awarded_on=found.event.effective_on,
        held=held_until is None,
        held_until=held_until,
    )


def rank_lost_on(event: RankEvent, *, today: date) -> date | None:
    """Return the day of the demotion that took the rank of an award away; None if the student holds it or a higher one.

    One statement. A later event that reaches the rank again restores it.
    """
    history = RankEvent.objects.not_voided().filter(
        student=event.student_id, system=event.system_id, effective_on__range=(event.effective_on, today)
    )
    lost_on: date | None = None
    is_later = False
    for one in history.latest_last().select_related("rank"):
        if is_later and one.kind == RankEvent.Kind.DEMOTE and one.rank.position < event.rank.position:
            lost_on = lost_on or one.effective_on
        elif one.kind != RankEvent.Kind.DEMOTE and one.rank.position >= event.rank.position:
            lost_on = None
        is_later = is_later or one.pk == event.pk
    return lost_on


def initials(student: Student) -> str:
    """Return the first letter of each word of the name, in its order: "M. d. S."."""
    return " ".join(f"{word[0]}." for word in student.name.split())
