"""`POST /attendance/scan`: one attendance, or the named reason why there is none; and what the desk is told."""

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest

from shared_apps.accounts.sessions import open_session
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, refusal


def scan(caller: Caller, token: str, **more: Any) -> Any:
    return caller.post("/attendance/scan", {"token": token, **more})


def fresh(caller: Caller, dojo: Dojo) -> Caller:
    """Return the caller with a token that is valid at the present of the clock."""
    assert caller.user is not None
    with tenant_scope(dojo.tenant):
        return Caller(dojo.host, token=open_session(caller.user, now=clock.now()).access, user=caller.user)


def recorded(dojo: Dojo) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = done(dojo.admin.get("/attendance"))["results"]
    return rows


def refusals(dojo: Dojo) -> list[str]:
    return [row["code"] for row in done(dojo.admin.get("/attendance/refusals"))["results"]]


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return factories.student(dojo)


@pytest.fixture
def evening(dojo: Dojo) -> dict[str, Any]:
    """The session of a class that is open now; it began at 18:30, ten minutes ago."""
    return factories.session_today(dojo, factories.training_class(dojo))


def test_a_scan_is_recorded(dojo: Dojo, mika: Any, evening: Any) -> None:
    body = done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)
    assert set(body) == {"status", "attendance", "student", "alerts"}
    assert body["status"] == "recorded"
    attendance = body["attendance"]
    wanted = {"id", "tenant_id", "student", "class_session", "checked_in_at", "method", "late"}
    assert wanted <= set(attendance)
    assert attendance["tenant_id"] == str(dojo.tenant.tenant_id)
    assert attendance["student"] == {"id": mika["id"], "name": "Mika Sato"}
    assert attendance["class_session"] == {"id": evening["id"], "name": "Evening class"}
    assert attendance["checked_in_at"] == "2026-06-15T16:40:00Z"
    assert attendance["method"] == "qr_rotating"
    assert body["student"] == {"id": mika["id"], "name": "Mika Sato", "ranks": []}
    assert body["alerts"] == []


def test_a_second_scan_shows_the_first_attendance(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.code_of(dojo.admin, mika)
    first = done(scan(dojo.admin, token), 201)
    with clock.fixed(NOW + timedelta(seconds=20)):
        second = done(scan(dojo.instructor, token), 200)
    assert second == {**first, "status": "already_recorded"}
    assert len(recorded(dojo)) == 1


def test_the_ranks_of_the_student_are_shown(dojo: Dojo, mika: Any, evening: Any) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, factories.rank(system, "5-kyu"), "2026-01-01")
    ranks = done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)["student"]["ranks"]
    assert [(one["id"], one["name"]) for one in ranks] == [(factories.rank(system, "5-kyu"), "5th kyu")]


@pytest.mark.parametrize(("minutes", "late"), [(9, False), (10, True), (11, True)])
def test_from_the_tenth_minute_on_one_is_late(
    dojo: Dojo, mika: Any, evening: Any, minutes: int, late: bool
) -> None:
    with clock.fixed(NOW + timedelta(minutes=minutes - 10)):
        caller = fresh(dojo.admin, dojo)
        assert done(scan(caller, factories.code_of(caller, mika)), 201)["attendance"]["late"] is late


def test_the_address_of_a_code_is_scanned_like_its_token(dojo: Dojo, mika: Any, evening: Any) -> None:
    code = done(dojo.admin.post("/qr", {"student": mika["id"]}), 201)
    assert done(scan(dojo.admin, code["url"]), 201)["status"] == "recorded"
    assert done(scan(dojo.admin, code["token"]))["status"] == "already_recorded"


# --- qr_invalid ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [
        "garbage",
        "empty url",
        "cut off",
        "changed",
        "longer",
        "another dojo's",
        "student unknown here",
        "padded",
        "ünicode",
    ],
)
def test_whatever_is_wrong_with_a_code_the_answer_is_the_same(
    dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any, what: str
) -> None:
    good = factories.code_of(dojo.admin, mika)
    wrong = {
        "garbage": "garbage",
        "empty url": "http://aiki.localhost/check-in/",
        "cut off": good[:-1],
        "changed": ("A" if good[10] != "A" else "B").join((good[:10], good[11:])),
        "longer": good + "A",
        "another dojo's": factories.code_of(other_dojo.admin, factories.student(other_dojo)),
        "student unknown here": forged_for_nobody(dojo),
        "padded": good + "=",
        "ünicode": "ü" * 50,
    }[what]
    answer, garbage = scan(dojo.admin, wrong), scan(dojo.admin, "garbage")
    refusal(answer, 400, "qr_invalid")
    assert answer.content == garbage.content
    assert recorded(dojo) == []
    assert refusals(dojo) == []


