"""The mail log: it loses the texts after the retention time, and personal data by an erasure."""

from datetime import timedelta
from typing import Any

from django.core import mail
from django.test import override_settings

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.notifications.tasks import sweep
from tenant_apps.students.models import Student
from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    guardian,
    queue_mail,
    read_notification,
    send_all,
    states,
    student,
)
from tests.students.erasure import personal_traces
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import ok
from tests.support.statements import sent_statements

HANA = guardian("Hana Sato", "hana@example.com")


def sweep_after(dojo: Dojo, days: int) -> None:
    with tenant_scope(dojo.tenant):
        assert sweep(JobRun(now=NOW + timedelta(days=days))) is DONE


def erase(dojo: Dojo, who: dict[str, Any]) -> None:
    ok(dojo.admin.post(f"/students/{who['id']}/erasure", {"confirm": who["id"]}), 204)


def test_after_the_retention_time_the_texts_are_deleted_and_the_log_stays(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    note = queue_mail(dojo, mika)
    send_all(dojo)
    sweep_after(dojo, 30)
    assert read_notification(dojo, note)["body"] == "Dear {{ recipient }}"
    sweep_after(dojo, 31)
    kept = read_notification(dojo, note)
    assert (kept["subject"], kept["body"], kept["audience"], kept["sent"]) == ("", "", None, 1)
    (row,) = kept["recipients"]
    assert (row["address"], row["recipient"], row["state"], row["sent_at"]) == (
        "mika@example.com",
        "",
        "sent",
        "2026-06-15T16:40:00Z",
    )
    assert row["students"] == [{"id": mika["id"], "name": "Mika Sato"}]
    with tenant_scope(dojo.tenant):
        assert Delivery.objects.get().values == {}


def test_a_delivery_queued_beyond_the_retention_time_is_skipped(dojo: Dojo) -> None:
    queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"))
    sweep_after(dojo, 31)
    assert send_all(dojo) == []
    assert states(dojo) == [("mika@example.com", "skipped", "too_old")]


def test_test_mail_is_deleted_completely(dojo: Dojo) -> None:
    ok(dojo.instructor.post("/notification-templates/free/test"), 202)
    send_all(dojo)
    sweep_after(dojo, 31)
    assert states(dojo) == []
    assert ok(dojo.admin.get("/notifications"))["count"] == 0


def test_the_retention_time_is_a_setting(dojo: Dojo) -> None:
    note = queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"))
    with override_settings(TATAMI_MAIL_BODY_DAYS=2):
        sweep_after(dojo, 3)
    assert read_notification(dojo, note)["body"] == ""


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(dojo: Dojo) -> None:
    def cost() -> int:
        with sent_statements() as found:
            sweep_after(dojo, 31)
        return len(found)

    queue_mail(dojo, student(dojo, "Mika", email="mika@example.com"))
    few = cost()
    for n in range(5):
        queue_mail(dojo, student(dojo, f"N{n}", email=f"n{n}@example.com"))
    assert cost() == few


def test_the_export_of_a_student_contains_the_mail_about_them(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    queue_mail(dojo, mika)
    queue_mail(dojo, student(dojo, "Ren", email="ren@example.com"))
    send_all(dojo)
    (held,) = ok(dojo.admin.get(f"/students/{mika['id']}/export"))["notifications"]
    assert (held["kind"], held["address"], held["state"]) == ("free", "mika@example.com", "sent")


def test_an_erasure_keeps_only_that_something_was_sent(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    sent = queue_mail(dojo, mika, body="Mika, your wrist")
    send_all(dojo)
    waiting = queue_mail(dojo, mika, body="Mika, your wrist")
    erase(dojo, mika)
    assert personal_traces(dojo.tenant) == set()
    send_all(dojo)
    assert len(mail.outbox) == 1
    assert states(dojo) == [("", "sent", "forgotten"), ("", "skipped", "forgotten")]
    assert [read_notification(dojo, one)["status"] for one in (sent, waiting)] == ["done", "done"]


def test_erasing_a_child_keeps_the_mail_about_a_sibling(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=CHILD_BIRTH_DATE, guardians=[HANA])
    hana = mika["guardians"][0]["id"]
    ren = student(dojo, "Ren", born=CHILD_BIRTH_DATE, guardians=[{"id": hana}])
    note = queue_mail(dojo, mika, ren, body="For {{ student }}")
    erase(dojo, mika)
    (mailed,) = send_all(dojo)
    assert (mailed.to, mailed.subject) == (["hana@example.com"], "News for Ren Sato")
    assert [one["name"] for one in read_notification(dojo, note)["recipients"][0]["students"]] == ["Ren Sato"]
    erase(dojo, ren)
    assert personal_traces(dojo.tenant) == set()


def test_the_nightly_job_forgets_mail_to_a_deleted_guardian(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=CHILD_BIRTH_DATE, guardians=[HANA])
    queue_mail(dojo, mika)
    send_all(dojo)
    queue_mail(dojo, mika)
    ok(dojo.admin.patch(f"/students/{mika['id']}", {"guardians": []}))
    sweep_after(dojo, 1)
    assert states(dojo) == [("", "sent", "forgotten"), ("", "skipped", "forgotten")]
    assert len(send_all(dojo)) == 1


def test_the_nightly_job_forgets_mail_about_students_who_were_all_erased(dojo: Dojo) -> None:
    """Sent or queued, to the student or a guardian. Mail that is also about another student stays unchanged."""
    mika, ren, yui = (student(dojo, name, email=f"{name}@example.com") for name in ("Mika", "Ren", "Yui"))
    queue_mail(dojo, mika, ren, yui)
    with tenant_scope(dojo.tenant):
        Delivery.objects.filter(address="Ren@example.com").update(student_ids=[ren["id"], mika["id"]])
        Delivery.objects.filter(address="Yui@example.com").update(student_ids=[mika["id"], yui["id"]])
        Student.objects.filter(pk__in=[mika["id"], ren["id"]]).update(erased_at=NOW)
    ok(dojo.instructor.post("/notification-templates/free/test"), 202)
    for _ in range(2):
        sweep_after(dojo, 1)
    assert states(dojo) == [
        ("", "skipped", "forgotten"),
        ("", "skipped", "forgotten"),
        ("Yui@example.com", "queued", ""),
        ("instructor@example.com", "queued", ""),
    ]
    with tenant_scope(dojo.tenant):
        assert list(Delivery.objects.filter(reason="forgotten").values_list("values", flat=True)) == [{}, {}]


def test_a_notification_to_several_keeps_its_text_when_one_of_them_is_erased(dojo: Dojo) -> None:
    mika, ren = (student(dojo, name, email=f"{name}@example.com") for name in ("Mika", "Ren"))
    note = queue_mail(dojo, mika, ren)
    erase(dojo, mika)
    assert read_notification(dojo, note)["body"] == "Dear {{ recipient }}"
    with tenant_scope(dojo.tenant):
        assert Notification.objects.count() == 1
    assert clock.now() == NOW
