"""A user sees where they are signed in, and ends what they do not know."""

from datetime import timedelta
from typing import Any

from shared_apps.accounts.cookie_sessions import find_cookie_session, open_cookie_session
from shared_apps.accounts.models import Session
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tests.accounts.test_sessions import EMAIL, PASSWORD, add_user
from tests.support.clients import Caller, Dojo, Platform
from tests.support.now import NOW
from tests.support.pages import visitor
from tests.support.responses import assert_error, ok
from tests.support.statements import count_get_statements, count_statements


def sign_in(host: str, agent: str) -> Caller:
    """Return a client that is signed in with a program of this name."""
    body = {"email": EMAIL, "password": PASSWORD}
    found = ok(Caller(host).post("/auth/login", body, User_Agent=agent))
    return Caller(host, token=found["access"])


def listed(caller: Caller) -> list[dict[str, Any]]:
    return list(ok(caller.get("/me/sessions"))["results"])


def test_sessions_are_recognised_by_program_address_and_time(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    with clock.fixed(NOW):
        sign_in(dojo.host, "Phone/1.0")
    with clock.fixed(NOW + timedelta(minutes=1)):
        desk = sign_in(dojo.host, "Desk/2.0")
        rows = listed(desk)
    assert [(row["user_agent"], row["is_current"]) for row in rows] == [
        ("Desk/2.0", True),
        ("Phone/1.0", False),
    ]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert rows[1]["last_used_at"] == "2026-06-15T16:40:00Z"
    assert not rows[0]["is_impersonation"]


def test_one_session_is_ended_from_another(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    lost, mine = sign_in(dojo.host, "Lost"), sign_in(dojo.host, "Mine")
    (row,) = [one for one in listed(mine) if not one["is_current"]]
    assert mine.delete(f"/me/sessions/{row['id']}").status_code == 204
    assert_error(lost.get("/me"), 401, "token_invalid")
    ok(mine.get("/me"))
    assert_error(mine.delete(f"/me/sessions/{row['id']}"), 404, "not_found")


def test_all_other_sessions_are_ended_at_once_and_again_nothing_happens(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    others = [sign_in(dojo.host, name) for name in ("A", "B")]
    mine = sign_in(dojo.host, "Mine")
    for _ in range(2):
        assert mine.delete("/me/sessions").status_code == 204
        assert [row["user_agent"] for row in listed(mine)] == ["Mine"]
    for other in others:
        assert_error(other.get("/me"), 401, "token_invalid")


def test_sessions_of_others_are_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    for owner in (dojo.instructor, other_dojo.admin):
        (row,) = listed(owner)
        assert_error(dojo.admin.get(f"/me/sessions/{row['id']}"), 404, "not_found")
        assert_error(dojo.admin.delete(f"/me/sessions/{row['id']}"), 404, "not_found")
        ok(owner.get("/me"))


def test_ended_and_expired_sessions_are_not_listed(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    with clock.fixed(NOW - timedelta(days=60)):
        sign_in(dojo.host, "Long ago")
    with clock.fixed(NOW):
        assert [row["user_agent"] for row in listed(sign_in(dojo.host, "Now"))] == ["Now"]


def test_superadmins_have_the_same_list(platform: Platform) -> None:
    root = platform.superadmin()
    assert [row["is_current"] for row in listed(root)] == [True]


def test_a_program_that_names_itself_oddly_is_cut_and_cleaned(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    caller = sign_in(dojo.host, "A\x01B\x7f" + "x" * 5_000)
    (row,) = listed(caller)
    assert row["user_agent"] == "AB" + "x" * 198


def test_a_cookie_notes_its_use_every_five_minutes(dojo: Dojo) -> None:
    user = dojo.admin.user
    assert user is not None
    with tenant_scope(dojo.tenant):
        cookie = open_cookie_session(user, purpose="page", lifetime=timedelta(days=1), now=NOW)
        session = Session.objects.get(pk=cookie.partition(".")[0])
        for minutes, expected in ((4, 0), (5, 5), (9, 5), (11, 11)):
            assert find_cookie_session(cookie, purpose="page", now=NOW + timedelta(minutes=minutes))
            session.refresh_from_db()
            assert session.rotated_at == NOW + timedelta(minutes=expected)
        assert not find_cookie_session(cookie, purpose="console", now=NOW + timedelta(hours=1))
        session.refresh_from_db()
        assert session.rotated_at == NOW + timedelta(minutes=11)


def test_the_list_costs_the_same_for_one_and_for_many(dojo: Dojo) -> None:
    add_user(dojo.tenant)
    mine = sign_in(dojo.host, "Mine")
    few = count_get_statements(mine, "/me/sessions")
    for number in range(12):
        sign_in(dojo.host, f"Other {number}")
    assert count_get_statements(mine, "/me/sessions") == few
    assert count_statements(lambda: mine.delete("/me/sessions")) <= 4


def test_a_page_session_is_listed_and_ended_like_any_other(dojo: Dojo) -> None:
    browser = visitor(dojo, "admin")
    rows = listed(dojo.admin)
    assert len(rows) == 2
    assert dojo.admin.delete("/me/sessions").status_code == 204
    assert browser.get("/desk").status_code == 302
