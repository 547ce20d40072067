"""How many statements a scan costs, its transaction's own included: counted at the driver, on a committed dojo."""

from typing import Any
from uuid import uuid4

import pytest

from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Refusal
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tests.attendance.desk import Desk
from tests.support.clients import Caller
from tests.support.statements import sent_statements

MOST = 8


@pytest.fixture(autouse=True)
def _hosts_are_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the routing epoch twice a second is the process's statement, not the scan's."""
    desk.dojo.anonymous.get("/openapi.json")
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)


@pytest.fixture(params=["staff", "device"])
def caller(request: Any, desk: Desk) -> Caller:
    if request.param == "staff":
        return desk.dojo.assistant
    _, device = desk.device()
    device.get("/me")  # seen: for a minute nothing is written about it
    return device


def counted(caller: Caller, status: int, body: dict[str, Any]) -> list[str]:
    with sent_statements() as sent:
        answer = caller.post("/attendance/scan", body)
    assert answer.status_code == status, answer.content
    assert sent[0].startswith("BEGIN; SET LOCAL"), sent
    assert sent[-1] == "COMMIT", sent
    assert not [one for one in sent if "SAVEPOINT" in one]
    return sent


@pytest.mark.parametrize("with_nonce", [False, True], ids=["", "nonce"])
def test_recorded_already_and_refused(desk: Desk, caller: Caller, session: Any, with_nonce: bool) -> None:
    (student,) = desk.students(1)
    body = {"token": desk.rotating(student)}
    nonce = (lambda: {"nonce": uuid4().hex}) if with_nonce else (dict)
    found = {
        "recorded": len(counted(caller, 201, {**body, **nonce()})),
        "already": len(counted(caller, 200, {**body, **nonce()})),
        "refused": len(counted(caller, 404, {**body, **nonce(), "class_session": str(uuid4())})),
        "none of ours": len(counted(caller, 400, {"token": "garbage", **nonce()})),
    }
    more = 2 if with_nonce else 0
    assert found == {
        "recorded": 5 + more,
        "already": 4 + more,
        "refused": 5 + more // 2,
        "none of ours": 3 + more,
    }
    assert max(found.values()) <= MOST


def test_a_replay(desk: Desk, caller: Caller, session: Any) -> None:
    (student,) = desk.students(1)
    body = {"token": desk.rotating(student), "nonce": uuid4().hex}
    counted(caller, 201, body)
    assert len(counted(caller, 201, body)) == 4


def test_with_every_policy_enforced_and_shared_cards_flagged(
    desk: Desk, caller: Caller, session: Any
) -> None:
    with tenant_scope(desk.dojo.tenant):
        enforced = {f"{name}_policy": "enforce" for name in ("enrolment", "rank", "capacity")}
        DojoSettings.objects.create(card_policy="flag", **enforced)
        ClassSession.objects.filter(pk=session.pk).update(capacity=1)
    try:
        (first,), (second,) = (desk.cards(desk.students(1)) for _ in range(2))
        assert len(counted(caller, 201, {"token": first, "nonce": uuid4().hex})) == MOST
        assert len(counted(caller, 409, {"token": second, "nonce": uuid4().hex})) == MOST
        with tenant_scope(desk.dojo.tenant):
            assert Refusal.objects.filter(class_session=session.pk).get().code == "session_full"
    finally:
        with tenant_scope(desk.dojo.tenant):
            DojoSettings.objects.all().delete()


def test_a_users_own_phone(desk: Desk, session: Any) -> None:
    from tests.support.clients import _signed_in  # the person is made here, with children

    with tenant_scope(desk.dojo.tenant):
        from tenant_apps.attendance.codes import Kind
        from tenant_apps.students.models import StudentUser

        children = desk.students(2)
        parent = _signed_in(desk.dojo.tenant, desk.host, "student", f"{uuid4().hex}@example.com")
        StudentUser.objects.bulk_create([StudentUser(user=parent.user, student=child) for child in children])
    token = desk.token(Kind.SESSION, session.pk.bytes)
    assert len(counted(parent, 409, {"token": token, "nonce": uuid4().hex})) <= MOST
    assert len(counted(parent, 201, {"token": token, "student": str(children[0].pk)})) <= MOST
