"""Exams in a browser: planning one, inviting, results beside the mat, finishing, reopening, and the papers."""

from typing import Any

import pytest

from shared_apps.accounts.models import User
from tatami.tenancy.scope import tenant_scope
from tests.promotions.factories import ExamDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

pytestmark = pytest.mark.slow

LIST = "/desk/exams"
NEW = {"name": "June grading", "date": "2026-06-20", "location": "Main hall"}


@pytest.fixture
def exams(dojo: Dojo) -> ExamDojo:
    return ExamDojo(dojo)


def page_of(exams: ExamDojo) -> str:
    return f"{LIST}/{exams.exam['id']}"


def use_marks(exams: ExamDojo) -> None:
    """Let the rules of yellow have two techniques; 6 of 10 passes."""
    path = f"/rank-systems/{exams.system['id']}/rules"
    rules = ok(exams.dojo.admin.get(path))
    rules["ranks"][1]["exam"] = {"techniques": ["Kihon", "Kata"], "best_mark": 10, "pass_mark": 6}
    ok(exams.dojo.admin.put(path, rules))


def save(exams: ExamDojo, candidate: dict[str, Any], *, fragment: bool = True, **values: str) -> Any:
    """Send the form of one candidate, as htmx does after each change."""
    named = {
        f"{candidate['id']}-{name.replace('_0', '-0').replace('_1', '-1')}": value
        for name, value in values.items()
    }
    headers = {"HX_Request": "true"} if fragment else {}
    return visitor(exams.dojo, "instructor").post(
        f"{page_of(exams)}/results/{candidate['id']}", named, **headers
    )


# --- planning ---------------------------------------------------------------------------------------------------------


def test_each_member_of_staff_is_offered_as_examiner_however_many_parents_there_are(exams: ExamDojo) -> None:
    last = exams.dojo.create("/users", {"email": "z@example.com", "name": "Zoe Last", "role": "instructor"})
    with tenant_scope(exams.dojo.tenant):
        User.objects.bulk_create(
            User(email=f"p{n}@example.com", email_key=f"p{n}@example.com", name=f"A {n}", role="student")
            for n in range(210)
        )
    browser = visitor(exams.dojo, "instructor")
    offered = browser.get(f"{LIST}/new").content.decode()
    assert f'value="{last["id"]}"' in offered
    assert "A 1<" not in offered


def test_an_examiner_who_has_left_stays_with_the_exam_that_is_changed(exams: ExamDojo) -> None:
    gone = exams.dojo.create("/users", {"email": "g@example.com", "name": "Gone", "role": "instructor"})
    ok(exams.dojo.admin.patch(f"/exams/{exams.exam['id']}", {"examiners": [gone["id"]]}))
    assert exams.dojo.admin.delete(f"/users/{gone['id']}").status_code == 204
    shown = visitor(exams.dojo, "instructor").get(f"{page_of(exams)}/change").content.decode()
    assert f'value="{gone["id"]}"' in shown


def test_an_exam_is_planned_with_examiners_and_guests(exams: ExamDojo) -> None:
    browser = visitor(exams.dojo, "instructor")
    me = str(browser.user.pk) if browser.user else ""
    values = {
        **NEW,
        "rank_system": exams.system["id"],
        "examiners": [me],
        "guest_examiners": "Ana Lima; A licence\nBo",
    }
    made = browser.post(f"{LIST}/new", values)
    assert made.status_code == 302
    said = text_of(browser.get(made["Location"]))
    assert "June grading open" in said
    assert "20 June 2026" in said
    assert "Examiners : Instructor, Ana Lima, Bo" in said.replace("Examiners:", "Examiners :")
    exam = ok(exams.dojo.admin.get(made["Location"].removeprefix("/desk")))
    assert exam["licences"] == {"Ana Lima": "A licence"}
    assert "June grading" in text_of(browser.get(LIST))


def test_what_is_wrong_with_an_exam_is_said_beside_its_field(exams: ExamDojo) -> None:
    browser = visitor(exams.dojo, "instructor")
    refused = browser.post(f"{LIST}/new", {**NEW, "rank_system": exams.system["id"], "date": "1026-06-20"})
    assert refused.status_code == 400
    assert 'id="id_date_error"' in refused.content.decode()
    assert "June grading" in refused.content.decode()
    nameless = browser.post(f"{LIST}/new", {**NEW, "name": "", "rank_system": exams.system["id"]})
    assert "This field is required." in text_of(nameless)


