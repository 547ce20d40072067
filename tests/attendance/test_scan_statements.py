"""How many statements a scan needs, including those of its transaction, counted at the driver."""

from typing import Any
from uuid import uuid4

import pytest

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.check_in.codes import CodeKind
from tenant_apps.attendance.models import Refusal
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.models import StudentUser
from tests.attendance.factories import CheckInDojo
from tests.support.clients import Caller, _signed_in
from tests.support.statements import sent_statements

MAX_STATEMENTS = 8


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
    more = 2 if with_nonce else 0
    assert found == {
        "recorded": 5 + more,
        "already": 4 + more,
        "refused": 5 + more // 2,
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
        ClassSession.objects.filter(pk=session.pk).update(capacity=1)
    try:
        (first,), (second,) = (check_in_dojo.cards(check_in_dojo.students(1)) for _ in range(2))
        assert len(statements_of_scan(caller, 201, {"token": first, "nonce": uuid4().hex})) == MAX_STATEMENTS
        assert len(statements_of_scan(caller, 409, {"token": second, "nonce": uuid4().hex})) == MAX_STATEMENTS
        with tenant_scope(check_in_dojo.dojo.tenant):
            assert Refusal.objects.filter(class_session=session.pk).get().code == "session_full"
    finally:
        with tenant_scope(check_in_dojo.dojo.tenant):
            DojoSettings.objects.all().delete()


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
