"""Batches: requests for checks and awards of many students, and their processing in chunks."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared_apps.tenants.jobs import job_queue
from shared_apps.tenants.models import PendingJob
from tatami.tenancy.scope import platform_scope
from tenant_apps.promotions.batches import CHUNK_SIZE
from tests.promotions.factories import OUR_GRADES, GradedDojo, counts_add_up
from tests.support import factories
from tests.support.now import NOW
from tests.support.responses import assert_invalid, ok
from tests.support.statements import count_get_statements, sent_statements

# --- requests -------------------------------------------------------------------------------------------------


def test_a_new_batch_is_accepted_and_queued(graded: GradedDojo) -> None:
    answer = graded.dojo.instructor.post("/promotions/batches", {"filter": {}, "award": True})
    batch = ok(answer, 202)
    assert answer.headers["Location"] == batch["url"] == f"/promotions/batches/{batch['id']}"
    assert (batch["status"], batch["total"], batch["done"]) == ("queued", 2, 0)
    assert (batch["awarded"], batch["refused"], batch["as_of"]) == (0, 0, "2026-06-15")
    assert graded.rank_held(graded.ready) == "white"


def test_creating_a_batch_requests_its_job_in_the_same_transaction(
    graded: GradedDojo, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        batch = graded.create_batch(graded.ready)
    with platform_scope():
        (waiting,) = PendingJob.objects.all()
        assert (waiting.tenant_id, waiting.job) == (graded.dojo.tenant.tenant_id, "promotions.batches")
    while job_queue.run_next_job(now=NOW):
        pass
    assert graded.read_batch(batch)["status"] == "done"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"award": True}, "students"),
        ({"award": True, "students": []}, "students"),
        ({"students": "all", "award": True}, "students"),
        ({"filter": {}}, "award"),
        ({"filter": {}, "award": "perhaps"}, "award"),
        ({"filter": {"belt": "blue"}, "award": True}, "filter.belt"),
        ({"filter": {"class": "x"}, "award": True}, "filter.class"),
        ({"filter": {}, "award": True, "as_of": "soon"}, "as_of"),
        ({"filter": {}, "award": True, "target_ranks": ["x"]}, "target_ranks.0"),
        ({"filter": {}, "award": True, "status": "done"}, "status"),
    ],
)
def test_an_invalid_batch_is_refused_at_its_field(
    graded: GradedDojo, body: dict[str, Any], field: str
) -> None:
    assert_invalid(graded.dojo.admin.post("/promotions/batches", body), field)
    assert ok(graded.dojo.admin.get("/promotions/batches"))["count"] == 0


def test_students_and_filter_exclude_each_other(graded: GradedDojo) -> None:
    body = {"students": [graded.ready["id"]], "filter": {}, "award": True}
    assert_invalid(graded.dojo.admin.post("/promotions/batches", body), "students")


def test_target_ranks_must_be_of_the_rank_system(graded: GradedDojo) -> None:
    other = factories.rank_system(graded.dojo)
    body = {"filter": {}, "award": True, "rank_system": other["id"], "target_ranks": [graded.rank("yellow")]}
    assert_invalid(graded.dojo.admin.post("/promotions/batches", body), "target_ranks")


def test_students_on_trial_on_hold_and_inactive_are_left_out(graded: GradedDojo) -> None:
    trial = graded.add_student("Trial", "2026-01-01", status="trial")
    graded.add_student("Gone", "2026-01-01", status="inactive")
    factories.put_on_hold(graded.dojo, graded.early)
    assert graded.create_batch(filter={})["total"] == 1
    assert graded.create_batch(graded.ready, trial)["total"] == 1


def test_a_filter_selects_by_class_discipline_and_rank(graded: GradedDojo) -> None:
    art = factories.discipline(graded.dojo)
    group = factories.training_class(graded.dojo, discipline=art["id"])
    graded.dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": graded.early["id"]})
    factories.student(graded.dojo, first_name="New")
    for by, chosen in (
        ({}, 3),
        ({"class": group["id"]}, 1),
        ({"discipline": art["id"]}, 1),
        ({"rank_system": graded.system["id"]}, 2),
        ({"rank": graded.rank("white")}, 2),
        ({"rank": graded.rank("yellow")}, 0),
        ({"rank": graded.rank("white"), "class": group["id"]}, 1),
    ):
        assert graded.create_batch(filter=by)["total"] == chosen, by


# --- processing -----------------------------------------------------------------------------------------------


def test_a_check_batch_stores_the_same_results_as_a_check(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={}, award=False)
    graded.process_batches()
    seen = graded.read_batch(batch)
    assert (seen["status"], seen["checked"], seen["awarded"]) == ("done", 2, 0)
    assert counts_add_up(seen)
    for one in graded.batch_results(batch).values():
        asked = ok(graded.dojo.admin.post("/promotions/check", {"students": [one["student"]["id"]]}))
        assert one["state"] == "checked"
        assert [{"student": one["student"], **result} for result in one["results"]] == asked["results"]
    assert graded.rank_held(graded.ready) == "white"


def test_a_batch_awards_the_students_who_are_eligible(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    seen, results = graded.read_batch(batch), graded.batch_results(batch)
    assert (seen["status"], seen["awarded"], seen["refused"], seen["done"]) == ("done", 1, 1, 2)
    assert counts_add_up(seen)
    assert (graded.rank_held(graded.ready), graded.rank_held(graded.early)) == ("yellow", "white")
    (event,) = results["Ready"]["rank_events"]
    assert (event["rank"]["name"], event["voided"]) == ("Yellow", False)
    early = results["Early"]
    assert (early["state"], early["error"]["code"], early["rank_events"]) == ("refused", "not_eligible", [])
    (answer,) = early["results"]
    assert (answer["status"], answer["earliest_on"]) == ("not_eligible", "2026-06-16")
    decision = ok(graded.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (decision["status"], decision["path"]) == ("eligible", "wait")


def test_a_batch_decides_as_of_its_own_date(graded: GradedDojo) -> None:
    graded.add_student("Sooner", "2026-03-01")
    graded.create_batch(filter={}, as_of="2026-06-14")
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "white", "Ready was eligible one day later"
    (event,) = ok(graded.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert (event["student"]["name"].split()[0], event["effective_on"]) == ("Sooner", "2026-06-14")


def test_an_award_batch_cannot_have_a_future_date_but_a_check_batch_can(graded: GradedDojo) -> None:
    body = {"filter": {}, "as_of": "2026-06-16"}
    assert_invalid(graded.dojo.admin.post("/promotions/batches", {**body, "award": True}), "as_of")
    batch = graded.create_batch(award=False, **body)
    graded.process_batches()
    assert graded.batch_results(batch)["Early"]["results"][0]["status"] == "eligible"


def test_a_batch_takes_one_step_of_each_student(graded: GradedDojo) -> None:
    graded.create_batch(filter={}, target_ranks=[graded.rank("yellow"), graded.rank("green")])
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "yellow"


def test_a_student_with_two_open_ranks_is_refused_unless_the_rank_is_named(graded: GradedDojo) -> None:
    factories.rank_event(graded.dojo, graded.ready, graded.rank("yellow"), "2026-06-01")
    batch = graded.create_batch(graded.ready)
    graded.process_batches()
    assert graded.batch_results(batch)["Ready"]["error"]["code"] == "ambiguous_target"
    graded.create_batch(graded.ready, target_ranks=[graded.rank("blue")])
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "blue"


def test_a_student_with_a_rank_is_checked_in_that_system_only(graded: GradedDojo) -> None:
    """A student with a rank is checked in its system only, unless another system is named."""
    graded.dojo.create("/rank-systems", {**OUR_GRADES, "name": "Another ladder"})
    graded.create_batch(graded.ready)
    graded.process_batches()
    assert graded.rank_held(graded.ready) == "yellow"


def test_two_batches_award_a_rank_once(graded: GradedDojo) -> None:
    batches = [graded.create_batch(filter={}, target_ranks=[graded.rank("yellow")]) for _ in range(2)]
    graded.process_batches()
    assert [graded.read_batch(batch)["awarded"] for batch in batches] == [1, 0]


def test_users_cannot_award_themselves_in_a_batch(graded: GradedDojo) -> None:
    factories.link_user(graded.dojo, graded.dojo.instructor, graded.ready)
    body = {"filter": {}, "award": True}
    batch = ok(graded.dojo.instructor.post("/promotions/batches", body), 202)
    graded.process_batches()
    assert graded.batch_results(batch)["Ready"]["error"]["code"] == "permission_denied"
    assert graded.rank_held(graded.ready) == "white"


def test_a_student_archived_after_the_request_is_refused(graded: GradedDojo) -> None:
    batches = [graded.create_batch(filter={}, award=award) for award in (True, False)]
    ok(graded.dojo.admin.delete(f"/students/{graded.ready['id']}"), 204)
    graded.process_batches()
    for batch in batches:
        assert graded.batch_results(batch)["Ready"]["error"]["code"] == "not_found"


def test_a_batch_without_students_is_done(graded: GradedDojo) -> None:
    batch = graded.create_batch(filter={"rank": graded.rank("blue")})
    graded.process_batches()
    assert (graded.read_batch(batch)["status"], graded.read_batch(batch)["total"]) == ("done", 0)


def test_a_batch_is_processed_in_chunks(graded: GradedDojo) -> None:
    graded.add_students(CHUNK_SIZE + 5)
    batch = graded.create_batch(filter={"rank": graded.rank("white")})
    graded.process_chunk()
    seen = graded.read_batch(batch)
    assert (seen["status"], seen["done"], seen["total"]) == ("running", CHUNK_SIZE, CHUNK_SIZE + 7)
    assert counts_add_up(seen)
    graded.process_batches()
    seen = graded.read_batch(batch)
    assert (seen["status"], seen["awarded"], seen["refused"]) == ("done", CHUNK_SIZE + 6, 1)


def test_the_number_of_statements_of_a_chunk_does_not_depend_on_its_size(graded: GradedDojo) -> None:
    counted = []
    for size in (3, 60):
        graded.add_students(size)
        graded.create_batch(filter={"rank": graded.rank("white")})
        with sent_statements() as sent:
            graded.process_chunk()
        counted.append(len(sent))
        graded.process_batches()
    assert counted[0] == counted[1]


def test_the_number_of_statements_to_read_a_batch_does_not_depend_on_its_size(
    graded: GradedDojo,
) -> None:
    batch = graded.create_batch(filter={})
    graded.process_batches()
    before = [
        count_get_statements(graded.dojo.admin, path) for path in (batch["url"], f"{batch['url']}/results")
    ]
    graded.add_students(40)
    larger = graded.create_batch(filter={})
    graded.process_batches()
    assert before == [
        count_get_statements(graded.dojo.admin, path) for path in (larger["url"], f"{larger['url']}/results")
    ]


def test_only_the_items_of_the_batches_on_the_page_are_counted(graded: GradedDojo) -> None:
    batches = [graded.create_batch(filter={}) for _ in range(3)]
    graded.process_batches()
    path = "/promotions/batches?page_size=1"
    shown = ok(graded.dojo.admin.get(path))["results"]
    assert [(one["id"], one["total"], one["done"]) for one in shown] == [(batches[-1]["id"], 2, 2)]
    with CaptureQueriesContext(connection) as captured:
        graded.dojo.admin.get(path)
    (counting,) = [one["sql"] for one in captured if "promotions_batchitem" in one["sql"]]
    ids = [UUID(one["id"]).hex for one in batches]
    assert [one for one in ids if one in counting] == ids[-1:]
