"""A rank system that is archived in the middle: what was begun in it is finished, and nothing new is begun."""

from typing import Any

import pytest

from tests.promotions.test_batches import School
from tests.promotions.test_exams import Grading
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done, invalid


@pytest.fixture
def grading(dojo: Dojo) -> Grading:
    return Grading(dojo)


def archive(school: School) -> None:
    done(school.dojo.admin.delete(f"/rank-systems/{school.system['id']}"), 204)


def test_an_exam_is_finished_and_reopened(grading: Grading) -> None:
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    archive(grading)
    (event,) = done(grading.finish())["rank_events"]
    why = done(grading.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (why["status"], why["path"]) == ("eligible", "wait")
    done(grading.dojo.admin.post(f"{grading.path}/reopening", {"reason": "Two were mixed up"}))


@pytest.mark.parametrize("names", ["the system", "a rank of it"])
def test_a_batch_that_names_it_goes_on(grading: Grading, names: str) -> None:
    by_rank: dict[str, Any] = {"target_ranks": [grading.rank("yellow")]}
    about = {"rank_system": grading.system["id"]} if names == "the system" else by_rank
    batch = grading.batch(grading.ready, **about)
    archive(grading)
    grading.work_off()
    assert grading.seen(batch)["awarded"] == 1


def test_a_batch_about_all_systems_in_use_is_not_about_it(grading: Grading) -> None:
    batch = grading.batch(grading.ready)
    archive(grading)
    grading.work_off()
    assert grading.seen(batch)["refused"] == 1


def test_nothing_new_is_begun_in_it(grading: Grading) -> None:
    archive(grading)
    yellow = grading.rank("yellow")
    post = grading.dojo.admin.post
    invalid(post("/promotions", {"student": grading.ready["id"], "target_rank": yellow}), "target_rank")
    invalid(
        post("/promotions/batches", {"filter": {}, "award": True, "target_ranks": [yellow]}), "target_ranks.0"
    )
    body = {"name": "Late", "date": "2026-06-15", "rank_system": grading.system["id"]}
    invalid(post("/exams", body), "rank_system")
    assert factories.student(grading.dojo)["ranks"] == []
