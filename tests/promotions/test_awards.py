"""Awarding a rank: by the rules, with a reason against them, once; and later changes of the rank history."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import Decision
from tenant_apps.students.models import RankEvent
from tests.promotions.factories import RankedStudent
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import sent_statements


@pytest.fixture
def ranked(dojo: Dojo) -> RankedStudent:
    """A blue belt since two years ago, eligible for purple now."""
    ranked = RankedStudent(dojo, "ibjjf-adult", birth_date="1990-04-01")
    ranked.add_rank("blue", "2024-03-15")
    return ranked


def award(ranked: RankedStudent, target: str, by: Caller | None = None, **more: Any) -> Any:
    body = {"student": ranked.student["id"], "target_rank": factories.rank_id(ranked.system, target), **more}
    return (by or ranked.dojo.instructor).post("/promotions", body)


def history(ranked: RankedStudent) -> list[tuple[str, str, str, bool]]:
    rows = ok(ranked.dojo.admin.get(f"/students/{ranked.student['id']}/rank-events"))["results"]
    return [(row["kind"], row["rank"]["name"], row["effective_on"], row["voided"]) for row in reversed(rows)]


def rank_held(ranked: RankedStudent) -> str:
    (rank,) = ok(ranked.dojo.admin.get(f"/students/{ranked.student['id']}"))["ranks"]
    return str(rank["code"])


def decision(event: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return dict(ok(caller.get(f"/rank-events/{event['id']}/decision")))


# --- by the rules ---------------------------------------------------------------------------------------------


def test_an_eligible_student_is_awarded_the_rank(ranked: RankedStudent) -> None:
    answer = award(ranked, "purple")
    event = ok(answer, 201)
    assert answer.headers["Location"] == f"/students/{ranked.student['id']}/rank-events"
    assert (event["kind"], event["rank"]["name"], event["effective_on"]) == (
        "award",
        "Purple belt",
        "2026-06-15",
    )
    assert event["student"] == {"id": ranked.student["id"], "name": ranked.student["name"]}
    assert event["recorded_by"]["name"] == "Instructor"
    assert rank_held(ranked) == "purple"


def test_the_decision_stores_why_a_rank_was_awarded(ranked: RankedStudent) -> None:
    asked = ranked.check("purple", "2026-06-15")
    stored = decision(ok(award(ranked, "purple"), 201), ranked.dojo.assistant)
    assert (stored["status"], stored["path"], stored["rule_version"], stored["override_reason"]) == (
        "eligible",
        "regular",
        1,
        "",
    )
    assert stored["criteria"] == asked["criteria"]
    assert stored["decided_by"]["name"] == "Instructor"


def test_an_imported_rank_has_no_decision(ranked: RankedStudent) -> None:
    (event,) = ok(ranked.dojo.admin.get(f"/students/{ranked.student['id']}/rank-events"))["results"]
    assert_error(ranked.dojo.admin.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")


def test_an_ineligible_student_is_refused_with_the_reasons(ranked: RankedStudent) -> None:
    details = assert_error(award(ranked, "purple", effective_on="2026-03-14"), 409, "not_eligible")
    assert (details["status"], details["path"], details["earliest_on"]) == (
        "not_eligible",
        "regular",
        "2026-03-15",
    )
    assert [(one["kind"], one["have"], one["need"]) for one in details["criteria"]] == [
        ("time_in_rank", 23, 24),
        ("standing", 1, 1),
    ]
    assert history(ranked) == [("import", "Blue belt", "2024-03-15", False)]


def test_a_student_with_a_missing_fact_is_refused(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon")
    ranked.add_rank("1-dan", "2020-01-01")
    details = assert_error(award(ranked, "2-dan"), 409, "not_eligible")
    assert details["status"] == "unknown"


def test_a_rank_to_which_no_step_leads_is_not_awarded(ranked: RankedStudent) -> None:
    details = assert_error(award(ranked, "brown"), 409, "not_eligible")
    assert [one["kind"] for one in details["criteria"]] == ["step"]


def test_a_reason_overrides_the_rules_and_is_stored(ranked: RankedStudent) -> None:
    reason = "Won the national championship; the association agreed."
    event = ok(award(ranked, "brown", override_reason=reason), 201)
    stored = decision(event, ranked.dojo.admin)
    assert (stored["status"], stored["override_reason"]) == ("not_eligible", reason)
    assert [one["kind"] for one in stored["criteria"]] == ["step"]
    audit = ok(ranked.dojo.admin.get("/audit?action=promotions.post"))["results"]
    assert [row["reason"] for row in audit] == [""]  # it is stored only where an erasure can clear it


def test_a_step_that_the_rules_call_a_conversion_is_recorded_as_one(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "kukkiwon", birth_date="2009-07-07")
    ranked.add_rank("1-poom", "2023-05-20")
    assert ok(award(ranked, "1-dan"), 201)["kind"] == "convert"
    assert_error(award(ranked, "1-dan"), 409, "already_awarded")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("student", "x"),
        ("student", None),
        ("target_rank", "01a20586-c208-7734-9211-4c1b149fba5b"),
        ("effective_on", "15.06.2026"),
        ("effective_on", "0001-01-01"),
        ("effective_on", "2026-06-16"),
        ("override_reason", ""),
        ("override_reason", " "),
        ("override_reason", "a\x00b"),
        ("override_reason", "x" * 501),
        ("recorded_by", "me"),
    ],
)
def test_an_invalid_award_is_refused_at_its_field(ranked: RankedStudent, field: str, value: Any) -> None:
    assert_invalid(award(ranked, "purple", **{field: value}), field)
    assert rank_held(ranked) == "blue"


def test_a_reason_does_not_allow_an_award_before_its_day(ranked: RankedStudent) -> None:
    early = {"effective_on": "2026-06-16", "override_reason": "The seminar is booked."}
    assert_invalid(award(ranked, "purple", **early), "effective_on")
    assert rank_held(ranked) == "blue"
    assert ranked.is_eligible("purple", "2026-06-16"), "a check may look ahead"


def test_students_and_ranks_of_another_dojo_are_unknown(ranked: RankedStudent, other_dojo: Dojo) -> None:
    there = RankedStudent(other_dojo, "ibjjf-adult")
    assert_invalid(award(ranked, "purple", student=there.student["id"]), "student")
    assert_invalid(
        award(ranked, "purple", target_rank=factories.rank_id(there.system, "purple")), "target_rank"
    )


# --- who may award-----------------------------------------------------------------------------------------------


def test_users_cannot_award_themselves_or_their_children(ranked: RankedStudent) -> None:
    factories.link_user(ranked.dojo, ranked.dojo.instructor, ranked.student)
    for more in ({}, {"override_reason": "I deserve it."}):
        assert_error(award(ranked, "purple", **more), 403, "permission_denied")
    assert rank_held(ranked) == "blue"
    ok(award(ranked, "purple", by=ranked.dojo.admin), 201)


def test_parents_can_read_the_decision_about_their_child(ranked: RankedStudent) -> None:
    event = ok(award(ranked, "purple"), 201)
    assert_error(ranked.dojo.student.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")
    factories.link_user(ranked.dojo, ranked.dojo.student, ranked.student)
    assert decision(event, ranked.dojo.student)["status"] == "eligible"


# --- only once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["2026-05-15", "2026-04-01", "2026-06-15"])
def test_a_rank_is_awarded_once(ranked: RankedStudent, day: str) -> None:
    ok(award(ranked, "purple", effective_on="2026-05-15"), 201)
    before = history(ranked)
    for more in ({}, {"override_reason": "Again, please."}):
        assert_error(award(ranked, "purple", effective_on=day, **more), 409, "already_awarded")
    assert history(ranked) == before


def test_an_imported_rank_is_not_awarded_again(ranked: RankedStudent) -> None:
    assert_error(award(ranked, "blue", override_reason="For the wall."), 409, "already_awarded")


def test_a_voided_award_can_be_made_again(ranked: RankedStudent) -> None:
    event = ok(award(ranked, "purple"), 201)
    ok(ranked.dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "The wrong student"}))
    ok(award(ranked, "purple"), 201)
    assert [(name, voided) for _, name, _, voided in history(ranked)] == [
        ("Blue belt", False),
        ("Purple belt", True),
        ("Purple belt", False),
    ]


def test_after_a_demotion_the_rank_can_be_awarded_again(ranked: RankedStudent) -> None:
    ok(award(ranked, "purple", effective_on="2026-04-01"), 201)
    ranked.add_rank("blue", "2026-05-01", kind="demote")
    again = {"override_reason": "Made good."}
    ok(award(ranked, "purple", effective_on="2026-06-01", **again), 201)
    assert_error(award(ranked, "purple", effective_on="2026-06-02", **again), 409, "already_awarded")
    assert rank_held(ranked) == "purple"


def test_no_rank_is_awarded_on_the_day_of_a_demotion(ranked: RankedStudent) -> None:
    """A demotion comes last on its day, so an award on it would never be held."""
    ok(award(ranked, "purple", effective_on="2026-04-01"), 201)
    ranked.add_rank("blue", "2026-06-01", kind="demote")
    before = history(ranked)
    for rank in ("purple", "brown"):
        again = {"effective_on": "2026-06-01", "override_reason": "Made good."}
        assert_error(award(ranked, rank, **again), 409, "demoted_that_day")
    assert history(ranked) == before
    ok(award(ranked, "purple", effective_on="2026-06-02", override_reason="Made good."), 201)
    assert rank_held(ranked) == "purple"


def test_a_demotion_in_another_system_does_not_prevent_an_award(ranked: RankedStudent) -> None:
    other = factories.rank_system(ranked.dojo)
    for code, kind in (("4-kyu", "import"), ("5-kyu", "demote")):
        factories.rank_event(ranked.dojo, ranked.student, factories.rank_id(other, code), "2026-06-15", kind)
    ok(award(ranked, "purple", effective_on="2026-06-15"), 201)


def test_a_demotion_entered_later_does_not_allow_the_same_step_twice(ranked: RankedStudent) -> None:
    """Purple was awarded from this blue belt; the demotion before it, entered later, does not change that."""
    ok(award(ranked, "purple", effective_on="2026-05-10"), 201)
    ranked.add_rank("blue", "2026-05-05", kind="demote")
    again = {"effective_on": "2026-05-03", "override_reason": "From the old list."}
    assert_error(award(ranked, "purple", **again), 409, "already_awarded")


def test_a_repeated_idempotency_key_awards_once(ranked: RankedStudent) -> None:
    body = {"student": ranked.student["id"], "target_rank": factories.rank_id(ranked.system, "purple")}
    first, second = (
        ranked.dojo.instructor.post("/promotions", body, Idempotency_Key="award-1") for _ in range(2)
    )
    assert ok(first, 201) == ok(second, 201)
    assert second.headers["Idempotency-Replayed"] == "true"


# --- what changes later, and what does not --------------------------------------------------------------------


def require_wait(ranked: RankedStudent, months: int) -> None:
    """Put rules in force that require blue belts to wait so many months."""
    path = f"/rank-systems/{ranked.system['id']}/rules"
    rules = ok(ranked.dojo.admin.get(path))
    (step,) = (one for one in rules["steps"] if (one["from"], one["to"]) == ("blue", "purple"))
    for path_of_step in step["paths"]:
        for criterion in path_of_step["criteria"]:
            if criterion["kind"] == "time_in_rank":
                criterion["months"] = months
    assert ok(ranked.dojo.admin.put(path, rules))["version"] == 2


def test_an_award_uses_the_rules_in_force_at_the_decision(ranked: RankedStudent) -> None:
    """The rules may change between a check and the award."""
    assert ranked.is_eligible("purple", "2026-06-15")
    require_wait(ranked, 36)
    details = assert_error(award(ranked, "purple"), 409, "not_eligible")
    assert (details["rule_version"], details["earliest_on"]) == (2, "2027-03-15")


def test_a_later_change_of_the_rules_does_not_change_an_award(ranked: RankedStudent) -> None:
    event = ok(award(ranked, "purple"), 201)
    before = decision(event, ranked.dojo.admin)
    require_wait(ranked, 36)
    assert rank_held(ranked) == "purple"
    assert decision(event, ranked.dojo.admin) == before


def test_a_backdated_award_is_decided_by_the_facts_of_its_day(dojo: Dojo) -> None:
    ranked = RankedStudent(dojo, "aikikai")
    ranked.add_rank("5-kyu", "2026-01-10")
    ranked.add_training("2026-01-11", 40)  # until 19 February
    details = assert_error(award(ranked, "4-kyu", effective_on="2026-02-18"), 409, "not_eligible")
    assert next((one["have"], one["need"]) for one in details["criteria"]) == (39, 40)
    ok(award(ranked, "4-kyu", effective_on="2026-02-19"), 201)
    # The next wait counts from the day of the award, not from the day on which it was entered.
    assert ranked.unmet("3-kyu", "2026-06-15") == {"attendance_count": (0, 50)}


def test_a_backdated_award_below_a_later_rank_keeps_that_rank(ranked: RankedStudent) -> None:
    ranked.add_rank("brown", "2026-05-01")
    ok(award(ranked, "purple", effective_on="2026-04-01"), 201)
    assert rank_held(ranked) == "brown"
    assert ranked.check("black", "2026-06-15")["current_rank"]["name"] == "Brown belt"


def test_voiding_a_rank_below_a_later_one_keeps_the_later_one(ranked: RankedStudent) -> None:
    below = ok(award(ranked, "purple", effective_on="2026-04-01"), 201)
    ok(award(ranked, "brown", effective_on="2026-05-01", override_reason="By the association"), 201)
    ok(ranked.dojo.admin.post(f"/rank-events/{below['id']}/void", {"reason": "Never took place"}))
    assert rank_held(ranked) == "brown"
    assert ranked.check("black", "2026-06-15")["criteria"][0]["have"] == 1, (
        "brown's clock runs from its own day"
    )
    # It may be put right: with its true day.
    ok(award(ranked, "purple", effective_on="2026-04-02"), 201)
    assert_error(award(ranked, "brown", effective_on="2026-04-20"), 409, "already_awarded")


def test_a_hold_during_the_wait_does_not_stop_the_clock(ranked: RankedStudent) -> None:
    """The federations count calendar time; rules that count active time have `active_only`."""
    factories.hold(ranked.dojo, ranked.student, "2025-01-01", "2025-06-30")
    ok(award(ranked, "purple", effective_on="2026-03-15"), 201)


def test_a_voided_demotion_has_no_effect(ranked: RankedStudent) -> None:
    ok(award(ranked, "purple", effective_on="2026-03-15"), 201)
    demotion = factories.rank_event(
        ranked.dojo, ranked.student, factories.rank_id(ranked.system, "blue"), "2026-05-01", "demote"
    )
    assert rank_held(ranked) == "blue"
    ok(ranked.dojo.admin.post(f"/rank-events/{demotion['id']}/void", {"reason": "On appeal"}))
    assert rank_held(ranked) == "purple"
    assert ranked.check("brown", "2026-06-15")["criteria"][0]["have"] == 3, "purple's clock never stopped"
    assert_error(award(ranked, "purple"), 409, "already_awarded")


def test_an_erasure_clears_the_decisions_about_a_student(ranked: RankedStudent) -> None:
    event = ok(award(ranked, "brown", override_reason="A knee injury prevents the exam."), 201)
    assert ok(ranked.dojo.admin.get(f"/students/{ranked.student['id']}/export"))["decisions"]
    erasure = {"confirm": ranked.student["id"]}
    ok(ranked.dojo.admin.post(f"/students/{ranked.student['id']}/erasure", erasure), 204)
    assert_error(ranked.dojo.admin.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")
    with tenant_scope(ranked.dojo.tenant):
        kept = Decision.objects.get()
        assert (kept.criteria, kept.override_reason) == ([], "")
        assert RankEvent.objects.count() == 2, "that ranks were awarded is still counted"


def test_an_award_takes_at_most_39_statements(ranked: RankedStudent) -> None:
    with sent_statements() as statements:
        ok(award(ranked, "purple"), 201)
    assert len(statements) <= 39, statements
