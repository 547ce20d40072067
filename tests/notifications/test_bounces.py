"""An address that the mail server does not know is left alone: no other refusal says that, and it can be put right."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.bounces import STANDS_FOR
from tenant_apps.notifications.models import Address
from tests.notifications.mailroom import A_CHILD, guardian, states, student, turn, written
from tests.notifications.sink import NO_SUCH_USER, Sink
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done

MIKA = "mika@example.com"
HANA = "hana@example.com"
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return student(dojo, "Mika", email=MIKA)


@pytest.fixture
def bounced(dojo: Dojo, smtp: Sink, mika: dict[str, Any]) -> dict[str, Any]:
    """Mika, whose address has bounced and is good again."""
    smtp.refuses[MIKA] = NO_SUCH_USER
    assert what_becomes_of_mail_to(dojo, mika) == ("failed", NO_SUCH_USER)
    smtp.refuses.clear()
    return mika


def what_becomes_of_mail_to(dojo: Dojo, *students: dict[str, Any]) -> tuple[str, str]:
    """Write a letter and return what became of it, and why."""
    written(dojo, *students)
    return sent(dojo)


def sent(dojo: Dojo) -> tuple[str, str]:
    turn(dojo)
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
def test_a_server_that_knows_no_such_recipient_is_asked_no_more(
    dojo: Dojo, smtp: Sink, mika: dict[str, Any], answer: str
) -> None:
    smtp.refuses[MIKA] = answer
    assert what_becomes_of_mail_to(dojo, mika) == ("failed", answer)
    smtp.refuses.clear()
    assert what_becomes_of_mail_to(dojo, mika) == ("skipped", "bounced")


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
def test_what_is_refused_for_another_reason_failed_and_the_next_mail_is_tried(
    dojo: Dojo, smtp: Sink, mika: dict[str, Any], answer: str
) -> None:
    smtp.refuses[MIKA] = answer
    assert what_becomes_of_mail_to(dojo, mika) == ("failed", answer)
    smtp.refuses.clear()
    assert what_becomes_of_mail_to(dojo, mika) == ("sent", "")
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_an_unknown_recipient_who_is_refused_for_now_has_not_bounced(
    dojo: Dojo, smtp: Sink, mika: dict[str, Any]
) -> None:
    smtp.refuses[MIKA] = "450 5.1.1 Unknown as yet"
    assert what_becomes_of_mail_to(dojo, mika) == ("queued", "450 5.1.1 Unknown as yet")


def test_an_address_that_ends_in_numbers_is_no_status(dojo: Dojo, smtp: Sink, mika: dict[str, Any]) -> None:
    smtp.refuses[MIKA] = "554 5.1.1.10 is listed"
    assert what_becomes_of_mail_to(dojo, mika)[0] == "failed"
    assert what_becomes_of_mail_to(dojo, mika)[0] == "failed"


def test_saving_a_students_address_anew_has_it_tried_again(dojo: Dojo, bounced: dict[str, Any]) -> None:
    assert what_becomes_of_mail_to(dojo, bounced) == ("skipped", "bounced")
    with clock.fixed(SOON):
        done(dojo.admin.patch(f"/students/{bounced['id']}", {"email": MIKA}))
        assert what_becomes_of_mail_to(dojo, bounced) == ("sent", "")


def test_saving_a_guardians_address_anew_has_it_tried_again(dojo: Dojo, smtp: Sink) -> None:
    ren = student(dojo, "Ren", born=A_CHILD, guardians=[guardian("Hana Sato", HANA)])
    smtp.refuses[HANA] = NO_SUCH_USER
    what_becomes_of_mail_to(dojo, ren)
    smtp.refuses.clear()
    assert what_becomes_of_mail_to(dojo, ren) == ("skipped", "bounced")
    same = [{"id": ren["guardians"][0]["id"], "email": HANA}]
    with clock.fixed(SOON):
        done(dojo.admin.patch(f"/students/{ren['id']}", {"guardians": same}))
        assert what_becomes_of_mail_to(dojo, ren) == ("sent", "")


def test_a_mail_that_is_taken_puts_the_address_right_for_everybody(
    dojo: Dojo, bounced: dict[str, Any]
) -> None:
    ren = student(dojo, "Ren", email=MIKA)
    assert what_becomes_of_mail_to(dojo, ren) == ("skipped", "bounced")
    with clock.fixed(SOON):
        done(dojo.admin.patch(f"/students/{bounced['id']}", {"phone": "1"}))
        what_becomes_of_mail_to(dojo, bounced)
        assert what_becomes_of_mail_to(dojo, ren) == ("sent", "")


def test_one_that_is_refused_again_has_bounced_anew(dojo: Dojo, smtp: Sink, bounced: dict[str, Any]) -> None:
    smtp.refuses[MIKA] = NO_SUCH_USER
    with clock.fixed(SOON):
        done(dojo.admin.patch(f"/students/{bounced['id']}", {"email": MIKA}))
        assert what_becomes_of_mail_to(dojo, bounced) == ("failed", NO_SUCH_USER)
        assert what_becomes_of_mail_to(dojo, bounced) == ("skipped", "bounced")


def test_after_ninety_days_it_is_tried_once_more(dojo: Dojo, smtp: Sink, bounced: dict[str, Any]) -> None:
    second = timedelta(seconds=1)
    smtp.refuses[MIKA] = NO_SUCH_USER
    for moment, expected in (
        (NOW + STANDS_FOR - second, ("skipped", "bounced")),
        (NOW + STANDS_FOR, ("failed", NO_SUCH_USER)),
        (NOW + 2 * STANDS_FOR - second, ("skipped", "bounced")),
    ):
        written(dojo, bounced)
        with clock.fixed(moment):
            assert sent(dojo) == expected


def test_a_trial_is_always_tried(dojo: Dojo, smtp: Sink) -> None:
    smtp.refuses["instructor@example.com"] = NO_SUCH_USER
    for _ in range(2):
        done(dojo.instructor.post("/notification-templates/free/test"), 202)
        assert sent(dojo) == ("failed", NO_SUCH_USER)
