"""Exams: invitations, results, and awards of all candidates who passed or of none."""

from typing import Any

import pytest

from tenant_apps.students.events import notices_published
from tests.promotions.factories import EXAM_DAY, ExamDojo
from tests.support import factories
from tests.support.responses import assert_error, assert_invalid, ok
from tests.support.statements import count_get_statements, sent_statements

# --- the exam -------------------------------------------------------------------------------------------------


def test_an_exam_has_examiners_of_the_dojo_and_guests(exam_dojo: ExamDojo) -> None:
    dojo = exam_dojo.dojo
    body = {
        "name": "Dan exam_dojo",
        "date": "2026-09-01",
        "rank_system": exam_dojo.system["id"],
        "examiners": [str(dojo.instructor.user.pk), str(dojo.admin.user.pk)],  # type: ignore[union-attr]
        "guest_examiners": ["Kenji Mori Shihan"],
    }
    exam = dojo.create("/exams", body)
    assert [one["name"] for one in exam["examiners"]] == ["Instructor", "Admin"]
    assert (exam["guest_examiners"], exam["status"]) == (["Kenji Mori Shihan"], "open")
    changed = ok(dojo.admin.patch(f"/exams/{exam['id']}", {"examiners": [], "date": "2026-09-02"}))
    assert (changed["examiners"], changed["date"], changed["name"]) == ([], "2026-09-02", "Dan exam_dojo")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "Two\nlines"),
        ("date", "soon"),
        ("rank_system", "x"),
        ("examiners", ["x"]),
        ("guest_examiners", [""]),
        ("status", "finished"),
        ("finished_at", "2026-06-15T10:00:00Z"),
    ],
)
def test_an_invalid_exam_is_refused_at_its_field(exam_dojo: ExamDojo, field: str, value: Any) -> None:
    body = {"name": "Grading", "date": EXAM_DAY, "rank_system": exam_dojo.system["id"], field: value}
    details = assert_error(exam_dojo.dojo.admin.post("/exams", body), 400, "validation_error")
    assert {path.partition(".")[0] for path in details} == {field}


def test_the_rank_system_of_an_exam_cannot_change(exam_dojo: ExamDojo) -> None:
    other = factories.rank_system(exam_dojo.dojo)
    assert_invalid(exam_dojo.dojo.admin.patch(exam_dojo.path, {"rank_system": other["id"]}), "rank_system")


def test_an_open_exam_can_be_deleted(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.dojo.admin.delete(exam_dojo.path), 204)
    assert_error(exam_dojo.dojo.admin.get(exam_dojo.path), 404, "not_found")


# --- candidates -----------------------------------------------------------------------------------------------


def test_candidates_are_shown_with_the_check_result_as_of_the_exam(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.early)
    there = exam_dojo.candidates()
    assert {name: one["eligibility"]["status"] for name, one in there.items()} == {
        "Ready": "eligible",
        "Early": "not_eligible",
    }
    assert there["Early"]["eligibility"]["earliest_on"] == "2026-06-16"
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": "2026-06-16"}))
    assert exam_dojo.candidates()["Early"]["eligibility"]["status"] == "eligible"


def test_a_filter_invites_the_students_who_are_eligible(exam_dojo: ExamDojo) -> None:
    yellow = exam_dojo.add_student("Yellow", "2025-01-01")
    factories.rank_event(exam_dojo.dojo, yellow, exam_dojo.rank("yellow"), "2026-01-01")
    body = {"filter": {"rank_system": exam_dojo.system["id"]}}
    invited = ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/candidates", body), 201)["results"]
    # Yellow could choose between two ranks; Early is early.
    assert [one["student"]["name"].split()[0] for one in invited] == ["Ready", "Second"]
    body = {"filter": {}, "target_ranks": [exam_dojo.rank("green")]}
    invited = ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/candidates", body), 201)["results"]
    assert [one["target_rank"]["name"] for one in invited] == ["Green"]


