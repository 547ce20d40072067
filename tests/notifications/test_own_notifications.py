"""One's own mail: which kinds the user's address gets, turning news off, and on again after an unsubscribe link."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from shared_apps.accounts.models import AuditEntry
from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.notifications.addresses import address_hash, resubscribe, save_bounce, unsubscribe
from tenant_apps.notifications.models import Address
from tests.notifications.mail_factories import queue_mail, send_all, states, student
from tests.notifications.test_unsubscribe import unsubscribe_path
from tests.support.clients import Caller, Dojo
from tests.support.committed import committed_dojo
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently
from tests.support.responses import assert_invalid, ok
from tests.support.statements import count_statements


@pytest.fixture(scope="module")
def committed_news(django_db_setup: None, django_db_blocker: Any) -> Iterator[Dojo]:
    """A committed dojo, for concurrent requests."""
    with django_db_blocker.unblock(), clock.fixed(NOW), committed_dojo("news", "News") as dojo:
        yield dojo


@pytest.fixture
def committed(committed_news: Dojo, now: Any) -> Dojo:
    """The committed dojo at the fixed present."""
    return committed_news


def email_of(caller: Caller) -> str:
    assert caller.user is not None
    return caller.user.email


def kinds(answer: dict[str, Any], **wanted: bool) -> set[str]:
    """Return the kinds of mail that have these values."""
    return {
        one["kind"] for one in answer["kinds"] if all(one[name] == value for name, value in wanted.items())
    }


@pytest.mark.parametrize("role", ["admin", "instructor", "assistant", "student"])
def test_each_user_reads_which_mail_their_address_gets(dojo: Dojo, role: str) -> None:
    answer = ok(dojo.person(role).get("/me/notifications"))
    assert answer["email"] == email_of(dojo.person(role))
    assert (answer["news"], answer["unsubscribed_at"], answer["bounced_at"]) == (True, None, None)
    assert kinds(answer, is_optional=True) == {"free", "absence"}
    assert kinds(answer, is_on=False) == set()


def test_kinds_that_the_dojo_does_not_send_are_off(dojo: Dojo) -> None:
    ok(dojo.admin.patch("/settings", {"notify_class_cancelled": False}))
    answer = ok(dojo.student.get("/me/notifications"))
    assert kinds(answer, is_on=False) == {"class_cancelled", "closure"}
    assert answer["news"] is True


def test_news_is_turned_off_and_on_and_may_be_repeated(dojo: Dojo) -> None:
    ren = student(dojo, "Ren", email=email_of(dojo.student).upper())
    with clock.fixed(NOW):
        for _ in range(2):
            off = ok(dojo.student.patch("/me/notifications", {"news": False}))
            assert (off["news"], off["unsubscribed_at"]) == (False, "2026-06-15T16:40:00Z")
            assert kinds(off, is_on=False) == {"free", "absence"}
    queue_mail(dojo, ren)
    assert send_all(dojo) == []
    for _ in range(2):
        on = ok(dojo.student.patch("/me/notifications", {"news": True}))
        assert (on["news"], on["unsubscribed_at"]) == (True, None)
    queue_mail(dojo, ren)
    assert len(send_all(dojo)) == 1
    assert [state for _, state, _ in states(dojo)] == ["skipped", "sent"]


def test_there_is_a_way_back_from_an_unsubscribe_link(dojo: Dojo) -> None:
    ren = student(dojo, "Ren", email=email_of(dojo.student))
    queue_mail(dojo, ren)
    page = dojo.anonymous.post(unsubscribe_path(send_all(dojo)[-1])).content.decode()
    assert 'href="/desk/account"' in page
    assert ok(dojo.student.get("/me/notifications"))["news"] is False
    ok(dojo.student.patch("/me/notifications", {"news": True}))
    queue_mail(dojo, ren)
    assert len(send_all(dojo)) == 2


def test_a_choice_concerns_ones_own_address_alone(dojo: Dojo, other_dojo: Dojo) -> None:
    for one in (dojo, other_dojo):
        with tenant_scope(one.tenant):
            for role in ("admin", "student"):
                unsubscribe(address_key=address_hash(email_of(dojo.person(role))), now=NOW)
    ok(dojo.admin.patch("/me/notifications", {"news": True}))
    assert ok(dojo.student.get("/me/notifications"))["news"] is False
    assert ok(other_dojo.admin.get("/me/notifications"))["news"] is False


def test_an_address_that_is_unknown_stays_unknown(dojo: Dojo) -> None:
    assert ok(dojo.student.patch("/me/notifications", {"news": True}))["news"] is True
    assert ok(dojo.student.patch("/me/notifications", {}))["news"] is True
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_turning_news_on_keeps_what_is_known_of_a_bounce(dojo: Dojo) -> None:
    key = address_hash(email_of(dojo.student), tenant_id=dojo.tenant.tenant_id)
    with tenant_scope(dojo.tenant):
        save_bounce(address_key=key, now=NOW)
        unsubscribe(address_key=key, now=NOW)
        resubscribe(address_key=key, now=NOW)
    answer = ok(dojo.student.get("/me/notifications"))
    assert (answer["news"], answer["bounced_at"]) == (True, "2026-06-15T16:40:00Z")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("news", "true"),
        ("news", None),
        ("news", 1),
        ("email", "other@example.com"),
        ("kinds", []),
        ("unsubscribed_at", None),
        ("absence", False),
    ],
)
def test_a_bad_choice_changes_nothing(dojo: Dojo, field: str, value: Any) -> None:
    assert_invalid(dojo.student.patch("/me/notifications", {field: value}), field)
    with tenant_scope(dojo.tenant):
        assert not Address.objects.exists()


def test_a_choice_is_in_the_audit_without_its_value(dojo: Dojo) -> None:
    ok(dojo.student.patch("/me/notifications", {"news": False}))
    ok(dojo.student.get("/me/notifications"))
    with tenant_scope(dojo.tenant):
        (entry,) = AuditEntry.objects.filter(action__startswith="own-notifications")
    assert dojo.student.user is not None
    assert (entry.action, entry.fields, entry.actor) == (
        "own-notifications.patch",
        ["news"],
        dojo.student.user.pk,
    )


def test_an_unsubscribe_link_and_a_choice_at_the_same_time_leave_one_row(committed: Dojo) -> None:
    """Whichever is last counts; neither fails, and no second row is made."""
    user = committed.student
    callers = [Caller(user.host, token=user.token, user=user.user) for _ in range(6)]
    calls = [
        partial(caller.patch, "/me/notifications", {"news": number % 2 == 0})
        for number, caller in enumerate(callers)
    ]
    answers = run_concurrently(calls)
    raise_first_error(answers)
    assert [one.status_code for one in answers] == [200] * 6
    with tenant_scope(committed.tenant):
        assert Address.objects.count() == 1


def test_the_choices_cost_the_same_with_many_addresses(dojo: Dojo) -> None:
    few = count_statements(lambda: ok(dojo.student.get("/me/notifications")))
    with tenant_scope(dojo.tenant):
        Address.objects.bulk_create(Address(key=address_hash(f"n{n}@example.com")) for n in range(20))
    assert count_statements(lambda: ok(dojo.student.get("/me/notifications"))) == few
