"""The nightly snapshot of all active students, and the alert at the check-in desk."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions import snapshot
from tenant_apps.students.models import EligibilitySnapshot
from tests.promotions.factories import GradedDojo
from tests.support import factories
from tests.support.responses import ok
from tests.support.statements import count_get_statements, sent_statements


def test_every_active_student_is_checked(graded: GradedDojo) -> None:
    graded.add_student("Trial", "2026-01-01", status="trial")
    assert graded.snapshot() == []
    graded.take_snapshot()
    assert graded.snapshot() == [
        ("Early", "Yellow", "not_eligible", "2026-06-16"),
        ("Ready", "Yellow", "eligible", "2026-06-15"),
    ]


def test_the_snapshot_is_filtered_by_status_date_and_rank(graded: GradedDojo) -> None:
    graded.take_snapshot()
    assert [row[0] for row in graded.snapshot("?status=eligible")] == ["Ready"]
    assert [row[0] for row in graded.snapshot("?from=2026-06-16&to=2026-06-30")] == ["Early"]
    assert graded.snapshot(f"?target_rank={graded.rank('green')}") == []


def test_the_next_snapshot_replaces_the_last_one(graded: GradedDojo) -> None:
    graded.take_snapshot()
    graded.take_snapshot(days=1)
    assert {row[2] for row in graded.snapshot()} == {"eligible"}
    factories.put_on_hold(graded.dojo, graded.ready)
    graded.take_snapshot(days=1)
    assert [row[0] for row in graded.snapshot()] == ["Early"]


def test_a_large_dojo_is_checked_in_chunks(graded: GradedDojo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHUNK_SIZE", 10)
    graded.add_students(28)
    assert graded.take_snapshot() == 4
    with tenant_scope(graded.dojo.tenant):
        assert EligibilitySnapshot.objects.count() == 30
    assert graded.take_snapshot() == 4
    with tenant_scope(graded.dojo.tenant):
        assert EligibilitySnapshot.objects.count() == 30


def test_the_number_of_statements_of_a_chunk_does_not_depend_on_its_size(graded: GradedDojo) -> None:
    counted = []
    for size in (1, 40):
        graded.add_students(size)
        with sent_statements() as sent:
            graded.take_snapshot()
        counted.append(len(sent))
    assert counted[0] == counted[1]
    before = count_get_statements(graded.dojo.admin, "/promotions/snapshot")
    graded.add_students(20)
    graded.take_snapshot()
    assert count_get_statements(graded.dojo.admin, "/promotions/snapshot") == before


def test_a_check_in_alerts_the_desk_that_a_student_is_due(graded: GradedDojo) -> None:
    graded.take_snapshot()
    session = factories.single_session(graded.dojo)
    for who, alerts in ((graded.ready, ["promotion_due"]), (graded.early, [])):
        body = {"student": who["id"], "class_session": session["id"]}
        answer = ok(graded.dojo.assistant.post("/attendance", body), 201)
        assert [one["code"] for one in answer["alerts"]] == alerts


def award(graded: GradedDojo) -> Any:
    return graded.dojo.admin.post(
        "/promotions", {"student": graded.ready["id"], "target_rank": graded.rank("yellow")}
    )


@pytest.mark.parametrize("change", ["award", "demote", "void", "batch"])
def test_a_change_of_the_rank_history_deletes_the_snapshot(graded: GradedDojo, change: str) -> None:
    if change == "void":
        event = ok(award(graded), 201)
    graded.take_snapshot()
    assert "Ready" in [row[0] for row in graded.snapshot()]
    if change == "award":
        ok(award(graded), 201)
    elif change == "demote":
        factories.rank_event(graded.dojo, graded.ready, graded.rank("white"), "2026-06-01", "demote")
    elif change == "void":
        ok(graded.dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "A mistake"}))
    else:
        graded.create_batch(graded.ready)
        graded.process_batches()
    assert "Ready" not in [row[0] for row in graded.snapshot()]


def test_an_erasure_deletes_the_snapshots_of_a_student(graded: GradedDojo) -> None:
    graded.take_snapshot()
    assert ok(graded.dojo.admin.get(f"/students/{graded.ready['id']}/export"))["eligibility"]
    erasure = {"confirm": graded.ready["id"]}
    ok(graded.dojo.admin.post(f"/students/{graded.ready['id']}/erasure", erasure), 204)
    assert [row[0] for row in graded.snapshot()] == ["Early"]
