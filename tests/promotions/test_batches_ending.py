"""Batches that are cancelled, reverted, paused, failed or expired."""

from datetime import timedelta
from typing import Any

import pytest

from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import Tenant
from tatami.jobs import DONE, JobRun
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope, tenant_scope
from tenant_apps.promotions import tasks
from tenant_apps.promotions.batches import CHUNK_SIZE
from tenant_apps.promotions.models import Batch, BatchItem
from tenant_apps.students.models import RankEvent
from tests.promotions.factories import GradedDojo, counts_add_up
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok


def test_cancelling_a_batch_cancels_its_queued_items(graded: GradedDojo) -> None:
    graded.add_students(CHUNK_SIZE)
    batch = graded.create_batch(filter={})
    graded.process_chunk()
    for _ in range(2):
        seen = ok(graded.dojo.instructor.post(f"{batch['url']}/cancel"))
        assert (seen["status"], seen["cancelled"], seen["done"]) == ("cancelled", 2, CHUNK_SIZE + 2)
        assert counts_add_up(seen)
    assert graded.process_chunk() is DONE
    assert graded.read_batch(batch)["awarded"] + graded.read_batch(batch)["refused"] == CHUNK_SIZE


def test_a_finished_batch_cannot_be_cancelled(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    assert_error(graded.dojo.admin.post(f"{batch['url']}/cancel"), 409, "batch_ended")
    assert graded.read_batch(batch)["status"] == "done"


def test_reverting_a_batch_voids_its_awards_with_the_reason(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    assert_invalid(graded.dojo.admin.post(f"{batch['url']}/revert"), "reason")
    seen = ok(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "The wrong list"}))
    assert (seen["status"], seen["reverted"], seen["awarded"], seen["revert_reason"]) == (
        "reverted",
        1,
        0,
        "The wrong list",
    )
    assert counts_add_up(seen)
    assert graded.rank_held(graded.ready) == "white"
    events = ok(graded.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert [(event["voided"], event["void_reason"]) for event in events] == [(True, "The wrong list")]
    assert graded.batch_results(batch)["Ready"]["rank_events"][0]["voided"]
    again = graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Twice"})
    assert_error(again, 409, "already_reverted")


def test_users_cannot_revert_a_batch_that_awarded_their_own_ranks(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    factories.link_user(graded.dojo, graded.dojo.instructor, graded.ready)
    revert = {"reason": "My child was on the wrong list"}
    assert_error(graded.dojo.instructor.post(f"{batch['url']}/revert", revert), 403, "permission_denied")
    assert (graded.read_batch(batch)["status"], graded.rank_held(graded.ready)) == ("done", "yellow")
    ok(graded.dojo.admin.post(f"{batch['url']}/revert", revert))


def test_after_a_revert_the_ranks_can_be_awarded_again(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    ok(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Too early"}))
    graded.create_batch(filter={})
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "yellow"


def batch_with_a_later_rank(graded: GradedDojo) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a batch that awarded yellow, and its student, who received green nine days later."""
    older = graded.add_student("Older", "2026-01-01")
    batch = graded.create_batch(older, as_of="2026-06-01")
    graded.process_batches()
    green = {"student": older["id"], "target_rank": graded.rank("green"), "effective_on": "2026-06-10"}
    graded.dojo.create("/promotions", green)
    return batch, older


def test_a_revert_names_the_ranks_that_stand_on_what_it_takes_away(graded: GradedDojo) -> None:
    batch, older = batch_with_a_later_rank(graded)
    revert = {"reason": "Too early"}
    details = assert_error(graded.dojo.admin.post(f"{batch['url']}/revert", revert), 409, "ranks_stand_on_it")
    (named,) = details["rank_events"]
    assert (named["student"]["id"], named["rank"]["name"], named["effective_on"]) == (
        older["id"],
        "Green",
        "2026-06-10",
    )
    assert (graded.rank_held(older), graded.read_batch(batch)["status"]) == ("green", "done")
    both = {**revert, "cascade": True, "keep_later": True}
    assert_invalid(graded.dojo.admin.post(f"{batch['url']}/revert", both), "keep_later")


@pytest.mark.parametrize(("choice", "held"), [("cascade", "white"), ("keep_later", "green")])
def test_a_revert_voids_later_ranks_or_keeps_them(graded: GradedDojo, choice: str, held: str) -> None:
    batch, older = batch_with_a_later_rank(graded)
    seen = ok(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Too early", choice: True}))
    assert (seen["status"], seen["reverted"], graded.rank_held(older)) == ("reverted", 1, held)


@pytest.mark.parametrize("kind", ["import", "demote"])
def test_nothing_stands_on_a_rank_below_an_import_or_a_demotion(graded: GradedDojo, kind: str) -> None:
    older = graded.add_student("Older", "2026-01-01")
    batch = graded.create_batch(older, as_of="2026-06-01")
    graded.process_batches()
    rank = graded.rank("green" if kind == "import" else "white")
    factories.rank_event(graded.dojo, older, rank, "2026-06-02", kind)
    ok(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Too early"}))


def test_reverting_a_running_batch_stops_it(graded: GradedDojo) -> None:
    graded.add_students(CHUNK_SIZE)
    batch = graded.create_batch(filter={})
    graded.process_chunk()
    seen = ok(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Stop"}))
    assert (seen["awarded"], seen["cancelled"]) == (0, 2)
    assert counts_add_up(seen)
    assert graded.process_chunk() is DONE
    with tenant_scope(graded.dojo.tenant):
        assert not RankEvent.objects.not_voided().filter(kind="award").exists()


def test_a_check_batch_cannot_be_reverted(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={}, award=False)
    assert_error(graded.dojo.admin.post(f"{batch['url']}/revert", {"reason": "?"}), 409, "nothing_to_revert")


def test_a_batch_is_paused_while_the_dojo_is_suspended(
    graded: GradedDojo, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        batch = graded.create_batch(filter={})

    def becomes(status: str) -> None:
        with platform_scope():
            Tenant.objects.filter(pk=graded.dojo.tenant.tenant_id).update(status=status)
        host_resolver.cache_clear()

    becomes("suspended")
    assert not job_queue.run_next_job(now=NOW)
    with platform_scope():
        suspended = Tenant.objects.with_primary_domain().get(pk=graded.dojo.tenant.tenant_id).scope
    with tenant_scope(suspended):
        assert Batch.objects.get().status == "paused"
    becomes("active")
    while job_queue.run_next_job(now=NOW):
        pass
    assert graded.read_batch(batch)["status"] == "done"


def test_a_student_that_makes_every_attempt_fail_is_isolated_and_fails(graded: GradedDojo) -> None:
    """Chunks shrink to one student. The student fails after the last attempt, and the rest is processed."""
    graded.add_students(5)
    batch = graded.create_batch(filter={"rank": graded.rank("white")})
    graded.process_chunk(attempt=4)
    assert graded.read_batch(batch)["done"] == 1
    graded.process_chunk(attempt=8)
    assert (graded.read_batch(batch)["done"], graded.read_batch(batch)["failed"]) == (2, 1)
    graded.process_batches()
    seen = graded.read_batch(batch)
    assert (seen["status"], seen["done"], seen["failed"]) == ("done", 7, 1)
    (lost,) = [one for one in graded.batch_results(batch).values() if one["state"] == "failed"][:1]
    assert lost["error"]["code"] == "server_error"


# --- isolation, retention, erasure ----------------------------------------------------------------------------


def test_batches_of_another_dojo_are_not_found(graded: GradedDojo, other_dojo: Dojo) -> None:
    batch = graded.create_batch(filter={})
    for method, path in (("get", ""), ("get", "/results"), ("post", "/cancel")):
        assert_error(getattr(other_dojo.admin, method)(batch["url"] + path), 404, "not_found")
    assert_error(other_dojo.admin.post(f"{batch['url']}/revert", {"reason": "Ours now"}), 404, "not_found")
    assert ok(other_dojo.admin.get("/promotions/batches"))["count"] == 0


def test_expired_check_batches_are_deleted_and_award_batches_are_kept(
    graded: GradedDojo, settings: Any
) -> None:
    check, award = (graded.create_batch(filter={}, award=award) for award in (False, True))
    graded.process_batches()
    days = settings.TATAMI_CHECK_BATCH_DAYS
    for moment, left in ((timedelta(days=days), 2), (timedelta(days=days, seconds=1), 1)):
        with tenant_scope(graded.dojo.tenant):
            tasks.sweep(JobRun(now=NOW + moment))
            assert Batch.objects.count() == left
    assert_error(graded.dojo.admin.get(check["url"]), 404, "not_found")
    assert graded.read_batch(award)["status"] == "done"


def test_an_erasure_clears_the_batch_items_of_a_student(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    ok(
        graded.dojo.admin.post(f"/students/{graded.early['id']}/erasure", {"confirm": graded.early["id"]}),
        204,
    )
    with tenant_scope(graded.dojo.tenant):
        assert BatchItem.objects.get(student_id=graded.early["id"]).answers == []
    assert counts_add_up(graded.read_batch(batch))