def test_an_invited_student_is_notified_once(exam_dojo: ExamDojo) -> None:
    told: list[tuple[str, list[str]]] = []

    def listen(kind: str, notices: Any, **_: Any) -> None:
        told.append((kind, [f"{one.values['rank']} {one.values['date']}" for one in notices]))

    notices_published.connect(listen)
    try:
        exam_dojo.invite(exam_dojo.ready)
        exam_dojo.invite(exam_dojo.ready, exam_dojo.early)
    finally:
        notices_published.disconnect(listen)
    assert told == [
        ("exam_invitation", ["Yellow 15 June 2026"]),
        ("exam_invitation", ["Yellow 15 June 2026"]),
    ]
    assert len(exam_dojo.candidates()) == 2


def test_a_student_is_a_candidate_for_one_rank(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready)
    body = {"candidates": [{"student": exam_dojo.ready["id"], "target_rank": exam_dojo.rank("green")}]}
    assert_error(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/candidates", body), 409, "already_candidate")
    assert exam_dojo.candidates()["Ready"]["target_rank"]["name"] == "Yellow"


def test_invalid_invitations_are_refused_at_their_place(exam_dojo: ExamDojo) -> None:
    other = factories.rank_system(exam_dojo.dojo)
    good = {"student": exam_dojo.ready["id"], "target_rank": exam_dojo.rank("yellow")}
    post = exam_dojo.dojo.admin.post
    for candidates, field in (
        ([], "candidates"),
        ([good, good], "candidates.1.student"),
        ([good, {**good, "student": factories.unknown_id()}], "candidates.1.student"),
        ([{**good, "target_rank": factories.rank_id(other, "4-kyu")}], "candidates.0.target_rank"),
        ([{**good, "outcome": "passed"}], "candidates.0.outcome"),
    ):
        assert_invalid(post(f"{exam_dojo.path}/candidates", {"candidates": candidates}), field)
    assert_invalid(post(f"{exam_dojo.path}/candidates", {}), "candidates")
    assert exam_dojo.candidates() == {}


def test_a_candidate_is_withdrawn(exam_dojo: ExamDojo) -> None:
    (one,) = exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.dojo.admin.delete(f"{exam_dojo.path}/candidates/{one['id']}"), 204)
    assert exam_dojo.candidates() == {}


# --- results and awards ---------------------------------------------------------------------------------------


def test_results_can_be_replaced_until_the_exam_is_finished(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    ok(exam_dojo.record_results(Ready="failed", Second="absent"))
    ok(exam_dojo.record_results(Ready="passed"))
    assert {name: one["outcome"] for name, one in exam_dojo.candidates().items()} == {
        "Ready": "passed",
        "Second": "absent",
    }


def test_invalid_results_are_refused_at_their_place(exam_dojo: ExamDojo) -> None:
    (one,) = exam_dojo.invite(exam_dojo.ready)
    good = {"candidate": one["id"], "outcome": "passed"}
    for results, field in (
        ([], "results"),
        ([{**good, "outcome": "brilliant"}], "results.0.outcome"),
        ([{**good, "candidate": factories.unknown_id()}], "results.0.candidate"),
        ([good, good], "results.1.candidate"),
        ([{**good, "outcome": "failed", "override_reason": "?"}], "results.0.override_reason"),
    ):
        assert_invalid(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/results", {"results": results}), field)
    assert exam_dojo.candidates()["Ready"]["outcome"] is None


def test_finishing_an_exam_awards_the_candidates_who_passed(exam_dojo: ExamDojo) -> None:
    third = exam_dojo.add_student("Third", "2026-01-01")
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second, third)
    ok(exam_dojo.record_results(Ready="passed", Second="failed"))
    finished = ok(exam_dojo.finish())
    assert (finished["status"], [one["student"]["id"] for one in finished["rank_events"]]) == (
        "finished",
        [exam_dojo.ready["id"]],
    )
    assert {one["effective_on"] for one in finished["rank_events"]} == {EXAM_DAY}
    assert [exam_dojo.rank_held(one) for one in (exam_dojo.ready, exam_dojo.second, third)] == [
        "yellow",
        "white",
        "white",
    ]
    assert exam_dojo.candidates()["Ready"]["rank_event"] == finished["rank_events"][0]["id"]


def test_finishing_an_exam_awards_all_candidates_who_passed_or_none(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.early)
    ok(exam_dojo.record_results(Ready="passed", Early="passed"))
    details = assert_error(exam_dojo.finish(), 409, "not_eligible")
    (early,) = details["candidates"]
    assert (early["candidate"], early["code"]) == (exam_dojo.candidates()["Early"]["id"], "not_eligible")
    assert early["result"]["criteria"][0]["kind"] == "time_in_rank"
    assert (exam_dojo.rank_held(exam_dojo.ready), exam_dojo.rank_held(exam_dojo.early)) == ("white", "white")
    ok(exam_dojo.record_results(Early=("passed", "Trained abroad for a year.")))
    finished = ok(exam_dojo.finish())
    assert len(finished["rank_events"]) == 2
    event = next(one for one in finished["rank_events"] if one["student"]["id"] == exam_dojo.early["id"])
    decision = ok(exam_dojo.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (decision["status"], decision["override_reason"]) == ("not_eligible", "Trained abroad for a year.")


def test_users_cannot_finish_an_exam_that_promotes_themselves(exam_dojo: ExamDojo) -> None:
    factories.link_user(exam_dojo.dojo, exam_dojo.dojo.instructor, exam_dojo.ready)
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="passed"))
    details = assert_error(exam_dojo.finish(), 409, "not_eligible")
    assert [one["code"] for one in details["candidates"]] == ["permission_denied"]
    ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/finish"))


