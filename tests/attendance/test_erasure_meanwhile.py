"""Whoever is erased while she checks in, or while staff mark her present, leaves nothing that names her."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance import services
from tenant_apps.attendance.models import Attendance, Card, Refusal, ScanAnswer
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.services import enrol
from tenant_apps.students.models import Student
from tests.attendance.desk import Desk
from tests.students.erasures import erased_meanwhile
from tests.support.committed_dojos import at_once, raise_first
from tests.support.responses import done, invalid, refusal


@pytest.fixture
def mika(desk: Desk) -> Student:
    (student,) = desk.students(1)
    return student


@pytest.fixture
def meanwhile(desk: Desk, mika: Student) -> Callable[[Callable[[], Any]], Any]:
    """Do something while Mika is erased; return the answer."""

    def run(deed: Callable[[], Any]) -> Any:
        with tenant_scope(desk.dojo.tenant):
            return erased_meanwhile(mika, deed)

    return run


def answers_that_name(student: Student) -> list[ScanAnswer]:
    return [
        row
        for row in ScanAnswer.objects.all()
        if row.student == student.pk or str(student.pk).encode() in bytes(row.answer)
    ]


@pytest.mark.parametrize("with_card", [True, False], ids=["card", "rotating"])
@pytest.mark.parametrize("refused", [False, True], ids=["recorded", "refused"])
def test_a_scan(
    desk: Desk, mika: Student, meanwhile: Any, session: ClassSession, with_card: bool, refused: bool
) -> None:
    token = desk.cards([mika])[0] if with_card else desk.rotating(mika)
    asked = {"token": token, "nonce": uuid4().hex, **({"class_session": str(uuid4())} if refused else {})}
    caller = desk.dojo.assistant
    refusal(meanwhile(lambda: caller.post("/attendance/scan", asked)), 400, "qr_invalid")
    refusal(caller.post("/attendance/scan", asked), 400, "qr_invalid")
    with tenant_scope(desk.dojo.tenant):
        assert answers_that_name(mika) == []
        assert not Refusal.objects.filter(student=mika).exists()
        assert not Attendance.objects.filter(student=mika).exists()


def test_a_scan_of_who_is_recorded_already(
    desk: Desk, mika: Student, meanwhile: Any, session: ClassSession
) -> None:
    caller, body = desk.dojo.assistant, {"token": desk.rotating(mika)}
    done(caller.post("/attendance/scan", body), 201)
    again = meanwhile(lambda: caller.post("/attendance/scan", {**body, "nonce": uuid4().hex}))
    refusal(again, 400, "qr_invalid")
    with tenant_scope(desk.dojo.tenant):
        assert answers_that_name(mika) == []


def test_an_upload_of_offline_scans(desk: Desk, mika: Student, meanwhile: Any, session: ClassSession) -> None:
    _, device = desk.device()
    other = desk.students(1)[0]
    at = clock.now().isoformat()
    scans = [{"token": token, "nonce": uuid4().hex, "scanned_at": at} for token in desk.cards([mika, other])]
    answer = meanwhile(lambda: device.post("/attendance/sync", {"sent_at": at, "scans": scans}))
    assert [one["status"] for one in done(answer)["results"]] == ["refused", "recorded"]
    with tenant_scope(desk.dojo.tenant):
        assert answers_that_name(mika) == []


def test_a_scan_waits_for_no_award(desk: Desk, mika: Student, session: ClassSession) -> None:
    """A batch that awards holds its students' rows for a while; the queue at the door goes on."""
    caller, body = desk.dojo.assistant, {"token": desk.rotating(mika)}
    with tenant_scope(desk.dojo.tenant), transaction.atomic():
        list(Student.objects.filter(pk=mika.pk).locked())
        answers = at_once([lambda: caller.post("/attendance/scan", body)])
    raise_first(answers)
    done(answers[0], 201)


@pytest.mark.parametrize("path", ["/qr", "/students/{id}/card"])
def test_a_card(desk: Desk, mika: Student, meanwhile: Any, path: str) -> None:
    desk.cards([mika])
    caller = desk.dojo.admin
    body = {"student": str(mika.pk), "kind": "card"} if path == "/qr" else {}
    refusal(meanwhile(lambda: caller.post(path.format(id=mika.pk), body)), 404, "not_found")
    with tenant_scope(desk.dojo.tenant):
        assert not Card.objects.filter(student=mika).exists()


def test_attendance_by_hand(desk: Desk, mika: Student, meanwhile: Any, session: ClassSession) -> None:
    caller, body = desk.dojo.admin, {"student": str(mika.pk), "class_session": str(session.pk)}
    refusal(meanwhile(lambda: caller.post("/attendance", body)), 404, "not_found")
    assert desk.rows(student=mika) == []


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_roster(desk: Desk, mika: Student, meanwhile: Any, session: ClassSession, state: str) -> None:
    caller = desk.dojo.admin
    body = {"entries": [{"student": str(mika.pk), "state": state}], "reason": "Mika was ill."}
    answer = meanwhile(lambda: caller.put(f"/class-sessions/{session.pk}/roster", body))
    invalid(answer, "entries.0.student")
    assert desk.rows(student=mika) == []


def test_the_reason_of_a_void(desk: Desk, mika: Student, meanwhile: Any, session: ClassSession) -> None:
    body = {"student": str(mika.pk), "class_session": str(session.pk)}
    row = done(desk.dojo.admin.post("/attendance", body), 201)["attendance"]
    user = desk.dojo.admin.user
    assert isinstance(user, User)
    (attendance,) = desk.rows(pk=row["id"])
    reason = {"reason": "Mika was ill.", "by": user, "only_own": False, "now": clock.now()}
    assert isinstance(meanwhile(lambda: services.void(attendance=attendance, **reason)), NotFound)
    (left,) = desk.rows(pk=row["id"])
    assert (left.void_reason, left.voided_at) == ("", None)


def test_an_enrolment(desk: Desk, mika: Student, meanwhile: Any) -> None:
    with tenant_scope(desk.dojo.tenant):
        group = TrainingClass.objects.create(name="Evening", recurrence={})
    assert isinstance(meanwhile(lambda: enrol(training_class=group, student=mika)), NotFound)
    with tenant_scope(desk.dojo.tenant):
        assert not Enrolment.objects.filter(student=mika).exists()
