"""Concurrent requests, each on its own connection."""

import contextvars
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connections, transaction

from shared_apps.accounts.models import User
from shared_apps.accounts.sessions import open_session
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import Student
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.responses import ok


@pytest.fixture(autouse=True)
def _at_present(committed: None, now: Any) -> None:
    """Run every test at the fixed present, with real commits."""


def concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Start all calls at the same moment, each in its own thread and connection; return the responses."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait(30)
        return call_and_close(call)

    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(contextvars.copy_context().run, run, call) for call in calls]
        return [future.result(120) for future in futures]


def outcomes(answers: list[Any]) -> Counter[Any]:
    """Count the responses by status, errors by status and code."""
    return Counter(
        (answer.status_code, answer.json()["error"]["code"])
        if answer.status_code >= 400
        else answer.status_code
        for answer in answers
    )


def another(caller: Caller) -> Caller:
    """Return the same caller with another client: a client belongs to one thread."""
    return Caller(caller.host, token=caller.token, user=caller.user)


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("how", ["PATCH", "DELETE"])
def test_one_of_the_last_two_admins_remains(real_dojo: Dojo, how: str, attempt: int) -> None:
    two = [real_dojo.person("admin", f"{how.lower()}-{attempt}-{n}") for n in range(2)]
    with tenant_scope(real_dojo.tenant):
        ids = [caller.user.pk for caller in two if caller.user]
        User.objects.filter(role="admin").exclude(pk__in=ids).update(is_active=False)
    body = {"role": "instructor"} if how == "PATCH" else None
    answers = concurrently(
        lambda: two[0].request(how, f"/users/{ids[1]}", body),
        lambda: two[1].request(how, f"/users/{ids[0]}", body),
    )
    with tenant_scope(real_dojo.tenant):
        left = User.objects.active_admins().filter(pk__in=ids).count()
        User.objects.filter(email="first@example.com").update(is_active=True)
    assert left == 1
    good = 200 if how == "PATCH" else 204
    refused = set(outcomes(answers)) - {good}
    assert outcomes(answers)[good] == 1
    # The second admin is the last one, or has lost the role already if the first request was quicker.
    assert refused <= {(409, "last_admin"), (403, "permission_denied"), (401, "token_invalid")}, outcomes(
        answers
    )


@pytest.fixture
def admin(real_dojo: Dojo) -> Dojo:
    """The dojo with an admin who is still active after the tests above."""
    with tenant_scope(real_dojo.tenant):
        user = User.objects.get(email="first@example.com")
        User.objects.filter(pk=user.pk).update(is_active=True)
        token = open_session(user, now=clock.now()).access
    return Dojo(real_dojo.tenant, people={"admin": Caller(real_dojo.host, token=token, user=user)})


def test_concurrent_requests_with_one_idempotency_key_write_once(admin: Dojo) -> None:
    body = {"first_name": "Twin", "last_name": "Sato"}
    post = [partial(another(admin.admin).post, "/students", body, Idempotency_Key="twins") for _ in range(6)]
    answers = concurrently(*post)
    assert set(outcomes(answers)) <= {201, (409, "idempotency_in_progress")}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert ok(admin.admin.get("/students?search=twin"))["count"] == 1


def test_a_second_request_with_the_key_of_a_running_one_is_in_progress(admin: Dojo) -> None:
    """The first request waits for a row that another transaction has locked."""
    who = factories.student(admin)
    patch = [
        partial(another(admin.admin).patch, f"/students/{who['id']}", {"phone": "1"}, Idempotency_Key="held")
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as threads:
        with tenant_scope(admin.tenant), transaction.atomic():
            Student.objects.select_for_update().get(pk=who["id"])
            both = [threads.submit(contextvars.copy_context().run, call_and_close, call) for call in patch]
            refused = next(as_completed(both, timeout=60)).result()
        answers = [one.result(120) for one in both]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_in_progress")
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def call_and_close(call: Callable[[], Any]) -> Any:
    """Call, and close the connections of this thread."""
    try:
        return call()
    finally:
        connections.close_all()


def test_concurrent_scans_of_one_code_record_one_attendance(admin: Dojo) -> None:
    who, session = factories.student(admin), factories.single_session(admin)
    token = factories.qr_token(admin.admin, who)
    body = {"token": token, "class_session": session["id"]}
    answers = concurrently(*(partial(another(admin.admin).post, "/attendance/scan", body) for _ in range(6)))
    assert outcomes(answers) == {201: 1, 200: 5}
    assert len({answer.json()["attendance"]["id"] for answer in answers}) == 1


def test_concurrent_scans_with_one_nonce_get_one_response(admin: Dojo) -> None:
    who, session = factories.student(admin), factories.single_session(admin)
    body = {
        "token": factories.qr_token(admin.admin, who),
        "class_session": session["id"],
        "nonce": f"n-{who['id']}",
    }
    answers = concurrently(*(partial(another(admin.admin).post, "/attendance/scan", body) for _ in range(6)))
    assert outcomes(answers) == {201: 6}
    assert all(answer.json() == answers[0].json() for answer in answers)


def test_the_last_place_in_a_session_is_taken_once(admin: Dojo) -> None:
    ok(admin.admin.patch("/settings", {"capacity_policy": "enforce"}))
    session = factories.single_session(admin, capacity=1)
    tokens = [factories.qr_token(admin.admin, factories.student(admin)) for _ in range(4)]
    bodies = [{"token": token, "class_session": session["id"]} for token in tokens]
    answers = concurrently(*(partial(another(admin.admin).post, "/attendance/scan", body) for body in bodies))
    ok(admin.admin.patch("/settings", {"capacity_policy": "ignore"}))
    assert outcomes(answers) == {201: 1, (409, "session_full"): 3}


def test_a_refresh_token_works_once_in_concurrent_requests(admin: Dojo) -> None:
    assert admin.admin.user is not None
    with tenant_scope(admin.tenant):
        token = open_session(admin.admin.user, now=clock.now()).refresh
    answers = concurrently(
        *(partial(Caller(admin.host).post, "/auth/refresh", {"refresh": token}) for _ in range(4))
    )
    assert outcomes(answers) == {200: 1, (401, "token_invalid"): 3}


def test_concurrent_voids_of_one_attendance_void_it_once(admin: Dojo) -> None:
    attendance = factories.attendance(admin, factories.student(admin), factories.single_session(admin))
    path = f"/attendance/{attendance['id']}/void"
    answers = concurrently(*(partial(another(admin.admin).post, path, {"reason": "Left."}) for _ in range(3)))
    assert outcomes(answers) == {200: 1, (409, "already_voided"): 2}


def test_concurrent_changes_of_different_fields_are_all_kept(admin: Dojo) -> None:
    who = factories.student(admin)
    changes = [{"phone": "1"}, {"email": "m@example.com"}, {"gender": "f"}]
    path = f"/students/{who['id']}"
    answers = concurrently(*(partial(another(admin.admin).patch, path, body) for body in changes))
    assert outcomes(answers) == {200: 3}
    after = ok(admin.admin.get(path))
    assert (after["phone"], after["email"], after["gender"]) == ("1", "m@example.com", "f")
