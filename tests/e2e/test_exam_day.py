"""Exam day for sixty: invitations, results, awards, and mails whose certificates open; then one exam is reopened."""

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
from tests.support.responses import done, path_of

CANDIDATES = 60
DAY = "2026-06-15"


@pytest.fixture
def smtp() -> Iterator[RecordingSmtpServer]:
    with smtp_server() as sink:
        yield sink


def sent(dojo: Dojo, smtp: RecordingSmtpServer, already: int) -> list[EmailMessage]:
    """Have workers send what is in the outbox; return what arrived since."""
    while send_turn(dojo) is not None:
        pass
    return smtp.taken[already:]


def certificate_in(mail: EmailMessage) -> bytes:
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    content = attached.get_content()
    assert isinstance(content, bytes)
    return content


def test_an_exam_for_sixty_from_invitation_to_certificates(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    school = GradedDojo(dojo)
    people = {}
    for number in range(CANDIDATES):
        name = f"Pupil{number}"
        who = school.add_student(
            name, "2026-01-01", email=f"{name.lower()}@example.com", birth_date=ADULT_BIRTH_DATE
        )
        people[who["email"]] = who

    # Invitations: one mail each.
    exam = factories.exam(dojo, school.system, DAY, location="Main hall", guest_examiners=["Kenji Mori"])
    path = f"/exams/{exam['id']}"
    asked = [{"student": who["id"], "target_rank": school.rank("yellow")} for who in people.values()]
    invited = done(dojo.instructor.post(f"{path}/candidates", {"candidates": asked}), 201)["results"]
    assert {one["eligibility"]["status"] for one in invited} == {"eligible"}
    invitations = sent(dojo, smtp, 0)
    assert sorted(mail["To"] for mail in invitations) == sorted(people)
    assert all("Main hall" in str(mail.get_body(("plain",))) for mail in invitations)

    # Results, and all of them awarded.
    results = [{"candidate": one["id"], "outcome": "passed"} for one in invited]
    done(dojo.instructor.post(f"{path}/results", {"results": results}))
    events = done(dojo.instructor.post(f"{path}/finish"))["rank_events"]
    assert len(events) == CANDIDATES

    # Sixty mails, each with the certificate of whom it is written to: text and code read back from the paper.
    mails = sent(dojo, smtp, CANDIDATES)
    assert sorted(mail["To"] for mail in mails) == sorted(people)
    urls = set()
    for mail in mails:
        pdf = certificate_in(mail)
        (page,) = page_texts(pdf)
        for said in (people[mail["To"]]["name"], "Yellow", "15 June 2026", "Kenji Mori", "Seishin Dojo"):
            assert said in page
        (url,) = qr_codes(pdf)
        urls.add(url)
    assert len(urls) == CANDIDATES
    assert {asked_about(dojo, url)["status"] for url in urls} == {"genuine"}
    assert len(page_texts(dojo.admin.get(f"{path}/certificates.pdf").getvalue())) == CANDIDATES

    # Reopened: the ranks are voided, and the papers that went out say so when they are asked about.
    done(dojo.admin.post(f"{path}/reopening", {"reason": "The wrong list was read out."}))
    assert {asked_about(dojo, url)["status"] for url in urls} == {"revoked"}
    assert school.rank_held(next(iter(people.values()))) == "white"
    with tenant_scope(dojo.tenant):
        assert not Candidate.objects.filter(event__isnull=False).exists()
    assert sent(dojo, smtp, 2 * CANDIDATES) == []


def asked_about(dojo: Dojo, url: str) -> dict[str, Any]:
    """Ask as anybody may who has the paper in hand."""
    return dict(done(dojo.anonymous.get(path_of(url))))
