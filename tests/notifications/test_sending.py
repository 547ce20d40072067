"""Sending through a real SMTP server: in short runs, each mail once, with retries after temporary refusals."""

from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import PendingJob
from tatami import clock
from tatami.jobs import DONE, MORE, request_job
from tatami.smtp import MAX_ATTEMPTS
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.notifications import sending
from tenant_apps.notifications.models import Address, Delivery, Notification, count_deliveries
from tests.notifications.mail_factories import (
    adults,
    later,
    queue_mail,
    read_notification,
    send_all,
    send_turn,
    states,
    student,
)
from tests.notifications.recording_smtp import (
    GREYLISTED,
    INVALID_CONTENT,
    NO_SUCH_USER,
    RecordingSmtpServer,
    unavailable_server,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, ok
from tests.support.sizes import small_or_full
from tests.support.statements import count_get_statements, count_statements, sent_statements

# --- the message ----------------------------------------------------------------------------------------------


def test_the_headers_name_sender_reply_address_date_and_id(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    ok(dojo.admin.patch("/settings", {"reply_to": "desk@dojo.example"}))
    note = queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"), body="Olá, {{ student }} ☯")
    send_all(dojo)
    (sent,) = smtp.taken
    assert sent["From"] == "Seishin Dojo <no-reply@localhost>"
    assert sent["Reply-To"] == "desk@dojo.example"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(sent["Date"]) == NOW
    (row,) = read_notification(dojo, note)["recipients"]
    assert sent["Message-ID"] == f"<{row['id']}@localhost>"
    assert sent.get_content_type() == "text/plain"
    assert sent.get_content().startswith("Olá, Mika Sato ☯\r\n")
    assert (row["state"], row["attempts"], row["sent_at"]) == ("sent", 1, "2026-06-15T16:40:00Z")


def test_a_turn_uses_one_connection(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    note = queue_mail(dojo, *adults(dojo, 5))
    assert send_turn(dojo) is DONE
    assert (len(smtp.taken), smtp.connections) == (5, 1)
    shown = read_notification(dojo, note)
    assert (shown["status"], shown["total"], shown["done"], shown["sent"]) == ("done", 5, 5, 5)
    assert send_turn(dojo) is DONE
    assert smtp.connections == 1, "no connection without anything to send"


@pytest.mark.parametrize(
    "name", ['Evil" <x@evil.example>', "Mika\\", "道場, Berlin", "=?utf-8?q?x?=", "a@b.example"]
)
def test_the_dojos_name_cannot_change_the_sender_address(
    dojo: Dojo, smtp: RecordingSmtpServer, name: str
) -> None:
    ok(dojo.admin.patch("/settings", {"name": name}))
    mika = student(dojo, "Mika", email="mika@example.com")
    dojo.tenant = type(dojo.tenant)(**{**_fields(dojo.tenant), "name": name})
    queue_mail(dojo, mika)
    send_all(dojo)
    (sent,) = smtp.taken
    (sender,) = sent["From"].addresses
    assert (sender.addr_spec, smtp.recipients) == ("no-reply@localhost", ["mika@example.com"])


def _fields(scope: Any) -> dict[str, Any]:
    return {name: getattr(scope, name) for name in scope.__dataclass_fields__}


HOSTILE = (
    "Mika\nBcc: all@example.com",
    "Mika\r\nX-Evil: 1\r\n\r\nbody",
    "Mika\u2028Bcc: x",
    "\x00Mika",
    "{{ dojo }}",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_students_name_cannot_add_a_header(dojo: Dojo, smtp: RecordingSmtpServer, name: str) -> None:
    """The API refuses such names. Names that got into the data in another way are reduced to one line."""
    refused = dojo.admin.post("/students", {"first_name": name, "last_name": "Sato"})
    assert refused.status_code == (201 if name == "{{ dojo }}" else 400)
    note = queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"))
    with tenant_scope(dojo.tenant):
        row = Delivery.objects.get(notification=note["id"])
        row.values["students"][0]["name"] = row.values["recipient"] = name.replace("\x00", "\x01")
        row.save()
    send_all(dojo)
    (sent,) = smtp.taken
    assert not {"bcc", "x-evil"} & {header.lower() for header in sent.keys()}  # noqa: SIM118
    assert smtp.recipients == ["mika@example.com"]
    assert len(sent.get_content().splitlines()) == 4, "a name cannot add a paragraph either"
    if name == "{{ dojo }}":
        assert sent["Subject"] == "News for {{ dojo }}", "values are never parsed as templates"


# --- refusals ---------------------------------------------------------------------------------------------------


def test_an_address_unknown_to_the_server_bounces(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    mika, ren = adults(dojo, 2)
    smtp.recipient_replies["n0@example.com"] = NO_SUCH_USER
    note = queue_mail(dojo, mika, ren)
    assert send_turn(dojo) is DONE
    assert states(dojo) == [
        ("n0@example.com", "failed", NO_SUCH_USER),
        ("n1@example.com", "sent", ""),
    ]
    assert read_notification(dojo, note)["failed"] == 1
    del smtp.recipient_replies["n0@example.com"]
    queue_mail(dojo, mika)
    assert send_turn(dojo) is DONE
    assert states(dojo)[-1] == ("n0@example.com", "skipped", "bounced")
    ok(dojo.admin.patch(f"/students/{mika['id']}", {"email": "new@example.com"}))
    queue_mail(dojo, mika)
    assert send_turn(dojo) is DONE
    assert states(dojo)[-1] == ("new@example.com", "sent", "")


def test_a_refused_message_fails_without_a_bounce(dojo: Dojo, smtp: RecordingSmtpServer) -> None:
    (mika,) = adults(dojo, 1)
    smtp.data_reply = INVALID_CONTENT
    queue_mail(dojo, mika)
    send_turn(dojo)
    assert states(dojo) == [("n0@example.com", "failed", INVALID_CONTENT)]
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_a_temporary_refusal_is_retried_later_and_delays_no_other_mail(
    dojo: Dojo, smtp: RecordingSmtpServer, wake_calls: list[str]
) -> None:
    smtp.recipient_replies["n0@example.com"] = GREYLISTED
    note = queue_mail(dojo, *adults(dojo, 2))
    assert send_turn(dojo) is DONE
    assert states(dojo) == [("n0@example.com", "queued", GREYLISTED), ("n1@example.com", "sent", "")]
    assert wake_calls == [str(dojo.tenant.tenant_id)]
    assert read_notification(dojo, note)["status"] == "running"
    smtp.recipient_replies.clear()
    with later(minutes=1):
        assert send_turn(dojo) is DONE
        assert states(dojo)[0][1] == "queued", "it is not due yet"
    with later(minutes=2):
        assert send_turn(dojo) is DONE
    assert states(dojo)[0] == ("n0@example.com", "sent", "")


def test_after_the_last_attempt_a_mail_fails_with_the_servers_reply(
    dojo: Dojo, smtp: RecordingSmtpServer
) -> None:
    smtp.recipient_replies["n0@example.com"] = GREYLISTED
    queue_mail(dojo, *adults(dojo, 1))
    for hours in range(0, 24 * MAX_ATTEMPTS, 24):
        with later(hours=hours):
            send_turn(dojo)
    assert states(dojo) == [("n0@example.com", "failed", GREYLISTED)]
    with tenant_scope(dojo.tenant):
        assert Delivery.objects.get().attempts == MAX_ATTEMPTS


def test_an_unavailable_server_does_not_count_as_an_attempt(dojo: Dojo, wake_calls: list[str]) -> None:
    queue_mail(dojo, *adults(dojo, 3))
    with unavailable_server():
        for _ in range(2 * MAX_ATTEMPTS):
            assert send_turn(dojo) is DONE
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("state", "attempts")) == {("queued", 0)}
    assert set(wake_calls) == {str(dojo.tenant.tenant_id)}
    assert len(send_all(dojo)) == 3


def test_sending_pauses_if_the_server_is_closing(
    dojo: Dojo, smtp: RecordingSmtpServer, wake_calls: list[str]
) -> None:
    queue_mail(dojo, *adults(dojo, 3))
    smtp.recipient_replies = {f"n{n}@example.com": "421 4.3.2 Closing" for n in range(3)}
    assert send_turn(dojo) is DONE
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("state", "attempts")) == {("queued", 0)}
    assert wake_calls


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_a_lost_connection_costs_one_duplicate_with_the_same_id(
    dojo: Dojo, smtp: RecordingSmtpServer
) -> None:
    queue_mail(dojo, *adults(dojo, 3))
    smtp.disconnects_once = True
    assert send_turn(dojo) is DONE
    assert len(smtp.taken) == 1
    with later(minutes=2):
        assert send_turn(dojo) is DONE
    assert len(smtp.taken) == 4
    ids = [sent["Message-ID"] for sent in smtp.taken]
    assert len(set(ids)) == 3, "the duplicate has the same Message-ID"
    assert {state for _, state, _ in states(dojo)} == {"sent"}


def test_a_worker_killed_between_sending_and_saving_costs_one_duplicate(
    dojo: Dojo, smtp: RecordingSmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill is a SystemExit in the worker's code; server, e-mail and rows are real."""
    queue_mail(dojo, *adults(dojo, 3))

    def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_save_result", killed)
        with pytest.raises(SystemExit):
            send_turn(dojo)
    assert len(smtp.taken) == 1
    assert {state for _, state, _ in states(dojo)} == {"queued"}, "the result is rolled back"
    send_all(dojo)
    assert len(smtp.taken) == 4
    assert len({sent["Message-ID"] for sent in smtp.taken}) == 3


def test_after_several_interrupted_turns_the_first_mail_is_postponed(dojo: Dojo) -> None:
    queue_mail(dojo, *adults(dojo, 3))
    assert send_turn(dojo, attempt=sending.MAX_INTERRUPTED_RUNS + 1) is DONE
    assert [state for _, state, _ in states(dojo)] == ["queued", "sent", "sent"]
    with later(minutes=2):
        assert len(send_all(dojo)) == 3


def test_only_the_mail_that_cannot_be_rendered_fails(dojo: Dojo) -> None:
    first, second = (
        queue_mail(dojo, *adults(dojo, 1)),
        queue_mail(dojo, student(dojo, "M", email="m@example.com")),
    )
    with tenant_scope(dojo.tenant):
        Notification.objects.filter(pk=first["id"]).update(body="{{ gone }}")
    assert len(send_all(dojo)) == 1
    assert [read_notification(dojo, one)["status"] for one in (first, second)] == ["failed", "done"]


def test_a_cancelled_notification_sends_nothing_more(dojo: Dojo) -> None:
    with override_settings(TATAMI_MAILS_PER_MINUTE=1):
        note = queue_mail(dojo, *adults(dojo, 3))
        send_turn(dojo)
    shown = ok(dojo.instructor.post(f"/notifications/{note['id']}/cancel"))
    assert (shown["status"], shown["sent"], shown["skipped"], shown["queued"]) == ("cancelled", 1, 2, 0)
    assert ok(dojo.instructor.post(f"/notifications/{note['id']}/cancel")) == shown
    assert len(send_all(dojo)) == 1
    with later(minutes=5):
        assert len(send_all(dojo)) == 1
    sent = queue_mail(dojo, student(dojo, "M", email="m@example.com"))
    with later(minutes=5):
        send_all(dojo)
    assert_error(dojo.instructor.post(f"/notifications/{sent['id']}/cancel"), 409, "notification_ended")


# --- rate and fairness ------------------------------------------------------------------------------------------


def test_a_dojo_does_not_exceed_its_mails_per_minute(dojo: Dojo, wake_calls: list[str]) -> None:
    with override_settings(TATAMI_MAILS_PER_MINUTE=3):
        queue_mail(dojo, *adults(dojo, 8))
        for seconds, sent in ((0, 3), (30, 3), (59, 3), (60, 6), (61, 6), (120, 8)):
            with later(seconds=seconds):
                assert send_turn(dojo) is DONE
            assert len(mail.outbox) == sent
    assert len(wake_calls) == 5, "one call after each run that left mail behind"


@small_or_full("size", small=200, full=10_000)
def test_ten_mails_do_not_wait_for_thousands(
    dojo: Dojo, other_dojo: Dojo, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """If a mail takes 0.05 seconds, the large dojo sends twenty in its run. Then the small dojo gets its turn."""
    seconds = count(step=0.05)
    monkeypatch.setattr(sending, "RUN_SECONDS", 0.99)
    monkeypatch.setattr(sending, "monotonic", lambda: next(seconds))
    with override_settings(TATAMI_MAILS_PER_MINUTE=0):
        (one,) = adults(dojo, 1)
        many = queue_mail(dojo, one)
        with tenant_scope(dojo.tenant):
            row = Delivery.objects.get()
            Delivery.objects.bulk_create(
                Delivery(
                    notification_id=many["id"],
                    address=f"x{n}@example.com",
                    address_key=row.address_key,
                    values=row.values,
                )
                for n in range(size - 1)
            )
        few = queue_mail(other_dojo, *adults(other_dojo, 10))
        for place, tenant in enumerate((dojo.tenant, other_dojo.tenant)):
            asked_at = NOW - timedelta(seconds=2 - place)
            job_queue.enqueue(tenant.tenant_id, "notifications.outbox", now=asked_at)
        for turn_at in (1, 2):
            with later(seconds=turn_at):
                assert job_queue.run_next_job(now=clock.now())
        assert read_notification(other_dojo, few)["status"] == "done"
        assert read_notification(dojo, many)["sent"] == 20


def test_the_wake_task_requests_a_turn(dojo: Dojo) -> None:
    request_job.apply(args=[str(dojo.tenant.tenant_id), sending.OUTBOX_JOB])
    request_job.apply(args=[factories.unknown_id(), sending.OUTBOX_JOB])
    with platform_scope():
        assert set(PendingJob.objects.values_list("tenant", "job")) == {
            (dojo.tenant.tenant_id, "notifications.outbox")
        }


def test_a_turn_ends_after_its_time(dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RUN_SECONDS", 0)
    queue_mail(dojo, *adults(dojo, 2))
    assert [send_turn(dojo), send_turn(dojo), send_turn(dojo)] == [MORE, MORE, DONE]


def test_the_notifications_of_a_suspended_dojo_are_paused(dojo: Dojo) -> None:
    note = queue_mail(dojo, *adults(dojo, 1))
    with tenant_scope(type(dojo.tenant)(**{**_fields(dojo.tenant), "status": "suspended"})):
        found = Notification.objects.get(pk=note["id"])
        count_deliveries([found])
        assert found.status == "paused"


# --- statements ----------------------------------------------------------------------------------------------


def test_the_number_of_statements_does_not_depend_on_the_size_of_an_audience(dojo: Dojo) -> None:
    def cost() -> int:
        return count_statements(lambda: queue_mail(dojo))

    adults(dojo, 2)
    few = cost()
    for n in range(20):
        student(dojo, f"M{n}", email=f"m{n}@example.com")
    assert cost() == few


def test_sending_a_mail_takes_four_statements(dojo: Dojo) -> None:
    """SAVEPOINT and RELEASE (BEGIN and COMMIT outside of tests), one to claim it, one to save the result."""

    def cost() -> int:
        with sent_statements() as found:
            send_turn(dojo)
        return len(found)

    two, twelve = adults(dojo, 2), adults(dojo, 12)
    with override_settings(TATAMI_MAILS_PER_MINUTE=0):
        queue_mail(dojo, *two)
        few = cost()
        queue_mail(dojo, *twelve)
        assert cost() - few == 10 * 4


def test_the_number_of_statements_does_not_depend_on_the_length_of_a_list(dojo: Dojo) -> None:
    one, two = adults(dojo, 2)
    note = queue_mail(dojo, one)
    paths = ("/notifications", f"/notifications/{note['id']}", f"/notifications/{note['id']}/recipients")
    before = [count_get_statements(dojo.admin, path) for path in paths]
    for _ in range(3):
        queue_mail(dojo, one, two)
    assert [count_get_statements(dojo.admin, path) for path in paths] == before


# --- the other dojo ---------------------------------------------------------------------------------------------


def test_the_other_dojo_cannot_see_a_notification(dojo: Dojo, other_dojo: Dojo) -> None:
    note = queue_mail(dojo, *adults(dojo, 1))
    for path in ("", "/recipients"):
        assert_error(other_dojo.admin.get(f"/notifications/{note['id']}{path}"), 404, "not_found")
    assert_error(other_dojo.admin.post(f"/notifications/{note['id']}/cancel"), 404, "not_found")
    assert ok(other_dojo.admin.get("/notifications"))["results"] == []
    assert send_turn(other_dojo) is DONE
    assert mail.outbox == []


def test_recipients_are_filtered_by_state(dojo: Dojo) -> None:
    note = queue_mail(dojo, *adults(dojo, 2), student(dojo, "Unreachable"))
    send_all(dojo)
    path = f"/notifications/{note['id']}/recipients"
    assert ok(dojo.admin.get(path))["count"] == 3
    rows = ok(dojo.admin.get(f"{path}?state=skipped"))["results"]
    assert [row["students"][0]["name"] for row in rows] == ["Unreachable Sato"]