def test_a_finished_exam_cannot_change(exam_dojo: ExamDojo) -> None:
    (one,) = exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="passed"))
    ok(exam_dojo.finish())
    admin = exam_dojo.dojo.admin
    invitation = {"candidates": [{"student": exam_dojo.early["id"], "target_rank": exam_dojo.rank("yellow")}]}
    for answer in (
        exam_dojo.finish(),
        exam_dojo.record_results(Ready="failed"),
        admin.patch(exam_dojo.path, {"date": "2026-01-01"}),
        admin.delete(exam_dojo.path),
        admin.post(f"{exam_dojo.path}/candidates", invitation),
        admin.delete(f"{exam_dojo.path}/candidates/{one['id']}"),
    ):
        assert_error(answer, 409, "exam_finished")
    assert exam_dojo.rank_held(exam_dojo.ready) == "yellow"


def test_reopening_an_exam_voids_its_awards(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    assert_error(
        exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "?"}), 409, "exam_not_finished"
    )
    ok(exam_dojo.record_results(Ready="passed", Second="passed"))
    ok(exam_dojo.finish())
    assert_invalid(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening"), "reason")
    reopened = ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "Two were mixed up"}))
    assert (reopened["status"], reopened["reopen_reason"]) == ("open", "Two were mixed up")
    assert exam_dojo.rank_held(exam_dojo.ready) == "white"
    events = ok(exam_dojo.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert {(one["voided"], one["void_reason"]) for one in events} == {(True, "Two were mixed up")}
    ok(exam_dojo.record_results(Second="failed"))
    assert len(ok(exam_dojo.finish())["rank_events"]) == 1
    assert (exam_dojo.rank_held(exam_dojo.ready), exam_dojo.rank_held(exam_dojo.second)) == (
        "yellow",
        "white",
    )


def test_users_cannot_reopen_an_exam_that_promoted_themselves(exam_dojo: ExamDojo) -> None:
    factories.link_user(exam_dojo.dojo, exam_dojo.dojo.instructor, exam_dojo.ready)
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="passed"))
    ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/finish"))
    reopening = f"{exam_dojo.path}/reopening", {"reason": "I was examined too strictly"}
    assert_error(exam_dojo.dojo.instructor.post(*reopening), 403, "permission_denied")
    assert exam_dojo.rank_held(exam_dojo.ready) == "yellow"
    ok(exam_dojo.dojo.admin.post(*reopening))


def test_an_exam_cannot_be_finished_before_its_day(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": "2026-06-16"}))
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready=("passed", "The result is certain.")))
    assert_error(exam_dojo.finish(), 409, "exam_not_held")
    assert exam_dojo.rank_held(exam_dojo.ready) == "white"
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"date": EXAM_DAY}))
    ok(exam_dojo.finish())


