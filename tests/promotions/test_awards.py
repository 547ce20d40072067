"""Awarding a rank: by the rules, past them with a reason, once; and what a history means when it is changed later."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import Decision
from tenant_apps.students.models import RankEvent
from tests.promotions.pupil import Pupil
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.responses import done, invalid, refusal
from tests.support.statements import sent_statements


@pytest.fixture
def pupil(dojo: Dojo) -> Pupil:
    """Blue since two years ago, for purple now."""
    pupil = Pupil(dojo, "ibjjf-adult", birth_date="1990-04-01")
    pupil.holds("blue", "2024-03-15")
    return pupil


def award(pupil: Pupil, target: str, by: Caller | None = None, **more: Any) -> Any:
    body = {"student": pupil.who["id"], "target_rank": factories.rank(pupil.system, target), **more}
    return (by or pupil.dojo.instructor).post("/promotions", body)


def history(pupil: Pupil) -> list[tuple[str, str, str, bool]]:
    rows = done(pupil.dojo.admin.get(f"/students/{pupil.who['id']}/rank-events"))["results"]
    return [(row["kind"], row["rank"]["name"], row["effective_on"], row["voided"]) for row in reversed(rows)]


def rank_held(pupil: Pupil) -> str:
    (rank,) = done(pupil.dojo.admin.get(f"/students/{pupil.who['id']}"))["ranks"]
    return str(rank["code"])


def decision(event: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return dict(done(caller.get(f"/rank-events/{event['id']}/decision")))


# --- by the rules ---------------------------------------------------------------------------------------------


def test_who_is_eligible_is_awarded_the_rank(pupil: Pupil) -> None:
    answer = award(pupil, "purple")
    event = done(answer, 201)
    assert answer.headers["Location"] == f"/students/{pupil.who['id']}/rank-events"
    assert (event["kind"], event["rank"]["name"], event["effective_on"]) == (
        "award",
        "Purple belt",
        "2026-06-15",
    )
    assert event["student"] == {"id": pupil.who["id"], "name": pupil.who["name"]}
    assert event["recorded_by"]["name"] == "Instructor"
    assert rank_held(pupil) == "purple"


def test_why_a_rank_was_awarded_is_kept(pupil: Pupil) -> None:
    asked = pupil.ask("purple", "2026-06-15")
    why = decision(done(award(pupil, "purple"), 201), pupil.dojo.assistant)
    assert (why["status"], why["path"], why["rule_version"], why["override_reason"]) == (
        "eligible",
        "regular",
        1,
        "",
    )
    assert why["criteria"] == asked["criteria"]
    assert why["decided_by"]["name"] == "Instructor"


def test_an_imported_rank_has_no_decision(pupil: Pupil) -> None:
    (event,) = done(pupil.dojo.admin.get(f"/students/{pupil.who['id']}/rank-events"))["results"]
    refusal(pupil.dojo.admin.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")


def test_who_is_not_eligible_is_not_awarded_and_told_why(pupil: Pupil) -> None:
    details = refusal(award(pupil, "purple", effective_on="2026-03-14"), 409, "not_eligible")
    assert (details["status"], details["path"], details["earliest_on"]) == (
        "not_eligible",
        "regular",
        "2026-03-15",
    )
    assert [(one["kind"], one["have"], one["need"]) for one in details["criteria"]] == [
        ("time_in_rank", 23, 24)
    ]
    assert history(pupil) == [("import", "Blue belt", "2024-03-15", False)]


def test_a_missing_fact_is_not_eligible_either(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kukkiwon")
    pupil.holds("1-dan", "2020-01-01")
    details = refusal(award(pupil, "2-dan"), 409, "not_eligible")
    assert details["status"] == "unknown"


def test_a_rank_to_which_no_step_leads_is_not_awarded(pupil: Pupil) -> None:
    details = refusal(award(pupil, "brown"), 409, "not_eligible")
    assert [one["kind"] for one in details["criteria"]] == ["step"]


def test_past_the_rules_it_takes_a_reason_which_is_kept(pupil: Pupil) -> None:
    reason = "Won the national championship; the association agreed."
    event = done(award(pupil, "brown", override_reason=reason), 201)
    why = decision(event, pupil.dojo.admin)
    assert (why["status"], why["override_reason"]) == ("not_eligible", reason)
    assert [one["kind"] for one in why["criteria"]] == ["step"]
    audit = done(pupil.dojo.admin.get("/audit?action=promotions.post"))["results"]
    assert [row["reason"] for row in audit] == [""]  # it can be forgotten where it is kept


def test_a_step_that_the_rules_call_a_conversion_is_recorded_as_one(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "kukkiwon", birth_date="2009-07-07")
    pupil.holds("1-poom", "2023-05-20")
    assert done(award(pupil, "1-dan"), 201)["kind"] == "convert"
    refusal(award(pupil, "1-dan"), 409, "already_awarded")


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
def test_a_bad_award_is_refused_by_its_field(pupil: Pupil, field: str, value: Any) -> None:
    invalid(award(pupil, "purple", **{field: value}), field)
    assert rank_held(pupil) == "blue"


def test_no_reason_awards_a_rank_before_its_day(pupil: Pupil) -> None:
    early = {"effective_on": "2026-06-16", "override_reason": "The seminar is booked."}
    invalid(award(pupil, "purple", **early), "effective_on")
    assert rank_held(pupil) == "blue"
    assert pupil.may_be("purple", "2026-06-16"), "a check may look ahead"


def test_a_rank_of_another_dojo_is_not_awarded(pupil: Pupil, other_dojo: Dojo) -> None:
    there = Pupil(other_dojo, "ibjjf-adult")
    invalid(award(pupil, "purple", student=there.who["id"]), "student")
    invalid(award(pupil, "purple", target_rank=factories.rank(there.system, "purple")), "target_rank")


# --- by whom --------------------------------------------------------------------------------------------------


def test_nobody_awards_himself_or_his_child(pupil: Pupil) -> None:
    factories.speaks_for(pupil.dojo, pupil.dojo.instructor, pupil.who)
    for more in ({}, {"override_reason": "I deserve it."}):
        refusal(award(pupil, "purple", **more), 403, "permission_denied")
    assert rank_held(pupil) == "blue"
    done(award(pupil, "purple", by=pupil.dojo.admin), 201)


def test_parents_read_why_their_child_was_promoted(pupil: Pupil) -> None:
    event = done(award(pupil, "purple"), 201)
    refusal(pupil.dojo.student.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")
    factories.speaks_for(pupil.dojo, pupil.dojo.student, pupil.who)
    assert decision(event, pupil.dojo.student)["status"] == "eligible"


# --- once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["2026-05-15", "2026-04-01", "2026-06-15"])
def test_a_rank_is_awarded_once(pupil: Pupil, day: str) -> None:
    done(award(pupil, "purple", effective_on="2026-05-15"), 201)
    before = history(pupil)
    for more in ({}, {"override_reason": "Again, please."}):
        refusal(award(pupil, "purple", effective_on=day, **more), 409, "already_awarded")
    assert history(pupil) == before


def test_a_rank_that_was_imported_is_not_awarded_again(pupil: Pupil) -> None:
    refusal(award(pupil, "blue", override_reason="For the wall."), 409, "already_awarded")


def test_an_award_that_was_voided_may_be_made_again(pupil: Pupil) -> None:
    event = done(award(pupil, "purple"), 201)
    done(pupil.dojo.admin.post(f"/rank-events/{event['id']}/void", {"reason": "The wrong student"}))
    done(award(pupil, "purple"), 201)
    assert [(name, voided) for _, name, _, voided in history(pupil)] == [
        ("Blue belt", False),
        ("Purple belt", True),
        ("Purple belt", False),
    ]


def test_after_a_demotion_the_rank_may_be_awarded_again(pupil: Pupil) -> None:
    done(award(pupil, "purple", effective_on="2026-04-01"), 201)
    pupil.holds("blue", "2026-05-01", kind="demote")
    again = {"override_reason": "Made good."}
    done(award(pupil, "purple", effective_on="2026-06-01", **again), 201)
    refusal(award(pupil, "purple", effective_on="2026-06-02", **again), 409, "already_awarded")
    assert rank_held(pupil) == "purple"


def test_no_rank_is_awarded_on_the_day_of_a_demotion(pupil: Pupil) -> None:
    """A demotion comes last on its day: what was awarded on it would never be held."""
    done(award(pupil, "purple", effective_on="2026-04-01"), 201)
    pupil.holds("blue", "2026-06-01", kind="demote")
    before = history(pupil)
    for rank in ("purple", "brown"):
        again = {"effective_on": "2026-06-01", "override_reason": "Made good."}
        refusal(award(pupil, rank, **again), 409, "demoted_that_day")
    assert history(pupil) == before
    done(award(pupil, "purple", effective_on="2026-06-02", override_reason="Made good."), 201)
    assert rank_held(pupil) == "purple"


def test_a_demotion_in_another_system_is_no_hindrance(pupil: Pupil) -> None:
    other = factories.rank_system(pupil.dojo)
    for code, kind in (("4-kyu", "import"), ("5-kyu", "demote")):
        factories.rank_event(pupil.dojo, pupil.who, factories.rank(other, code), "2026-06-15", kind)
    done(award(pupil, "purple", effective_on="2026-06-15"), 201)


def test_one_step_up_is_taken_once_though_a_demotion_was_entered_later(pupil: Pupil) -> None:
    """Purple was awarded from this blue; the demotion before it, entered since, changes nothing about that."""
    done(award(pupil, "purple", effective_on="2026-05-10"), 201)
    pupil.holds("blue", "2026-05-05", kind="demote")
    again = {"effective_on": "2026-05-03", "override_reason": "From the old list."}
    refusal(award(pupil, "purple", **again), 409, "already_awarded")


def test_the_same_key_awards_once_and_answers_twice(pupil: Pupil) -> None:
    body = {"student": pupil.who["id"], "target_rank": factories.rank(pupil.system, "purple")}
    first, second = (
        pupil.dojo.instructor.post("/promotions", body, Idempotency_Key="award-1") for _ in range(2)
    )
    assert done(first, 201) == done(second, 201)
    assert second.headers["Idempotency-Replayed"] == "true"


# --- what changes later, and what does not --------------------------------------------------------------------


def longer_wait(pupil: Pupil, months: int) -> None:
    """Put rules in force that ask blue belts to wait so many months."""
    path = f"/rank-systems/{pupil.system['id']}/rules"
    rules = done(pupil.dojo.admin.get(path))
    (step,) = (one for one in rules["steps"] if (one["from"], one["to"]) == ("blue", "purple"))
    for way in step["paths"]:
        for criterion in way["criteria"]:
            if criterion["kind"] == "time_in_rank":
                criterion["months"] = months
    assert done(pupil.dojo.admin.put(path, rules))["version"] == 2


def test_the_rules_in_force_when_it_is_decided_decide(pupil: Pupil) -> None:
    """Between an invitation and the exam the rules may change: the check told what was so then, and no more."""
    assert pupil.may_be("purple", "2026-06-15")
    longer_wait(pupil, 36)
    details = refusal(award(pupil, "purple"), 409, "not_eligible")
    assert (details["rule_version"], details["earliest_on"]) == (2, "2027-03-15")


def test_a_later_change_of_the_rules_takes_no_rank_away(pupil: Pupil) -> None:
    event = done(award(pupil, "purple"), 201)
    before = decision(event, pupil.dojo.admin)
    longer_wait(pupil, 36)
    assert rank_held(pupil) == "purple"
    assert decision(event, pupil.dojo.admin) == before


def test_a_backdated_award_is_judged_by_what_was_so_on_its_day(dojo: Dojo) -> None:
    pupil = Pupil(dojo, "aikikai")
    pupil.holds("5-kyu", "2026-01-10")
    pupil.trains("2026-01-11", 40)  # until 19 February
    details = refusal(award(pupil, "4-kyu", effective_on="2026-02-18"), 409, "not_eligible")
    assert next((one["have"], one["need"]) for one in details["criteria"]) == (39, 40)
    done(award(pupil, "4-kyu", effective_on="2026-02-19"), 201)
    # The next wait counts from the day of the award, not from the day on which it was entered.
    assert pupil.misses("3-kyu", "2026-06-15") == {"attendance_count": (0, 50)}


def test_a_backdated_award_below_a_later_rank_leaves_that_rank(pupil: Pupil) -> None:
    pupil.holds("brown", "2026-05-01")
    done(award(pupil, "purple", effective_on="2026-04-01"), 201)
    assert rank_held(pupil) == "brown"
    assert pupil.ask("black", "2026-06-15")["current_rank"]["name"] == "Brown belt"


def test_a_rank_voided_below_a_later_one_leaves_the_later_one(pupil: Pupil) -> None:
    below = done(award(pupil, "purple", effective_on="2026-04-01"), 201)
    done(award(pupil, "brown", effective_on="2026-05-01", override_reason="By the association"), 201)
    done(pupil.dojo.admin.post(f"/rank-events/{below['id']}/void", {"reason": "Never took place"}))
    assert rank_held(pupil) == "brown"
    assert pupil.ask("black", "2026-06-15")["criteria"][0]["have"] == 1, "brown's clock runs from its own day"
    # It may be put right: with its true day.
    done(award(pupil, "purple", effective_on="2026-04-02"), 201)
    refusal(award(pupil, "brown", effective_on="2026-04-20"), 409, "already_awarded")


def test_a_hold_in_the_middle_of_the_wait_does_not_stop_the_clock(pupil: Pupil) -> None:
    """The federations count calendar time; a rule that counts active time says so (`active_only`)."""
    factories.hold(pupil.dojo, pupil.who, "2025-01-01", "2025-06-30")
    done(award(pupil, "purple", effective_on="2026-03-15"), 201)


def test_a_demotion_that_is_voided_never_was(pupil: Pupil) -> None:
    done(award(pupil, "purple", effective_on="2026-03-15"), 201)
    demotion = factories.rank_event(
        pupil.dojo, pupil.who, factories.rank(pupil.system, "blue"), "2026-05-01", "demote"
    )
    assert rank_held(pupil) == "blue"
    done(pupil.dojo.admin.post(f"/rank-events/{demotion['id']}/void", {"reason": "On appeal"}))
    assert rank_held(pupil) == "purple"
    assert pupil.ask("brown", "2026-06-15")["criteria"][0]["have"] == 3, "purple's clock never stopped"
    refusal(award(pupil, "purple"), 409, "already_awarded")


def test_what_was_decided_about_a_person_is_forgotten_with_her(pupil: Pupil) -> None:
    event = done(award(pupil, "brown", override_reason="Her knee forbids the exam."), 201)
    assert done(pupil.dojo.admin.get(f"/students/{pupil.who['id']}/export"))["decisions"]
    erasure = {"confirm": pupil.who["id"]}
    done(pupil.dojo.admin.post(f"/students/{pupil.who['id']}/erasure", erasure), 204)
    refusal(pupil.dojo.admin.get(f"/rank-events/{event['id']}/decision"), 404, "not_found")
    with tenant_scope(pupil.dojo.tenant):
        kept = Decision.objects.get()
        assert (kept.criteria, kept.override_reason) == ([], "")
        assert RankEvent.objects.count() == 2, "that ranks were awarded is still counted"


def test_an_award_takes_few_statements(pupil: Pupil) -> None:
    with sent_statements() as statements:
        done(award(pupil, "purple"), 201)
    assert len(statements) <= 38, statements