def forged_for_nobody(dojo: Dojo) -> str:
    """Return a code that the dojo's key has signed, for an id that no student has."""
    from tenant_apps.attendance.codes import Kind, make_token

    return make_token(Kind.STUDENT, b"\x07" * 16, tenant_id=dojo.tenant.tenant_id, now=clock.now())


# --- refusals by name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (29, True), (30, True), (59, True), (60, False), (3600, False)]
)
def test_a_rotating_code_is_honoured_one_period_longer(
    dojo: Dojo, mika: Any, seconds: int, good: bool
) -> None:
    factories.single_session(dojo)
    dojo.admin.patch("/settings", {"closes_minutes_after": 240})
    token = factories.code_of(dojo.admin, mika)
    with clock.fixed(NOW + timedelta(seconds=seconds)):
        answer = scan(fresh(dojo.admin, dojo), token)
        if good:
            done(answer, 201)
        else:
            refusal(answer, 400, "qr_expired")
            assert refusals(dojo_at_present(dojo)) == ["qr_expired"]


def dojo_at_present(dojo: Dojo) -> Dojo:
    """Return the dojo with tokens that are valid now."""
    return Dojo(dojo.tenant, people={"admin": fresh(dojo.admin, dojo)})


def test_a_code_of_the_future_is_not_honoured(dojo: Dojo, mika: Any, evening: Any) -> None:
    with clock.fixed(NOW + timedelta(minutes=5)):
        token = factories.code_of(fresh(dojo.admin, dojo), mika)
    assert scan(dojo.admin, token).status_code == 400


def test_a_card_lives_on(dojo: Dojo, mika: Any) -> None:
    card = done(dojo.admin.post("/qr", {"student": mika["id"], "kind": "card"}), 201)
    assert card["expires_at"] is None
    with clock.fixed(NOW + timedelta(days=300)):
        today = dojo_at_present(dojo)
        factories.single_session(today, "2027-04-11T16:30:00Z")
        assert done(scan(today.admin, card["token"]), 201)["attendance"]["method"] == "qr_card"


def test_a_reissued_card_revokes_the_one_before(dojo: Dojo, mika: Any, evening: Any) -> None:
    old = factories.code_of(dojo.admin, mika, kind="card")
    new = done(dojo.admin.post(f"/students/{mika['id']}/card", {}), 201)["token"]
    refusal(scan(dojo.admin, old), 400, "qr_revoked")
    assert refusals(dojo) == ["qr_revoked"]
    done(scan(dojo.admin, new), 201)


def test_a_lost_card_is_revoked(dojo: Dojo, mika: Any, evening: Any) -> None:
    card = factories.code_of(dojo.admin, mika, kind="card")
    done(dojo.admin.delete(f"/students/{mika['id']}/card"), 204)
    refusal(scan(dojo.admin, card), 400, "qr_revoked")


@pytest.mark.parametrize("how", ["inactive", "archived"])
def test_who_does_not_train_here_is_refused(dojo: Dojo, mika: Any, evening: Any, how: str) -> None:
    token = factories.code_of(dojo.admin, mika)
    path = f"/students/{mika['id']}"
    _ = dojo.admin.delete(path) if how == "archived" else dojo.admin.patch(path, {"status": "inactive"})
    refusal(scan(dojo.admin, token, class_session=factories.nobody()), 409, "student_inactive")
    assert refusals(dojo) == ["student_inactive"]


@pytest.mark.parametrize("status", ["trial", "active"])
def test_who_trains_here_is_recorded(dojo: Dojo, mika: Any, evening: Any, status: str) -> None:
    done(dojo.admin.patch(f"/students/{mika['id']}", {"status": status}))
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)


