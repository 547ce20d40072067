"""Exams: invitations, results, awards for all who passed or for none, and what is printed."""

from typing import Any

import pytest

from tenant_apps.students.events import notices_published
from tests.promotions.papers_read import codes_on, text_of
from tests.promotions.test_batches import School
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import done, invalid, path_of, refusal, statements
from tests.support.statements import sent_statements

DAY = "2026-06-15"


class Grading(School):
    """An exam for yellow belts today, with two who are ready and one who comes too early."""

    def __init__(self, dojo: Dojo) -> None:
        super().__init__(dojo)
        self.second = self.pupil("Second", "2026-01-01")
        self.exam = factories.exam(dojo, self.system, DAY, location="Main hall")
        self.path = f"/exams/{self.exam['id']}"

    def invite(self, *students: dict[str, Any], to: str = "yellow") -> list[dict[str, Any]]:
        body = {"candidates": [{"student": one["id"], "target_rank": self.rank(to)} for one in students]}
        return list(done(self.dojo.instructor.post(f"{self.path}/candidates", body), 201)["results"])

    def candidates(self) -> dict[str, dict[str, Any]]:
        found = done(self.dojo.admin.get(f"{self.path}/candidates"))["results"]
        return {one["student"]["name"].split()[0]: one for one in found}

    def result(self, **outcomes: str | tuple[str, str]) -> Any:
        there = self.candidates()
        results = []
        for name, said in outcomes.items():
            outcome, reason = said if isinstance(said, tuple) else (said, "")
            more = {"override_reason": reason} if reason else {}
            results.append({"candidate": there[name]["id"], "outcome": outcome, **more})
        return self.dojo.instructor.post(f"{self.path}/results", {"results": results})

    def finish(self) -> Any:
        return self.dojo.instructor.post(f"{self.path}/finish")


@pytest.fixture
def grading(dojo: Dojo) -> Grading:
    return Grading(dojo)


# --- the exam -------------------------------------------------------------------------------------------------


def test_an_exam_has_examiners_of_the_dojo_and_guests(grading: Grading) -> None:
    dojo = grading.dojo
    body = {
        "name": "Dan grading",
        "date": "2026-09-01",
        "rank_system": grading.system["id"],
        "examiners": [str(dojo.instructor.user.pk), str(dojo.admin.user.pk)],  # type: ignore[union-attr]
        "guest_examiners": ["Kenji Mori Shihan"],
    }
    exam = dojo.create("/exams", body)
    assert [one["name"] for one in exam["examiners"]] == ["Instructor", "Admin"]
    assert (exam["guest_examiners"], exam["status"]) == (["Kenji Mori Shihan"], "open")
    changed = done(dojo.admin.patch(f"/exams/{exam['id']}", {"examiners": [], "date": "2026-09-02"}))
    assert (changed["examiners"], changed["date"], changed["name"]) == ([], "2026-09-02", "Dan grading")


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
def test_a_bad_exam_is_refused_by_its_field(grading: Grading, field: str, value: Any) -> None:
    body = {"name": "Grading", "date": DAY, "rank_system": grading.system["id"], field: value}
    details = refusal(grading.dojo.admin.post("/exams", body), 400, "validation_error")
    assert {path.partition(".")[0] for path in details} == {field}


def test_an_exam_stays_in_its_rank_system(grading: Grading) -> None:
    other = factories.rank_system(grading.dojo)
    invalid(grading.dojo.admin.patch(grading.path, {"rank_system": other["id"]}), "rank_system")


def test_an_exam_that_was_not_held_is_taken_off(grading: Grading) -> None:
    grading.invite(grading.ready)
    done(grading.dojo.admin.delete(grading.path), 204)
    refusal(grading.dojo.admin.get(grading.path), 404, "not_found")


# --- candidates -----------------------------------------------------------------------------------------------


def test_candidates_are_shown_with_what_the_rules_say_as_of_the_exam(grading: Grading) -> None:
    grading.invite(grading.ready, grading.early)
    there = grading.candidates()
    assert {name: one["eligibility"]["status"] for name, one in there.items()} == {
        "Ready": "eligible",
        "Early": "not_eligible",
    }
    assert there["Early"]["eligibility"]["earliest_on"] == "2026-06-16"
    done(grading.dojo.admin.patch(grading.path, {"date": "2026-06-16"}))
    assert grading.candidates()["Early"]["eligibility"]["status"] == "eligible"


