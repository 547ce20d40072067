"""What two do at the same moment, on connections of their own."""

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
from tests.support.responses import done


@pytest.fixture(autouse=True)
def _at_present(committed: None, now: Any) -> None:
    """Let every test be at the fixed present, in a database that keeps what it does."""


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same moment, each in a thread with a connection of its own; return the answers."""
    start = Barrier(len(deeds))

    def do(deed: Callable[[], Any]) -> Any:
        start.wait(10)
        return closing(deed)

    with ThreadPoolExecutor(len(deeds)) as threads:
        waiting = [threads.submit(contextvars.copy_context().run, do, deed) for deed in deeds]
        return [one.result(30) for one in waiting]


def outcomes(answers: list[Any]) -> Counter[Any]:
    """Count the statuses, refusals by their code."""
    return Counter(
        (answer.status_code, answer.json()["error"]["code"])
        if answer.status_code >= 400
        else answer.status_code
        for answer in answers
    )


def another(caller: Caller) -> Caller:
    """Return the same person at another window: a client is one thread's."""
    return Caller(caller.host, token=caller.token, user=caller.user)


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("how", ["PATCH", "DELETE"])
def test_of_the_last_two_admins_one_stays(real_dojo: Dojo, how: str, attempt: int) -> None:
    two = [real_dojo.person("admin", f"{how.lower()}-{attempt}-{n}") for n in range(2)]
    with tenant_scope(real_dojo.tenant):
        ids = [caller.user.pk for caller in two if caller.user]
        User.objects.filter(role="admin").exclude(pk__in=ids).update(is_active=False)
    body = {"role": "instructor"} if how == "PATCH" else None
    answers = at_once(
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
    # The second is told that he would be the last one, or, when the first was quicker, that he may not any more.
    assert refused <= {(409, "last_admin"), (403, "permission_denied"), (401, "token_invalid")}, outcomes(
        answers
    )


@pytest.fixture
def admin(real_dojo: Dojo) -> Dojo:
    """The dojo with an admin who is there after the tests above."""
    with tenant_scope(real_dojo.tenant):
        user = User.objects.get(email="first@example.com")
        User.objects.filter(pk=user.pk).update(is_active=True)
        token = open_session(user, now=clock.now()).access
    return Dojo(real_dojo.tenant, people={"admin": Caller(real_dojo.host, token=token, user=user)})


def test_twins_under_one_key_write_once(admin: Dojo) -> None:
    body = {"first_name": "Twin", "last_name": "Sato"}
    post = [partial(another(admin.admin).post, "/students", body, Idempotency_Key="twins") for _ in range(6)]
    answers = at_once(*post)
    assert set(outcomes(answers)) <= {201, (409, "idempotency_in_progress")}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert done(admin.admin.get("/students?search=twin"))["count"] == 1


def test_a_twin_in_flight_is_in_progress(admin: Dojo) -> None:
    """The first is held up by a row that somebody else has locked."""
    who = factories.student(admin)
    patch = [
        partial(another(admin.admin).patch, f"/students/{who['id']}", {"phone": "1"}, Idempotency_Key="held")
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as threads:
        with tenant_scope(admin.tenant), transaction.atomic():
            Student.objects.select_for_update().get(pk=who["id"])
            both = [threads.submit(contextvars.copy_context().run, closing, deed) for deed in patch]
            refused = next(as_completed(both, timeout=10)).result()
        answers = [one.result(30) for one in both]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_in_progress")
    assert sorted(answer.status_code for answer in answers) == [200, 409]


def closing(deed: Callable[[], Any]) -> Any:
    """Do it, and leave no connection behind."""
    try:
        return deed()
    finally:
        connections.close_all()


def test_one_code_scanned_everywhere_at_once_is_one_attendance(admin: Dojo) -> None:
    who, session = factories.student(admin), factories.single_session(admin)
    token = factories.code_of(admin.admin, who)
    body = {"token": token, "class_session": session["id"]}
    answers = at_once(*(partial(another(admin.admin).post, "/attendance/scan", body) for _ in range(6)))
    assert outcomes(answers) == {201: 1, 200: 5}
    assert len({answer.json()["attendance"]["id"] for answer in answers}) == 1


def test_one_nonce_sent_everywhere_at_once_has_one_answer(admin: Dojo) -> None:
    who, session = factories.student(admin), factories.single_session(admin)
    body = {
        "token": factories.code_of(admin.admin, who),
        "class_session": session["id"],
        "nonce": f"n-{who['id']}",
    }
    answers = at_once(*(partial(another(admin.admin).post, "/attendance/scan", body) for _ in range(6)))
    assert outcomes(answers) == {201: 6}
    assert all(answer.json() == answers[0].json() for answer in answers)


def test_the_last_place_is_taken_once(admin: Dojo) -> None:
    done(admin.admin.patch("/settings", {"capacity_policy": "enforce"}))
    session = factories.single_session(admin, capacity=1)
    tokens = [factories.code_of(admin.admin, factories.student(admin)) for _ in range(4)]
    bodies = [{"token": token, "class_session": session["id"]} for token in tokens]
    answers = at_once(*(partial(another(admin.admin).post, "/attendance/scan", body) for body in bodies))
    done(admin.admin.patch("/settings", {"capacity_policy": "ignore"}))
    assert outcomes(answers) == {201: 1, (409, "session_full"): 3}


def test_a_refresh_token_used_twice_at_once_works_once(admin: Dojo) -> None:
    assert admin.admin.user is not None
    with tenant_scope(admin.tenant):
        token = open_session(admin.admin.user, now=clock.now()).refresh
    answers = at_once(
        *(partial(Caller(admin.host).post, "/auth/refresh", {"refresh": token}) for _ in range(4))
    )
    assert outcomes(answers) == {200: 1, (401, "token_invalid"): 3}


def test_what_is_voided_twice_at_once_is_voided_once(admin: Dojo) -> None:
    attendance = factories.attendance(admin, factories.student(admin), factories.single_session(admin))
    path = f"/attendance/{attendance['id']}/void"
    answers = at_once(*(partial(another(admin.admin).post, path, {"reason": "Left."}) for _ in range(3)))
    assert outcomes(answers) == {200: 1, (409, "already_voided"): 2}


def test_two_changes_of_different_fields_both_last(admin: Dojo) -> None:
    who = factories.student(admin)
    changes = [{"phone": "1"}, {"email": "m@example.com"}, {"gender": "f"}]
    path = f"/students/{who['id']}"
    answers = at_once(*(partial(another(admin.admin).patch, path, body) for body in changes))
    assert outcomes(answers) == {200: 3}
    after = done(admin.admin.get(path))
    assert (after["phone"], after["email"], after["gender"]) == ("1", "m@example.com", "f")
