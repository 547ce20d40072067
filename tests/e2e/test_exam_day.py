"""An exam day: invitations, results, awards, mails with readable certificates; then the exam is reopened."""

from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import Candidate
from tests.notifications.mail_factories import ADULT_BIRTH_DATE, send_turn
from tests.notifications.recording_smtp import RecordingSmtpServer, smtp_server
from tests.promotions.factories import GradedDojo
from tests.promotions.pdf_reading import page_texts, qr_codes
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok, url_path
from tests.support.sizes import small_or_full

pytestmark = pytest.mark.slow

EXAM_DATE = "2026-06-15"


@pytest.fixture
def smtp() -> Iterator[RecordingSmtpServer]:
    with smtp_server() as sink:
        yield sink


def send_outbox(dojo: Dojo, smtp: RecordingSmtpServer, *, skip: int) -> list[EmailMessage]:
    """Let workers send the outbox; return the mails that the server got, without the first `skip`."""
    while send_turn(dojo) is not None:
        pass
    return smtp.taken[skip:]


def certificate_in(mail: EmailMessage) -> bytes:
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    content = attached.get_content()
    assert isinstance(content, bytes)
    return content


@small_or_full("candidates", small=8, full=60)
def test_an_exam_day_from_invitations_to_certificates(
    dojo: Dojo, smtp: RecordingSmtpServer, candidates: int
) -> None:
    school = GradedDojo(dojo)
    people = {}
    for number in range(candidates):
        name = f"Student{number}"
        who = school.add_student(
            name, "2026-01-01", email=f"{name.lower()}@example.com", birth_date=ADULT_BIRTH_DATE
        )
        people[who["email"]] = who

    # Each candidate gets one invitation by mail.
    exam = factories.exam(
        dojo, school.system, EXAM_DATE, location="Main hall", guest_examiners=["Kenji Mori"]
    )
    path = f"/exams/{exam['id']}"
    body = [{"student": who["id"], "target_rank": school.rank("yellow")} for who in people.values()]
    invited = ok(dojo.instructor.post(f"{path}/candidates", {"candidates": body}), 201)["results"]
    assert {one["eligibility"]["status"] for one in invited} == {"eligible"}
    invitations = send_outbox(dojo, smtp, skip=0)
    assert sorted(mail["To"] for mail in invitations) == sorted(people)
    assert all("Main hall" in str(mail.get_body(("plain",))) for mail in invitations)

    # All pass and are awarded.
    results = [{"candidate": one["id"], "outcome": "passed"} for one in invited]
    ok(dojo.instructor.post(f"{path}/results", {"results": results}))
    events = ok(dojo.instructor.post(f"{path}/finish"))["rank_events"]
    assert len(events) == candidates

    # Each gets a mail with their own certificate; its text and its code are read back from the PDF.
    mails = send_outbox(dojo, smtp, skip=candidates)
    assert sorted(mail["To"] for mail in mails) == sorted(people)
    urls = set()
    for mail in mails:
        pdf = certificate_in(mail)
        (page,) = page_texts(pdf)
        for text in (people[mail["To"]]["name"], "Yellow", "15 June 2026", "Kenji Mori", "Seishin Dojo"):
            assert text in page
        (url,) = qr_codes(pdf)
        urls.add(url)
    assert len(urls) == candidates
    assert {public_check(dojo, url)["status"] for url in urls} == {"genuine"}
    assert len(page_texts(dojo.admin.get(f"{path}/certificates.pdf").getvalue())) == candidates

    # After reopening, the ranks are voided and the public check says that the certificates are revoked.
    ok(dojo.admin.post(f"{path}/reopening", {"reason": "The wrong list was read out."}))
    assert {public_check(dojo, url)["status"] for url in urls} == {"revoked"}
    assert school.rank_held(next(iter(people.values()))) == "white"
    with tenant_scope(dojo.tenant):
        assert not Candidate.objects.filter(event__isnull=False).exists()
    assert send_outbox(dojo, smtp, skip=2 * candidates) == []


def public_check(dojo: Dojo, url: str) -> dict[str, Any]:
    """Open the URL of a certificate without a login."""
    return dict(ok(dojo.anonymous.get(url_path(url))))