def test_all_who_are_eligible_are_invited_by_a_filter(grading: Grading) -> None:
    yellow = grading.pupil("Yellow", "2025-01-01")
    factories.rank_event(grading.dojo, yellow, grading.rank("yellow"), "2026-01-01")
    body = {"filter": {"rank_system": grading.system["id"]}}
    invited = done(grading.dojo.admin.post(f"{grading.path}/candidates", body), 201)["results"]
    # Yellow could choose between two ranks; Early is early.
    assert [one["student"]["name"].split()[0] for one in invited] == ["Ready", "Second"]
    body = {"filter": {}, "target_ranks": [grading.rank("green")]}
    invited = done(grading.dojo.admin.post(f"{grading.path}/candidates", body), 201)["results"]
    assert [one["target_rank"]["name"] for one in invited] == ["Green"]


def test_who_is_invited_is_told_once(grading: Grading) -> None:
    told: list[tuple[str, list[str]]] = []

    def listen(kind: str, notices: Any, **_: Any) -> None:
        told.append((kind, [f"{one.values['rank']} {one.values['date']}" for one in notices]))

    notices_published.connect(listen)
    try:
        grading.invite(grading.ready)
        grading.invite(grading.ready, grading.early)
    finally:
        notices_published.disconnect(listen)
    assert told == [
        ("exam_invitation", ["Yellow 15 June 2026"]),
        ("exam_invitation", ["Yellow 15 June 2026"]),
    ]
    assert len(grading.candidates()) == 2


def test_a_student_is_examined_for_one_rank(grading: Grading) -> None:
    grading.invite(grading.ready)
    body = {"candidates": [{"student": grading.ready["id"], "target_rank": grading.rank("green")}]}
    refusal(grading.dojo.admin.post(f"{grading.path}/candidates", body), 409, "already_candidate")
    assert grading.candidates()["Ready"]["target_rank"]["name"] == "Yellow"


def test_bad_invitations_are_refused_by_their_place(grading: Grading) -> None:
    other = factories.rank_system(grading.dojo)
    good = {"student": grading.ready["id"], "target_rank": grading.rank("yellow")}
    post = grading.dojo.admin.post
    for candidates, field in (
        ([], "candidates"),
        ([good, good], "candidates.1.student"),
        ([good, {**good, "student": factories.nobody()}], "candidates.1.student"),
        ([{**good, "target_rank": factories.rank(other, "4-kyu")}], "candidates.0.target_rank"),
        ([{**good, "outcome": "passed"}], "candidates.0.outcome"),
    ):
        invalid(post(f"{grading.path}/candidates", {"candidates": candidates}), field)
    invalid(post(f"{grading.path}/candidates", {}), "candidates")
    assert grading.candidates() == {}


def test_a_candidate_is_withdrawn(grading: Grading) -> None:
    (one,) = grading.invite(grading.ready)
    done(grading.dojo.admin.delete(f"{grading.path}/candidates/{one['id']}"), 204)
    assert grading.candidates() == {}


# --- results and awards ---------------------------------------------------------------------------------------


def test_results_may_be_said_again_until_the_exam_is_finished(grading: Grading) -> None:
    grading.invite(grading.ready, grading.second)
    done(grading.result(Ready="failed", Second="absent"))
    done(grading.result(Ready="passed"))
    assert {name: one["outcome"] for name, one in grading.candidates().items()} == {
        "Ready": "passed",
        "Second": "absent",
    }


def test_bad_results_are_refused_by_their_place(grading: Grading) -> None:
    (one,) = grading.invite(grading.ready)
    good = {"candidate": one["id"], "outcome": "passed"}
    for results, field in (
        ([], "results"),
        ([{**good, "outcome": "brilliant"}], "results.0.outcome"),
        ([{**good, "candidate": factories.nobody()}], "results.0.candidate"),
        ([good, good], "results.1.candidate"),
        ([{**good, "outcome": "failed", "override_reason": "?"}], "results.0.override_reason"),
    ):
        invalid(grading.dojo.admin.post(f"{grading.path}/results", {"results": results}), field)
    assert grading.candidates()["Ready"]["outcome"] is None


def test_a_finished_exam_awards_those_who_passed(grading: Grading) -> None:
    third = grading.pupil("Third", "2026-01-01")
    grading.invite(grading.ready, grading.second, third)
    done(grading.result(Ready="passed", Second="failed"))
    finished = done(grading.finish())
    assert (finished["status"], [one["student"]["id"] for one in finished["rank_events"]]) == (
        "finished",
        [grading.ready["id"]],
    )
    assert {one["effective_on"] for one in finished["rank_events"]} == {DAY}
    assert [grading.held(one) for one in (grading.ready, grading.second, third)] == [
        "yellow",
        "white",
        "white",
    ]
    assert grading.candidates()["Ready"]["rank_event"] == finished["rank_events"][0]["id"]