def test_an_exam_is_moved(exams: ExamDojo) -> None:
    browser = visitor(exams.dojo, "instructor")
    assert 'value="2026-06-15"' in browser.get(f"{page_of(exams)}/change").content.decode()
    browser.post(f"{page_of(exams)}/change", {"name": "Grading", "date": "2026-06-22", "location": "Hall 2"})
    assert "22 June 2026 · Our grades · Hall 2" in text_of(browser.get(page_of(exams)))


def test_an_exam_is_deleted_after_a_question(exams: ExamDojo) -> None:
    exams.invite(exams.ready)
    browser = visitor(exams.dojo, "instructor")
    assert "1 candidate and what was entered about them is deleted." in text_of(
        browser.get(f"{page_of(exams)}/delete")
    )
    assert browser.post(f"{page_of(exams)}/delete")["Location"] == LIST
    assert browser.get(page_of(exams)).status_code == 404


# --- candidates -------------------------------------------------------------------------------------------------------


def test_all_who_are_eligible_are_invited(exams: ExamDojo) -> None:
    browser = visitor(exams.dojo, "instructor")
    assert "No candidates yet" in text_of(browser.get(page_of(exams)))
    told = "Everyone who is invited gets an e-mail at once."
    assert told in text_of(browser.get(f"{page_of(exams)}/invite"))
    browser.post(f"{page_of(exams)}/invite", {"target_ranks": [exams.rank("yellow")]})
    said = text_of(browser.get(page_of(exams)))
    assert "2 students were invited." in said
    assert "Ready Sato" in said
    assert "Early Sato" not in said


def test_the_page_says_that_invitations_send_no_e_mail_if_these_mails_are_off(exams: ExamDojo) -> None:
    assert exams.dojo.admin.patch("/settings", {"notify_exam_invitation": False}).status_code == 200
    page = visitor(exams.dojo, "instructor").get(f"{page_of(exams)}/invite")
    assert "No e-mail is sent." in text_of(page)


def test_one_student_is_found_and_invited_with_a_warning(exams: ExamDojo) -> None:
    browser = visitor(exams.dojo, "instructor")
    found = browser.fragment(f"{page_of(exams)}/invite/search?search=early")
    assert "Early Sato · White" in text_of(found)
    body = {"student": exams.early["id"], "target_rank": exams.rank("yellow")}
    assert browser.post(f"{page_of(exams)}/invite", body).status_code == 302
    said = text_of(browser.get(page_of(exams)))
    assert "The rules do not allow this promotion yet. 2 of 3 months of waiting time" in said


def test_an_invitation_without_a_student_or_of_a_foreign_one_is_refused(
    exams: ExamDojo, other_dojo: Dojo
) -> None:
    browser = visitor(exams.dojo, "instructor")
    missing = browser.post(f"{page_of(exams)}/invite", {"target_rank": exams.rank("yellow")})
    assert "Search for a student, and choose them." in text_of(missing)
    foreign = {"student": factories.student(other_dojo)["id"], "target_rank": exams.rank("yellow")}
    refused = browser.post(f"{page_of(exams)}/invite", foreign)
    assert refused.status_code == 400
    assert "There is nothing with this id." in text_of(refused)


