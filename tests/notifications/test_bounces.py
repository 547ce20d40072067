"""An address that the mail server does not know is skipped. No other refusal has that effect, and it can be undone."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.addresses import BOUNCE_VALID_FOR
from tenant_apps.notifications.models import Address
from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    guardian,
    queue_mail,
    send_turn,
    states,
    student,
)
from tests.notifications.recording_smtp import NO_SUCH_USER, RecordingSmtpServer
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok

MIKA = "mika@example.com"
HANA = "hana@example.com"
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return student(dojo, "Mika", email=MIKA)


@pytest.fixture
def bounced(dojo: Dojo, smtp: RecordingSmtpServer, mika: dict[str, Any]) -> dict[str, Any]:
    """Mika, whose address has bounced; the server accepts it now."""
    smtp.recipient_replies[MIKA] = NO_SUCH_USER
    assert send_mail_to(dojo, mika) == ("failed", NO_SUCH_USER)
    smtp.recipient_replies.clear()
    return mika


def send_mail_to(dojo: Dojo, *students: dict[str, Any]) -> tuple[str, str]:
    """Queue and send one mail; return its state and reason."""
    queue_mail(dojo, *students)
    return send_last(dojo)


def send_last(dojo: Dojo) -> tuple[str, str]:
    send_turn(dojo)
    _, state, reason = states(dojo)[-1]
    return state, reason


@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.1 <mika@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "550 5.1.2 There is no such domain",
        "501 5.1.3 Bad recipient address syntax",
        "551 5.1.6 The user has moved",
        "556 5.1.10 The domain takes no mail (null MX)",
        "550 sorry, no mailbox here by that name (#5.1.1)",
        "550 No such user here",
        "551 User not local",
        "553 Mailbox name not allowed",
    ],
)
def test_an_address_unknown_to_the_server_is_skipped_from_then_on(
    dojo: Dojo, smtp: RecordingSmtpServer, mika: dict[str, Any], answer: str
) -> None:
    smtp.recipient_replies[MIKA] = answer
    assert send_mail_to(dojo, mika) == ("failed", answer)
    smtp.recipient_replies.clear()
    assert send_mail_to(dojo, mika) == ("skipped", "bounced")


@pytest.mark.parametrize(
    "answer",
    [
        "554 5.7.1 <mika@example.com>: Relay access denied",
        "554 5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen.spamhaus.org",
        "550 5.7.1 Rejected by policy",
        "550 5.4.5 Daily user sending quota exceeded",
        "552 5.2.2 Mailbox full",
        "550 5.2.1 Mailbox disabled",
        "552 Mailbox full",
        "554 Blocked",
        "550 #5.7.1 Your access to this mail system has been rejected",
        "553 sorry, that domain is not in my list of allowed rcpthosts (#5.7.1)",
    ],
)
def test_another_permanent_refusal_fails_and_the_next_mail_is_tried(
    dojo: Dojo, smtp: RecordingSmtpServer, mika: dict[str, Any], answer: str
) -> None:
    smtp.recipient_replies[MIKA] = answer
    assert send_mail_to(dojo, mika) == ("failed", answer)
    smtp.recipient_replies.clear()
    assert send_mail_to(dojo, mika) == ("sent", "")
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_a_temporary_refusal_of_an_unknown_recipient_is_not_a_bounce(
    dojo: Dojo, smtp: RecordingSmtpServer, mika: dict[str, Any]
) -> None:
    smtp.recipient_replies[MIKA] = "450 5.1.1 Unknown as yet"
    assert send_mail_to(dojo, mika) == ("queued", "450 5.1.1 Unknown as yet")


def test_an_ip_address_in_the_reply_is_not_read_as_a_status(
    dojo: Dojo, smtp: RecordingSmtpServer, mika: dict[str, Any]
) -> None:
    smtp.recipient_replies[MIKA] = "554 5.1.1.10 is listed"
    assert send_mail_to(dojo, mika)[0] == "failed"
    assert send_mail_to(dojo, mika)[0] == "failed"


def test_saving_the_student_makes_the_address_valid_again(dojo: Dojo, bounced: dict[str, Any]) -> None:
    assert send_mail_to(dojo, bounced) == ("skipped", "bounced")
    with clock.fixed(SOON):
        ok(dojo.admin.patch(f"/students/{bounced['id']}", {"email": MIKA}))
        assert send_mail_to(dojo, bounced) == ("sent", "")


def test_saving_the_guardian_makes_the_address_valid_again(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    ren = student(dojo, "Ren", born=CHILD_BIRTH_DATE, guardians=[guardian("Hana Sato", HANA)])
    smtp.recipient_replies[HANA] = NO_SUCH_USER
    send_mail_to(dojo, ren)
    smtp.recipient_replies.clear()
    assert send_mail_to(dojo, ren) == ("skipped", "bounced")
    same = [{"id": ren["guardians"][0]["id"], "email": HANA}]
    with clock.fixed(SOON):
        ok(dojo.admin.patch(f"/students/{ren['id']}", {"guardians": same}))
        assert send_mail_to(dojo, ren) == ("sent", "")


def test_an_accepted_mail_clears_the_bounce_for_all_students_with_the_address(
    dojo: Dojo, bounced: dict[str, Any]
) -> None:
    ren = student(dojo, "Ren", email=MIKA)
    assert send_mail_to(dojo, ren) == ("skipped", "bounced")
    with clock.fixed(SOON):
        ok(dojo.admin.patch(f"/students/{bounced['id']}", {"phone": "1"}))
        send_mail_to(dojo, bounced)
        assert send_mail_to(dojo, ren) == ("sent", "")


def test_an_address_that_is_refused_again_bounces_again(
    dojo: Dojo, smtp: RecordingSmtpServer, bounced: dict[str, Any]
) -> None:
    smtp.recipient_replies[MIKA] = NO_SUCH_USER
    with clock.fixed(SOON):
        ok(dojo.admin.patch(f"/students/{bounced['id']}", {"email": MIKA}))
        assert send_mail_to(dojo, bounced) == ("failed", NO_SUCH_USER)
        assert send_mail_to(dojo, bounced) == ("skipped", "bounced")


def test_a_bounced_address_is_tried_once_more_after_ninety_days(
    dojo: Dojo, smtp: RecordingSmtpServer, bounced: dict[str, Any]
) -> None:
    second = timedelta(seconds=1)
    smtp.recipient_replies[MIKA] = NO_SUCH_USER
    for moment, expected in (
        (NOW + BOUNCE_VALID_FOR - second, ("skipped", "bounced")),
        (NOW + BOUNCE_VALID_FOR, ("failed", NO_SUCH_USER)),
        (NOW + 2 * BOUNCE_VALID_FOR - second, ("skipped", "bounced")),
    ):
        queue_mail(dojo, bounced)
        with clock.fixed(moment):
            assert send_last(dojo) == expected


def test_a_test_mail_is_sent_even_to_a_bounced_address(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    smtp.recipient_replies["instructor@example.com"] = NO_SUCH_USER
    for _ in range(2):
        ok(dojo.instructor.post("/notification-templates/free/test"), 202)
        assert send_last(dojo) == ("failed", NO_SUCH_USER)
