"""The nightly check of everybody: who is due, and the word that the desk gets of it."""

from datetime import timedelta
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.promotions import snapshot
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.students.models import EligibilitySnapshot
from tests.promotions.test_batches import School
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done, statements
from tests.support.statements import sent_statements


@pytest.fixture
def school(dojo: Dojo) -> School:
    return School(dojo)


def night(school: School, days: int = 0) -> int:
    """Take a whole snapshot; return in how many pieces."""
    cursor: str | None = ""
    pieces = 0
    while cursor is not DONE:
        with tenant_scope(school.dojo.tenant):
            cursor = take_snapshot(Turn(now=NOW + timedelta(days=days), cursor=cursor))
        pieces += 1
    return pieces


def listed(school: School, query: str = "") -> list[tuple[str, str, str, str | None]]:
    rows = done(school.dojo.assistant.get(f"/promotions/snapshot{query}"))["results"]
    return [
        (row["student"]["name"].split()[0], row["target_rank"]["name"], row["status"], row["earliest_on"])
        for row in rows
    ]


def test_every_active_student_is_checked(school: School) -> None:
    school.pupil("Trial", "2026-01-01", status="trial")
    assert listed(school) == []
    night(school)
    assert listed(school) == [
        ("Early", "Yellow", "not_eligible", "2026-06-16"),
        ("Ready", "Yellow", "eligible", "2026-06-15"),
    ]


def test_the_list_says_who_is_due_and_who_will_be(school: School) -> None:
    night(school)
    assert [row[0] for row in listed(school, "?status=eligible")] == ["Ready"]
    assert [row[0] for row in listed(school, "?from=2026-06-16&to=2026-06-30")] == ["Early"]
    assert listed(school, f"?target_rank={school.rank('green')}") == []


def test_another_night_says_it_anew(school: School) -> None:
    night(school)
    night(school, days=1)
    assert {row[2] for row in listed(school)} == {"eligible"}
    factories.put_on_hold(school.dojo, school.ready)
    night(school, days=1)
    assert [row[0] for row in listed(school)] == ["Early"]


def test_a_large_dojo_is_checked_in_pieces(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PIECE", 10)
    school.crowd(28)
    assert night(school) == 4
    with tenant_scope(school.dojo.tenant):
        assert EligibilitySnapshot.objects.count() == 30
    assert night(school) == 4
    with tenant_scope(school.dojo.tenant):
        assert EligibilitySnapshot.objects.count() == 30


def test_a_piece_takes_the_same_number_of_statements_whatever_its_size(school: School) -> None:
    counted = []
    for size in (1, 40):
        school.crowd(size)
        with sent_statements() as sent:
            night(school)
        counted.append(len(sent))
    assert counted[0] == counted[1]
    before = statements(school.dojo.admin, "/promotions/snapshot")
    school.crowd(20)
    night(school)
    assert statements(school.dojo.admin, "/promotions/snapshot") == before


def test_the_desk_hears_that_somebody_is_due(school: School) -> None:
    night(school)
    session = factories.single_session(school.dojo)
    for who, alerts in ((school.ready, ["promotion_due"]), (school.early, [])):
        body = {"student": who["id"], "class_session": session["id"]}
        answer = done(school.dojo.assistant.post("/attendance", body), 201)
        assert [one["code"] for one in answer["alerts"]] == alerts


def award(school: School) -> Any:
    return school.dojo.admin.post(
        "/promotions", {"student": school.ready["id"], "target_rank": school.rank("yellow")}
    )


@pytest.mark.parametrize("change", ["award", "demote", "void", "batch"])
def test_what_changes_the_history_takes_the_reminder_away(school: School, change: str) -> None:
    if change == "void":
        event = done(award(school), 201)
    night(school)
    assert "Ready" in [row[0] for row in listed(school)]
    if change == "award":
        done(award(school), 201)
    elif change == "demote":
        factories.rank_event(school.dojo, school.ready, school.rank("white"), "2026-06-01", "demote")
    elif change == "void":
        done(school.dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "A mistake"}))
    else:
        school.batch(school.ready)
        school.work_off()
    assert "Ready" not in [row[0] for row in listed(school)]


def test_what_was_said_about_a_person_is_forgotten_with_her(school: School) -> None:
    night(school)
    assert done(school.dojo.admin.get(f"/students/{school.ready['id']}/export"))["eligibility"]
    erasure = {"confirm": school.ready["id"]}
    done(school.dojo.admin.post(f"/students/{school.ready['id']}/erasure", erasure), 204)
    assert [row[0] for row in listed(school)] == ["Early"]
