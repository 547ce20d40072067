"""Writing to those who have not come for a while: by the dojo's policy, once for each absence."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.notifications.absentees import write_to_absentees
from tests.notifications.mailroom import A_CHILD, guardian, send_all, student, written
from tests.notifications.test_sending import people
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.now import NOW
from tests.support.responses import done
from tests.support.statements import sent_statements


@pytest.fixture(autouse=True)
def policy(dojo: Dojo) -> None:
    done(dojo.admin.patch("/settings", {"absence_after_days": 14}))


def night(dojo: Dojo, days: int = 0) -> list[Any]:
    """Do the work of a night that many days from now; return the mails so far."""
    with clock.fixed(NOW + timedelta(days=days)):
        with tenant_scope(dojo.tenant):
            assert write_to_absentees(Turn(now=clock.now())) is DONE
        return send_all(dojo)


def visit(dojo: Dojo, who: dict[str, Any], day: str) -> None:
    session = factories.single_session(dojo, f"{day}T16:30:00Z", name=f"Training of {day}")
    factories.attendance(dojo, who, session)


def test_an_absence_is_noticed_on_its_day_and_once(dojo: Dojo) -> None:
    visit(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    (sent,) = night(dojo)
    assert (sent.to, sent.subject) == (["mika@example.com"], "We miss Mika Sato")
    assert "the last visit was on 1 June 2026." in sent.body
    assert "List-Unsubscribe" in sent.extra_headers
    for days in (0, 1, 5, 30):
        assert len(night(dojo, days)) == 1


def test_a_day_before_it_is_not(dojo: Dojo) -> None:
    visit(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-02")
    assert night(dojo) == []
    assert len(night(dojo, 1)) == 1


def test_a_night_that_was_missed_is_made_up_for(dojo: Dojo) -> None:
    visit(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    assert len(night(dojo, 6)) == 1


def test_whoever_has_been_away_for_long_when_the_policy_is_set_is_left_alone(dojo: Dojo) -> None:
    visit(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-05-25")
    assert night(dojo) == []


def test_who_came_back_and_stays_away_again_is_written_to_again(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    visit(dojo, mika, "2026-06-01")
    night(dojo)
    with clock.fixed(NOW + timedelta(days=2)):
        admin = Caller(dojo.host, token=None)
        assert admin.get("/healthz").status_code == 200
    visit(dojo, mika, "2026-06-15")
    assert len(night(dojo, 13)) == 1
    assert len(night(dojo, 14)) == 2


def test_who_never_came_is_missed_from_the_day_of_joining(dojo: Dojo) -> None:
    student(dojo, "Mika", email="mika@example.com", joined_on="2026-06-01")
    student(dojo, "Ren", email="ren@example.com")
    assert [sent.to for sent in night(dojo)] == [["mika@example.com"]]


def test_siblings_who_stay_away_are_one_mail(dojo: Dojo) -> None:
    for name in ("Mika", "Ren"):
        child = student(dojo, name, born=A_CHILD, guardians=[guardian("Hana", "hana@example.com")])
        visit(dojo, child, "2026-06-01")
    (sent,) = night(dojo)
    assert sent.subject == "We miss Mika Sato and Ren Sato"


def test_nobody_on_hold_on_trial_or_gone_is_missed(dojo: Dojo) -> None:
    for name, status in (("Trial", "trial"), ("Gone", "inactive"), ("Resting", "active")):
        who = student(dojo, name, email=f"{name}@example.com", status=status, joined_on="2026-06-01")
    factories.put_on_hold(dojo, who)
    assert night(dojo) == []


def test_without_a_policy_nobody_is_written_to(dojo: Dojo) -> None:
    visit(dojo, student(dojo, "Mika", email="mika@example.com"), "2026-06-01")
    done(dojo.admin.patch("/settings", {"absence_after_days": None}))
    assert night(dojo) == []


def test_somebody_may_write_to_an_audience_about_their_absence(dojo: Dojo) -> None:
    mika = student(dojo, "Mika", email="mika@example.com")
    visit(dojo, mika, "2026-06-01")
    body = {"audience": {"students": [mika["id"]]}, "template": "absence"}
    done(dojo.instructor.post("/notifications", body), 202)
    (sent,) = send_all(dojo)
    assert "the last visit was on 1 June 2026." in sent.body
    assert len(night(dojo)) == 2, "what a person writes is not what the night remembers"


def test_a_night_costs_the_same_statements_whatever_it_finds(dojo: Dojo) -> None:
    def cost() -> int:
        with sent_statements() as found, tenant_scope(dojo.tenant):
            write_to_absentees(Turn(now=clock.now()))
        return len(found)

    student(dojo, "Mika", email="mika@example.com", joined_on="2026-06-01")
    one = cost()
    for n in range(20):
        student(dojo, f"N{n}", email=f"n{n}@example.com", joined_on="2026-06-01")
    assert cost() == one
    assert mail.outbox == []
    assert written(dojo, *people(dojo, 1))["total"] == 1


@pytest.mark.parametrize("days", [0, 366, -1, "a week"])
def test_an_odd_policy_is_refused(dojo: Dojo, days: Any) -> None:
    assert dojo.admin.patch("/settings", {"absence_after_days": days}).status_code == 400
