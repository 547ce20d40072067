"""A student who is erased during a check-in, or while staff record them, leaves nothing that names them."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance import corrections
from tenant_apps.attendance.attendance_import import import_attendance
from tenant_apps.attendance.models import Attendance, Card, Refusal, ScanAnswer
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.services import enrol
from tenant_apps.students.errors import AlreadyRecorded
from tenant_apps.students.models import Student
from tests.attendance.factories import CheckInDojo
from tests.students.erasure import erasure_race
from tests.support.races import ConcurrentCall, raise_first_error, run_concurrently
from tests.support.responses import assert_error, assert_invalid, ok


@pytest.fixture
def mika(check_in_dojo: CheckInDojo) -> Student:
    (student,) = check_in_dojo.students(1)
    return student


@pytest.fixture
def race(check_in_dojo: CheckInDojo, mika: Student) -> Callable[[Callable[[], Any]], Any]:
    """Return a function that makes a call while Mika is erased, and returns its result."""

    def run(call: Callable[[], Any]) -> Any:
        with tenant_scope(check_in_dojo.dojo.tenant):
            return erasure_race(mika, call)

    return run


def responses_naming(student: Student) -> list[ScanAnswer]:
    return [
        row
        for row in ScanAnswer.objects.all()
        if row.student == student.pk or str(student.pk).encode() in bytes(row.answer)
    ]


@pytest.mark.parametrize("with_card", [True, False], ids=["card", "rotating"])
@pytest.mark.parametrize("refused", [False, True], ids=["recorded", "refused"])
def test_a_scan_during_an_erasure_stores_nothing(
    check_in_dojo: CheckInDojo,
    mika: Student,
    race: Any,
    session: ClassSession,
    with_card: bool,
    refused: bool,
) -> None:
    token = check_in_dojo.cards([mika])[0] if with_card else check_in_dojo.rotating(mika)
    asked = {"token": token, "nonce": uuid4().hex, **({"class_session": str(uuid4())} if refused else {})}
    caller = check_in_dojo.dojo.assistant
    assert_error(race(lambda: caller.post("/attendance/scan", asked)), 400, "qr_invalid")
    assert_error(caller.post("/attendance/scan", asked), 400, "qr_invalid")
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert responses_naming(mika) == []
        assert not Refusal.objects.filter(student=mika).exists()
        assert not Attendance.objects.filter(student=mika).exists()


def test_a_repeated_scan_during_an_erasure_stores_no_response(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession
) -> None:
    caller, body = check_in_dojo.dojo.assistant, {"token": check_in_dojo.rotating(mika)}
    ok(caller.post("/attendance/scan", body), 201)
    again = race(lambda: caller.post("/attendance/scan", {**body, "nonce": uuid4().hex}))
    assert_error(again, 400, "qr_invalid")
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert responses_naming(mika) == []


def test_an_upload_during_an_erasure_refuses_only_the_erased_student(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession
) -> None:
    _, device = check_in_dojo.device()
    other = check_in_dojo.students(1)[0]
    at = clock.now().isoformat()
    scans = [
        {"token": token, "nonce": uuid4().hex, "scanned_at": at}
        for token in check_in_dojo.cards([mika, other])
    ]
    answer = race(lambda: device.post("/attendance/sync", {"sent_at": at, "scans": scans}))
    assert [one["status"] for one in ok(answer)["results"]] == ["refused", "recorded"]
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert responses_naming(mika) == []


def test_a_scan_does_not_wait_for_an_award(
    check_in_dojo: CheckInDojo, mika: Student, session: ClassSession
) -> None:
    """A batch of awards locks the rows of its students. Check-in must not wait for it."""
    caller, body = check_in_dojo.dojo.assistant, {"token": check_in_dojo.rotating(mika)}
    with tenant_scope(check_in_dojo.dojo.tenant), transaction.atomic():
        list(Student.objects.filter(pk=mika.pk).locked())
        answers = run_concurrently([lambda: caller.post("/attendance/scan", body)])
    raise_first_error(answers)
    ok(answers[0], 201)


@pytest.mark.parametrize("path", ["/qr", "/students/{id}/card"])
def test_a_card_is_not_issued_during_an_erasure(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, path: str
) -> None:
    check_in_dojo.cards([mika])
    caller = check_in_dojo.dojo.admin
    body = {"student": str(mika.pk), "kind": "card"} if path == "/qr" else {}
    assert_error(race(lambda: caller.post(path.format(id=mika.pk), body)), 404, "not_found")
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert not Card.objects.filter(student=mika).exists()


def test_attendance_by_hand_during_an_erasure_is_not_found(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession
) -> None:
    caller, body = check_in_dojo.dojo.admin, {"student": str(mika.pk), "class_session": str(session.pk)}
    assert_error(race(lambda: caller.post("/attendance", body)), 404, "not_found")
    assert check_in_dojo.rows(student=mika) == []


def import_line(check_in_dojo: CheckInDojo, student: Student, session: ClassSession) -> Callable[[], Any]:
    """Return a call that imports one attendance."""
    user = check_in_dojo.dojo.admin.user
    assert isinstance(user, User)
    head = "first_name,last_name,class_session_id"
    content = f"{head}\n{student.first_name},{student.last_name},{session.pk}\n".encode()
    return lambda: import_attendance(content, by=user, now=clock.now(), dry_run=False)


def test_an_import_during_an_erasure_fails_on_the_line_of_the_student(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession
) -> None:
    report = race(import_line(check_in_dojo, mika, session))
    assert [row["outcome"] for row in report["rows"]] == ["failed"]
    assert check_in_dojo.rows(student=mika) == []


def test_an_import_of_an_attendance_that_is_recorded_meanwhile_writes_nothing(
    check_in_dojo: CheckInDojo, mika: Student, session: ClassSession
) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        run = import_line(check_in_dojo, mika, session)

        def attempt() -> Any:
            try:
                return run()
            except AlreadyRecorded as error:
                return error

        with transaction.atomic():
            scanned = Attendance(
                student=mika, class_session=session, checked_in_at=clock.now(), method="qr_card"
            )
            scanned.save(force_insert=True)
            meanwhile = ConcurrentCall(attempt)
        assert isinstance(meanwhile.result(), AlreadyRecorded)
        assert [row["outcome"] for row in run()["rows"]] == ["duplicate"]
    (row,) = check_in_dojo.rows(student=mika)
    assert row.method == "qr_card"


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_roster_saved_during_an_erasure_is_refused(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession, state: str
) -> None:
    caller = check_in_dojo.dojo.admin
    body = {"entries": [{"student": str(mika.pk), "state": state}], "reason": "Mika was ill."}
    answer = race(lambda: caller.put(f"/class-sessions/{session.pk}/roster", body))
    assert_invalid(answer, "entries.0.student")
    assert check_in_dojo.rows(student=mika) == []


def test_a_void_during_an_erasure_stores_no_reason(
    check_in_dojo: CheckInDojo, mika: Student, race: Any, session: ClassSession
) -> None:
    body = {"student": str(mika.pk), "class_session": str(session.pk)}
    row = ok(check_in_dojo.dojo.admin.post("/attendance", body), 201)["attendance"]
    user = check_in_dojo.dojo.admin.user
    assert isinstance(user, User)
    (attendance,) = check_in_dojo.rows(pk=row["id"])
    reason = {"reason": "Mika was ill.", "by": user, "only_recorded_today": False, "now": clock.now()}
    assert isinstance(
        race(lambda: corrections.void_attendance(attendance_id=attendance.pk, **reason)), NotFound
    )
    (left,) = check_in_dojo.rows(pk=row["id"])
    assert (left.void_reason, left.voided_at) == ("", None)


def test_an_enrolment_during_an_erasure_is_not_found(
    check_in_dojo: CheckInDojo, mika: Student, race: Any
) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        group = TrainingClass.objects.create(name="Evening", recurrence={})
    assert isinstance(race(lambda: enrol(training_class=group, student=mika)), NotFound)
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert not Enrolment.objects.filter(student=mika).exists()