def test_all_are_awarded_or_none(grading: Grading) -> None:
    grading.invite(grading.ready, grading.early)
    done(grading.result(Ready="passed", Early="passed"))
    details = refusal(grading.finish(), 409, "not_eligible")
    (early,) = details["candidates"]
    assert (early["candidate"], early["code"]) == (grading.candidates()["Early"]["id"], "not_eligible")
    assert early["result"]["criteria"][0]["kind"] == "time_in_rank"
    assert (grading.held(grading.ready), grading.held(grading.early)) == ("white", "white")
    done(grading.result(Early=("passed", "Trained abroad for a year.")))
    finished = done(grading.finish())
    assert len(finished["rank_events"]) == 2
    event = next(one for one in finished["rank_events"] if one["student"]["id"] == grading.early["id"])
    why = done(grading.dojo.admin.get(f"/rank-events/{event['id']}/decision"))
    assert (why["status"], why["override_reason"]) == ("not_eligible", "Trained abroad for a year.")


def test_nobody_finishes_an_exam_that_promotes_himself(grading: Grading) -> None:
    factories.speaks_for(grading.dojo, grading.dojo.instructor, grading.ready)
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    details = refusal(grading.finish(), 409, "not_eligible")
    assert [one["code"] for one in details["candidates"]] == ["permission_denied"]
    done(grading.dojo.admin.post(f"{grading.path}/finish"))


def test_a_finished_exam_stays_as_it_is(grading: Grading) -> None:
    (one,) = grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    admin = grading.dojo.admin
    invitation = {"candidates": [{"student": grading.early["id"], "target_rank": grading.rank("yellow")}]}
    for answer in (
        grading.finish(),
        grading.result(Ready="failed"),
        admin.patch(grading.path, {"date": "2026-01-01"}),
        admin.delete(grading.path),
        admin.post(f"{grading.path}/candidates", invitation),
        admin.delete(f"{grading.path}/candidates/{one['id']}"),
    ):
        refusal(answer, 409, "exam_finished")
    assert grading.held(grading.ready) == "yellow"


def test_reopening_voids_what_was_awarded(grading: Grading) -> None:
    grading.invite(grading.ready, grading.second)
    refusal(grading.dojo.admin.post(f"{grading.path}/reopening", {"reason": "?"}), 409, "exam_not_finished")
    done(grading.result(Ready="passed", Second="passed"))
    done(grading.finish())
    invalid(grading.dojo.admin.post(f"{grading.path}/reopening"), "reason")
    reopened = done(grading.dojo.admin.post(f"{grading.path}/reopening", {"reason": "Two were mixed up"}))
    assert (reopened["status"], reopened["reopen_reason"]) == ("open", "Two were mixed up")
    assert grading.held(grading.ready) == "white"
    events = done(grading.dojo.admin.get("/rank-events?kind=award"))["results"]
    assert {(one["voided"], one["void_reason"]) for one in events} == {(True, "Two were mixed up")}
    done(grading.result(Second="failed"))
    assert len(done(grading.finish())["rank_events"]) == 1
    assert (grading.held(grading.ready), grading.held(grading.second)) == ("yellow", "white")


def test_nobody_reopens_an_exam_that_promoted_himself(grading: Grading) -> None:
    factories.speaks_for(grading.dojo, grading.dojo.instructor, grading.ready)
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.dojo.admin.post(f"{grading.path}/finish"))
    reopening = f"{grading.path}/reopening", {"reason": "I was examined too strictly"}
    refusal(grading.dojo.instructor.post(*reopening), 403, "permission_denied")
    assert grading.held(grading.ready) == "yellow"
    done(grading.dojo.admin.post(*reopening))


def test_an_exam_is_not_finished_before_its_day(grading: Grading) -> None:
    done(grading.dojo.admin.patch(grading.path, {"date": "2026-06-16"}))
    grading.invite(grading.ready)
    done(grading.result(Ready=("passed", "She is as good as through.")))
    refusal(grading.finish(), 409, "exam_not_held")
    assert grading.held(grading.ready) == "white"
    done(grading.dojo.admin.patch(grading.path, {"date": DAY}))
    done(grading.finish())


