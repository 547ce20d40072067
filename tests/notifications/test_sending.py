"""Sending: by a real SMTP server, in turns, once each; tried again where the server says so."""

from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from shared_apps.tenants import turns
from shared_apps.tenants.models import PendingJob
from tatami import clock
from tatami.tenancy.scope import platform_scope, tenant_scope
from tatami.work import DONE, MORE
from tenant_apps.notifications import sending
from tenant_apps.notifications.models import Address, Delivery, Notification, count_mails
from tenant_apps.notifications.outcomes import MOST_ATTEMPTS
from tenant_apps.notifications.waking import wake
from tests.notifications.mailroom import looked_at, send_all, states, student, turn, written
from tests.notifications.sink import GREYLISTED, NO_SUCH_USER, TOO_MUCH, Sink, to_port
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import counted, done, refusal, statements
from tests.support.statements import sent_statements


def people(dojo: Dojo, size: int) -> list[dict[str, Any]]:
    return [student(dojo, f"N{n}", email=f"n{n}@example.com") for n in range(size)]


def later(**delta: float) -> Any:
    return clock.fixed(NOW + timedelta(**delta))


# --- what goes out ----------------------------------------------------------------------------------------------


def test_a_mail_says_from_whom_when_and_which_it_is(dojo: Dojo, smtp: Sink) -> None:
    done(dojo.admin.patch("/settings", {"reply_to": "desk@dojo.example"}))
    note = written(dojo, student(dojo, "Mika", email="mika@example.com"), body="Olá, {{ student }} ☯")
    send_all(dojo)
    (sent,) = smtp.taken
    assert sent["From"] == "Seishin Dojo <no-reply@localhost>"
    assert sent["Reply-To"] == "desk@dojo.example"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(sent["Date"]) == NOW
    (row,) = looked_at(dojo, note)["recipients"]
    assert sent["Message-ID"] == f"<{row['id']}@localhost>"
    assert sent.get_content_type() == "text/plain"
    assert sent.get_content().startswith("Olá, Mika Sato ☯\r\n")
    assert (row["state"], row["attempts"], row["sent_at"]) == ("sent", 1, "2026-06-15T16:40:00Z")


def test_a_turn_has_one_connection_and_says_when_all_is_done(dojo: Dojo, smtp: Sink) -> None:
    note = written(dojo, *people(dojo, 5))
    assert turn(dojo) is DONE
    assert (len(smtp.taken), smtp.connections) == (5, 1)
    shown = looked_at(dojo, note)
    assert (shown["status"], shown["total"], shown["done"], shown["sent"]) == ("done", 5, 5, 5)
    assert turn(dojo) is DONE
    assert smtp.connections == 1, "nothing to send needs no server"


@pytest.mark.parametrize(
    "name", ['Evil" <x@evil.example>', "Mika\\", "道場, Berlin", "=?utf-8?q?x?=", "a@b.example"]
)
def test_a_dojos_name_makes_no_address(dojo: Dojo, smtp: Sink, name: str) -> None:
    done(dojo.admin.patch("/settings", {"name": name}))
    mika = student(dojo, "Mika", email="mika@example.com")
    dojo.tenant = type(dojo.tenant)(**{**_fields(dojo.tenant), "name": name})
    written(dojo, mika)
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
def test_a_students_name_makes_no_header(dojo: Dojo, smtp: Sink, name: str) -> None:
    """A form refuses such names; data that came by another way is written in one line."""
    refused = dojo.admin.post("/students", {"first_name": name, "last_name": "Sato"})
    assert refused.status_code == (201 if name == "{{ dojo }}" else 400)
    note = written(dojo, student(dojo, "Mika", email="mika@example.com"))
    with tenant_scope(dojo.tenant):
        row = Delivery.objects.get(notification=note["id"])
        row.values["students"][0]["name"] = row.values["recipient"] = name.replace("\x00", "\x01")
        row.save()
    send_all(dojo)
    (sent,) = smtp.taken
    assert not {"bcc", "x-evil"} & {header.lower() for header in sent.keys()}  # noqa: SIM118
    assert smtp.recipients == ["mika@example.com"]
    assert len(sent.get_content().splitlines()) == 4, "a name is no paragraph either"
    if name == "{{ dojo }}":
        assert sent["Subject"] == "News for {{ dojo }}", "what comes from data is never read as a text"


