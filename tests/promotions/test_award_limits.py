"""What prevents an award beside the rules of the rank: a step on that day, standing, order, a missing exam."""

from typing import Any

import pytest

from tests.promotions.factories import GradedDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok

REASON = {"override_reason": "Agreed with the association."}

STRIPED: dict[str, Any] = {
    "format": 1,
    "name": "Belts with stripes",
    "art": "Brazilian jiu-jitsu",
    "source": "Our own",
    "confidence": "C",
    "ranks": [
        {"code": "white", "name": "White"},
        {"code": "white-1", "name": "White, 1st stripe", "kind": "sub_rank"},
        {"code": "white-2", "name": "White, 2nd stripe", "kind": "sub_rank"},
        {"code": "blue", "name": "Blue"},
        {"code": "purple", "name": "Purple"},
        {"code": "master", "name": "Master", "kind": "title"},
    ],
    "steps": [
        {"from": origin, "to": to, "type": type_, "paths": [{"name": "any", "criteria": []}]}
        for origin, to, type_ in (
            (None, "white", "promote"),
            ("white", "white-1", "promote"),
            ("white-1", "white-2", "promote"),
            ("white", "blue", "promote"),
            ("white", "purple", "skip"),
            ("white-1", "purple", "skip"),
            ("blue", "purple", "promote"),
            ("purple", "master", "promote"),
        )
    ],
}
"""Every step is open at once."""


class StripedDojo(GradedDojo):
    """A dojo where every step is open at once, with one white belt."""

    def __init__(self, dojo: Dojo) -> None:
        self.dojo = dojo
        self.system = dojo.create("/rank-systems", STRIPED)
        self.student = self.add_student("Mika", "2026-01-01")

    def award(self, rank: str, **more: Any) -> Any:
        body = {"student": self.student["id"], "target_rank": self.rank(rank), **more}
        return self.dojo.instructor.post("/promotions", body)


@pytest.fixture
def striped(dojo: Dojo) -> StripedDojo:
    return StripedDojo(dojo)


# --- one step a day -------------------------------------------------------------------------------------------


def test_a_repeated_batch_takes_one_step(striped: StripedDojo) -> None:
    batches = []
    for _ in range(3):
        batches.append(striped.create_batch(filter={}, target_ranks=stripes(striped)))
        striped.process_batches()
    assert [striped.read_batch(batch)["awarded"] for batch in batches] == [1, 0, 0]
    assert striped.rank_held(striped.student) == "white-1"
    refused = striped.batch_results(batches[1])["Mika"]
    assert (refused["state"], refused["error"]["code"]) == ("refused", "already_awarded")
    assert "White, 1st stripe" in refused["error"]["message"]


def stripes(striped: StripedDojo) -> list[str]:
    return [striped.rank("white-1"), striped.rank("white-2")]


def test_batches_of_two_days_take_two_steps(striped: StripedDojo) -> None:
    for day in ("2026-06-14", "2026-06-15"):
        striped.create_batch(filter={}, target_ranks=stripes(striped), as_of=day)
        striped.process_batches()
    assert striped.rank_held(striped.student) == "white-2"


def test_a_second_step_on_one_day_needs_a_reason(striped: StripedDojo) -> None:
    first = ok(striped.award("white-1"), 201)
    details = assert_error(striped.award("white-2"), 409, "already_awarded")
    assert [one["id"] for one in details["rank_events"]] == [first["id"]]
    ok(striped.award("white-2", **REASON), 201)
    assert striped.rank_held(striped.student) == "white-2"


def test_a_skip_may_be_the_second_step_of_a_day(striped: StripedDojo) -> None:
    ok(striped.award("white-1"), 201)
    ok(striped.award("purple"), 201)


def test_steps_in_two_rank_systems_on_one_day_are_two_steps(striped: StripedDojo) -> None:
    other = striped.dojo.create("/rank-systems", {**STRIPED, "name": "Another ladder"})
    factories.rank_event(striped.dojo, striped.student, factories.rank_id(other, "white"), "2026-01-01")
    ok(striped.award("white-1"), 201)
    body = {"student": striped.student["id"], "target_rank": factories.rank_id(other, "white-1")}
    ok(striped.dojo.admin.post("/promotions", body), 201)