def test_an_exam_names_who_was_demoted_on_its_day(grading: Grading) -> None:
    factories.rank_event(grading.dojo, grading.ready, grading.rank("white"), DAY, "demote")
    grading.invite(grading.ready, grading.second)
    done(grading.result(Ready=("passed", "All is forgiven."), Second="passed"))
    (named,) = refusal(grading.finish(), 409, "not_eligible")["candidates"]
    assert (named["candidate"], named["code"]) == (grading.candidates()["Ready"]["id"], "demoted_that_day")
    assert grading.held(grading.second) == "white"


def test_retest_rules_see_failed_results(grading: Grading) -> None:
    path = f"/rank-systems/{grading.system['id']}/rules"
    rules = done(grading.dojo.admin.get(path))
    rules["steps"][1]["paths"][0]["criteria"].append({"kind": "retest_gap", "months": 3})
    done(grading.dojo.admin.put(path, rules))
    grading.invite(grading.ready)
    done(grading.result(Ready="failed"))
    asked = {"students": [grading.ready["id"]], "as_of": "2026-07-01"}
    (before,) = done(grading.dojo.admin.post("/promotions/check", asked))["results"]
    assert before["status"] == "eligible", "an exam that is not finished has no results yet"
    done(grading.finish())
    (after,) = done(grading.dojo.admin.post("/promotions/check", asked))["results"]
    assert (after["status"], after["earliest_on"]) == ("not_eligible", "2026-09-15")


def test_the_number_of_statements_does_not_depend_on_the_number_of_candidates(grading: Grading) -> None:
    assert grading.dojo.instructor.token
    counted: list[tuple[int, ...]] = []
    for size in (2, 12):
        grading.exam = factories.exam(grading.dojo, grading.system, DAY)
        grading.path = f"/exams/{grading.exam['id']}"
        many = [grading.pupil(f"N{size}-{n}", "2026-01-01") for n in range(size)]
        costs = []
        with sent_statements() as sent:
            grading.invite(*many)
        costs.append(len(sent))
        costs.append(statements(grading.dojo.admin, f"{grading.path}/candidates"))
        outcomes = dict.fromkeys(grading.candidates(), "passed")
        body = {
            "results": [
                {"candidate": one["id"], "outcome": outcomes[name]}
                for name, one in grading.candidates().items()
            ]
        }
        with sent_statements() as sent:
            done(grading.dojo.admin.post(f"{grading.path}/results", body))
        costs.append(len(sent))
        with sent_statements() as sent:
            done(grading.finish())
        costs.append(len(sent))
        counted.append(tuple(costs))
    assert counted[0] == counted[1]


# --- who may see what -----------------------------------------------------------------------------------------


def test_families_see_their_own_candidates_only(grading: Grading) -> None:
    grading.invite(grading.ready, grading.early)
    factories.speaks_for(grading.dojo, grading.dojo.student, grading.ready)
    rows = done(grading.dojo.student.get(f"{grading.path}/candidates"))["results"]
    assert [one["student"]["id"] for one in rows] == [grading.ready["id"]]
    assert [one["id"] for one in done(grading.dojo.student.get("/exams"))["results"]] == [grading.exam["id"]]
    other = factories.exam(grading.dojo, grading.system)
    refusal(grading.dojo.student.get(f"/exams/{other['id']}"), 404, "not_found")
    early = grading.candidates()["Early"]["id"]
    refusal(grading.dojo.student.get(f"{grading.path}/candidates/{early}/sheet.pdf"), 404, "not_found")


# --- papers ---------------------------------------------------------------------------------------------------


