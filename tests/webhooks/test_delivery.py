"""Delivery over real HTTP: signed, in order, repeated after failures, and ended by 410 or three days of failure."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from shared_apps.webhooks import sending
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from shared_apps.webhooks.tasks import deliver_platform, sweep
from tatami import clock, outgoing
from tatami.jobs import JobRun
from tatami.tenancy.scope import platform_scope, tenant_scope
from tests.support import factories
from tests.support.clients import Dojo, Platform
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok
from tests.webhooks.hooks import integration, log, new_webhook, send, shown
from tests.webhooks.receiver import Receiver


def ids(receiver: Receiver) -> list[str]:
    return [one.headers["webhook-id"] for one in receiver.received]


def test_a_message_is_signed_and_has_ids_only(dojo: Dojo, receiver: Receiver, monkeypatch: Any) -> None:
    made = new_webhook(dojo.admin, receiver.url)
    student = factories.student(dojo, first_name="Mika", email="mika@example.com")
    send(dojo)
    (got,) = receiver.received
    assert got.path == "/hook?of=dojo"
    assert got.json == {
        "type": "student.created",
        "timestamp": "2026-06-15T16:40:00Z",
        "tenant_id": str(dojo.tenant.tenant_id),
        "data": {"id": student["id"]},
    }
    # The reference library compares the timestamp with the clock of the machine: sign its check's time.
    import standardwebhooks.webhooks as reference

    class Now(reference.datetime):  # type: ignore[misc,name-defined]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return NOW.astimezone(tz)

    monkeypatch.setattr(reference, "datetime", Now)
    assert made["secret"].startswith("whsec_")
    assert Verifier(made["secret"]).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(made["secret"]).verify(got.body + b" ", got.headers)
    with tenant_scope(dojo.tenant):
        assert made["secret"].removeprefix("whsec_") not in Webhook.objects.get().secret


def test_messages_arrive_in_order_once(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url, "student.*")
    students = [factories.student(dojo, first_name=f"N{n}")["id"] for n in range(5)]
    send(dojo)
    send(dojo)
    assert [one.json["data"]["id"] for one in receiver.received] == students
    rows = log(dojo.admin, made)
    assert {(row["state"], row["attempts"], row["response_status"]) for row in rows} == {
        ("delivered", 1, 204)
    }
    assert [row["event"] for row in reversed(rows)] == ids(receiver)


def test_an_unavailable_receiver_gets_the_same_message_again_and_the_order_stays(
    dojo: Dojo, receiver: Receiver
) -> None:
    caller = integration(dojo)
    made = new_webhook(caller, receiver.url, "student.*")
    receiver.statuses = [503, 500]
    first, second = (factories.student(dojo, first_name=name)["id"] for name in "AB")
    send(dojo)
    send(dojo)
    assert len(receiver.received) == 1, "one attempt, and none for the message behind it"
    with clock.fixed(NOW + timedelta(seconds=5)):
        send(dojo)
    with clock.fixed(NOW + timedelta(seconds=64)):
        send(dojo)
    assert len(receiver.received) == 2
    with clock.fixed(NOW + timedelta(seconds=65)):
        send(dojo)
        got = receiver.received
        assert [one.json["data"]["id"] for one in got] == [first, first, first, second]
        assert len(set(ids(receiver)[:3])) == 1
        assert len({one.body for one in got[:3]}) == 1
        assert [row["attempts"] for row in log(caller, made)] == [1, 3]
        assert shown(caller, made)["failing_since"] is None


def test_a_refused_message_does_not_stop_those_behind_it(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url, "student.*")
    receiver.statuses = [400]
    first, second = (factories.student(dojo, first_name=name)["id"] for name in "AB")
    send(dojo)
    assert [one.json["data"]["id"] for one in receiver.received] == [first, second]
    with clock.fixed(NOW + timedelta(seconds=5)):
        send(dojo)
    assert [one.json["data"]["id"] for one in receiver.received] == [first, second, first]
    assert {row["state"] for row in log(dojo.admin, made)} == {"delivered"}


def test_410_disables_at_once_and_tells_the_admins(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url, "student.*")
    receiver.statuses = [410]
    for name in "AB":
        factories.student(dojo, first_name=name)
    send(dojo)
    send(dojo)
    assert len(receiver.received) == 1
    row = shown(dojo.admin, made)
    assert (row["is_active"], row["disabled_because"]) == (False, "gone")
    assert [one["state"] for one in log(dojo.admin, made)] == ["failed", "failed"]
    assert sorted(one.to[0] for one in mail.outbox) == ["admin@example.com", "head@example.com"]
    assert receiver.url in mail.outbox[0].body
    factories.student(dojo, first_name="C")
    assert len(log(dojo.admin, made)) == 2, "a disabled webhook gets no events"
    assert_error(dojo.admin.post(f"/webhooks/{made['id']}/test"), 409, "webhook_disabled")
    ok(dojo.admin.patch(f"/webhooks/{made['id']}", {"is_active": True}))
    factories.student(dojo, first_name="D")
    send(dojo)
    assert len(receiver.received) == 2


@pytest.mark.parametrize("status", [500, 404])
def test_three_days_of_failure_disable_and_tell_the_admins(
    dojo: Dojo, receiver: Receiver, status: int
) -> None:
    caller = integration(dojo)
    made = new_webhook(caller, receiver.url, "student.*")
    receiver.statuses = [status] * 50
    factories.student(dojo)
    now = NOW
    for delay in (timedelta(), *sending.RETRY_DELAYS):
        now += delay
        with clock.fixed(now):
            assert shown(caller, made)["is_active"]
            assert mail.outbox == []
            send(dojo)
    assert now - NOW <= timedelta(days=3)
    with clock.fixed(now):
        row = shown(caller, made)
        assert (row["is_active"], row["disabled_because"]) == (False, "failing")
        (delivery,) = log(caller, made)
        assert (delivery["state"], delivery["attempts"], delivery["error"]) == (
            "failed",
            11,
            f"status {status}",
        )
    assert len(receiver.received) == 11
    assert len(set(ids(receiver))) == 1
    assert len(mail.outbox) == 2


def test_the_mail_about_a_disabled_webhook_waits_for_the_mail_server(
    dojo: Dojo, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test import override_settings

    new_webhook(dojo.admin, receiver.url, "student.*")
    receiver.statuses = [410]
    factories.student(dojo)
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1
    ):
        send(dojo)
    assert mail.outbox == []
    send(dojo)
    assert len(mail.outbox) == 2
    send(dojo)
    assert len(mail.outbox) == 2


def test_a_receiver_that_drips_is_cut_off(
    dojo: Dojo, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "REQUEST_SECONDS", 0.3)
    made = new_webhook(dojo.admin, receiver.url)
    receiver.drips = True
    factories.student(dojo)
    send(dojo)
    (row,) = log(dojo.admin, made)
    assert (row["state"], row["error"], row["response_status"]) == ("queued", "timeout", None)


def test_a_redirect_is_not_followed(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url)
    receiver.statuses, receiver.location = [302, 204], receiver.url
    factories.student(dojo)
    send(dojo)
    assert len(receiver.received) == 1
    assert [row["error"] for row in log(dojo.admin, made)] == ["status 302"]


def test_a_closed_port_is_a_failure_that_is_repeated(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, "http://127.0.0.1:1/")
    factories.student(dojo)
    send(dojo)
    (row,) = log(dojo.admin, made)
    assert (row["state"], row["error"]) == ("queued", "connection: ConnectionRefusedError")


def test_redelivery_sends_the_same_event_again(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url)
    factories.student(dojo)
    send(dojo)
    (row,) = log(dojo.admin, made)
    path = f"/webhooks/{made['id']}/deliveries/{row['id']}/redelivery"
    assert ok(dojo.admin.post(path), 202)["state"] == "queued"
    send(dojo)
    assert ids(receiver) == [row["event"]] * 2
    other = new_webhook(dojo.admin, receiver.url)
    path = f"/webhooks/{other['id']}/deliveries/{row['id']}/redelivery"
    assert_error(dojo.admin.post(path), 404, "not_found")


def test_a_test_event_is_sent_to_this_webhook_only(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url, "exam.*")
    new_webhook(dojo.admin, receiver.url + "&other=1")
    ok(dojo.admin.post(f"/webhooks/{made['id']}/test"), 202)
    send(dojo)
    assert receiver.types == ["webhook.test"]
    assert receiver.received[0].json["data"] == {"id": made["id"]}


def test_a_worker_that_was_killed_while_sending_sends_again_with_the_same_id(
    dojo: Dojo, receiver: Receiver
) -> None:
    """The claim that a killed worker leaves keeps others from the webhook until it ends."""
    new_webhook(dojo.admin, receiver.url)
    factories.student(dojo)
    with tenant_scope(dojo.tenant):
        Webhook.objects.update(claimed_until=NOW + sending.CLAIM)
    send(dojo)
    assert receiver.received == []
    with clock.fixed(NOW + sending.CLAIM):
        send(dojo)
    assert len(receiver.received) == 1


def test_a_webhook_that_is_deleted_while_it_is_sent_to_is_gone(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url)
    factories.student(dojo)
    with tenant_scope(dojo.tenant):
        delivery = WebhookDelivery.objects.select_related("webhook").get()
    ok(dojo.admin.delete(f"/webhooks/{made['id']}"), 204)
    with tenant_scope(dojo.tenant):
        sending.save_result(delivery, status=204, error="", now=NOW)
        assert WebhookDelivery.objects.count() == 0
    send(dojo)
    assert receiver.received == []


def test_waiting_deliveries_request_a_later_run(
    dojo: Dojo, receiver: Receiver, countdowns: list[Any]
) -> None:
    new_webhook(dojo.admin, receiver.url)
    receiver.statuses = [503]
    factories.student(dojo)
    send(dojo)
    assert len(countdowns) == 1
    with tenant_scope(dojo.tenant):
        assert sending.next_due(NOW) == NOW + sending.RETRY_DELAYS[0]


def test_old_deliveries_are_deleted(dojo: Dojo, receiver: Receiver) -> None:
    caller = integration(dojo)
    made = new_webhook(caller, receiver.url)
    factories.student(dojo)
    for days, left in ((29, 1), (31, 0)):
        now = NOW + timedelta(days=days)
        with clock.fixed(now), tenant_scope(dojo.tenant):
            sweep(JobRun(now=now))
        with clock.fixed(now):
            assert len(log(caller, made)) == left


def test_events_of_the_platform_are_sent(platform: Platform, receiver: Receiver) -> None:
    admin = platform.superadmin()
    new_webhook(admin, receiver.url, "tenant.*")
    kendo = next(row for row in ok(admin.get("/tenants"))["results"] if row["slug"] == "kendo")
    ok(admin.patch(f"/tenants/{kendo['id']}", {"name": "Kendo Dojo"}))
    with platform_scope():
        deliver_platform()
    (got,) = receiver.received
    assert got.json["type"] == "tenant.updated"
    assert got.json["data"] == {"id": kendo["id"]}


# --- the resource ---------------------------------------------------------------------------------------------


def test_the_secret_is_shown_once(dojo: Dojo) -> None:
    made = new_webhook(dojo.admin, "https://hooks.example.com/")
    assert "secret" not in shown(dojo.admin, made)
    assert "secret" not in ok(dojo.admin.get("/webhooks"))["results"][0]
    assert_invalid(dojo.admin.patch(f"/webhooks/{made['id']}", {"secret": "mine"}), "secret")


def test_a_dojo_has_at_most_twenty(dojo: Dojo) -> None:
    for _ in range(20):
        new_webhook(dojo.admin, "https://hooks.example.com/")
    answer = dojo.admin.post("/webhooks", {"url": "https://hooks.example.com/", "events": ["*"]})
    assert_error(answer, 409, "too_many_webhooks")


def test_a_new_url_is_tried_at_once(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, "http://127.0.0.1:1/")
    factories.student(dojo)
    send(dojo)
    ok(dojo.admin.patch(f"/webhooks/{made['id']}", {"url": receiver.url}))
    send(dojo)
    assert receiver.types == ["student.created"]


def test_the_log_can_be_filtered(dojo: Dojo, receiver: Receiver) -> None:
    made = new_webhook(dojo.admin, receiver.url)
    factories.student(dojo)
    send(dojo)
    ok(dojo.admin.post(f"/webhooks/{made['id']}/test"), 202)
    assert [row["type"] for row in log(dojo.admin, made)] == ["webhook.test", "student.created"]
    assert [row["type"] for row in log(dojo.admin, made, "?state=queued")] == ["webhook.test"]
    assert [row["type"] for row in log(dojo.admin, made, "?type=student.created")] == ["student.created"]
