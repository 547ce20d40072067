"""The log of what was sent to whom: without words after a while, without the person when she is forgotten."""

from datetime import timedelta
from typing import Any

from django.core import mail
from django.test import override_settings

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.notifications.tasks import sweep
from tenant_apps.students.models import Student
from tests.notifications.mailroom import A_CHILD, guardian, looked_at, send_all, states, student, written
from tests.students.test_erasure import traces
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done
from tests.support.statements import sent_statements

HANA = guardian("Hana Sato", "hana@example.com")


def swept(dojo: Dojo, days: int) -> None:
    with tenant_scope(dojo.tenant):
        assert sweep(Turn(now=NOW + timedelta(days=days))) is DONE


def erased(dojo: Dojo, who: dict[str, Any]) -> None:
    done(dojo.admin.post(f"/students/{who['id']}/erasure", {"confirm": who["id"]}), 204)


def shown(dojo: Dojo, note: dict[str, Any]) -> dict[str, Any]:
    return looked_at(dojo, note)


def test_after_a_while_the_words_go_and_the_log_stays(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    note = written(dojo, mika)
    send_all(dojo)
    swept(dojo, 30)
    assert shown(dojo, note)["body"] == "Dear {{ recipient }}"
    swept(dojo, 31)
    kept = shown(dojo, note)
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


def test_what_could_not_be_sent_for_so_long_is_not_sent_any_more(dojo: Dojo) -> None:
    written(dojo, student(dojo, "Mika", email="mika@example.com"))
    swept(dojo, 31)
    assert send_all(dojo) == []
    assert states(dojo) == [("mika@example.com", "skipped", "too_old")]


def test_of_a_trial_nothing_is_kept(dojo: Dojo) -> None:
    done(dojo.instructor.post("/notification-templates/free/test"), 202)
    send_all(dojo)
    swept(dojo, 31)
    assert states(dojo) == []
    assert done(dojo.admin.get("/notifications"))["count"] == 0


def test_how_long_is_a_setting(dojo: Dojo) -> None:
    note = written(dojo, student(dojo, "Mika", email="mika@example.com"))
    with override_settings(TATAMI_MAIL_BODY_DAYS=2):
        swept(dojo, 3)
    assert shown(dojo, note)["body"] == ""


def test_sweeping_costs_the_same_whatever_there_is(dojo: Dojo) -> None:
    def cost() -> int:
        with sent_statements() as found:
            swept(dojo, 31)
        return len(found)

    written(dojo, student(dojo, "Mika", email="mika@example.com"))
    few = cost()
    for n in range(5):
        written(dojo, student(dojo, f"N{n}", email=f"n{n}@example.com"))
    assert cost() == few


def test_a_person_is_told_what_was_written_about_her(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    written(dojo, mika)
    written(dojo, student(dojo, "Ren", email="ren@example.com"))
    send_all(dojo)
    (held,) = done(dojo.admin.get(f"/students/{mika['id']}/export"))["notifications"]
    assert (held["kind"], held["address"], held["state"]) == ("free", "mika@example.com", "sent")


def test_erasure_leaves_that_something_was_sent_and_no_more(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    sent = written(dojo, mika, body="Mika, your wrist")
    send_all(dojo)
    waiting = written(dojo, mika, body="Mika, your wrist")
    erased(dojo, mika)
    assert traces(dojo.tenant) == set()
    send_all(dojo)
    assert len(mail.outbox) == 1
    assert states(dojo) == [("", "sent", "forgotten"), ("", "skipped", "forgotten")]
    assert [shown(dojo, one)["status"] for one in (sent, waiting)] == ["done", "done"]


def test_erasing_a_child_forgets_her_guardian_and_leaves_the_siblings_mail(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=A_CHILD, guardians=[HANA])
    hana = mika["guardians"][0]["id"]
    ren = student(dojo, "Ren", born=A_CHILD, guardians=[{"id": hana}])
    note = written(dojo, mika, ren, body="For {{ student }}")
    erased(dojo, mika)
    (mailed,) = send_all(dojo)
    assert (mailed.to, mailed.subject) == (["hana@example.com"], "News for Ren Sato")
    assert [one["name"] for one in shown(dojo, note)["recipients"][0]["students"]] == ["Ren Sato"]
    erased(dojo, ren)
    assert traces(dojo.tenant) == set()


def test_a_guardian_who_is_forgotten_leaves_the_log_in_the_night(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", born=A_CHILD, guardians=[HANA])
    written(dojo, mika)
    send_all(dojo)
    written(dojo, mika)
    done(dojo.admin.patch(f"/students/{mika['id']}", {"guardians": []}))
    swept(dojo, 1)
    assert states(dojo) == [("", "sent", "forgotten"), ("", "skipped", "forgotten")]
    assert len(send_all(dojo)) == 1


def test_mail_about_people_who_were_all_erased_leaves_the_log_in_the_night(dojo: Dojo) -> None:
    """However it survived: of age or not, waiting or sent. Mail about a sibling who is there stays as it is."""
    mika, ren, yui = (student(dojo, name, email=f"{name}@example.com") for name in ("Mika", "Ren", "Yui"))
    written(dojo, mika, ren, yui)
    with tenant_scope(dojo.tenant):
        Delivery.objects.filter(address="Ren@example.com").update(student_ids=[ren["id"], mika["id"]])
        Delivery.objects.filter(address="Yui@example.com").update(student_ids=[mika["id"], yui["id"]])
        Student.objects.filter(pk__in=[mika["id"], ren["id"]]).update(erased_at=NOW)
    done(dojo.instructor.post("/notification-templates/free/test"), 202)
    for _ in range(2):
        swept(dojo, 1)
    assert states(dojo) == [
        ("", "skipped", "forgotten"),
        ("", "skipped", "forgotten"),
        ("Yui@example.com", "queued", ""),
        ("instructor@example.com", "queued", ""),
    ]
    with tenant_scope(dojo.tenant):
        assert list(Delivery.objects.filter(reason="forgotten").values_list("values", flat=True)) == [{}, {}]


def test_a_letter_to_many_keeps_its_words_when_one_of_them_is_forgotten(dojo: Dojo) -> None:
    mika, ren = (student(dojo, name, email=f"{name}@example.com") for name in ("Mika", "Ren"))
    note = written(dojo, mika, ren)
    erased(dojo, mika)
    assert shown(dojo, note)["body"] == "Dear {{ recipient }}"
    with tenant_scope(dojo.tenant):
        assert Notification.objects.count() == 1
    assert clock.now() == NOW
