"""An archived rank system: exams and batches that started in it can be finished, and nothing new can start."""

from typing import Any

import pytest

from tests.promotions.factories import ExamDojo, GradedDojo
from tests.support import factories
from tests.support.responses import assert_invalid, ok


def archive(graded: GradedDojo) -> None:
    ok(graded.dojo.admin.delete(f"/rank-systems/{graded.system['id']}"), 204)


def test_an_exam_in_an_archived_system_can_be_finished_and_reopened(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="passed"))
    archive(exam_dojo)
    (event,) = ok(exam_dojo.finish())["rank_events"]
    decision = ok(exam_dojo.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (decision["status"], decision["path"]) == ("eligible", "wait")
    ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "Two were mixed up"}))


@pytest.mark.parametrize("names", ["the system", "a rank of it"])
def test_a_batch_that_names_the_archived_system_is_processed(exam_dojo: ExamDojo, names: str) -> None:
    by_rank: dict[str, Any] = {"target_ranks": [exam_dojo.rank("yellow")]}
    about = {"rank_system": exam_dojo.system["id"]} if names == "the system" else by_rank
    batch = exam_dojo.create_batch(exam_dojo.ready, **about)
    archive(exam_dojo)
    exam_dojo.process_batches()
    assert exam_dojo.read_batch(batch)["awarded"] == 1


def test_a_batch_without_a_named_system_skips_the_archived_system(exam_dojo: ExamDojo) -> None:
    batch = exam_dojo.create_batch(exam_dojo.ready)
    archive(exam_dojo)
    exam_dojo.process_batches()
    assert exam_dojo.read_batch(batch)["refused"] == 1


def test_nothing_new_can_start_in_an_archived_system(exam_dojo: ExamDojo) -> None:
    archive(exam_dojo)
    yellow = exam_dojo.rank("yellow")
    post = exam_dojo.dojo.admin.post
    assert_invalid(
        post("/promotions", {"student": exam_dojo.ready["id"], "target_rank": yellow}), "target_rank"
    )
    assert_invalid(
        post("/promotions/batches", {"filter": {}, "award": True, "target_ranks": [yellow]}), "target_ranks.0"
    )
    body = {"name": "Late", "date": "2026-06-15", "rank_system": exam_dojo.system["id"]}
    assert_invalid(post("/exams", body), "rank_system")
    assert factories.student(exam_dojo.dojo)["ranks"] == []
