"""Batches: checks and awards for many, done in pieces, looked at, cancelled, reverted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shared_apps.tenants import turns
from shared_apps.tenants.models import PendingJob, Tenant
from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import platform_scope, tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.promotions import tasks
from tenant_apps.promotions.batches import PIECE, run_batches
from tenant_apps.promotions.models import Batch, BatchItem
from tenant_apps.students.models import RankEvent, Student
from tenant_apps.students.services import new_check_in_id
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, refusal, statements
from tests.support.statements import sent_statements

OUR_GRADES: dict[str, Any] = {
    "format": 1,
    "name": "Our grades",
    "art": "Aikido",
    "source": "Our dojo",
    "confidence": "C",
    "ranks": [
        {"code": code, "name": code.title(), "kind": "rank", "colours": ["#ffffff"]}
        for code in ("white", "yellow", "green", "blue")
    ],
    "steps": [
        {"from": None, "to": "white", "type": "promote", "paths": [{"name": "first", "criteria": []}]},
        {
            "from": "white",
            "to": "yellow",
            "type": "promote",
            "paths": [{"name": "wait", "criteria": [{"kind": "time_in_rank", "months": 3}]}],
        },
        {"from": "yellow", "to": "green", "type": "promote", "paths": [{"name": "any", "criteria": []}]},
        {"from": "yellow", "to": "blue", "type": "promote", "paths": [{"name": "any", "criteria": []}]},
    ],
}


class School:
    """A dojo with our grades. Half of the students have waited long enough for yellow."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.system = dojo.create("/rank-systems", OUR_GRADES)
        self.ready = self.pupil("Ready", "2026-03-15")
        self.early = self.pupil("Early", "2026-03-16")

    def pupil(self, name: str, white_since: str, **fields: Any) -> dict[str, Any]:
        who = factories.student(self.dojo, first_name=name, **fields)
        factories.rank_event(self.dojo, who, self.rank("white"), white_since)
        return who

    def crowd(self, size: int) -> None:
        """Add students who are ready, past the API, which has no need to make so many one by one."""
        with tenant_scope(self.dojo.tenant):
            students = [
                Student(first_name=f"N{n}", last_name="Of many", check_in_id=new_check_in_id())
                for n in range(size)
            ]
            for student in students:
                student.set_search_name()
            Student.objects.bulk_create(students)
            white = {"system_id": self.system["id"], "rank_id": self.rank("white"), "kind": "import"}
            RankEvent.objects.bulk_create(
                RankEvent(student=student, effective_on="2026-01-01", **white) for student in students
            )

    def rank(self, code: str) -> str:
        return factories.rank(self.system, code)

    def batch(self, *students: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return factories.batch(self.dojo, *students, **fields)

    def turn(self, **more: Any) -> str | None:
        with tenant_scope(self.dojo.tenant):
            return run_batches(Turn(now=clock.now(), **more))

    def work_off(self) -> None:
        while self.turn() is not DONE:
            pass

    def seen(self, batch: dict[str, Any]) -> dict[str, Any]:
        return dict(done(self.dojo.admin.get(batch["url"])))

    def results(self, batch: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = done(self.dojo.admin.get(f"{batch['url']}/results?page_size=200"))["results"]
        return {one["student"]["name"].split()[0]: one for one in found}

    def held(self, who: dict[str, Any]) -> str:
        (rank,) = done(self.dojo.admin.get(f"/students/{who['id']}"))["ranks"]
        return str(rank["code"])


@pytest.fixture
def school(dojo: Dojo) -> School:
    return School(dojo)


def adds_up(batch: dict[str, Any]) -> bool:
    ended = sum(batch[name] for name in ("checked", "awarded", "refused", "failed", "cancelled", "reverted"))
    return bool(batch["done"] == ended <= batch["total"])


# --- asking ---------------------------------------------------------------------------------------------------


def test_a_batch_is_accepted_and_waits_for_workers(school: School) -> None:
    answer = school.dojo.instructor.post("/promotions/batches", {"filter": {}, "award": True})
    batch = done(answer, 202)
    assert answer.headers["Location"] == batch["url"] == f"/promotions/batches/{batch['id']}"
    assert (batch["status"], batch["total"], batch["done"]) == ("queued", 2, 0)
    assert (batch["awarded"], batch["refused"], batch["as_of"]) == (0, 0, "2026-06-15")
    assert school.held(school.ready) == "white"


def test_a_batch_asks_for_a_turn_with_its_rows(
    school: School, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        batch = school.batch(school.ready)
    with platform_scope():
        (waiting,) = PendingJob.objects.all()
        assert (waiting.tenant_id, waiting.job) == (school.dojo.tenant.tenant_id, "promotions.batches")
    while turns.take_turn(now=NOW):
        pass
    assert school.seen(batch)["status"] == "done"


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
def test_a_bad_batch_is_refused_by_its_field(school: School, body: dict[str, Any], field: str) -> None:
    invalid(school.dojo.admin.post("/promotions/batches", body), field)
    assert done(school.dojo.admin.get("/promotions/batches"))["count"] == 0


def test_students_are_named_or_chosen_not_both(school: School) -> None:
    body = {"students": [school.ready["id"]], "filter": {}, "award": True}
    invalid(school.dojo.admin.post("/promotions/batches", body), "students")


def test_the_ranks_sought_are_of_the_system_it_is_about(school: School) -> None:
    other = factories.rank_system(school.dojo)
    body = {"filter": {}, "award": True, "rank_system": other["id"], "target_ranks": [school.rank("yellow")]}
    invalid(school.dojo.admin.post("/promotions/batches", body), "target_ranks")


def test_students_on_trial_on_hold_and_gone_are_left_out(school: School) -> None:
    trial = school.pupil("Trial", "2026-01-01", status="trial")
    school.pupil("Gone", "2026-01-01", status="inactive")
    factories.put_on_hold(school.dojo, school.early)
    assert school.batch(filter={})["total"] == 1
    assert school.batch(school.ready, trial)["total"] == 1


def test_students_are_chosen_by_class_discipline_and_rank(school: School) -> None:
    art = factories.discipline(school.dojo)
    group = factories.training_class(school.dojo, discipline=art["id"])
    school.dojo.admin.post(f"/classes/{group['id']}/enrolments", {"student": school.early["id"]})
    factories.student(school.dojo, first_name="New")
    for by, chosen in (
        ({}, 3),
        ({"class": group["id"]}, 1),
        ({"discipline": art["id"]}, 1),
        ({"rank_system": school.system["id"]}, 2),
        ({"rank": school.rank("white")}, 2),
        ({"rank": school.rank("yellow")}, 0),
        ({"rank": school.rank("white"), "class": group["id"]}, 1),
    ):
        assert school.batch(filter=by)["total"] == chosen, by


# --- doing ----------------------------------------------------------------------------------------------------


def test_a_check_says_the_same_as_a_check_of_each(school: School) -> None:
    batch = school.batch(filter={}, award=False)
    school.work_off()
    seen = school.seen(batch)
    assert (seen["status"], seen["checked"], seen["awarded"]) == ("done", 2, 0)
    assert adds_up(seen)
    for one in school.results(batch).values():
        asked = done(school.dojo.admin.post("/promotions/check", {"students": [one["student"]["id"]]}))
        assert one["state"] == "checked"
        assert [{"student": one["student"], **result} for result in one["results"]] == asked["results"]
    assert school.held(school.ready) == "white"


def test_awards_go_to_those_who_are_eligible(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    seen, results = school.seen(batch), school.results(batch)
    assert (seen["status"], seen["awarded"], seen["refused"], seen["done"]) == ("done", 1, 1, 2)
    assert adds_up(seen)
    assert (school.held(school.ready), school.held(school.early)) == ("yellow", "white")
    (event,) = results["Ready"]["rank_events"]
    assert (event["rank"]["name"], event["voided"]) == ("Yellow", False)
    early = results["Early"]
    assert (early["state"], early["error"], early["rank_events"]) == ("refused", None, [])
    (answer,) = early["results"]
    assert (answer["status"], answer["earliest_on"]) == ("not_eligible", "2026-06-16")
    why = done(school.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (why["status"], why["path"]) == ("eligible", "wait")


def test_a_batch_is_of_its_own_day(school: School) -> None:
    school.pupil("Sooner", "2026-03-01")
    school.batch(filter={}, as_of="2026-06-14")
    school.work_off()
    assert school.held(school.ready) == "white", "the day before she has waited long enough"
    (event,) = done(school.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert (event["student"]["name"].split()[0], event["effective_on"]) == ("Sooner", "2026-06-14")


def test_a_batch_awards_nothing_before_its_day_and_checks_what_will_be(school: School) -> None:
    body = {"filter": {}, "as_of": "2026-06-16"}
    invalid(school.dojo.admin.post("/promotions/batches", {**body, "award": True}), "as_of")
    batch = school.batch(award=False, **body)
    school.work_off()
    assert school.results(batch)["Early"]["results"][0]["status"] == "eligible"


def test_one_step_at_a_time(school: School) -> None:
    school.batch(filter={}, target_ranks=[school.rank("yellow"), school.rank("green")])
    school.work_off()
    assert school.held(school.ready) == "yellow"


def test_the_rank_that_is_meant_must_be_named_where_two_are_open(school: School) -> None:
    school.batch(school.ready)
    school.work_off()
    batch = school.batch(school.ready)
    school.work_off()
    assert school.results(batch)["Ready"]["error"]["code"] == "ambiguous_target"
    school.batch(school.ready, target_ranks=[school.rank("blue")])
    school.work_off()
    assert school.held(school.ready) == "blue"


def test_nobody_is_in_two_systems_by_accident(school: School) -> None:
    """Whoever has a rank is asked about that system only, unless another is named."""
    school.dojo.create("/rank-systems", {**OUR_GRADES, "name": "Another ladder"})
    school.batch(school.ready)
    school.work_off()
    assert school.held(school.ready) == "yellow"


def test_two_batches_award_once(school: School) -> None:
    batches = [school.batch(filter={}, target_ranks=[school.rank("yellow")]) for _ in range(2)]
    school.work_off()
    assert [school.seen(batch)["awarded"] for batch in batches] == [1, 0]


def test_nobody_awards_himself_in_a_crowd_either(school: School) -> None:
    factories.speaks_for(school.dojo, school.dojo.instructor, school.ready)
    body = {"filter": {}, "award": True}
    batch = done(school.dojo.instructor.post("/promotions/batches", body), 202)
    school.work_off()
    assert school.results(batch)["Ready"]["error"]["code"] == "permission_denied"
    assert school.held(school.ready) == "white"


def test_who_left_meanwhile_is_refused(school: School) -> None:
    batches = [school.batch(filter={}, award=award) for award in (True, False)]
    done(school.dojo.admin.delete(f"/students/{school.ready['id']}"), 204)
    school.work_off()
    for batch in batches:
        assert school.results(batch)["Ready"]["error"]["code"] == "not_found"


def test_a_batch_of_nobody_is_done_at_once(school: School) -> None:
    batch = school.batch(filter={"rank": school.rank("blue")})
    school.work_off()
    assert (school.seen(batch)["status"], school.seen(batch)["total"]) == ("done", 0)


def test_a_batch_is_done_in_pieces(school: School) -> None:
    school.crowd(PIECE + 5)
    batch = school.batch(filter={"rank": school.rank("white")})
    school.turn()
    seen = school.seen(batch)
    assert (seen["status"], seen["done"], seen["total"]) == ("running", PIECE, PIECE + 7)
    assert adds_up(seen)
    school.work_off()
    seen = school.seen(batch)
    assert (seen["status"], seen["awarded"], seen["refused"]) == ("done", PIECE + 6, 1)


def test_a_piece_takes_the_same_number_of_statements_whatever_its_size(school: School) -> None:
    counted = []
    for size in (3, 60):
        school.crowd(size)
        school.batch(filter={"rank": school.rank("white")})
        with sent_statements() as sent:
            school.turn()
        counted.append(len(sent))
        school.work_off()
    assert counted[0] == counted[1]


def test_looking_at_batches_takes_the_same_number_of_statements_whatever_their_size(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    before = [statements(school.dojo.admin, path) for path in (batch["url"], f"{batch['url']}/results")]
    school.crowd(40)
    larger = school.batch(filter={})
    school.work_off()
    assert before == [
        statements(school.dojo.admin, path) for path in (larger["url"], f"{larger['url']}/results")
    ]


def test_the_items_of_the_batches_shown_are_counted_and_no_others(school: School) -> None:
    batches = [school.batch(filter={}) for _ in range(3)]
    school.work_off()
    path = "/promotions/batches?page_size=1"
    shown = done(school.dojo.admin.get(path))["results"]
    assert [(one["id"], one["total"], one["done"]) for one in shown] == [(batches[-1]["id"], 2, 2)]
    with CaptureQueriesContext(connection) as captured:
        school.dojo.admin.get(path)
    (counting,) = [one["sql"] for one in captured if "promotions_batchitem" in one["sql"]]
    ids = [UUID(one["id"]).hex for one in batches]
    assert [one for one in ids if one in counting] == ids[-1:]


# --- ending ---------------------------------------------------------------------------------------------------


def test_what_is_not_done_yet_is_cancelled(school: School) -> None:
    school.crowd(PIECE)
    batch = school.batch(filter={})
    school.turn()
    for _ in range(2):
        seen = done(school.dojo.instructor.post(f"{batch['url']}/cancel"))
        assert (seen["status"], seen["cancelled"], seen["done"]) == ("cancelled", 2, PIECE + 2)
        assert adds_up(seen)
    assert school.turn() is DONE
    assert school.seen(batch)["awarded"] + school.seen(batch)["refused"] == PIECE


def test_what_has_ended_is_not_cancelled(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    refusal(school.dojo.admin.post(f"{batch['url']}/cancel"), 409, "batch_ended")
    assert school.seen(batch)["status"] == "done"


def test_a_batch_is_reverted_with_a_reason(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    invalid(school.dojo.admin.post(f"{batch['url']}/revert"), "reason")
    seen = done(school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "The wrong list"}))
    assert (seen["status"], seen["reverted"], seen["awarded"], seen["revert_reason"]) == (
        "reverted",
        1,
        0,
        "The wrong list",
    )
    assert adds_up(seen)
    assert school.held(school.ready) == "white"
    events = done(school.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert [(event["voided"], event["void_reason"]) for event in events] == [(True, "The wrong list")]
    assert school.results(batch)["Ready"]["rank_events"][0]["voided"]
    again = school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Twice"})
    refusal(again, 409, "already_reverted")


def test_nobody_takes_back_his_own_ranks_with_a_batch(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    factories.speaks_for(school.dojo, school.dojo.instructor, school.ready)
    revert = {"reason": "My child was on the wrong list"}
    refusal(school.dojo.instructor.post(f"{batch['url']}/revert", revert), 403, "permission_denied")
    assert (school.seen(batch)["status"], school.held(school.ready)) == ("done", "yellow")
    done(school.dojo.admin.post(f"{batch['url']}/revert", revert))


def test_after_it_was_reverted_they_may_be_awarded_again(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    done(school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Too early"}))
    school.batch(filter={})
    school.work_off()
    assert school.held(school.ready) == "yellow"


def test_what_was_awarded_on_top_since_stands(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    school.batch(school.ready, target_ranks=[school.rank("green")])
    school.work_off()
    done(school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Too early"}))
    assert school.held(school.ready) == "green"


def test_a_running_batch_that_is_reverted_goes_no_further(school: School) -> None:
    school.crowd(PIECE)
    batch = school.batch(filter={})
    school.turn()
    seen = done(school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "Stop"}))
    assert (seen["awarded"], seen["cancelled"]) == (0, 2)
    assert adds_up(seen)
    assert school.turn() is DONE
    with tenant_scope(school.dojo.tenant):
        assert not RankEvent.objects.not_voided().filter(kind="award").exists()


def test_a_check_has_nothing_to_revert(school: School) -> None:
    batch = school.batch(filter={}, award=False)
    refusal(school.dojo.admin.post(f"{batch['url']}/revert", {"reason": "?"}), 409, "nothing_to_revert")


def test_a_dojo_that_is_suspended_pauses_and_goes_on(
    school: School, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        batch = school.batch(filter={})

    def becomes(status: str) -> None:
        with platform_scope():
            Tenant.objects.filter(pk=school.dojo.tenant.tenant_id).update(status=status)
        host_resolver.cache_clear()

    becomes("suspended")
    assert not turns.take_turn(now=NOW)
    with platform_scope():
        suspended = Tenant.objects.with_primary_domain().get(pk=school.dojo.tenant.tenant_id).scope
    with tenant_scope(suspended):
        assert Batch.objects.get().status == "paused"
    becomes("active")
    while turns.take_turn(now=NOW):
        pass
    assert school.seen(batch)["status"] == "done"


def test_who_makes_every_attempt_fail_is_found_and_given_up(school: School) -> None:
    """Pieces shrink to one student; the one that stays in the way is marked failed, and the rest is done."""
    school.crowd(5)
    batch = school.batch(filter={"rank": school.rank("white")})
    school.turn(attempt=4)
    assert school.seen(batch)["done"] == 1
    school.turn(attempt=8)
    assert (school.seen(batch)["done"], school.seen(batch)["failed"]) == (2, 1)
    school.work_off()
    seen = school.seen(batch)
    assert (seen["status"], seen["done"], seen["failed"]) == ("done", 7, 1)
    (lost,) = [one for one in school.results(batch).values() if one["state"] == "failed"][:1]
    assert lost["error"]["code"] == "server_error"


# --- keeping --------------------------------------------------------------------------------------------------


def test_batches_of_another_dojo_are_not_there(school: School, other_dojo: Dojo) -> None:
    batch = school.batch(filter={})
    for method, path in (("get", ""), ("get", "/results"), ("post", "/cancel")):
        refusal(getattr(other_dojo.admin, method)(batch["url"] + path), 404, "not_found")
    refusal(other_dojo.admin.post(f"{batch['url']}/revert", {"reason": "Ours now"}), 404, "not_found")
    assert done(other_dojo.admin.get("/promotions/batches"))["count"] == 0


def test_old_checks_are_swept_and_awards_stay(school: School, settings: Any) -> None:
    check, award = (school.batch(filter={}, award=award) for award in (False, True))
    school.work_off()
    days = settings.TATAMI_CHECK_BATCH_DAYS
    for moment, left in ((timedelta(days=days), 2), (timedelta(days=days, seconds=1), 1)):
        with tenant_scope(school.dojo.tenant):
            tasks.sweep(Turn(now=NOW + moment))
            assert Batch.objects.count() == left
    refusal(school.dojo.admin.get(check["url"]), 404, "not_found")
    assert school.seen(award)["status"] == "done"


def test_what_batches_found_out_about_a_person_is_forgotten_with_her(school: School) -> None:
    batch = school.batch(filter={})
    school.work_off()
    done(
        school.dojo.admin.post(f"/students/{school.early['id']}/erasure", {"confirm": school.early["id"]}),
        204,
    )
    with tenant_scope(school.dojo.tenant):
        assert BatchItem.objects.get(student_id=school.early["id"]).answers == []
    assert adds_up(school.seen(batch))
