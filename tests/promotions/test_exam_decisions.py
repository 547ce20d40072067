"""Exams as they were decided: warnings at the invitation, marks, conditions, examiners, and what is shown later."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.models import Candidate
from tests.promotions.factories import EXAM_DAY, ExamDojo
from tests.support import factories
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import count_get_statements

MARKED = {
    "techniques": ["Kihon", "Kata"],
    "best_mark": 10,
    "pass_mark": 6,
}


def warnings(candidate: dict[str, Any]) -> list[str]:
    return [one["code"] for one in candidate["warnings"]]


def require(exam_dojo: ExamDojo, rules: dict[str, Any], code: str = "yellow") -> None:
    """Put rules about the exam for a rank in force."""
    path = f"/rank-systems/{exam_dojo.system['id']}/rules"
    document = ok(exam_dojo.dojo.admin.get(path))
    (rank,) = (one for one in document["ranks"] if one["code"] == code)
    rank["exam"] = rules
    ok(exam_dojo.dojo.admin.put(path, document))


def post_results(exam_dojo: ExamDojo, **results: dict[str, Any]) -> Any:
    candidates = exam_dojo.candidates()
    entries = [{"candidate": candidates[name]["id"], **result} for name, result in results.items()]
    return exam_dojo.dojo.instructor.post(f"{exam_dojo.path}/results", {"results": entries})


# --- at the invitation ----------------------------------------------------------------------------------------


def test_candidates_who_are_not_eligible_are_marked_at_the_invitation(exam_dojo: ExamDojo) -> None:
    ready, early = sorted(exam_dojo.invite(exam_dojo.ready, exam_dojo.early), key=warnings)
    assert (warnings(ready), warnings(early)) == ([], ["not_eligible"])
    assert early["eligibility_at_invitation"]["status"] == "not_eligible"


@pytest.mark.parametrize("status", ["trial", "inactive", "on_hold", "archived"])
def test_candidates_who_do_not_train_are_marked_at_the_invitation(exam_dojo: ExamDojo, status: str) -> None:
    path = f"/students/{exam_dojo.ready['id']}"
    if status == "archived":
        ok(exam_dojo.dojo.admin.delete(path), 204)
    elif status == "on_hold":
        factories.put_on_hold(exam_dojo.dojo, exam_dojo.ready)
    else:
        ok(exam_dojo.dojo.admin.patch(path, {"status": status}))
    (candidate,) = exam_dojo.invite(exam_dojo.ready)
    assert warnings(candidate) == [status, "not_eligible"]
    assert candidate["eligibility"]["criteria"][-1]["kind"] == "standing"


def test_a_candidate_who_holds_the_rank_already_is_marked(exam_dojo: ExamDojo) -> None:
    (candidate,) = exam_dojo.invite(exam_dojo.ready, to="white")
    assert warnings(candidate) == ["already_awarded"]


def test_eligibility_at_the_invitation_is_kept(exam_dojo: ExamDojo) -> None:
    (candidate,) = exam_dojo.invite(exam_dojo.early)
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": "2026-06-16"}))
    now = exam_dojo.candidates()["Early"]
    assert (now["eligibility"]["status"], warnings(now)) == ("eligible", [])
    assert now["eligibility_at_invitation"] == candidate["eligibility_at_invitation"]
    assert now["eligibility_at_invitation"]["status"] == "not_eligible"


def test_a_candidate_who_was_archived_since_is_marked_and_never_dropped(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    ok(exam_dojo.record_results(Ready="passed", Second="passed"))
    ok(exam_dojo.dojo.admin.delete(f"/students/{exam_dojo.ready['id']}"), 204)
    assert "archived" in warnings(exam_dojo.candidates()["Ready"])
    (named,) = assert_error(exam_dojo.finish(), 409, "not_eligible")["candidates"]
    assert (named["candidate"], named["code"]) == (exam_dojo.candidates()["Ready"]["id"], "not_eligible")
    assert named["result"]["criteria"][-1]["kind"] == "standing"
    ok(exam_dojo.record_results(Ready=("passed", "Moved away after the exam.")))
    assert len(ok(exam_dojo.finish())["rank_events"]) == 2


# --- after the exam -------------------------------------------------------------------------------------------


def test_a_finished_exam_is_shown_as_it_was_decided(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.early, exam_dojo.second)
    ok(exam_dojo.record_results(Ready="passed", Early=("passed", "Seminar"), Second="failed"))
    before = exam_dojo.candidates()
    ok(exam_dojo.finish())
    after = exam_dojo.candidates()
    for name in ("Ready", "Early", "Second"):
        assert after[name]["eligibility"] == before[name]["eligibility"], name
        assert after[name]["eligibility"]["current_rank"]["name"] == "White"
    statuses = [after[name]["eligibility"]["status"] for name in ("Ready", "Early", "Second")]
    assert statuses == ["eligible", "not_eligible", "eligible"]
    rows = exam_dojo.dojo.admin.get(f"{exam_dojo.path}/candidates?format=csv").content.decode()
    assert "Already holds" not in rows


def test_later_changes_of_rules_and_history_do_not_change_a_finished_exam(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    shown = exam_dojo.candidates()["Ready"]
    path = f"/rank-systems/{exam_dojo.system['id']}/rules"
    rules = ok(exam_dojo.dojo.admin.get(path))
    rules["steps"][1]["paths"][0]["criteria"][0]["months"] = 12
    ok(exam_dojo.dojo.admin.put(path, rules))
    ok(exam_dojo.dojo.admin.delete(f"/students/{exam_dojo.ready['id']}"), 204)
    assert exam_dojo.candidates()["Ready"] == shown


def test_awards_of_older_exams_are_shown_from_their_decisions(exam_dojo: ExamDojo) -> None:
    """Exams that were finished before the decision was stored with the candidate."""
    exam_dojo.invite(exam_dojo.early)
    ok(exam_dojo.record_results(Early=("passed", "Seminar")))
    before = exam_dojo.candidates()["Early"]["eligibility"]
    ok(exam_dojo.finish())
    with tenant_scope(exam_dojo.dojo.tenant):
        Candidate.objects.update(decided=None, invited=None)
    shown = exam_dojo.candidates()["Early"]
    assert shown["eligibility"] == {**before, "earliest_on": None, "type": None, "paths": []}
    assert (shown["eligibility_at_invitation"], shown["warnings"]) == (None, [])


def test_a_reopened_exam_is_checked_anew(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "Two were mixed up"}))
    factories.put_on_hold(exam_dojo.dojo, exam_dojo.ready)
    assert warnings(exam_dojo.candidates()["Ready"]) == ["on_hold", "not_eligible"]


def test_reopening_names_the_ranks_that_stand_on_its_awards(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": "2026-06-14"}))
    early = exam_dojo.add_student("Old", "2026-01-01")
    exam_dojo.pass_exam(early)
    green = {"student": early["id"], "target_rank": exam_dojo.rank("green")}
    later = exam_dojo.dojo.create("/promotions", green)
    path, reason = f"{exam_dojo.path}/reopening", {"reason": "Mixed up"}
    details = assert_error(exam_dojo.dojo.admin.post(path, reason), 409, "ranks_stand_on_it")
    assert [one["id"] for one in details["rank_events"]] == [later["id"]]
    assert exam_dojo.rank_held(early) == "green"
    ok(exam_dojo.dojo.admin.post(path, {**reason, "cascade": True}))
    assert exam_dojo.rank_held(early) == "white"


def test_a_finished_exam_is_shown_in_few_statements(exam_dojo: ExamDojo) -> None:
    counted = []
    for size in (2, 12):
        exam_dojo.exam = factories.exam(exam_dojo.dojo, exam_dojo.system, EXAM_DAY)
        exam_dojo.path = f"/exams/{exam_dojo.exam['id']}"
        exam_dojo.pass_exam(*exam_dojo.add_students(size))
        counted.append(count_get_statements(exam_dojo.dojo.admin, f"{exam_dojo.path}/candidates"))
    assert counted[0] == counted[1]


# --- marks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        ({"Kihon": 6, "Kata": 9.5}, "passed"),
        ({"Kihon": 5.5, "Kata": 10}, "failed"),
        ({"Kihon": 10}, "failed"),
    ],
)
def test_marks_decide_by_the_pass_mark(exam_dojo: ExamDojo, marks: dict[str, float], outcome: str) -> None:
    require(exam_dojo, MARKED)
    exam_dojo.invite(exam_dojo.ready)
    (row,) = ok(post_results(exam_dojo, Ready={"marks": marks}))["results"]
    assert (row["outcome"], row["marks"]) == (outcome, marks)


def test_a_pass_below_the_pass_mark_needs_a_reason(exam_dojo: ExamDojo) -> None:
    require(exam_dojo, MARKED)
    exam_dojo.invite(exam_dojo.ready)
    low = {"outcome": "passed", "marks": {"Kihon": 7, "Kata": 5}}
    ok(post_results(exam_dojo, Ready=low))
    (named,) = assert_error(exam_dojo.finish(), 409, "not_eligible")["candidates"]
    assert named["code"] == "marks_too_low"
    assert named["details"]["marks"] == [{"technique": "Kata", "mark": 5, "pass_mark": 6}]
    ok(post_results(exam_dojo, Ready={**low, "override_reason": "A broken toe."}))
    ok(exam_dojo.finish())
    assert exam_dojo.candidates()["Ready"]["marks"] == {"Kihon": 7, "Kata": 5}


def test_invalid_marks_are_refused_at_their_place(exam_dojo: ExamDojo) -> None:
    require(exam_dojo, MARKED)
    exam_dojo.invite(exam_dojo.ready)
    for marks, field in (
        ({"Juggling": 7}, "results.0.marks.Juggling"),
        ({"Kata": 11}, "results.0.marks.Kata"),
        ({"Kata": -1}, "results.0.marks.Kata"),
        ({"Kata": "good"}, "results.0.marks.Kata"),
        ({"Kata\nlow": 7}, "results.0.marks"),
        ({"x" * 101: 7}, "results.0.marks"),
        (dict.fromkeys(map(str, range(101)), 7), "results.0.marks"),
        ([7], "results.0.marks"),
    ):
        assert_invalid(post_results(exam_dojo, Ready={"outcome": "passed", "marks": marks}), field)
    assert_invalid(post_results(exam_dojo, Ready={}), "results.0.outcome")
    assert exam_dojo.candidates()["Ready"]["marks"] == {}


def test_faults_of_results_are_in_the_language_of_the_dojo(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"language": "pt-br"}))
    require(exam_dojo, MARKED)
    exam_dojo.invite(exam_dojo.ready)
    for result, field, message in (
        (
            {"outcome": "passed", "marks": {"Juggling": 7}},
            "marks.Juggling",
            "As regras desta graduação não têm esta técnica.",
        ),
        ({"outcome": "passed", "marks": {"Kata": 11}}, "marks.Kata", "A nota máxima é 10."),
        ({}, "outcome", "Envie um resultado ou notas."),
        (
            {"outcome": "failed", "override_reason": "A broken toe."},
            "override_reason",
            "Um motivo só é aceito para o resultado `passed`.",
        ),
    ):
        details = assert_error(post_results(exam_dojo, Ready=result), 400, "validation_error")
        assert details == {f"results.0.{field}": [message]}


def test_missing_examiners_are_named_in_the_language_of_the_dojo(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"language": "pt-br"}))
    require(exam_dojo, {"examiners": 2, "licence": "A"})
    exam_dojo.invite(exam_dojo.ready)
    ok(post_results(exam_dojo, Ready={"outcome": "passed"}))
    shown = exam_dojo.candidates()["Ready"]["warnings"]
    assert "Yellow exige 2 examinadores com a licença A; este exame tem 0." in [
        one["message"] for one in shown
    ]


def test_without_a_pass_mark_the_outcome_is_needed(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    assert_invalid(post_results(exam_dojo, Ready={"marks": {"Kata": 3}}), "results.0.outcome")
    ok(post_results(exam_dojo, Ready={"marks": {"Kata": 3}, "outcome": "passed"}))
    ok(exam_dojo.finish())


# --- conditions -----------------------------------------------------------------------------------------------

ESSAY = {"outcome": "passed", "condition": {"text": "Hand in the essay", "until": "2026-07-31"}}


def conditional(exam_dojo: ExamDojo) -> str:
    """Finish an exam that Ready passed on a condition and Second without; return Ready's path."""
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    ok(post_results(exam_dojo, Ready=ESSAY, Second={"outcome": "passed"}))
    finished = ok(exam_dojo.finish())
    assert [one["student"]["id"] for one in finished["rank_events"]] == [exam_dojo.second["id"]]
    assert exam_dojo.rank_held(exam_dojo.ready) == "white"
    return f"{exam_dojo.path}/candidates/{exam_dojo.candidates()['Ready']['id']}/fulfilment"