def test_a_session_that_is_not_there_is_not_found(
    dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any
) -> None:
    theirs = factories.single_session(other_dojo)
    token = factories.code_of(dojo.admin, mika)
    refusal(scan(dojo.admin, token, class_session=theirs["id"]), 404, "class_session_not_found")
    assert refusals(dojo) == ["class_session_not_found"]
    assert refusals(other_dojo) == []


def test_a_cancelled_session_is_refused_and_open_again_when_it_takes_place(
    dojo: Dojo, mika: Any, evening: Any
) -> None:
    path = f"/class-sessions/{evening['id']}/cancellation"
    done(dojo.admin.post(path), 201)
    token = factories.code_of(dojo.admin, mika)
    refusal(scan(dojo.admin, token, class_session=evening["id"]), 409, "session_cancelled")
    refusal(scan(dojo.admin, token), 409, "session_cancelled")
    done(dojo.admin.delete(path), 204)
    done(scan(dojo.admin, token, class_session=evening["id"]), 201)


def test_when_no_session_is_open_none_is_recorded(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T19:00:00Z")
    refusal(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 409, "no_open_session")
    assert refusals(dojo) == ["no_open_session"]


def test_two_sessions_that_begin_together_are_told_apart_by_name(dojo: Dojo, mika: Any) -> None:
    both = [factories.single_session(dojo, name=name) for name in ("Hall A", "Hall B")]
    token = factories.code_of(dojo.admin, mika)
    details = refusal(scan(dojo.admin, token), 409, "ambiguous_session")
    assert sorted(details["candidates"], key=lambda one: one["name"]) == [
        {"id": one["id"], "name": one["name"]} for one in both
    ]
    assert refusals(dojo) == ["ambiguous_session"]
    done(scan(dojo.admin, token, class_session=both[1]["id"]), 201)


def test_of_two_open_sessions_the_one_where_she_is_enrolled_is_meant(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T16:39:00Z")
    mine = factories.training_class(dojo, name="Kids")
    done(dojo.admin.post(f"/classes/{mine['id']}/enrolments", {"student": mika["id"]}), 201)
    assert (
        done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)["attendance"]["class_session"][
            "name"
        ]
        == "Kids"
    )


def test_of_two_open_sessions_the_nearest_start_is_meant(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-15T16:10:00Z", name="Earlier")
    factories.single_session(dojo, "2026-06-15T16:45:00Z", name="Nearest")
    token = factories.code_of(dojo.admin, mika)
    assert done(scan(dojo.admin, token), 201)["attendance"]["class_session"]["name"] == "Nearest"
    assert done(scan(dojo.admin, token))["attendance"]["class_session"]["name"] == "Nearest"
    assert len(recorded(dojo)) == 1


def test_a_second_scan_never_means_the_next_class(dojo: Dojo, mika: Any) -> None:
    """She came to the first of two classes and scans again while the second is already open for check-in."""
    factories.single_session(dojo, "2026-06-15T16:30:00Z", name="First")
    factories.single_session(dojo, "2026-06-15T17:00:00Z", name="Second")
    token = factories.code_of(dojo.admin, mika)
    assert done(scan(dojo.admin, token), 201)["attendance"]["class_session"]["name"] == "First"
    again = done(scan(dojo.admin, token))
    assert (again["status"], again["attendance"]["class_session"]["name"]) == ("already_recorded", "First")


def test_a_tie_where_she_is_recorded_already_is_already_recorded(dojo: Dojo, mika: Any) -> None:
    for name in ("Hall A", "Hall B"):
        session = factories.single_session(dojo, name=name)
    token = factories.code_of(dojo.admin, mika)
    done(scan(dojo.admin, token, class_session=session["id"]), 201)
    assert done(scan(dojo.admin, token))["status"] == "already_recorded"


@pytest.mark.parametrize(
    ("starts_at", "is_open"),
    [
        ("2026-06-15T17:10:00Z", True),
        ("2026-06-15T17:10:01Z", False),
        ("2026-06-15T15:40:00Z", True),
        ("2026-06-15T15:39:59Z", False),
    ],
)
def test_check_in_is_open_from_30_minutes_before_to_60_after_the_start(
    dojo: Dojo, mika: Any, starts_at: str, is_open: bool
) -> None:
    session = factories.single_session(dojo, starts_at)
    answer = scan(dojo.admin, factories.code_of(dojo.admin, mika), class_session=session["id"])
    if is_open:
        done(answer, 201)
    else:
        refusal(answer, 409, "outside_check_in_window")
        assert refusals(dojo) == ["outside_check_in_window"]


def test_a_class_has_a_window_of_its_own(dojo: Dojo, mika: Any) -> None:
    window = {"opens_minutes_before": 5, "closes_minutes_after": 5, "late_after_minutes": 0}
    session = factories.session_today(dojo, factories.training_class(dojo, check_in_window=window))
    answer = scan(dojo.admin, factories.code_of(dojo.admin, mika), class_session=session["id"])
    refusal(answer, 409, "outside_check_in_window")


def test_a_second_scan_after_the_window_is_already_recorded(dojo: Dojo, mika: Any, evening: Any) -> None:
    card = factories.code_of(dojo.admin, mika, kind="card")
    done(scan(dojo.admin, card, class_session=evening["id"]), 201)
    with clock.fixed(NOW + timedelta(hours=2)):
        again = scan(fresh(dojo.admin, dojo), card, class_session=evening["id"])
        assert done(again)["status"] == "already_recorded"


# --- policies -----------------------------------------------------------------------------------------------


def enforce(dojo: Dojo, *policies: str) -> None:
    done(dojo.admin.patch("/settings", {f"{name}_policy": "enforce" for name in policies}))


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_who_is_not_enrolled_is_refused_where_that_is_enforced(
    dojo: Dojo, mika: Any, evening: Any, policy: str
) -> None:
    done(dojo.admin.patch("/settings", {"enrolment_policy": policy}))
    answer = scan(dojo.admin, factories.code_of(dojo.admin, mika))
    if policy == "ignore":
        done(answer, 201)
        return
    refusal(answer, 409, "not_enrolled")
    assert refusals(dojo) == ["not_enrolled"]
    done(dojo.admin.post(f"/classes/{evening['class']['id']}/enrolments", {"student": mika["id"]}), 201)
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_who_is_below_the_rank_is_refused_where_that_is_enforced(dojo: Dojo, mika: Any, policy: str) -> None:
    done(dojo.admin.patch("/settings", {"rank_policy": policy}))
    system = factories.rank_system(dojo)
    factories.training_class(dojo, min_rank=factories.rank(system, "3-kyu"))
    factories.rank_event(dojo, mika, factories.rank(system, "4-kyu"), "2026-01-01")
    answer = scan(dojo.admin, factories.code_of(dojo.admin, mika))
    if policy == "ignore":
        done(answer, 201)
        return
    refusal(answer, 409, "below_min_rank")
    assert refusals(dojo) == ["below_min_rank"]
    factories.rank_event(dojo, mika, factories.rank(system, "3-kyu"), "2026-06-15")
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)


@pytest.mark.parametrize("policy", ["enforce", "ignore"])
def test_a_full_session_is_refused_where_that_is_enforced(dojo: Dojo, mika: Any, policy: str) -> None:
    done(dojo.admin.patch("/settings", {"capacity_policy": policy}))
    session = factories.single_session(dojo, capacity=1)
    first = factories.attendance(dojo, factories.student(dojo), session)
    answer = scan(dojo.admin, factories.code_of(dojo.admin, mika))
    if policy == "ignore":
        done(answer, 201)
        return
    refusal(answer, 409, "session_full")
    assert refusals(dojo) == ["session_full"]
    done(dojo.admin.post(f"/attendance/{first['id']}/void", {"reason": "She left."}))
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika)), 201)