def test_an_exam_on_the_day_of_an_award_needs_a_reason(striped: StripedDojo) -> None:
    ok(striped.award("white-1"), 201)
    exam = factories.exam(striped.dojo, striped.system, "2026-06-15")
    candidate = factories.candidate(striped.dojo, exam, striped.student, striped.rank("blue"))
    assert [one["code"] for one in candidate["warnings"]] == ["already_awarded"]
    passed = {"candidate": candidate["id"], "outcome": "passed"}
    path = f"/exams/{exam['id']}"
    ok(striped.dojo.admin.post(f"{path}/results", {"results": [passed]}))
    (named,) = assert_error(striped.dojo.admin.post(f"{path}/finish"), 409, "not_eligible")["candidates"]
    assert named["code"] == "already_awarded"
    ok(striped.dojo.admin.post(f"{path}/results", {"results": [{**passed, **REASON}]}))
    ok(striped.dojo.admin.post(f"{path}/finish"))


# --- who may not be promoted without a reason -----------------------------------------------------------------


def become(striped: StripedDojo, status: str) -> None:
    path = f"/students/{striped.student['id']}"
    if status == "archived":
        ok(striped.dojo.admin.delete(path), 204)
    elif status == "on_hold":
        factories.hold(striped.dojo, striped.student, "2026-06-01", "2026-06-30")
    else:
        ok(striped.dojo.admin.patch(path, {"status": status}))