def test_a_candidate_is_taken_off_after_a_question(exams: ExamDojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    browser = visitor(exams.dojo, "instructor")
    path = f"{page_of(exams)}/candidates/{candidate['id']}/withdraw"
    assert "Take Ready Sato off the exam?" in text_of(browser.fragment(path))
    browser.post(path)
    assert "No candidates yet" in text_of(browser.get(page_of(exams)))


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_result_is_saved_as_it_is_entered_and_the_numbers_follow(exams: ExamDojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    saved = save(exams, candidate, outcome="passed")
    assert saved.status_code == 200
    assert "<html" not in saved.content.decode()
    assert text_of(saved).startswith("passed Saved at 18:40")
    assert 'hx-swap-oob="true"' in saved.content.decode()
    assert exams.candidates()["Ready"]["outcome"] == "passed"


def test_marks_decide_without_an_outcome(exams: ExamDojo) -> None:
    use_marks(exams)
    (candidate,) = exams.invite(exams.ready)
    page = visitor(exams.dojo, "instructor").get(page_of(exams))
    assert "Each from 0 to 10; 6 passes." in text_of(page)
    assert text_of(save(exams, candidate, mark_0="7", mark_1="5.5")).startswith("failed")
    assert text_of(save(exams, candidate, mark_0="7", mark_1="6")).startswith("passed")
    assert exams.candidates()["Ready"]["marks"] == {"Kihon": 7, "Kata": 6}
    again = visitor(exams.dojo, "instructor").get(page_of(exams)).content.decode()
    assert f'name="{candidate["id"]}-outcome" value="" id="id_{candidate["id"]}-outcome_0" checked' in again


def test_a_mark_above_the_best_one_is_said_and_nothing_is_saved(exams: ExamDojo) -> None:
    use_marks(exams)
    (candidate,) = exams.invite(exams.ready)
    refused = save(exams, candidate, mark_0="11")
    assert refused.status_code == 400
    assert "Kihon : The best mark is 10." in text_of(refused).replace("Kihon:", "Kihon :")
    assert exams.candidates()["Ready"]["marks"] == {}


def test_a_condition_needs_a_text_and_a_day(exams: ExamDojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    assert save(exams, candidate, outcome="passed", condition_text="Essay").status_code == 400
    saved = save(exams, candidate, outcome="passed", condition_text="Essay", condition_until="2026-09-30")
    assert "on a condition until 30 Sep 2026" in text_of(saved)


def test_a_result_is_saved_without_scripts_too(exams: ExamDojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    saved = save(exams, candidate, fragment=False, outcome="absent")
    assert saved["Location"] == f"{page_of(exams)}#candidate-{candidate['id']}"
    refused = save(exams, candidate, fragment=False)
    assert refused.status_code == 400
    assert "Ready Sato" in text_of(refused)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_an_exam_is_finished_and_its_papers_open(exams: ExamDojo) -> None:
    invited = exams.invite(exams.ready, exams.second)
    save(exams, invited[0], outcome="passed")
    browser = visitor(exams.dojo, "instructor")
    asked = text_of(browser.get(f"{page_of(exams)}/finish"))
    assert "1 candidate has no result, and is awarded nothing." in asked
    browser.post(f"{page_of(exams)}/finish")
    said = text_of(browser.get(page_of(exams)))
    assert "The exam is finished, and the ranks are awarded." in said
    assert exams.rank_held(exams.ready) == "yellow"
    event = exams.candidates()["Ready"]["rank_event"]
    for paper in (
        f"{page_of(exams)}/certificates.pdf",
        f"{page_of(exams)}/examiners-list.pdf",
        f"{page_of(exams)}/federation-report.pdf",
        f"{page_of(exams)}/candidates/{invited[0]['id']}/sheet.pdf",
        f"/desk/certificates/{event}.pdf",
    ):
        opened = visitor(exams.dojo, "assistant").get(paper)
        assert (opened.status_code, opened.headers["Content-Type"]) == (200, "application/pdf"), paper
        assert b"".join(opened).startswith(b"%PDF"), paper


def test_who_cannot_be_awarded_is_named_and_no_one_is_awarded(exams: ExamDojo) -> None:
    use_marks(exams)
    ready, early = exams.invite(exams.ready), exams.invite(exams.early)
    save(exams, ready[0], outcome="passed", mark_0="7")
    save(exams, early[0], outcome="passed", mark_0="7", mark_1="8")
    refused = visitor(exams.dojo, "instructor").post(f"{page_of(exams)}/finish")
    assert refused.status_code == 409
    said = text_of(refused)
    assert "No rank was awarded. These candidates passed and cannot be awarded the rank." in said
    assert "`details`" not in said
    assert "Kata: no mark; 6 passes." in said
    assert "2 of 3 months of waiting time" in said
    assert f"#candidate-{early[0]['id']}" in refused.content.decode()
    assert exams.rank_held(exams.ready) == "white"
    save(exams, early[0], outcome="passed", mark_0="7", mark_1="8", override_reason="Won the cup")
    save(exams, ready[0], outcome="passed", mark_0="7", mark_1="6")
    assert visitor(exams.dojo, "instructor").post(f"{page_of(exams)}/finish").status_code == 302
    assert exams.rank_held(exams.early) == "yellow"


def test_an_exam_is_not_finished_before_its_day(dojo: Dojo) -> None:
    exams = ExamDojo(dojo)
    later = factories.exam(dojo, exams.system, "2026-07-01")
    factories.candidate(dojo, later, exams.ready, exams.rank("yellow"))
    browser = visitor(dojo, "instructor")
    assert "The day of this exam has not come yet." in text_of(browser.get(f"{LIST}/{later['id']}"))
    refused = browser.post(f"{LIST}/{later['id']}/finish")
    assert (refused.status_code, "The day of this exam has not come yet." in text_of(refused)) == (409, True)


def test_a_finished_exam_is_reopened_with_a_reason(exams: ExamDojo) -> None:
    exams.pass_exam(exams.ready)
    browser = visitor(exams.dojo, "instructor")
    assert 'class="result"' not in browser.get(page_of(exams)).content.decode()
    assert browser.post(f"{page_of(exams)}/reopen", {"reason": ""}).status_code == 400
    browser.post(f"{page_of(exams)}/reopen", {"reason": "Wrong mark"})
    said = text_of(browser.get(page_of(exams)))
    assert "Wrong mark" in said
    assert exams.rank_held(exams.ready) == "white"


def test_a_rank_that_was_passed_on_a_condition_is_awarded_when_it_is_met(dojo: Dojo) -> None:
    exams = ExamDojo(dojo)
    held, passed = factories.conditional_pass(dojo, exams.system, exams.ready, exams.rank("yellow"))
    browser = visitor(dojo, "instructor")
    path = f"{LIST}/{held['id']}/candidates/{passed['id']}/fulfilment"
    assert "Passed on the condition “Hand in the essay”" in text_of(browser.get(path))
    assert browser.post(path, {"met_on": "2026-06-16"}).status_code == 400
    assert exams.rank_held(exams.ready) == "white"
    assert browser.post(path, {"met_on": "2026-06-15", "override_reason": "Seminar"}).status_code == 302
    assert exams.rank_held(exams.ready) == "yellow"


def test_after_the_last_day_of_a_condition_a_reason_is_asked_for(dojo: Dojo) -> None:
    exams = ExamDojo(dojo)
    held = factories.exam(dojo, exams.system, "2026-06-10")
    passed = factories.candidate(dojo, held, exams.second, exams.rank("yellow"))
    condition = {"text": "Essay", "until": "2026-06-12"}
    results = [{"candidate": passed["id"], "outcome": "passed", "condition": condition}]
    ok(dojo.admin.post(f"/exams/{held['id']}/results", {"results": results}))
    ok(dojo.admin.post(f"/exams/{held['id']}/finish"))
    path = f"{LIST}/{held['id']}/candidates/{passed['id']}/fulfilment"
    refused = visitor(dojo, "instructor").post(path, {"met_on": "2026-06-14"})
    assert (refused.status_code, exams.rank_held(exams.second)) == (409, "white")
    assert "The last day is over: a reason is needed." in text_of(refused)


# --- roles, dojos, statements -----------------------------------------------------------------------------------------


def test_an_assistant_reads_an_exam_and_changes_nothing(exams: ExamDojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    browser = visitor(exams.dojo, "assistant")
    body = browser.get(page_of(exams)).content.decode()
    assert "Ready Sato" in body
    for hidden in ("/invite", "/change", "/finish", "/delete", "/withdraw", 'class="result"'):
        assert hidden not in body, hidden
    for page in ("change", "delete", "invite", "finish", "reopen"):
        assert browser.get(f"{page_of(exams)}/{page}").status_code == 403
    assert browser.post(f"{page_of(exams)}/results/{candidate['id']}").status_code == 403
    assert visitor(exams.dojo, "student").get(page_of(exams)).status_code == 403


def test_an_exam_of_another_dojo_is_not_found(exams: ExamDojo, other_dojo: Dojo) -> None:
    (candidate,) = exams.invite(exams.ready)
    browser = visitor(other_dojo, "admin")
    for page in (
        "",
        "/change",
        "/delete",
        "/invite",
        "/finish",
        "/reopen",
        "/examiners-list.pdf",
        "/certificates.pdf",
    ):
        assert browser.get(f"{page_of(exams)}{page}").status_code == 404, page
    assert browser.post(f"{page_of(exams)}/results/{candidate['id']}").status_code == 404
    assert browser.get(f"{page_of(exams)}/candidates/{candidate['id']}/sheet.pdf").status_code == 404
    for page in ("withdraw", "fulfilment"):
        assert browser.get(f"{page_of(exams)}/candidates/{candidate['id']}/{page}").status_code == 404
    assert browser.post(f"{page_of(exams)}/finish").status_code == 404


def test_a_candidate_of_another_exam_is_not_found(exams: ExamDojo) -> None:
    other = factories.exam(exams.dojo, exams.system, "2026-06-15")
    candidate = factories.candidate(exams.dojo, other, exams.ready, exams.rank("yellow"))
    browser = visitor(exams.dojo, "admin")
    path = f"{page_of(exams)}/results/{candidate['id']}"
    assert browser.post(path, {f"{candidate['id']}-outcome": "passed"}).status_code == 404


def test_the_statements_of_an_exam_do_not_grow_with_its_candidates(exams: ExamDojo) -> None:
    exams.invite(exams.ready)
    browser = visitor(exams.dojo, "instructor")
    before = count_statements(lambda: browser.get(page_of(exams)))
    exams.invite(*exams.add_students(30))
    assert count_statements(lambda: browser.get(page_of(exams))) == before <= 21
    assert count_statements(lambda: browser.get(LIST)) <= 9