def test_refusals_come_in_the_contracts_order(dojo: Dojo, mika: Any) -> None:
    """One scan that breaks every rule, mended one by one."""
    enforce(dojo, "enrolment", "rank", "capacity")
    system = factories.rank_system(dojo)
    group = factories.training_class(dojo, min_rank=factories.rank(system, "3-kyu"), capacity=1)
    session = factories.session_today(dojo, group)
    factories.attendance(dojo, factories.student(dojo), session)
    card = factories.code_of(dojo.admin, mika, kind="card")
    done(dojo.admin.post(f"/class-sessions/{session['id']}/cancellation"), 201)
    done(dojo.admin.patch(f"/students/{mika['id']}", {"status": "inactive"}))

    def at(moment: Any, token: str = card, **more: str) -> Any:
        with clock.fixed(moment):
            return scan(fresh(dojo.admin, dojo), token, **{"class_session": session["id"], **more})

    later = NOW + timedelta(hours=3)
    refusal(at(later), 409, "student_inactive")
    done(dojo.admin.patch(f"/students/{mika['id']}", {"status": "active"}))
    refusal(at(later, class_session=factories.nobody()), 404, "class_session_not_found")
    refusal(at(later), 409, "session_cancelled")
    done(dojo.admin.delete(f"/class-sessions/{session['id']}/cancellation"), 204)
    refusal(at(later), 409, "outside_check_in_window")
    refusal(at(NOW), 409, "not_enrolled")
    done(dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": mika["id"]}), 201)
    refusal(at(NOW), 409, "below_min_rank")
    factories.rank_event(dojo, mika, factories.rank(system, "1-kyu"), "2026-01-01")
    refusal(at(NOW), 409, "session_full")
    enforce_not = {"capacity_policy": "ignore"}
    done(dojo.admin.patch("/settings", enforce_not))
    done(at(NOW), 201)
    assert sorted(refusals(dojo)) == sorted(
        [
            "student_inactive",
            "class_session_not_found",
            "session_cancelled",
            "outside_check_in_window",
            "not_enrolled",
            "below_min_rank",
            "session_full",
        ]
    )


# --- alerts -------------------------------------------------------------------------------------------------


def alerts(answer: Any) -> set[str]:
    shown = done(answer, 201)["alerts"]
    assert all(set(one) == {"code", "message"} and one["message"] for one in shown)
    return {one["code"] for one in shown}


def test_who_is_on_hold_is_recorded_with_an_alert(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.put_on_hold(dojo, mika)
    assert alerts(scan(dojo.admin, factories.code_of(dojo.admin, mika))) == {"on_hold"}
    assert refusals(dojo) == []


def test_a_birthday_is_told_to_the_desk(dojo: Dojo, evening: Any) -> None:
    child = factories.student(dojo, birth_date="2015-06-15")
    assert alerts(scan(dojo.admin, factories.code_of(dojo.admin, child))) == {"birthday"}


def test_a_student_is_told_of_his_birthday_and_of_nothing_else(dojo: Dojo, evening: Any) -> None:
    child = factories.student(dojo, birth_date="2015-06-15", medical_notes="Asthma")
    factories.put_on_hold(dojo, child)
    factories.speaks_for(dojo, dojo.student, child)
    token = factories.code_of_session(dojo.admin, evening)["token"]
    assert alerts(scan(dojo.student, token)) == {"birthday"}


# --- nonces -------------------------------------------------------------------------------------------------


def test_the_same_nonce_replays_the_first_answer_and_its_status(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.code_of(dojo.admin, mika)
    first = scan(dojo.admin, token, nonce="n1")
    again = scan(dojo.admin, token, nonce="n1")
    assert done(again, 201) == done(first, 201)
    assert len(recorded(dojo)) == 1


def test_a_nonce_replays_a_refusal_even_when_it_would_succeed_now(dojo: Dojo, mika: Any) -> None:
    card = factories.code_of(dojo.admin, mika, kind="card")
    first = scan(dojo.admin, card, nonce="n1")
    refusal(first, 409, "no_open_session")
    factories.single_session(dojo)
    again = scan(dojo.admin, card, nonce="n1")
    refusal(again, 409, "no_open_session")
    assert again.json() == first.json()
    assert refusals(dojo) == ["no_open_session"]
    done(scan(dojo.admin, card, nonce="n2"), 201)


def test_a_nonce_replays_what_was_voided_since(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.code_of(dojo.admin, mika)
    first = done(scan(dojo.admin, token, nonce="n1"), 201)
    done(dojo.admin.post(f"/attendance/{first['attendance']['id']}/void", {"reason": "Left."}))
    assert done(scan(dojo.admin, token, nonce="n1"), 201) == first
    assert done(scan(dojo.admin, token, nonce="n2"), 201)["attendance"]["id"] != first["attendance"]["id"]


def test_garbage_is_replayed_too(dojo: Dojo, mika: Any, evening: Any) -> None:
    refusal(scan(dojo.admin, "garbage", nonce="n1"), 400, "qr_invalid")
    refusal(scan(dojo.admin, factories.code_of(dojo.admin, mika), nonce="n1"), 409, "idempotency_key_reused")


def test_a_nonce_with_another_token_is_refused(dojo: Dojo, mika: Any, evening: Any) -> None:
    done(scan(dojo.admin, factories.code_of(dojo.admin, mika), nonce="n1"), 201)
    other = factories.code_of(dojo.admin, factories.student(dojo))
    refusal(scan(dojo.admin, other, nonce="n1"), 409, "idempotency_key_reused")
    assert len(recorded(dojo)) == 1


def test_a_nonce_is_each_callers_own(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.code_of(dojo.admin, mika)
    done(scan(dojo.admin, token, nonce="n1"), 201)
    assert done(scan(dojo.instructor, token, nonce="n1"))["status"] == "already_recorded"


def test_a_nonce_replays_a_scan_that_has_become_too_old_to_make(dojo: Dojo, mika: Any) -> None:
    at = NOW - timedelta(hours=71)
    factories.single_session(dojo, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    body = {"nonce": "n1", "scanned_at": at.isoformat()}
    card = factories.code_of(dojo.admin, mika, kind="card")
    first = done(scan(dojo.admin, card, **body), 201)
    with clock.fixed(NOW + timedelta(hours=2)):
        assert done(scan(fresh(dojo.admin, dojo), card, **body), 201) == first


# --- scanned_at ---------------------------------------------------------------------------------------------


def test_the_moment_of_the_scan_decides(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo, "2026-06-13T10:00:00Z", name="Two days ago")
    card = factories.code_of(dojo.admin, mika, kind="card")
    body = done(scan(dojo.admin, card, scanned_at="2026-06-13T10:20:00Z"), 201)
    assert body["attendance"]["class_session"]["name"] == "Two days ago"
    assert body["attendance"]["checked_in_at"] == "2026-06-13T10:20:00Z"
    assert body["attendance"]["late"] is True


def test_a_rotating_code_is_judged_at_the_moment_of_the_scan(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.code_of(dojo.admin, mika)
    with clock.fixed(NOW + timedelta(hours=1)):
        caller = fresh(dojo.admin, dojo)
        refusal(scan(caller, token), 400, "qr_expired")
        done(scan(caller, token, scanned_at=(NOW + timedelta(seconds=10)).isoformat()), 201)


@pytest.mark.parametrize("at", [NOW - timedelta(hours=72, seconds=1), NOW + timedelta(minutes=10)])
def test_a_moment_more_than_72_hours_ago_or_to_come_is_refused(
    dojo: Dojo, mika: Any, evening: Any, at: Any
) -> None:
    token = factories.code_of(dojo.admin, mika)
    invalid(scan(dojo.admin, token, scanned_at=at.isoformat()), "scanned_at")


def test_a_student_does_not_say_when_he_scanned(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.speaks_for(dojo, dojo.student, mika)
    token = factories.code_of_session(dojo.admin, evening)["token"]
    invalid(scan(dojo.student, token, scanned_at=NOW.isoformat()), "scanned_at")


# --- a session's code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_a_student_scans_a_sessions_code(dojo: Dojo, mika: Any, evening: Any, kind: str) -> None:
    factories.speaks_for(dojo, dojo.student, mika)
    code = factories.code_of_session(dojo.admin, evening, kind=kind)
    body = done(scan(dojo.student, code["url"]), 201)
    assert body["attendance"]["method"] == "session_code"
    assert body["attendance"]["class_session"]["id"] == evening["id"]


def test_who_speaks_for_several_says_for_whom(dojo: Dojo, evening: Any) -> None:
    children = [factories.student(dojo, first_name=name) for name in ("Ai", "Bo")]
    factories.speaks_for(dojo, dojo.student, *children)
    token = factories.code_of_session(dojo.admin, evening)["token"]
    details = refusal(scan(dojo.student, token), 409, "ambiguous_student")
    assert sorted(details["candidates"], key=lambda one: one["name"]) == [
        {"id": one["id"], "name": one["name"]} for one in children
    ]
    body = done(scan(dojo.student, token, student=children[1]["id"]), 201)
    assert body["student"]["name"] == "Bo Sato"


def test_nobody_scans_a_sessions_code_for_somebody_elses_child(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.speaks_for(dojo, dojo.student, mika)
    stranger = factories.student(dojo)
    token = factories.code_of_session(dojo.admin, evening)["token"]
    invalid(scan(dojo.student, token, student=stranger["id"]), "student")
    assert recorded(dojo) == []
    assert refusals(dojo) == [], "a body that is not valid is no refusal of a scan"


def test_the_code_of_another_dojos_session_is_not_valid(
    dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any
) -> None:
    factories.speaks_for(dojo, dojo.student, mika)
    theirs = factories.code_of_session(other_dojo.admin, factories.single_session(other_dojo))
    refusal(scan(dojo.student, theirs["token"]), 400, "qr_invalid")
    refusal(scan(dojo.student, theirs["url"]), 400, "qr_invalid")


def test_a_rotating_code_of_a_session_expires(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.speaks_for(dojo, dojo.student, mika)
    token = factories.code_of_session(dojo.admin, evening, kind="rotating")["token"]
    with clock.fixed(NOW + timedelta(seconds=61)):
        refusal(scan(fresh(dojo.student, dojo), token), 400, "qr_expired")


# --- what the codes are -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rotating", "card"])
@pytest.mark.parametrize(("of", "holds"), [("student", "token"), ("session", "url")])
def test_the_image_of_a_code_holds_what_is_scanned(
    dojo: Dojo, mika: Any, evening: Any, of: str, holds: str, kind: str
) -> None:
    body = {"student": mika["id"]} if of == "student" else {"class_session": evening["id"]}
    code = done(dojo.admin.post("/qr", {**body, "kind": kind, "format": "png"}), 201)
    assert set(code) == {"token", "url", "kind", "expires_at", "image"}
    assert code["kind"] == kind
    assert len(code["token"].encode()) <= 62
    assert code["url"].startswith("http://aiki.localhost")
    symbol = decoded(code["image"])
    assert symbol.text == code[holds]
    assert symbol.ec_level == "M"
    if of == "student":
        assert modules(code["image"]) <= 17 + 4 * 4


def test_a_rotating_code_lives_thirty_seconds_at_most(dojo: Dojo, mika: Any) -> None:
    code = done(dojo.admin.post("/qr", {"student": mika["id"]}), 201)
    assert code["kind"] == "rotating"
    assert "2026-06-15T16:40:00Z" < code["expires_at"] <= "2026-06-15T16:40:30Z"
    assert code["image"].startswith("data:image/svg+xml;base64,")
    assert b"<svg" in b64decode(code["image"].partition(",")[2])


@pytest.mark.parametrize("body", [{}, {"kind": "card"}])
def test_a_code_is_of_one_student_or_one_session(
    dojo: Dojo, mika: Any, evening: Any, body: dict[str, str]
) -> None:
    refusal(dojo.admin.post("/qr", body), 400, "validation_error")
    both = {**body, "student": mika["id"], "class_session": evening["id"]}
    refusal(dojo.admin.post("/qr", both), 400, "validation_error")


@pytest.mark.parametrize(("field", "value"), [("kind", "eternal"), ("format", "jpeg")])
def test_a_code_is_of_a_known_kind_and_format(dojo: Dojo, mika: Any, field: str, value: str) -> None:
    invalid(dojo.admin.post("/qr", {"student": mika["id"], field: value}), field)


def picture(data_uri: str) -> Any:
    from io import BytesIO

    from PIL import Image

    assert data_uri.startswith("data:image/png;base64,")
    return Image.open(BytesIO(b64decode(data_uri.partition(",")[2]))).convert("L")


def decoded(data_uri: str) -> Any:
    import zxingcpp

    (symbol,) = zxingcpp.read_barcodes(picture(data_uri))
    return symbol


def modules(data_uri: str) -> int:
    """Return the width of a symbol in modules, without its quiet zone, from its first finder pattern (7 modules)."""
    image = picture(data_uri)
    box = image.point(lambda shade: 255 - shade).getbbox()
    row = [image.getpixel((x, box[1])) for x in range(box[0], box[2])]
    module = next(place for place, shade in enumerate(row) if shade > 127) / 7
    return round((box[2] - box[0]) / module)