# --- refusals ---------------------------------------------------------------------------------------------------


def test_an_address_that_the_server_does_not_know_has_bounced(dojo: Dojo, smtp: Sink) -> None:
    mika, ren = people(dojo, 2)
    smtp.refuses["n0@example.com"] = NO_SUCH_USER
    note = written(dojo, mika, ren)
    assert turn(dojo) is DONE
    assert states(dojo) == [
        ("n0@example.com", "failed", NO_SUCH_USER),
        ("n1@example.com", "sent", ""),
    ]
    assert looked_at(dojo, note)["failed"] == 1
    del smtp.refuses["n0@example.com"]
    written(dojo, mika)
    assert turn(dojo) is DONE
    assert states(dojo)[-1] == ("n0@example.com", "skipped", "bounced")
    done(dojo.admin.patch(f"/students/{mika['id']}", {"email": "new@example.com"}))
    written(dojo, mika)
    assert turn(dojo) is DONE
    assert states(dojo)[-1] == ("new@example.com", "sent", "")


def test_a_mail_that_the_server_does_not_want_failed_but_its_address_is_good(dojo: Dojo, smtp: Sink) -> None:
    (mika,) = people(dojo, 1)
    smtp.refuses_data = TOO_MUCH
    written(dojo, mika)
    turn(dojo)
    assert states(dojo) == [("n0@example.com", "failed", TOO_MUCH)]
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_what_is_refused_for_now_is_tried_again_later_and_holds_up_nobody(
    dojo: Dojo, smtp: Sink, called_for_later: list[str]
) -> None:
    smtp.refuses["n0@example.com"] = GREYLISTED
    note = written(dojo, *people(dojo, 2))
    assert turn(dojo) is DONE
    assert states(dojo) == [("n0@example.com", "queued", GREYLISTED), ("n1@example.com", "sent", "")]
    assert called_for_later == [str(dojo.tenant.tenant_id)]
    assert looked_at(dojo, note)["status"] == "running"
    smtp.refuses.clear()
    with later(minutes=1):
        assert turn(dojo) is DONE
        assert states(dojo)[0][1] == "queued", "its time has not come"
    with later(minutes=2):
        assert turn(dojo) is DONE
    assert states(dojo)[0] == ("n0@example.com", "sent", "")


def test_after_many_tries_it_failed_with_the_servers_words(dojo: Dojo, smtp: Sink) -> None:
    smtp.refuses["n0@example.com"] = GREYLISTED
    written(dojo, *people(dojo, 1))
    for hours in range(0, 24 * MOST_ATTEMPTS, 24):
        with later(hours=hours):
            turn(dojo)
    assert states(dojo) == [("n0@example.com", "failed", GREYLISTED)]
    with tenant_scope(dojo.tenant):
        assert Delivery.objects.get().attempts == MOST_ATTEMPTS


def test_a_server_that_is_away_costs_no_mail_a_try(dojo: Dojo, called_for_later: list[str]) -> None:
    written(dojo, *people(dojo, 3))
    with to_port(9):
        for _ in range(2 * MOST_ATTEMPTS):
            assert turn(dojo) is DONE
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("state", "attempts")) == {("queued", 0)}
    assert set(called_for_later) == {str(dojo.tenant.tenant_id)}
    assert len(send_all(dojo)) == 3


def test_a_server_that_closes_is_left_alone(dojo: Dojo, smtp: Sink, called_for_later: list[str]) -> None:
    written(dojo, *people(dojo, 3))
    smtp.refuses = {f"n{n}@example.com": "421 4.3.2 Closing" for n in range(3)}
    assert turn(dojo) is DONE
    with tenant_scope(dojo.tenant):
        assert set(Delivery.objects.values_list("state", "attempts")) == {("queued", 0)}
    assert called_for_later


# --- once -------------------------------------------------------------------------------------------------------


