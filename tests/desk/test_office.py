"""Messages, reports, settings and who has access."""

import re

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Delivery
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor


def test_a_message_is_written_to_an_audience_and_its_mails_are_listed(dojo: Dojo) -> None:
    factories.student(dojo, email="mika@example.com", birth_date="1990-01-01")
    desk = visitor(dojo, "instructor")
    count = desk.post(
        "/desk/messages/count", {"subject": "Hello", "text": "Dear {{ recipient }}"}, HX_Request="true"
    )
    assert "1 student" in text_of(count)
    assert "Dear" in text_of(count)
    sent = desk.post("/desk/messages/new", {"subject": "Hello", "text": "Dear {{ recipient }}", "send": ""})
    assert sent.status_code == 302
    assert "mika@example.com" in text_of(desk.get(sent["Location"]))
    assert "Hello" in text_of(desk.get("/desk/messages"))


def test_a_fault_in_a_text_is_said_beside_it_and_nothing_is_sent(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    refused = desk.post("/desk/messages/new", {"subject": "Hello", "text": "Dear {{ nane }}"})
    assert refused.status_code == 400
    assert "nane" in text_of(refused)
    assert "No messages yet" in text_of(desk.get("/desk/messages"))


def test_a_mail_that_an_event_caused_is_named_by_the_event(dojo: Dojo) -> None:
    student = factories.student(dojo, email="mika@example.com", birth_date="1990-01-01")
    of = factories.training_class(dojo)
    dojo.admin.post(f"/classes/{of['id']}/enrolments", {"student": student["id"], "from": "2026-06-01"})
    (later,) = factories.list_sessions(dojo, **{"class": of["id"], "from": "2026-06-22", "to": "2026-06-22"})
    desk = visitor(dojo, "admin")
    desk.post(f"/desk/schedule/sessions/{later['id']}/cancel", {"reason": "Seminar"})
    shown = desk.get("/desk/messages").content.decode()
    assert "A cancelled session" in shown
    assert "{{" not in shown


def test_the_live_part_of_a_message_is_sent_only_if_something_changed(dojo: Dojo) -> None:
    factories.student(dojo, email="mika@example.com", birth_date="1990-01-01")
    desk = visitor(dojo, "admin")
    page = desk.post("/desk/messages/new", {"subject": "Hello", "text": "Dear"})["Location"]
    assert desk.fragment(f"{page}/progress?done=0").status_code == 204
    assert desk.fragment(f"{page}/progress?done=7").status_code == 200


@pytest.mark.parametrize("field", ["training_class", "rank_system", "status"])
@pytest.mark.parametrize("value", ["x", "018f0000-0000-7000-8000-000000000000"])
def test_an_audience_that_is_none_counts_no_one_and_is_said(dojo: Dojo, field: str, value: str) -> None:
    factories.student(dojo, email="mika@example.com", birth_date="1990-01-01")
    desk = visitor(dojo, "instructor")
    sent = {"subject": "Hello", "text": "Dear", field: value}
    count = desk.post("/desk/messages/count", sent, HX_Request="true")
    assert count.status_code == 400
    assert "1 student" not in text_of(count)
    assert re.search(r'<p class="notice error">[^<]+', count.content.decode())
    refused = desk.post("/desk/messages/new", sent)
    assert refused.status_code == 400
    assert f'id="id_{field}_error"' in refused.content.decode()
    assert "1 student" not in text_of(refused)
    assert "No messages yet" in text_of(desk.get("/desk/messages"))


def test_the_audience_is_counted_while_the_text_is_missing(dojo: Dojo) -> None:
    factories.student(dojo)
    assert "1 student" in text_of(visitor(dojo, "admin").post("/desk/messages/count", {}, HX_Request="true"))


def test_a_message_to_a_class_that_there_is_not_is_not_begun(dojo: Dojo) -> None:
    of, desk = factories.training_class(dojo), visitor(dojo, "admin")
    assert "0 students" in text_of(desk.get(f"/desk/messages/new?class={of['id']}"))
    for unknown in ("x", factories.unknown_id()):
        assert desk.get(f"/desk/messages/new?class={unknown}").status_code == 404


def test_all_recipients_are_listed_by_pages_and_by_result(
    dojo: Dojo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenant_apps.desk.office.messages.view.RECIPIENTS_SHOWN", 2)
    for number in range(3):
        factories.student(dojo, email=f"one{number}@example.com", birth_date="1990-01-01")
    factories.student(dojo, first_name="Nemo", birth_date="1990-01-01")  # has no address
    desk = visitor(dojo, "admin")
    page = desk.post("/desk/messages/new", {"subject": "Hello", "text": "Dear", "send": ""})["Location"]
    first = desk.get(page)
    assert "Page 1 of 2" in text_of(first)
    listed = text_of(first) + text_of(desk.get(f"{page}?page=2"))
    assert all(f"one{number}@example.com" in listed for number in range(3))
    key = page.rpartition("/")[2]
    with tenant_scope(dojo.tenant):
        one = Delivery.objects.filter(notification=key, state=Delivery.State.QUEUED).first()
        assert one is not None
        Delivery.objects.filter(pk=one.pk).update(state=Delivery.State.SENT)
    sent = text_of(desk.get(f"{page}?sent=true"))
    assert "Sent 1" in sent
    assert sent.count("@example.com") == 1
    assert "Not sent 3" in sent
    not_sent = text_of(desk.get(f"{page}?sent=false")) + text_of(desk.get(f"{page}?sent=false&page=2"))
    assert "no address" in not_sent
    assert "Page 1 of 2" in not_sent
    assert desk.get(f"{page}?sent=x").status_code == 200
    recipients = dojo.admin.get(f"/notifications/{key}/recipients?sent=false").json()
    assert {one["state"] for one in recipients["results"]} == {"queued", "skipped"}
    assert dojo.admin.get(f"/notifications/{key}/recipients?sent=x").status_code == 400


def test_settings_are_saved_and_faults_stand_at_their_fields(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    values = {"opens_minutes_before": "45", "closes_minutes_after": "60", "late_after_minutes": "10"}
    rules = dict.fromkeys(("enrolment_policy", "rank_policy", "capacity_policy"), "ignore")
    saved = desk.post("/desk/settings/check-in", {**values, **rules, "card_policy": "flag"})
    assert saved.status_code == 302
    assert dojo.admin.get("/settings").json()["opens_minutes_before"] == 45
    refused = desk.post(
        "/desk/settings/check-in", {**values, **rules, "card_policy": "allow", "late_after_minutes": "99999"}
    )
    assert refused.status_code == 400
    assert 'id="id_late_after_minutes_error"' in refused.content.decode()
    assert dojo.admin.get("/settings").json()["card_policy"] == "flag"


def test_a_change_of_the_language_is_confirmed_in_the_new_language(dojo: Dojo) -> None:
    desk, settings = visitor(dojo, "admin"), dojo.admin.get("/settings").json()
    names = ("name", "timezone", "name_order", "leap_day_birthday", "terms")
    values = {name: settings[name] for name in names if settings.get(name) is not None}
    saved = desk.post("/desk/settings/dojo", {**values, "language": "pt-br"})
    assert saved.status_code == 302, text_of(saved)
    assert "As configurações foram salvas." in text_of(desk.get(saved["Location"]))


def test_a_user_is_invited_changed_and_archived(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    invited = desk.post(
        "/desk/settings/users",
        {"name": "Yuki", "email": "yuki@example.com", "role": "assistant", "is_active": "on"},
    )
    assert "yuki@example.com gets a mail" in text_of(invited)
    found = dojo.admin.get("/users?search=yuki").json()["results"][0]
    page = f"/desk/settings/users/{found['id']}"
    changed = {"name": "Yuki T", "email": "yuki@example.com", "role": "instructor", "is_active": "on"}
    assert desk.post(page, changed).status_code == 302
    assert dojo.admin.get(f"/users/{found['id']}").json()["role"] == "instructor"
    assert desk.post(page, {"archive": ""}).status_code == 302
    assert "yuki" not in text_of(desk.get("/desk/settings/users"))


def test_secrets_are_shown_once(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    made = desk.post("/desk/settings/api-keys", {"name": "Website", "role": "assistant", "read_only": "on"})
    assert "tatk_" in text_of(made)
    key = text_of(made).split("tatk_")[1].split()[0]
    assert key not in text_of(desk.get("/desk/settings/api-keys"))
    kiosk = desk.post("/desk/settings/kiosks", {"name": "Door"})
    assert "enter this code" in text_of(kiosk)
    device = dojo.admin.get("/devices").json()["results"][0]
    assert desk.post(f"/desk/settings/kiosks/{device['id']}/end").status_code == 302
    assert dojo.admin.get("/devices").json()["results"][0]["revoked"] is True


def test_another_dojos_user_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    foreign = other_dojo.instructor.user
    assert foreign is not None
    desk = visitor(dojo, "admin")
    assert desk.get(f"/desk/settings/users/{foreign.pk}").status_code == 404
    assert desk.post(f"/desk/settings/users/{foreign.pk}", {"archive": ""}).status_code == 404


def test_first_steps_check_themselves_off(dojo: Dojo) -> None:
    desk = visitor(dojo, "admin")
    before = text_of(desk.get("/desk/settings/first-steps")).count("done")
    factories.student(dojo)
    assert text_of(desk.get("/desk/settings/first-steps")).count("done") == before + 1


@pytest.mark.parametrize("number", ["²", "x", "-1", "", "9" * 5000])
def test_a_page_number_that_is_none_shows_the_first_page(dojo: Dojo, number: str) -> None:
    assert visitor(dojo, "admin").get(f"/desk/messages?page={number}").status_code == 200
