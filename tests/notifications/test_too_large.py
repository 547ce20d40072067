"""Mails that are too large, and other refusals before the recipient is named: nobody else's mail waits for them."""

import random
from base64 import b64encode
from datetime import timedelta
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.logo import PRINTED
from tenant_apps.notifications.attachments import LARGEST_CERTIFICATE, MOST_CERTIFICATES
from tenant_apps.notifications.models import Delivery
from tenant_apps.notifications.outcomes import MOST_ATTEMPTS
from tenant_apps.students.notices import Notice, give_notice
from tests.notifications.mailroom import A_CHILD, awarded, guardian, looked_at, states, student, turn, written
from tests.notifications.sink import TOO_LARGE, Sink
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done

POSTFIX_TAKES = 10_240_000
"""Bytes, where nobody has set it up otherwise."""
NOT_YOURS = "553 5.7.1 Sender address rejected: not owned by user"
NO_ROOM = "452 4.3.1 Insufficient system storage"


def later(**delta: float) -> Any:
    return clock.fixed(NOW + timedelta(**delta))


@pytest.fixture
def two(dojo: Dojo) -> list[dict[str, Any]]:
    """Two notifications that wait; the first is a long letter."""
    return [
        written(dojo, student(dojo, "Mika", email="mika@example.com"), body="word " * 1_900),
        written(dojo, student(dojo, "Ren", email="ren@example.com")),
    ]


# --- the size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [TOO_LARGE, "552 Message size exceeds fixed maximum message size"])
def test_a_mail_that_is_too_large_fails_alone(
    dojo: Dojo, smtp: Sink, two: list[dict[str, Any]], answer: str
) -> None:
    smtp.largest, smtp.refuses_size = 5_000, answer
    turn(dojo)
    assert states(dojo) == [("mika@example.com", "failed", answer), ("ren@example.com", "sent", "")]
    assert [looked_at(dojo, one)["status"] for one in two] == ["failed", "done"]
    smtp.largest = 0
    with later(days=1):
        turn(dojo)
    assert smtp.recipients == ["ren@example.com"]


# --- the sender ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("two")
def test_a_refused_sender_costs_a_try_and_lets_the_others_go_first(
    dojo: Dojo, smtp: Sink, called_for_later: list[str]
) -> None:
    smtp.refuses_sender = [NOT_YOURS]
    turn(dojo)
    assert states(dojo)[0] == ("mika@example.com", "queued", NOT_YOURS)
    assert called_for_later, "the server is left alone for a moment"
    with later(seconds=30):
        turn(dojo)
    assert smtp.recipients == ["ren@example.com"]
    with later(minutes=2):
        turn(dojo)
    assert smtp.recipients == ["ren@example.com", "mika@example.com"]
    with tenant_scope(dojo.tenant):
        assert list(Delivery.objects.order_by("pk").values_list("attempts", flat=True)) == [2, 1]


def test_a_sender_who_is_always_refused_is_the_end_of_a_mail(dojo: Dojo, smtp: Sink) -> None:
    written(dojo, student(dojo, "Mika", email="mika@example.com"))
    smtp.refuses_sender = [NOT_YOURS] * MOST_ATTEMPTS
    for day in range(MOST_ATTEMPTS):
        with later(days=day):
            turn(dojo)
    assert states(dojo) == [("mika@example.com", "failed", NOT_YOURS)]


@pytest.mark.usefixtures("two")
def test_a_mail_for_which_there_is_no_room_now_waits_behind_the_others(dojo: Dojo, smtp: Sink) -> None:
    smtp.refuses_sender = [NO_ROOM]
    with later(seconds=1):
        turn(dojo)
    assert smtp.taken == []
    with later(seconds=31):
        turn(dojo)
    assert smtp.recipients == ["ren@example.com", "mika@example.com"]
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}, "that was no try"


# --- certificates -------------------------------------------------------------------------------------------------


@pytest.fixture
def largest_logo(dojo: Dojo, settings: Any, tmp_path: Path) -> None:
    """A logo that does not compress."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": place}
    content, (width, height) = BytesIO(), PRINTED
    noise = random.Random(1).randbytes(width * height * 4)
    Image.frombytes("RGBA", PRINTED, noise).save(content, "PNG")
    uri = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    done(dojo.admin.put("/settings/logo", {"image": uri}))


@pytest.fixture
def siblings(dojo: Dojo) -> list[tuple[str, str]]:
    """One more than a mail has room for, each with the event of her award, of which nobody was told."""
    done(dojo.admin.patch("/settings", {"notify_promotion": False}))
    hana, rank = (
        guardian("Hana Sato", "hana@example.com"),
        factories.rank(factories.rank_system(dojo), "5-kyu"),
    )
    family = [student(dojo, f"N{n}", born=A_CHILD, guardians=[hana]) for n in range(MOST_CERTIFICATES + 1)]
    events = [awarded(dojo, one, rank)["id"] for one in family]
    done(dojo.admin.patch("/settings", {"notify_promotion": True}))
    return [(one["id"], event) for one, event in zip(family, events, strict=True)]


def tell(dojo: Dojo, siblings: list[tuple[str, str]]) -> None:
    with tenant_scope(dojo.tenant):
        give_notice(
            "promotion",
            [Notice(UUID(one), {"rank": "5th kyu"}, certificate=UUID(event)) for one, event in siblings],
        )


def files_of(mail: EmailMessage) -> list[bytes]:
    return [one.get_content() for one in mail.iter_attachments()]


@pytest.mark.usefixtures("largest_logo")
def test_many_certificates_are_several_mails_of_a_size_that_servers_take(
    dojo: Dojo, smtp: Sink, siblings: list[tuple[str, str]]
) -> None:
    smtp.largest = POSTFIX_TAKES
    tell(dojo, siblings)
    turn(dojo)
    assert {state for _, state, _ in states(dojo)} == {"sent"}
    first, second = smtp.taken
    assert [len(files_of(one)) for one in (first, second)] == [MOST_CERTIFICATES, 1]
    assert all(len(file) <= LARGEST_CERTIFICATE for file in files_of(first))
    assert len(first.as_bytes()) > POSTFIX_TAKES / 2, "the logo is as large as can be"
    assert first["To"] == second["To"] == "hana@example.com"


def test_of_several_mails_each_tells_of_its_own_students_and_a_kill_repeats_only_one(
    dojo: Dojo, smtp: Sink, siblings: list[tuple[str, str]]
) -> None:
    tell(dojo, siblings)
    smtp.hangs_up = True
    turn(dojo)
    with later(minutes=2):
        turn(dojo)
    assert len(smtp.taken) == 3
    told = {mail["Message-ID"]: mail["Subject"] for mail in smtp.taken}
    assert sorted(told.values()) == ["N0 Sato, N1 Sato, N2 Sato and N3 Sato: 5th kyu", "N4 Sato: 5th kyu"]
    files = {mail["Message-ID"]: len(files_of(mail)) for mail in smtp.taken}
    assert sorted(files.values()) == [1, MOST_CERTIFICATES]


def test_news_of_many_students_without_files_is_one_mail(dojo: Dojo, siblings: list[tuple[str, str]]) -> None:
    note = written(dojo)
    assert (note["total"], len(siblings)) == (1, MOST_CERTIFICATES + 1)
