"""Mail about promotions, exam invitations and cancelled classes is queued with the event, if the dojo wants it."""

from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.students.events import Notice, publish_notices
from tests.classes.factories import create_class, enrol, session_on
from tests.notifications.mail_factories import CHILD_BIRTH_DATE, award, guardian, send_all, states, student
from tests.notifications.recording_smtp import RecordingSmtpServer
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok

HANA = guardian("Hana Sato", "hana@example.com")


def cancel_session(
    dojo: Dojo, day: str = "2026-06-22", reason: str = "The hall is flooded.", **fields: Any
) -> Any:
    return ok(
        dojo.admin.post(
            f"/class-sessions/{session_on(dojo, day)['id']}/cancellation", {"reason": reason, **fields}
        ),
        201,
    )


def notifications(dojo: Dojo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(dojo.admin.get("/notifications"))["results"]
    return found


def test_the_guardians_of_a_child_are_told_about_a_promotion(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=CHILD_BIRTH_DATE, guardians=[HANA])
    system = factories.rank_system(dojo)
    event = award(dojo, mika, factories.rank_id(system, "5-kyu"))
    (note,) = notifications(dojo)
    assert (note["kind"], note["total"], note["audience"], note["requested_by"]) == (
        "promotion",
        1,
        None,
        None,
    )
    with tenant_scope(dojo.tenant):
        (told,) = Delivery.objects.get().values["students"]
    assert told["certificate"] == event["id"]
    (sent,) = send_all(dojo)
    assert (sent.to, sent.subject) == (["hana@example.com"], "Mika Sato: 5th kyu")
    assert "Mika Sato: 5th kyu, as of 14 June 2026\n" in sent.body
    assert "List-Unsubscribe" not in sent.extra_headers, "event mail is not bulk mail"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def test_the_certificate_is_attached(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    award(dojo, mika, factories.rank_id(factories.rank_system(dojo), "5-kyu"))
    send_all(dojo)
    (sent,) = smtp.taken
    (certificate,) = sent.iter_attachments()
    assert certificate.get_content_type() == "application/pdf"
    text = text_of(certificate.get_content())
    assert "Mika Sato" in text
    assert str(certificate.get_filename()).removesuffix(".pdf") in text


def test_an_award_voided_before_sending_has_no_certificate(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    event = award(dojo, mika, factories.rank_id(factories.rank_system(dojo), "5-kyu"))
    ok(dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "A mistake."}))
    (sent,) = send_all(dojo)
    assert sent.attachments == []


def test_a_certificate_with_a_missing_glyph_is_not_attached_and_the_award_is_announced(dojo: Dojo) -> None:
    mika = student(dojo, "\U00013000", email="mika@example.com")
    award(dojo, mika, factories.rank_id(factories.rank_system(dojo), "5-kyu"))
    (sent,) = send_all(dojo)
    assert sent.attachments == []
    assert "5th kyu" in sent.body
    assert states(dojo)[0][1] == "sent"


def test_siblings_promoted_together_get_one_mail(dojo: Dojo) -> None:
    ids = [student(dojo, name, born=CHILD_BIRTH_DATE, guardians=[HANA])["id"] for name in ("Mika", "Ren")]
    with tenant_scope(dojo.tenant):
        ranks = ("5th kyu", "4th kyu")
        publish_notices(
            "promotion",
            [
                Notice(UUID(one), {"rank": rank, "awarded_on": ""})
                for one, rank in zip(ids, ranks, strict=True)
            ],
        )
    (sent,) = send_all(dojo)
    assert sent.subject == "Mika Sato and Ren Sato: 5th kyu and 4th kyu"
    assert "Mika Sato: 5th kyu\nRen Sato: 4th kyu\n" in sent.body


def test_an_exam_invitation_names_date_place_and_rank(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    system = factories.rank_system(dojo)
    exam = factories.exam(dojo, system, "2026-07-01", name="Summer grading", location="Main hall")
    factories.candidate(dojo, exam, mika, factories.rank_id(system, "5-kyu"))
    (sent,) = send_all(dojo)
    assert sent.subject == "Invitation: Summer grading, 1 July 2026"
    assert '"Summer grading" on 1 July 2026 (Main hall):\n\nMika Sato, for 5th kyu\n' in sent.body


def test_the_expected_students_are_told_about_a_cancelled_class(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    resting = student(dojo, "Ren", email="ren@example.com")
    enrol(dojo, create_class(dojo), mika, resting)
    student(dojo, "Yui", email="yui@example.com")
    factories.put_on_hold(dojo, resting)
    cancel_session(dojo)
    (sent,) = send_all(dojo)
    assert (sent.to, sent.subject) == (["mika@example.com"], "Cancelled: Evening, 22 June 2026, 18:30")
    assert "Evening on 22 June 2026 at 18:30 does not take place.\nThe hall is flooded.\n" in sent.body


def test_event_mail_is_in_the_dojos_language(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"language": "pt-br"}))
    enrol(dojo, create_class(dojo), student(dojo, "Mika", email="mika@example.com"))
    cancel_session(dojo, reason="")
    (sent,) = send_all(dojo)
    assert sent.subject == "Cancelada: Evening, 22 de junho de 2026, 18:30"


def test_cancelling_a_session_that_has_begun_sends_no_mail(dojo: Dojo) -> None:
    enrol(dojo, create_class(dojo), student(dojo, "Mika", email="mika@example.com"))
    cancel_session(dojo, "2026-06-15")  # it began ten minutes ago
    assert notifications(dojo) == []


def test_cancelling_twice_sends_one_mail(dojo: Dojo) -> None:
    enrol(dojo, create_class(dojo), student(dojo, "Mika", email="mika@example.com"))
    cancel_session(dojo)
    path = f"/class-sessions/{session_on(dojo, '2026-06-22')['id']}/cancellation"
    ok(dojo.admin.post(path, {"reason": "Again."}), 200)
    assert len(notifications(dojo)) == 1


@pytest.mark.parametrize("policy", ["notify_promotion", "notify_exam_invitation", "notify_class_cancelled"])
def test_a_dojo_can_turn_off_mail_about_a_kind_of_event(dojo: Dojo, policy: str) -> None:
    ok(dojo.admin.patch("/settings", {policy: False}))
    mika = student(dojo, "Mika", email="mika@example.com")
    system = factories.rank_system(dojo)
    factories.candidate(
        dojo, factories.exam(dojo, system, "2026-07-01"), mika, factories.rank_id(system, "5-kyu")
    )
    enrol(dojo, create_class(dojo), mika)
    cancel_session(dojo)
    award(dojo, mika, factories.rank_id(system, "5-kyu"))
    kinds = {"notify_promotion", "notify_exam_invitation", "notify_class_cancelled"} - {policy}
    assert {f"notify_{one['kind']}" for one in notifications(dojo)} == kinds


def test_an_event_that_is_rolled_back_sends_no_mail(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    with tenant_scope(dojo.tenant):
        with pytest.raises(LookupError), transaction.atomic():
            publish_notices("promotion", [Notice(UUID(mika["id"]))])
            assert Delivery.objects.exists()
            raise LookupError
        assert not Notification.objects.exists()
    assert mail.outbox == []


def test_an_unknown_kind_of_event_rolls_it_back(dojo: Dojo) -> None:
    with tenant_scope(dojo.tenant), pytest.raises(ValueError, match="birthday"):
        publish_notices("birthday", [Notice(dojo.tenant.tenant_id)])


def test_the_number_of_statements_does_not_depend_on_the_number_of_students(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    others = [student(dojo, f"N{n}", email=f"n{n}@example.com") for n in range(20)]

    def cost(*students: dict[str, Any]) -> int:
        with tenant_scope(dojo.tenant), CaptureQueriesContext(connection) as captured:
            publish_notices("class_cancelled", [Notice(UUID(one["id"])) for one in students])
        return len(captured)

    assert cost(mika) == cost(*others)