def test_a_line_that_is_cut_in_the_middle_costs_one_duplicate_with_the_same_id(
    dojo: Dojo, smtp: Sink
) -> None:
    written(dojo, *people(dojo, 3))
    smtp.hangs_up = True
    assert turn(dojo) is DONE
    assert len(smtp.taken) == 1
    with later(minutes=2):
        assert turn(dojo) is DONE
    assert len(smtp.taken) == 4
    ids = [sent["Message-ID"] for sent in smtp.taken]
    assert len(set(ids)) == 3, "the second copy is known for one"
    assert {state for _, state, _ in states(dojo)} == {"sent"}


def test_a_worker_killed_between_sending_and_noting_costs_one_duplicate(
    dojo: Dojo, smtp: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill is an exit in the worker's own code; the server, the mail and the rows are real."""
    written(dojo, *people(dojo, 3))

    def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_mark", killed)
        with pytest.raises(SystemExit):
            turn(dojo)
    assert len(smtp.taken) == 1
    assert {state for _, state, _ in states(dojo)} == {"queued"}, "nothing of it is remembered"
    send_all(dojo)
    assert len(smtp.taken) == 4
    assert len({sent["Message-ID"] for sent in smtp.taken}) == 3


def test_a_mail_on_which_turns_die_waits_behind_the_others(dojo: Dojo) -> None:
    written(dojo, *people(dojo, 3))
    assert turn(dojo, attempt=sending.PATIENT_ATTEMPTS + 1) is DONE
    assert [state for _, state, _ in states(dojo)] == ["queued", "sent", "sent"]
    with later(minutes=2):
        assert len(send_all(dojo)) == 3


def test_what_cannot_be_written_fails_alone(dojo: Dojo) -> None:
    first, second = written(dojo, *people(dojo, 1)), written(dojo, student(dojo, "M", email="m@example.com"))
    with tenant_scope(dojo.tenant):
        Notification.objects.filter(pk=first["id"]).update(body="{{ gone }}")
    assert len(send_all(dojo)) == 1
    assert [looked_at(dojo, one)["status"] for one in (first, second)] == ["failed", "done"]


def test_a_cancelled_notification_sends_nothing_more(dojo: Dojo) -> None:
    with override_settings(TATAMI_MAILS_PER_MINUTE=1):
        note = written(dojo, *people(dojo, 3))
        turn(dojo)
    shown = done(dojo.instructor.post(f"/notifications/{note['id']}/cancel"))
    assert (shown["status"], shown["sent"], shown["skipped"], shown["queued"]) == ("cancelled", 1, 2, 0)
    assert done(dojo.instructor.post(f"/notifications/{note['id']}/cancel")) == shown
    assert len(send_all(dojo)) == 1
    with later(minutes=5):
        assert len(send_all(dojo)) == 1
    sent = written(dojo, student(dojo, "M", email="m@example.com"))
    with later(minutes=5):
        send_all(dojo)
    refusal(dojo.instructor.post(f"/notifications/{sent['id']}/cancel"), 409, "notification_ended")


# --- rate and fairness ------------------------------------------------------------------------------------------


def test_a_dojo_sends_no_more_in_a_minute_than_it_may(dojo: Dojo, called_for_later: list[str]) -> None:
    with override_settings(TATAMI_MAILS_PER_MINUTE=3):
        written(dojo, *people(dojo, 8))
        for seconds, sent in ((0, 3), (30, 3), (59, 3), (60, 6), (61, 6), (120, 8)):
            with later(seconds=seconds):
                assert turn(dojo) is DONE
            assert len(mail.outbox) == sent
    assert len(called_for_later) == 5, "one call after each turn that left mail behind"


def test_ten_mails_do_not_wait_for_thousands(
    dojo: Dojo, other_dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By turns: when a mail takes a twentieth of a second, the large dojo sends twenty, then comes the small one."""
    seconds = count(step=0.05)
    monkeypatch.setattr(sending, "AT_IT_FOR_SECONDS", 0.99)
    monkeypatch.setattr(sending, "monotonic", lambda: next(seconds))
    with override_settings(TATAMI_MAILS_PER_MINUTE=0):
        (one,) = people(dojo, 1)
        many = written(dojo, one)
        with tenant_scope(dojo.tenant):
            row = Delivery.objects.get()
            Delivery.objects.bulk_create(
                Delivery(
                    notification_id=many["id"],
                    address=f"x{n}@example.com",
                    address_key=row.address_key,
                    values=row.values,
                )
                for n in range(9_999)
            )
        few = written(other_dojo, *people(other_dojo, 10))
        for place, tenant in enumerate((dojo.tenant, other_dojo.tenant)):
            asked_at = NOW - timedelta(seconds=2 - place)
            turns.request_turn(tenant.tenant_id, "notifications.outbox", now=asked_at)
        for turn_at in (1, 2):
            with later(seconds=turn_at):
                assert turns.take_turn(now=clock.now())
        assert looked_at(other_dojo, few)["status"] == "done"
        assert looked_at(dojo, many)["sent"] == 20


def test_a_call_for_later_asks_for_a_turn(dojo: Dojo) -> None:
    wake.apply(args=[str(dojo.tenant.tenant_id)])
    wake.apply(args=[factories.nobody()])
    with platform_scope():
        assert set(PendingJob.objects.values_list("tenant", "job")) == {
            (dojo.tenant.tenant_id, "notifications.outbox")
        }


def test_a_turn_ends_after_a_while(dojo: Dojo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "AT_IT_FOR_SECONDS", 0)
    written(dojo, *people(dojo, 2))
    assert [turn(dojo), turn(dojo), turn(dojo)] == [MORE, MORE, DONE]


def test_a_suspended_dojo_is_paused(dojo: Dojo) -> None:
    note = written(dojo, *people(dojo, 1))
    with tenant_scope(type(dojo.tenant)(**{**_fields(dojo.tenant), "status": "suspended"})):
        found = Notification.objects.get(pk=note["id"])
        count_mails([found])
        assert found.status == "paused"


# --- what it costs ----------------------------------------------------------------------------------------------


def test_statements_do_not_depend_on_the_size_of_an_audience(dojo: Dojo) -> None:
    def cost() -> int:
        return counted(lambda: written(dojo))

    people(dojo, 2)
    few = cost()
    for n in range(20):
        student(dojo, f"M{n}", email=f"m{n}@example.com")
    assert cost() == few


def test_a_mail_costs_four_statements(dojo: Dojo) -> None:
    """A savepoint's two (BEGIN and COMMIT outside of tests), one to claim it, one to mark it."""

    def cost() -> int:
        with sent_statements() as found:
            turn(dojo)
        return len(found)

    two, twelve = people(dojo, 2), people(dojo, 12)
    with override_settings(TATAMI_MAILS_PER_MINUTE=0):
        written(dojo, *two)
        few = cost()
        written(dojo, *twelve)
        assert cost() - few == 10 * 4


def test_lists_cost_the_same_however_long_they_are(dojo: Dojo) -> None:
    one, two = people(dojo, 2)
    note = written(dojo, one)
    paths = ("/notifications", f"/notifications/{note['id']}", f"/notifications/{note['id']}/recipients")
    before = [statements(dojo.admin, path) for path in paths]
    for _ in range(3):
        written(dojo, one, two)
    assert [statements(dojo.admin, path) for path in paths] == before


# --- the other dojo ---------------------------------------------------------------------------------------------


def test_the_other_dojo_sees_nothing_of_it(dojo: Dojo, other_dojo: Dojo) -> None:
    note = written(dojo, *people(dojo, 1))
    for path in ("", "/recipients"):
        refusal(other_dojo.admin.get(f"/notifications/{note['id']}{path}"), 404, "not_found")
    refusal(other_dojo.admin.post(f"/notifications/{note['id']}/cancel"), 404, "not_found")
    assert done(other_dojo.admin.get("/notifications"))["results"] == []
    assert turn(other_dojo) is DONE
    assert mail.outbox == []


def test_recipients_are_listed_by_state(dojo: Dojo) -> None:
    note = written(dojo, *people(dojo, 2), student(dojo, "Nobody"))
    send_all(dojo)
    path = f"/notifications/{note['id']}/recipients"
    assert done(dojo.admin.get(path))["count"] == 3
    rows = done(dojo.admin.get(f"{path}?state=skipped"))["results"]
    assert [row["students"][0]["name"] for row in rows] == ["Nobody Sato"]
