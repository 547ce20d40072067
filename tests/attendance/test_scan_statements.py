"""How many statements a scan needs, including those of its transaction, counted at the driver.

The facts are loaded by small prepared statements, each of which runs only if it is needed. One statement over all
fourteen tables would be one round trip less, and would cost four times as much to plan and to run.
"""

from typing import Any
from uuid import uuid4

import pytest

from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.check_in.codes import CodeKind
from tenant_apps.attendance.models import Refusal
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.models import StudentUser
from tests.attendance.factories import CheckInDojo
from tests.support.clients import Caller, _signed_in
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import ok
from tests.support.statements import sent_statements

MAX_STATEMENTS = 11
"""With a nonce, every policy enforced, a seat to count, a card to compare, and a refusal to list."""


@pytest.fixture(autouse=True)
def _look_up_hosts(check_in_dojo: CheckInDojo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look up the host before. The process reads the routing epoch twice a second; a scan does not need it."""
    check_in_dojo.dojo.anonymous.get("/openapi.json")
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)


@pytest.fixture(params=["staff", "device"])
def caller(request: Any, check_in_dojo: CheckInDojo) -> Caller:
    if request.param == "staff":
        return check_in_dojo.dojo.assistant
    _, device = check_in_dojo.device()
    device.get("/me")  # Sets `last_seen`, which is then not written for a minute.
    return device


def statements_of_scan(caller: Caller, status: int, body: dict[str, Any]) -> list[str]:
    with sent_statements() as sent:
        answer = caller.post("/attendance/scan", body)
    assert answer.status_code == status, answer.content
    assert sent[0].startswith("BEGIN; SET LOCAL"), sent
    assert sent[-1] == "COMMIT", sent
    assert not [one for one in sent if "SAVEPOINT" in one]
    return sent


@pytest.mark.parametrize("with_nonce", [False, True], ids=["", "nonce"])
def test_statements_of_recorded_repeated_and_refused_scans(
    check_in_dojo: CheckInDojo, caller: Caller, session: Any, with_nonce: bool
) -> None:
    (student,) = check_in_dojo.students(1)
    body = {"token": check_in_dojo.rotating(student)}
    nonce = (lambda: {"nonce": uuid4().hex}) if with_nonce else (dict)
    found = {
        "recorded": len(statements_of_scan(caller, 201, {**body, **nonce()})),
        "already": len(statements_of_scan(caller, 200, {**body, **nonce()})),
        "refused": len(statements_of_scan(caller, 404, {**body, **nonce(), "class_session": str(uuid4())})),
        "invalid code": len(statements_of_scan(caller, 400, {"token": "garbage", **nonce()})),
    }
    more = 2 if with_nonce else 0  # claims the nonce, and stores the response
    assert found == {
        "recorded": 6 + more,  # BEGIN, caller, student, sessions, attendance, COMMIT
        "already": 5 + more,
        "refused": 6 + more,
        "invalid code": 3 + more,
    }
    assert max(found.values()) <= MAX_STATEMENTS


def test_a_replay_needs_four_statements(check_in_dojo: CheckInDojo, caller: Caller, session: Any) -> None:
    (student,) = check_in_dojo.students(1)
    body = {"token": check_in_dojo.rotating(student), "nonce": uuid4().hex}
    statements_of_scan(caller, 201, body)
    assert len(statements_of_scan(caller, 201, body)) == 4


def test_statements_with_every_policy_enforced_and_shared_cards_flagged(
    check_in_dojo: CheckInDojo, caller: Caller, session: Any
) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        enforced = {f"{name}_policy": "enforce" for name in ("enrolment", "rank", "capacity")}
        DojoSettings.objects.create(card_policy="flag", **enforced)
        group = TrainingClass.objects.create(name="Evening", recurrence={})
        ClassSession.objects.filter(pk=session.pk).update(capacity=1, training_class=group)
    try:
        students = check_in_dojo.students(2)
        first, second = check_in_dojo.cards(students)
        with tenant_scope(check_in_dojo.dojo.tenant):
            Enrolment.objects.bulk_create(
                [Enrolment(training_class=group, student=student) for student in students]
            )
        recorded = statements_of_scan(caller, 201, {"token": first, "nonce": uuid4().hex})
        assert len(recorded) == MAX_STATEMENTS - 1
        assert len(statements_of_scan(caller, 409, {"token": second, "nonce": uuid4().hex})) == MAX_STATEMENTS
        with tenant_scope(check_in_dojo.dojo.tenant):
            assert Refusal.objects.filter(class_session=session.pk).get().code == "session_full"
    finally:
        with tenant_scope(check_in_dojo.dojo.tenant):
            DojoSettings.objects.all().delete()
            # Sessions of classes would make other scans of this module look up enrolments.
            ClassSession.objects.filter(pk=session.pk).update(training_class=None)


def test_statements_of_a_scan_with_a_parents_phone(check_in_dojo: CheckInDojo, session: Any) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        children = check_in_dojo.students(2)
        parent = _signed_in(
            check_in_dojo.dojo.tenant, check_in_dojo.host, "student", f"{uuid4().hex}@example.com"
        )
        StudentUser.objects.bulk_create([StudentUser(user=parent.user, student=child) for child in children])
    token = check_in_dojo.token(CodeKind.SESSION, session.pk.bytes)
    assert len(statements_of_scan(parent, 409, {"token": token, "nonce": uuid4().hex})) <= MAX_STATEMENTS
    assert (
        len(statements_of_scan(parent, 201, {"token": token, "student": str(children[0].pk)}))
        <= MAX_STATEMENTS
    )


@pytest.mark.parametrize("number", [2, 20])
def test_the_statements_of_an_upload_do_not_depend_on_its_size(
    check_in_dojo: CheckInDojo, session: Any, number: int
) -> None:
    _, device = check_in_dojo.device()
    device.get("/me")
    students = check_in_dojo.students(number)
    tokens = [*check_in_dojo.cards(students[1:]), check_in_dojo.rotating(students[0])]
    at = clock.now().isoformat()
    named = {"class_session": str(session.pk)}
    scans = [
        {"token": token, "nonce": uuid4().hex, "scanned_at": at, "seq": place, **(named if place % 2 else {})}
        for place, token in enumerate(tokens)
    ]
    with sent_statements() as sent:
        answer = device.post("/attendance/sync", {"sent_at": at, "scans": scans})
    assert {one["status"] for one in ok(answer)["results"]} == {"recorded"}
    # BEGIN, device, SAVEPOINT, nonces, students, sessions named and around, attendances, responses, `last_seq`,
    # RELEASE, COMMIT
    assert len(sent) == 12


def test_a_change_of_the_settings_takes_effect_on_the_next_scan(
    check_in_dojo: CheckInDojo, caller: Caller, session: Any
) -> None:
    """Also if another process makes it: here another connection, while this process has just read the settings."""
    cards = check_in_dojo.cards(check_in_dojo.students(4))
    admin, path = check_in_dojo.dojo.admin, "/settings"

    def policy_of_another_process(policy: str) -> None:
        with tenant_scope(check_in_dojo.dojo.tenant):
            DojoSettings.objects.update(card_policy=policy)

    statements_of_scan(caller, 201, {"token": cards[0]})
    try:
        ok(admin.patch(path, {"card_policy": "forbid"}))
        statements_of_scan(caller, 400, {"token": cards[1]})
        raise_first_error(run_concurrently([lambda: policy_of_another_process("allow")]))
        statements_of_scan(caller, 201, {"token": cards[2]})
        raise_first_error(run_concurrently([lambda: policy_of_another_process("forbid")]))
        statements_of_scan(caller, 400, {"token": cards[3]})
    finally:
        with tenant_scope(check_in_dojo.dojo.tenant):
            DojoSettings.objects.all().delete()
