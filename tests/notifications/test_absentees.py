"""Mail to absent students: as the dojo's setting says, once for each absence."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from tatami import clock
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.absentees import notify_absentees
from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    adults,
    guardian,
    queue_mail,
    send_all,
    student,
)
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import ok
from tests.support.statements import sent_statements


@pytest.fixture(autouse=True)
def _absence_mail_after_14_days(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"absence_after_days": 14}))


def run_night(dojo: Dojo, days: int = 0) -> list[Any]:
    """Run the nightly job some days from now and send; return all e-mails so far."""
    with clock.fixed(NOW + timedelta(days=days)):
        with tenant_scope(dojo.tenant):
            assert notify_absentees(JobRun(now=clock.now())) is DONE
        return send_all(dojo)


def attend(dojo: Dojo, who: dict[str, Any], day: str) -> None:
    session = factories.single_session(dojo, f"{day}T16:30:00Z", name=f"Training of {day}")
    factories.attendance(dojo, who, session)


def test_mail_is_sent_once_on_the_day_an_absence_reaches_the_limit(dojo: Dojo) -> None:
    attend(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    (sent,) = run_night(dojo)
    assert (sent.to, sent.subject) == (["mika@example.com"], "We miss Mika Sato")
    assert "the last visit was on 1 June 2026." in sent.body
    assert "List-Unsubscribe" in sent.extra_headers
    for days in (0, 1, 5, 30):
        assert len(run_night(dojo, days)) == 1


def test_no_mail_is_sent_the_day_before(dojo: Dojo) -> None:
    attend(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-02")
    assert run_night(dojo) == []
    assert len(run_night(dojo, 1)) == 1


def test_a_missed_night_is_made_up_for(dojo: Dojo) -> None:
    attend(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    assert len(run_night(dojo, 6)) == 1


def test_a_student_absent_for_longer_than_the_catch_up_time_gets_no_mail(dojo: Dojo) -> None:
    attend(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-05-25")
    assert run_night(dojo) == []


def test_a_second_absence_sends_a_second_mail(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    attend(dojo, mika, "2026-06-01")
    run_night(dojo)
    with clock.fixed(NOW + timedelta(days=2)):
        admin = Caller(dojo.host, token=None)
        assert admin.get("/healthz").status_code == 200
    attend(dojo, mika, "2026-06-15")
    assert len(run_night(dojo, 13)) == 1
    assert len(run_night(dojo, 14)) == 2


def test_a_student_without_attendance_is_absent_since_joining(dojo: Dojo) -> None:
    student(dojo, "Mika", email="mika@example.com", joined_on="2026-06-01")
    student(dojo, "Ren", email="ren@example.com")
    assert [sent.to for sent in run_night(dojo)] == [["mika@example.com"]]


def test_absent_siblings_get_one_mail(dojo: Dojo) -> None:
    for name in ("Mika", "Ren"):
        child = student(dojo, name, born=CHILD_BIRTH_DATE, guardians=[guardian("Hana", "hana@example.com")])
        attend(dojo, child, "2026-06-01")
    (sent,) = run_night(dojo)
    assert sent.subject == "We miss Mika Sato and Ren Sato"


def test_students_on_hold_on_trial_or_inactive_get_no_mail(dojo: Dojo) -> None:
    for name, status in (("Trial", "trial"), ("Gone", "inactive"), ("Resting", "active")):
        who = student(dojo, name, email=f"{name}@example.com", status=status, joined_on="2026-06-01")
    factories.put_on_hold(dojo, who)
    assert run_night(dojo) == []


def test_without_the_setting_no_mail_is_sent(dojo: Dojo) -> None:
    attend(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    ok(dojo.admin.patch("/settings", {"absence_after_days": None}))
    assert run_night(dojo) == []


def test_staff_can_send_the_absence_template_to_an_audience(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    attend(dojo, mika, "2026-06-01")
    body = {"audience": {"students": [mika["id"]]}, "template": "absence"}
    ok(dojo.instructor.post("/notifications", body), 202)
    (sent,) = send_all(dojo)
    assert "the last visit was on 1 June 2026." in sent.body
    assert len(run_night(dojo)) == 2, "mail requested by staff does not count as the absence mail"


def test_the_number_of_statements_does_not_depend_on_the_number_of_absentees(dojo: Dojo) -> None:
    def cost() -> int:
        with sent_statements() as found, tenant_scope(dojo.tenant):
            notify_absentees(JobRun(now=clock.now()))
        return len(found)

    student(dojo, "Mika", email="mika@example.com", joined_on="2026-06-01")
    one = cost()
    for n in range(20):
        student(dojo, f"N{n}", email=f"n{n}@example.com", joined_on="2026-06-01")
    assert cost() == one
    assert mail.outbox == []
    assert queue_mail(dojo, *adults(dojo, 1))["total"] == 1


@pytest.mark.parametrize("days", [0, 366, -1, "a week"])
def test_an_invalid_setting_is_refused(dojo: Dojo, days: Any) -> None:
    assert dojo.admin.patch("/settings", {"absence_after_days": days}).status_code == 400