def test_a_rank_passed_on_a_condition_is_awarded_when_it_is_met(exam_dojo: ExamDojo) -> None:
    path = conditional(exam_dojo)
    shown = exam_dojo.candidates()["Ready"]
    assert shown["condition"] == {**ESSAY["condition"], "status": "open", "met_on": None}  # type: ignore[dict-item]
    event = ok(exam_dojo.dojo.instructor.post(path, {"met_on": EXAM_DAY}), 201)
    assert (event["rank"]["name"], event["effective_on"]) == ("Yellow", EXAM_DAY)
    shown = exam_dojo.candidates()["Ready"]
    assert (shown["condition"]["status"], shown["rank_event"]) == ("met", event["id"])
    assert_error(exam_dojo.dojo.instructor.post(path, {}), 409, "no_open_condition")
    reopened = exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "All of it was wrong"})
    assert ok(reopened)["status"] == "open"
    assert exam_dojo.rank_held(exam_dojo.ready) == "white"


def test_a_condition_that_lapsed_needs_a_reason(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": "2026-05-01"}))
    older = exam_dojo.add_student("Older", "2026-01-01")
    exam_dojo.invite(older)
    lapsed = {"outcome": "passed", "condition": {"text": "Essay", "until": "2026-06-14"}}
    ok(post_results(exam_dojo, Older=lapsed))
    ok(exam_dojo.finish())
    candidate = exam_dojo.candidates()["Older"]
    assert candidate["condition"]["status"] == "lapsed"
    path = f"{exam_dojo.path}/candidates/{candidate['id']}/fulfilment"
    assert_error(exam_dojo.dojo.admin.post(path, {}), 409, "deadline_passed")
    ok(exam_dojo.dojo.admin.post(path, {"override_reason": "The post was late."}), 201)


def test_conditions_are_validated(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    for condition, field in (
        ({"text": "Essay"}, "results.0.condition.until"),
        ({"until": "2026-07-31"}, "results.0.condition.text"),
        ({"text": "Essay", "until": "2026-06-14"}, "results.0.condition.until"),
    ):
        result = {"outcome": "passed", "condition": condition}
        assert_invalid(post_results(exam_dojo, Ready=result), field)
    assert_invalid(post_results(exam_dojo, Ready={**ESSAY, "outcome": "failed"}), "results.0.condition")
    ok(post_results(exam_dojo, Ready=ESSAY))
    (one,) = exam_dojo.candidates().values()
    path = f"{exam_dojo.path}/candidates/{one['id']}/fulfilment"
    assert_error(exam_dojo.dojo.admin.post(path, {}), 409, "exam_not_finished")


@pytest.mark.parametrize("day", ["2026-06-14", "2026-06-16", "soon"])
def test_the_day_of_a_fulfilment_lies_between_the_exam_and_today(exam_dojo: ExamDojo, day: str) -> None:
    assert_invalid(exam_dojo.dojo.admin.post(conditional(exam_dojo), {"met_on": day}), "met_on")


# --- examiners ------------------------------------------------------------------------------------------------


def test_a_rank_may_need_examiners_with_a_licence(exam_dojo: ExamDojo) -> None:
    require(exam_dojo, {"examiners": 2, "licence": "A licence"})
    dojo = exam_dojo.dojo
    assert dojo.admin.user is not None
    hana = str(dojo.admin.user.pk)
    change = {"examiners": [hana], "guest_examiners": ["Kenji Mori"], "licences": {hana: "a-Licence"}}
    ok(dojo.admin.patch(exam_dojo.path, change))
    (candidate,) = exam_dojo.invite(exam_dojo.ready)
    assert warnings(candidate) == ["examiners_missing"]
    ok(exam_dojo.record_results(Ready="passed"))
    (named,) = assert_error(exam_dojo.finish(), 409, "not_eligible")["candidates"]
    assert (named["code"], named["details"]) == (
        "examiners_missing",
        {"have": 1, "need": 2, "licence": "A licence"},
    )
    both = {hana: "A licence", "Kenji Mori": "A licence"}
    shown = ok(dojo.admin.patch(exam_dojo.path, {"licences": both}))
    assert shown["licences"] == both
    ok(exam_dojo.finish())


def test_licences_belong_to_examiners_of_the_exam(exam_dojo: ExamDojo) -> None:
    patch = exam_dojo.dojo.admin.patch
    stranger = {"licences": {"Someone": "A licence"}}
    assert_invalid(patch(exam_dojo.path, stranger), "licences.Someone")
    ok(patch(exam_dojo.path, {"guest_examiners": ["Someone"], **stranger}))
    assert ok(patch(exam_dojo.path, {"guest_examiners": []}))["licences"] == {}


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ({"pass_mark": 11, "best_mark": 10}, "ranks.1.exam.pass_mark"),
        ({"techniques": ["Kata", "Kata"]}, "ranks.1.exam.techniques.1"),
        ({"licence": "A licence"}, "ranks.1.exam.licence"),
        ({"examiners": 0}, "ranks.1.exam.examiners"),
        ({"best_mark": "ten"}, "ranks.1.exam.best_mark"),
        ({"judges": 3}, "ranks.1.exam.judges"),
    ],
)
def test_faulty_rules_about_exams_are_refused(exam_dojo: ExamDojo, rules: dict[str, Any], place: str) -> None:
    path = f"/rank-systems/{exam_dojo.system['id']}/rules"
    document = ok(exam_dojo.dojo.admin.get(path))
    document["ranks"][1]["exam"] = rules
    assert_invalid(exam_dojo.dojo.admin.put(path, document), place)