def pdf(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "application/pdf"
    return bytes(answer.getvalue())


def certificate(grading: Grading, who: dict[str, Any]) -> bytes:
    event = next(one for one in grading.candidates().values() if one["student"]["id"] == who["id"])
    return pdf(grading.dojo.assistant.get(f"/rank-events/{event['rank_event']}/certificate.pdf"))


def asked(grading: Grading, url: str, **headers: str) -> Any:
    return grading.dojo.anonymous.get(path_of(url), **headers)


def test_a_certificate_says_who_what_when_and_by_whom(grading: Grading) -> None:
    done(grading.dojo.admin.patch(grading.path, {"guest_examiners": ["Kenji Mori Shihan"]}))
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    content = certificate(grading, grading.ready)
    (page,) = text_of(content)
    for said in ("Seishin Dojo", "Ready Sato", "Yellow", "15 June 2026", "Kenji Mori Shihan"):
        assert said in page
    (url,) = codes_on(content)
    assert url.startswith(f"http://{grading.dojo.host}")
    shown = done(asked(grading, url))
    assert (shown["status"], shown["rank"], shown["awarded_on"]) == ("genuine", "Yellow", DAY)
    assert "Ready" not in str(shown)
    assert shown["code"] in page
    assert certificate(grading, grading.ready) == content, "printed twice, it is the same paper"


def test_a_certificate_of_a_voided_rank_is_revoked(grading: Grading) -> None:
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    (url,) = codes_on(certificate(grading, grading.ready))
    event = grading.candidates()["Ready"]["rank_event"]
    done(grading.dojo.admin.post(f"{grading.path}/reopening", {"reason": "Mixed up"}))
    shown = done(asked(grading, url))
    assert (shown["status"], shown["rank"]) == ("revoked", None)
    refusal(grading.dojo.admin.get(f"/rank-events/{event}/certificate.pdf"), 404, "not_found")
    page = asked(grading, url, Accept="text/html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "revoked" in page.content.decode()


@pytest.mark.parametrize("code", ["7KQ2-M9XR-4T1B-0ZVD", "x", "%00", "'", "Ｘ"])
def test_a_certificate_that_was_made_up_is_unknown(dojo: Dojo, code: str) -> None:
    answer = dojo.anonymous.get(f"/certificates/{code}")
    if code == "%00":
        assert answer.status_code in {400, 404}
    else:
        assert done(answer)["status"] == "unknown"


def test_a_certificate_of_another_dojo_is_unknown(grading: Grading, other_dojo: Dojo) -> None:
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    (url,) = codes_on(certificate(grading, grading.ready))
    code = url.rpartition("/")[2]
    assert done(other_dojo.anonymous.get(f"/certificates/{code}"))["status"] == "unknown"


def test_a_certificate_of_somebody_who_was_erased_is_unknown(grading: Grading) -> None:
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    (url,) = codes_on(certificate(grading, grading.ready))
    erasure = {"confirm": grading.ready["id"]}
    done(grading.dojo.admin.post(f"/students/{grading.ready['id']}/erasure", erasure), 204)
    assert done(asked(grading, url))["status"] == "unknown"
    assert grading.candidates() == {}


def test_all_certificates_of_an_exam_are_one_file(grading: Grading) -> None:
    grading.invite(grading.ready, grading.second)
    refusal(grading.dojo.admin.get(f"{grading.path}/certificates.pdf"), 409, "nothing_to_print")
    done(grading.result(Ready="passed", Second="passed"))
    done(grading.finish())
    answer = grading.dojo.admin.get(f"{grading.path}/certificates.pdf")
    assert answer.streaming
    first, second = text_of(pdf(answer))
    assert "Ready Sato" in first
    assert "Second Sato" in second


def test_the_examiners_list_and_the_candidates_sheet_are_printed(grading: Grading) -> None:
    path = f"/rank-systems/{grading.system['id']}/rules"
    rules = done(grading.dojo.admin.get(path))
    rules["ranks"][1]["syllabus"] = "- Ikkyo\n- Forward rolls"
    done(grading.dojo.admin.put(path, rules))
    grading.invite(grading.ready, grading.second)
    (page,) = text_of(pdf(grading.dojo.assistant.get(f"{grading.path}/examiners-list.pdf")))
    for said in ("Grading", "Main hall", "Ready Sato", "Second Sato", "White", "Yellow"):
        assert said in page
    one = grading.candidates()["Ready"]["id"]
    (page,) = text_of(pdf(grading.dojo.assistant.get(f"{grading.path}/candidates/{one}/sheet.pdf")))
    for said in ("Ready Sato", "Ikkyo", "Forward rolls", "White"):
        assert said in page


def test_papers_are_in_the_dojos_language(grading: Grading) -> None:
    done(grading.dojo.admin.patch("/settings", {"language": "pt-br"}))
    grading.invite(grading.ready)
    done(grading.result(Ready="passed"))
    done(grading.finish())
    (page,) = text_of(certificate(grading, grading.ready))
    assert "15 de junho de 2026" in page


def test_an_imported_rank_has_no_certificate(grading: Grading) -> None:
    (event,) = done(grading.dojo.admin.get(f"/students/{grading.ready['id']}/rank-events"))["results"]
    refusal(grading.dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf"), 404, "not_found")