def test_finishing_an_exam_names_the_candidate_who_was_demoted_on_its_day(exam_dojo: ExamDojo) -> None:
    factories.rank_event(exam_dojo.dojo, exam_dojo.ready, exam_dojo.rank("white"), EXAM_DAY, "demote")
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    ok(exam_dojo.record_results(Ready=("passed", "All is forgiven."), Second="passed"))
    (named,) = assert_error(exam_dojo.finish(), 409, "not_eligible")["candidates"]
    assert (named["candidate"], named["code"]) == (exam_dojo.candidates()["Ready"]["id"], "demoted_that_day")
    assert exam_dojo.rank_held(exam_dojo.second) == "white"


def test_retest_rules_see_failed_results(exam_dojo: ExamDojo) -> None:
    path = f"/rank-systems/{exam_dojo.system['id']}/rules"
    rules = ok(exam_dojo.dojo.admin.get(path))
    rules["steps"][1]["paths"][0]["criteria"].append({"kind": "retest_gap", "months": 3})
    ok(exam_dojo.dojo.admin.put(path, rules))
    exam_dojo.invite(exam_dojo.ready)
    ok(exam_dojo.record_results(Ready="failed"))
    asked = {"students": [exam_dojo.ready["id"]], "as_of": "2026-07-01"}
    (before,) = ok(exam_dojo.dojo.admin.post("/promotions/check", asked))["results"]
    assert before["status"] == "eligible", "an exam that is not finished has no results yet"
    ok(exam_dojo.finish())
    (after,) = ok(exam_dojo.dojo.admin.post("/promotions/check", asked))["results"]
    assert (after["status"], after["earliest_on"]) == ("not_eligible", "2026-09-15")


def test_the_number_of_statements_does_not_depend_on_the_number_of_candidates(exam_dojo: ExamDojo) -> None:
    assert exam_dojo.dojo.instructor.token
    counted: list[tuple[int, ...]] = []
    for size in (2, 12):
        exam_dojo.exam = factories.exam(exam_dojo.dojo, exam_dojo.system, EXAM_DAY)
        exam_dojo.path = f"/exams/{exam_dojo.exam['id']}"
        many = exam_dojo.add_students(size)
        costs = []
        with sent_statements() as sent:
            exam_dojo.invite(*many)
        costs.append(len(sent))
        costs.append(count_get_statements(exam_dojo.dojo.admin, f"{exam_dojo.path}/candidates"))
        outcomes = dict.fromkeys(exam_dojo.candidates(), "passed")
        body = {
            "results": [
                {"candidate": one["id"], "outcome": outcomes[name]}
                for name, one in exam_dojo.candidates().items()
            ]
        }
        with sent_statements() as sent:
            ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/results", body))
        costs.append(len(sent))
        with sent_statements() as sent:
            ok(exam_dojo.finish())
        costs.append(len(sent))
        counted.append(tuple(costs))
    assert counted[0] == counted[1]


# --- visibility -----------------------------------------------------------------------------------------------


def test_families_see_their_own_candidates_only(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.early)
    factories.link_user(exam_dojo.dojo, exam_dojo.dojo.student, exam_dojo.ready)
    rows = ok(exam_dojo.dojo.student.get(f"{exam_dojo.path}/candidates"))["results"]
    assert [one["student"]["id"] for one in rows] == [exam_dojo.ready["id"]]
    assert [one["id"] for one in ok(exam_dojo.dojo.student.get("/exams"))["results"]] == [
        exam_dojo.exam["id"]
    ]
    other = factories.exam(exam_dojo.dojo, exam_dojo.system)
    assert_error(exam_dojo.dojo.student.get(f"/exams/{other['id']}"), 404, "not_found")
    early = exam_dojo.candidates()["Early"]["id"]
    assert_error(
        exam_dojo.dojo.student.get(f"{exam_dojo.path}/candidates/{early}/sheet.pdf"), 404, "not_found"
    )