# --- the exams of a student -----------------------------------------------------------------------------------


def test_a_students_exams_are_listed_with_those_that_were_failed(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="failed"))
    ok(exam_dojo.finish())
    again = factories.exam(exam_dojo.dojo, exam_dojo.system, "2026-09-01")
    factories.candidate(exam_dojo.dojo, again, exam_dojo.ready, exam_dojo.rank("yellow"))
    path = f"/students/{exam_dojo.ready['id']}/exams"
    rows = ok(exam_dojo.dojo.assistant.get(path))["results"]
    shown = [(one["date"], one["target_rank"]["name"], one["outcome"], one["finished"]) for one in rows]
    assert shown == [("2026-09-01", "Yellow", None, False), (EXAM_DAY, "Yellow", "failed", True)]
    failed = ok(exam_dojo.dojo.assistant.get(f"{path}?outcome=failed"))["results"]
    assert [one["exam"]["id"] for one in failed] == [exam_dojo.exam["id"]]


def test_families_see_the_exams_of_their_own_children_only(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.early)
    factories.link_user(exam_dojo.dojo, exam_dojo.dojo.student, exam_dojo.ready)
    assert ok(exam_dojo.dojo.student.get(f"/students/{exam_dojo.ready['id']}/exams"))["count"] == 1
    answer = exam_dojo.dojo.student.get(f"/students/{exam_dojo.early['id']}/exams")
    assert_error(answer, 404, "not_found")


def test_an_erasure_clears_marks_and_check_results(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    ok(post_results(exam_dojo, Ready={"outcome": "failed", "marks": {"Kata": 3}}))
    ok(exam_dojo.finish())
    who = exam_dojo.ready["id"]
    (held,) = ok(exam_dojo.dojo.admin.get(f"/students/{who}/export"))["exams"]
    assert (held["marks"], held["decided"]["status"]) == ({"Kata": 3}, "eligible")
    ok(exam_dojo.dojo.admin.post(f"/students/{who}/erasure", {"confirm": who}), 204)
    with tenant_scope(exam_dojo.dojo.tenant):
        row = Candidate.objects.get()
        assert (row.outcome, row.marks, row.invited, row.decided) == ("failed", {}, None, None)