@pytest.mark.parametrize("status", ["inactive", "trial", "on_hold", "archived"])
def test_only_active_students_are_promoted_without_a_reason(striped: StripedDojo, status: str) -> None:
    become(striped, status)
    details = assert_error(striped.award("blue"), 409, "not_eligible")
    (criterion,) = details["criteria"]
    assert (details["status"], criterion["kind"], criterion["status"]) == (
        "not_eligible",
        "standing",
        "not_met",
    )
    assert criterion["earliest_on"] == ("2026-07-01" if status == "on_hold" else None)
    event = ok(striped.award("blue", **REASON), 201)
    decision = ok(striped.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (decision["status"], [one["kind"] for one in decision["criteria"]]) == (
        "not_eligible",
        ["standing"],
    )


def test_a_hold_that_is_over_does_not_prevent_an_award(striped: StripedDojo) -> None:
    factories.hold(striped.dojo, striped.student, "2026-05-01", "2026-05-31")
    assert_error(striped.award("blue", effective_on="2026-05-31"), 409, "not_eligible")
    ok(striped.award("blue", effective_on="2026-06-01"), 201)


def test_a_batch_refuses_a_student_who_left_after_the_request(striped: StripedDojo) -> None:
    batch = striped.create_batch(filter={}, target_ranks=stripes(striped))
    become(striped, "inactive")
    striped.process_batches()
    refused = striped.batch_results(batch)["Mika"]
    assert (refused["state"], refused["error"]["code"]) == ("refused", "not_eligible")
    unmet = {one["criteria"][-1]["message"] for one in refused["results"]}
    assert unmet == {"The student is inactive."}


def test_a_batch_says_why_a_student_without_an_open_rank_is_refused(striped: StripedDojo) -> None:
    batch = striped.create_batch(striped.student, target_ranks=[striped.rank("master")])
    striped.process_batches()
    refused = striped.batch_results(batch)["Mika"]
    assert (refused["state"], refused["error"]["code"]) == ("refused", "not_eligible")
    (result,) = refused["results"]
    assert [one["kind"] for one in result["criteria"]] == ["step"]


# --- awards that cannot be ------------------------------------------------------------------------------------


def test_an_award_does_not_lead_down(striped: StripedDojo) -> None:
    factories.rank_event(striped.dojo, striped.student, striped.rank("purple"), "2026-05-01")
    details = assert_error(striped.award("blue", **REASON), 409, "rank_out_of_order")
    assert [one["rank"]["name"] for one in details["rank_events"]] == ["Purple"]
    assert striped.rank_held(striped.student) == "purple"


def test_an_award_does_not_stand_before_a_lower_one(striped: StripedDojo) -> None:
    ok(striped.award("blue", effective_on="2026-06-01"), 201)
    early = {"effective_on": "2026-05-01", **REASON}
    details = assert_error(striped.award("purple", **early), 409, "rank_out_of_order")
    assert [one["rank"]["name"] for one in details["rank_events"]] == ["Blue"]
    ok(striped.award("white-1", **early), 201)  # below the later one: a missing rank is put right
    assert striped.rank_held(striped.student) == "blue"


def test_an_award_is_not_before_the_birth(striped: StripedDojo) -> None:
    born = factories.student(striped.dojo, birth_date="2010-05-05")
    body = {
        "student": born["id"],
        "target_rank": striped.rank("white"),
        "effective_on": "2010-05-04",
        **REASON,
    }
    assert_invalid(striped.dojo.admin.post("/promotions", body), "effective_on")


# --- approvals ------------------------------------------------------------------------------------------------


def test_users_cannot_approve_themselves_or_their_children(striped: StripedDojo) -> None:
    factories.link_user(striped.dojo, striped.dojo.instructor, striped.student)
    path = f"/students/{striped.student['id']}/facts"
    approval = {"kind": "approval", "value": "exam", "on": "2026-06-01"}
    assert_error(striped.dojo.instructor.post(path, approval), 403, "permission_denied")
    ok(striped.dojo.instructor.post(path, {**approval, "kind": "document"}), 201)
    ok(striped.dojo.admin.post(path, approval), 201)


@pytest.mark.parametrize(
    ("asked", "approver", "counts"),
    [
        ("instructor", "instructor", True),
        ("instructor", "admin", True),
        ("admin", "admin", True),
        ("admin", "instructor", False),
    ],
)
def test_an_approval_counts_by_the_role_asked_for_or_above(
    dojo: Dojo, asked: str, approver: str, counts: bool
) -> None:
    rules = {**STRIPED, "steps": [dict(STRIPED["steps"][0])]}
    criterion = {"kind": "approval", "which": "exam", "by": asked}
    rules["steps"][0]["paths"] = [{"name": "approved", "criteria": [criterion]}]
    system, who = dojo.create("/rank-systems", rules), factories.student(dojo)
    fact = {"kind": "approval", "value": "exam", "on": "2026-06-01"}
    ok(dojo.person(approver).post(f"/students/{who['id']}/facts", fact), 201)
    body = {"student": who["id"], "target_rank": factories.rank_id(system, "white")}
    answer = dojo.admin.post("/promotions", body)
    assert answer.status_code == (201 if counts else 409)


# --- what an award brings with it -----------------------------------------------------------------------------


def set_policies(dojo: Dojo, **policies: dict[str, bool]) -> dict[str, Any]:
    return dict(ok(dojo.admin.patch("/settings", {"award_policies": policies}))["award_policies"])


def certificate_status(dojo: Dojo, event: dict[str, Any]) -> int:
    return int(dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf").status_code)


def promotion_mails(dojo: Dojo) -> int:
    return int(ok(dojo.admin.get("/notifications?kind=promotion"))["count"])


def test_stripes_are_quiet(striped: StripedDojo) -> None:
    stripe = ok(striped.award("white-1"), 201)
    assert (certificate_status(striped.dojo, stripe), promotion_mails(striped.dojo)) == (404, 0)
    belt = ok(striped.award("blue", **REASON), 201)
    assert (certificate_status(striped.dojo, belt), promotion_mails(striped.dojo)) == (200, 1)


def test_a_dojo_decides_for_each_kind_of_rank_about_mail_and_certificate(striped: StripedDojo) -> None:
    shown = set_policies(striped.dojo, sub_rank={"mail": True}, rank={"certificate": False})
    assert shown == {
        "rank": {"mail": True, "certificate": False, "needs_exam": False},
        "sub_rank": {"mail": True, "certificate": False, "needs_exam": False},
        "title": {"mail": True, "certificate": True, "needs_exam": False},
    }
    ok(striped.award("white-1"), 201)
    assert promotion_mails(striped.dojo) == 1
    belt = ok(striped.award("blue", **REASON), 201)
    assert (certificate_status(striped.dojo, belt), promotion_mails(striped.dojo)) == (404, 2)


def test_unknown_kinds_and_fields_of_policies_are_refused(striped: StripedDojo) -> None:
    patch = striped.dojo.admin.patch
    assert_invalid(patch("/settings", {"award_policies": {"belt": {}}}), "award_policies.belt")
    body = {"award_policies": {"rank": {"mail": "loud"}}}
    assert_invalid(patch("/settings", body), "award_policies.rank.mail")


def test_ranks_that_need_an_exam_are_awarded_by_exams_or_with_a_reason(striped: StripedDojo) -> None:
    set_policies(striped.dojo, rank={"needs_exam": True})
    assert_error(striped.award("blue"), 409, "exam_needed")
    batch = striped.create_batch(striped.student, target_ranks=[striped.rank("blue")])
    striped.process_batches()
    assert striped.batch_results(batch)["Mika"]["error"]["code"] == "exam_needed"
    ok(striped.award("white-1", effective_on="2026-06-14"), 201)  # stripes need none
    exam = factories.exam(striped.dojo, striped.system, "2026-06-15")
    candidate = factories.candidate(striped.dojo, exam, striped.student, striped.rank("blue"))
    path = f"/exams/{exam['id']}"
    passed = {"candidate": candidate["id"], "outcome": "passed"}
    ok(striped.dojo.admin.post(f"{path}/results", {"results": [passed]}))
    ok(striped.dojo.admin.post(f"{path}/finish"))
    ok(striped.award("purple", **REASON), 201)
