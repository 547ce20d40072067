"""E-mails that are too large, and refused senders: other mail does not wait for them."""

import random
from base64 import b64encode
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from tatami.smtp import MAX_ATTEMPTS
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.logo import PRINTED
from tenant_apps.notifications import recipients
from tenant_apps.notifications.email_messages import MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES
from tenant_apps.notifications.models import Delivery
from tenant_apps.students.events import Notice, publish_notices
from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    award,
    guardian,
    later,
    queue_mail,
    read_notification,
    send_turn,
    states,
    student,
)
from tests.notifications.recording_smtp import TOO_LARGE, RecordingSmtpServer
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.sizes import small_or_full

POSTFIX_TAKES = 10_240_000
"""The default limit in bytes."""
NOT_YOURS = "553 5.7.1 Sender address rejected: not owned by user"
NO_ROOM = "452 4.3.1 Insufficient system storage"


@pytest.fixture
def two_notifications(dojo: Dojo) -> list[dict[str, Any]]:
    """Two queued notifications, of which the first is long."""
    return [
        queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"), body="word " * 1_900),
        queue_mail(dojo, student(dojo, "Ren", email="ren@example.com")),
    ]


# --- the size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [TOO_LARGE, "552 Message size exceeds fixed maximum message size"])
def test_only_the_mail_that_is_too_large_fails(
    dojo: Dojo, smtp: RecordingSmtpServer, two_notifications: list[dict[str, Any]], answer: str
) -> None:
    smtp.max_size, smtp.size_reply = 5_000, answer
    send_turn(dojo)
    assert states(dojo) == [("mika@example.com", "failed", answer), ("ren@example.com", "sent", "")]
    assert [read_notification(dojo, one)["status"] for one in two_notifications] == ["failed", "done"]
    smtp.max_size = 0
    with later(days=1):
        send_turn(dojo)
    assert smtp.recipients == ["ren@example.com"]


# --- the sender ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("two_notifications")
def test_a_refused_sender_counts_as_an_attempt_and_the_others_go_first(
    dojo: Dojo, smtp: RecordingSmtpServer, wake_calls: list[str]
) -> None:
    smtp.sender_replies = [NOT_YOURS]
    send_turn(dojo)
    assert states(dojo)[0] == ("mika@example.com", "queued", NOT_YOURS)
    assert wake_calls, "sending pauses"
    with later(seconds=30):
        send_turn(dojo)
    assert smtp.recipients == ["ren@example.com"]
    with later(minutes=2):
        send_turn(dojo)
    assert smtp.recipients == ["ren@example.com", "mika@example.com"]
    with tenant_scope(dojo.tenant):
        assert list(Delivery.objects.order_by("pk").values_list("attempts", flat=True)) == [2, 1]


def test_a_mail_whose_sender_is_always_refused_fails_in_the_end(
    dojo: Dojo, smtp: RecordingSmtpServer
) -> None:
    queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"))
    smtp.sender_replies = [NOT_YOURS] * MAX_ATTEMPTS
    for day in range(MAX_ATTEMPTS):
        with later(days=day):
            send_turn(dojo)
    assert states(dojo) == [("mika@example.com", "failed", NOT_YOURS)]


@pytest.mark.usefixtures("two_notifications")
def test_a_mail_the_server_has_no_room_for_waits_behind_the_others(
    dojo: Dojo, smtp: RecordingSmtpServer
) -> None:
    smtp.sender_replies = [NO_ROOM]
    with later(seconds=1):
        send_turn(dojo)
    assert smtp.taken == []
    with later(seconds=31):
        send_turn(dojo)
    assert smtp.recipients == ["ren@example.com", "mika@example.com"]
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}, (
            "it does not count as an attempt"
        )


# --- certificates -------------------------------------------------------------------------------------------------


@pytest.fixture
def largest_logo(dojo: Dojo, settings: Any, tmp_path: Path) -> None:
    """A logo of the largest size that does not compress."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": place}
    content, (width, height) = BytesIO(), PRINTED
    noise = random.Random(1).randbytes(width * height * 4)
    Image.frombytes("RGBA", PRINTED, noise).save(content, "PNG")
    uri = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    ok(dojo.admin.put("/settings/logo", {"image": uri}))


@pytest.fixture
def siblings(dojo: Dojo) -> list[tuple[str, str]]:
    """One student more than certificates fit into a mail, each with the event of an award that sent no mail."""
    ok(dojo.admin.patch("/settings", {"notify_promotion": False}))
    hana, rank = (
        guardian("Hana Sato", "hana@example.com"),
        factories.rank_id(factories.rank_system(dojo), "5-kyu"),
    )
    family = [
        student(dojo, f"N{n}", born=CHILD_BIRTH_DATE, guardians=[hana]) for n in range(MAX_CERTIFICATES + 1)
    ]
    events = [award(dojo, one, rank)["id"] for one in family]
    ok(dojo.admin.patch("/settings", {"notify_promotion": True}))
    return [(one["id"], event) for one, event in zip(family, events, strict=True)]


def notify(dojo: Dojo, siblings: list[tuple[str, str]]) -> None:
    with tenant_scope(dojo.tenant):
        publish_notices(
            "promotion",
            [Notice(UUID(one), {"rank": "5th kyu"}, certificate=UUID(event)) for one, event in siblings],
        )


def files_of(mail: EmailMessage) -> list[bytes]:
    return [one.get_content() for one in mail.iter_attachments()]


@small_or_full("most", small=1, full=MAX_CERTIFICATES)
@pytest.mark.usefixtures("largest_logo")
def test_many_certificates_are_split_over_mails_of_an_acceptable_size(
    dojo: Dojo,
    smtp: RecordingSmtpServer,
    siblings: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    monkeypatch.setattr(recipients, "MAX_CERTIFICATES", most)
    smtp.max_size = POSTFIX_TAKES
    notify(dojo, siblings[: most + 1])
    send_turn(dojo)
    assert {state for _, state, _ in states(dojo)} == {"sent"}
    first, second = smtp.taken
    assert [len(files_of(one)) for one in (first, second)] == [most, 1]
    assert all(len(file) <= MAX_CERTIFICATE_BYTES for file in files_of(first))
    expected_size = POSTFIX_TAKES * most // MAX_CERTIFICATES
    assert expected_size / 2 < len(first.as_bytes()) < expected_size, "the logo is as large as possible"
    assert first["To"] == second["To"] == "hana@example.com"


def test_each_of_several_mails_has_its_own_students_and_is_repeated_by_itself(
    dojo: Dojo, smtp: RecordingSmtpServer, siblings: list[tuple[str, str]]
) -> None:
    notify(dojo, siblings)
    smtp.disconnects_once = True
    send_turn(dojo)
    with later(minutes=2):
        send_turn(dojo)
    assert len(smtp.taken) == 3
    told = {mail["Message-ID"]: mail["Subject"] for mail in smtp.taken}
    assert sorted(told.values()) == ["N0 Sato, N1 Sato, N2 Sato and N3 Sato: 5th kyu", "N4 Sato: 5th kyu"]
    files = {mail["Message-ID"]: len(files_of(mail)) for mail in smtp.taken}
    assert sorted(files.values()) == [1, MAX_CERTIFICATES]


def test_mail_without_certificates_is_not_split(dojo: Dojo, siblings: list[tuple[str, str]]) -> None:
    note = queue_mail(dojo)
    assert (note["total"], len(siblings)) == (1, MAX_CERTIFICATES + 1)
