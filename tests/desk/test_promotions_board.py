"""The promotions board: who is due and what others lack, awards, and putting students on an exam."""

import gzip
from typing import Any

import pytest

from tests.promotions.factories import GradedDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

BOARD = "/desk/promotions"


@pytest.fixture
def graded(dojo: Dojo) -> GradedDojo:
    """A dojo in which Ready is due for yellow today and Early is tomorrow, after last night's check."""
    found = GradedDojo(dojo)
    found.take_snapshot()
    return found


def pick(graded: GradedDojo, student: dict[str, Any], rank: str = "yellow") -> str:
    return f"{student['id']}:{graded.rank(rank)}"


# --- the board --------------------------------------------------------------------------------------------------------


def test_the_board_lists_who_is_due_with_the_rank_held_and_the_next(graded: GradedDojo) -> None:
    said = text_of(visitor(graded.dojo, "assistant").get(BOARD))
    assert "Ready Sato White to Yellow" in said
    assert "Early Sato" not in said
    assert "Due now 1 Not yet 1 Unknown 0" in said


def test_who_is_not_due_is_listed_with_what_is_missing_in_sentences(graded: GradedDojo) -> None:
    said = text_of(visitor(graded.dojo, "assistant").get(f"{BOARD}?tab=nearly"))
    assert "Early Sato" in said
    assert "2 of 3 months of waiting time since White on 16 March 2026 are complete." in said
    assert "from 16 Jun 2026" in said


def test_a_student_without_a_needed_fact_is_unknown(dojo: Dojo) -> None:
    graded = GradedDojo(dojo)
    rules = ok(dojo.admin.get(f"/rank-systems/{graded.system['id']}/rules"))
    rules["steps"][1]["paths"][0]["criteria"] = [{"kind": "age", "min": 6}]
    ok(dojo.admin.put(f"/rank-systems/{graded.system['id']}/rules", rules))
    graded.take_snapshot()
    said = text_of(visitor(dojo, "assistant").get(f"{BOARD}?tab=unknown"))
    assert "The date of birth is not recorded" in said


def test_the_board_is_filtered_by_class_rank_system_and_next_rank(graded: GradedDojo) -> None:
    group = factories.training_class(graded.dojo)
    graded.dojo.create(f"/classes/{group['id']}/enrolments", {"student": graded.early["id"]})
    browser = visitor(graded.dojo, "instructor")

    def names(query: str) -> tuple[bool, bool]:
        said = text_of(browser.get(f"{BOARD}?{query}"))
        return "Ready Sato" in said, "Early Sato" in said

    assert names(f"class={group['id']}") == (False, False)
    assert names(f"class={group['id']}&tab=nearly") == (False, True)
    assert names(f"target_rank={graded.rank('yellow')}") == (True, False)
    assert names(f"target_rank={graded.rank('green')}") == (False, False)
    assert names(f"rank_system={graded.system['id']}") == (True, False)


def test_a_student_who_was_promoted_since_the_check_is_marked_or_gone(graded: GradedDojo) -> None:
    factories.rank_event(graded.dojo, graded.early, graded.rank("yellow"), "2026-06-15")
    assert "Early Sato" not in text_of(visitor(graded.dojo, "admin").get(f"{BOARD}?tab=nearly"))


def test_a_dojo_without_rank_systems_is_led_to_the_presets(dojo: Dojo) -> None:
    assert "Choose a rank system" in text_of(visitor(dojo, "admin").get(BOARD))
    assert "/desk/rank-systems/new" not in visitor(dojo, "assistant").get(BOARD).content.decode()


def test_an_assistant_sees_the_board_and_can_choose_no_one(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "assistant")
    body = browser.get(BOARD).content.decode()
    assert 'name="pick"' not in body
    assert "/desk/promotions/award" not in body.replace('action="/desk/promotions/award"', "")
    assert browser.get(f"{BOARD}/award?pick={pick(graded, graded.ready)}").status_code == 403
    assert browser.post(f"{BOARD}/award", {"pick": pick(graded, graded.ready)}).status_code == 403
    assert graded.rank_held(graded.ready) == "white"


def test_a_student_may_not_open_the_board(graded: GradedDojo) -> None:
    assert visitor(graded.dojo, "student").get(BOARD).status_code == 403


def test_a_page_that_is_no_number_is_the_first_and_one_that_does_not_exist_is_not_found(
    graded: GradedDojo,
) -> None:
    browser = visitor(graded.dojo, "admin")
    for page in ("x", "²", "-1", "9" * 5000):
        assert browser.get(f"{BOARD}?page={page}").status_code == 200
    assert browser.get(f"{BOARD}?page=99").status_code == 404


def test_the_board_needs_as_many_statements_for_many_students_as_for_one(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    before = count_statements(lambda: browser.get(BOARD))
    graded.add_students(40)
    graded.take_snapshot()
    page = browser.get(BOARD)
    assert "Page 1 of 2" in text_of(page)
    assert count_statements(lambda: browser.get(BOARD)) == before <= 19
    assert len(gzip.compress(page.content)) < 20_000


# --- awards -----------------------------------------------------------------------------------------------------------


def test_chosen_students_are_awarded_as_of_a_day(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    asked = browser.get(f"{BOARD}/award?pick={pick(graded, graded.ready)}&back=/desk/promotions?tab=due")
    assert "Ready Sato White to Yellow" in text_of(asked)
    assert 'value="2026-06-15"' in asked.content.decode()
    done = browser.post(f"{BOARD}/award", {"pick": pick(graded, graded.ready), "effective_on": "2026-06-15"})
    assert (done.status_code, done["Location"]) == (302, BOARD)
    assert graded.rank_held(graded.ready) == "yellow"
    assert "1 rank was awarded." in text_of(browser.get(BOARD))


def test_who_does_not_meet_the_rules_is_shown_again_with_the_sentences_and_the_others_are_awarded(
    graded: GradedDojo,
) -> None:
    browser = visitor(graded.dojo, "instructor")
    both = [pick(graded, graded.ready), pick(graded, graded.early)]
    refused = browser.post(f"{BOARD}/award", {"pick": both, "effective_on": "2026-06-15"})
    assert refused.status_code == 409
    said = text_of(refused)
    assert "The rules do not allow this promotion yet." in said
    assert "2 of 3 months of waiting time" in said
    assert "1 rank was awarded." in said
    assert "Ready Sato" not in said
    assert (graded.rank_held(graded.ready), graded.rank_held(graded.early)) == ("yellow", "white")


def test_a_reason_awards_against_the_rules(graded: GradedDojo) -> None:
    chosen = pick(graded, graded.early)
    body = {"pick": chosen, "effective_on": "2026-06-15", f"reason:{chosen}": "Won the cup"}
    assert visitor(graded.dojo, "admin").post(f"{BOARD}/award", body).status_code == 302
    assert graded.rank_held(graded.early) == "yellow"


def test_a_reason_that_is_refused_is_said_beside_its_student(graded: GradedDojo) -> None:
    both = [pick(graded, graded.ready), pick(graded, graded.early)]
    body = {"pick": both, "effective_on": "2026-06-15", f"reason:{both[1]}": "Won\x00the cup"}
    refused = visitor(graded.dojo, "admin").post(f"{BOARD}/award", body)
    assert refused.status_code == 400
    assert "1 rank was awarded." in text_of(refused)
    assert graded.rank_held(graded.early) == "white"


def test_a_day_that_has_not_come_is_said_beside_the_date(graded: GradedDojo) -> None:
    body = {"pick": pick(graded, graded.ready), "effective_on": "2026-06-16"}
    refused = visitor(graded.dojo, "admin").post(f"{BOARD}/award", body)
    assert refused.status_code == 400
    assert "A rank cannot be awarded before its day has come." in text_of(refused)
    assert 'value="2026-06-16"' in refused.content.decode()
    assert graded.rank_held(graded.ready) == "white"


def test_a_choice_of_no_one_is_said(graded: GradedDojo) -> None:
    assert "No student was chosen" in text_of(visitor(graded.dojo, "admin").get(f"{BOARD}/award"))


@pytest.mark.parametrize("page", ["award", "exam", "batches/new"])
def test_a_pick_of_another_dojo_or_that_is_none_is_refused(
    graded: GradedDojo, other_dojo: Dojo, page: str
) -> None:
    browser = visitor(graded.dojo, "admin")
    foreign = factories.student(other_dojo)
    assert browser.get(f"{BOARD}/{page}?pick={foreign['id']}:{graded.rank('yellow')}").status_code == 404
    assert browser.get(f"{BOARD}/{page}?pick=nothing").status_code == 400
    many = "&".join(f"pick={factories.unknown_id()}:{graded.rank('yellow')}" for _ in range(51))
    assert browser.get(f"{BOARD}/{page}?{many}").status_code == 400


def test_the_way_back_does_not_lead_to_another_site(graded: GradedDojo) -> None:
    body = {"pick": pick(graded, graded.ready), "effective_on": "2026-06-15", "back": "https://evil.example/"}
    assert visitor(graded.dojo, "admin").post(f"{BOARD}/award", body)["Location"] == BOARD


# --- exams ------------------------------------------------------------------------------------------------------------


def test_chosen_students_are_put_on_an_open_exam(graded: GradedDojo) -> None:
    exam = factories.exam(graded.dojo, graded.system, "2026-07-01")
    browser = visitor(graded.dojo, "instructor")
    chosen = [pick(graded, graded.ready), pick(graded, graded.early)]
    page = browser.get(f"{BOARD}/exam?pick={chosen[0]}&pick={chosen[1]}")
    assert "Grading, 1 July 2026" in text_of(page)
    done = browser.post(f"{BOARD}/exam", {"pick": chosen, "exam": exam["id"]})
    assert done["Location"] == f"/desk/exams/{exam['id']}"
    said = text_of(browser.get(done["Location"]))
    assert "2 students were invited." in said
    assert "Early Sato" in said


def test_a_student_who_is_a_candidate_for_another_rank_is_named(graded: GradedDojo) -> None:
    exam = factories.exam(graded.dojo, graded.system, "2026-07-01")
    factories.candidate(graded.dojo, exam, graded.ready, graded.rank("green"))
    body = {"pick": pick(graded, graded.ready), "exam": exam["id"]}
    refused = visitor(graded.dojo, "admin").post(f"{BOARD}/exam", body)
    assert refused.status_code == 409
    assert "A student is a candidate for another rank in this exam already. Ready Sato" in text_of(refused)


def test_no_exam_chosen_or_one_that_is_not_offered_is_said(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "admin")
    for exam in ("", factories.unknown_id()):
        refused = browser.post(f"{BOARD}/exam", {"pick": pick(graded, graded.ready), "exam": exam})
        assert refused.status_code == 400
        assert "Choose an exam." in text_of(refused)


def test_ranks_of_several_systems_cannot_be_put_on_one_exam(graded: GradedDojo) -> None:
    other = factories.rank_system(graded.dojo)
    foreign = f"{graded.early['id']}:{factories.rank_id(other, '5-kyu')}"
    said = text_of(
        visitor(graded.dojo, "admin").get(f"{BOARD}/exam?pick={pick(graded, graded.ready)}&pick={foreign}")
    )
    assert "An exam is held in one rank system." in said


def test_an_exam_is_made_for_the_chosen_students(graded: GradedDojo) -> None:
    browser = visitor(graded.dojo, "instructor")
    chosen = pick(graded, graded.ready)
    assert "No exam of this rank system is open." in text_of(browser.get(f"{BOARD}/exam?pick={chosen}"))
    body = {"pick": chosen, "name": "June", "date": "2026-06-20", "rank_system": graded.system["id"]}
    said = text_of(browser.get(browser.post("/desk/exams/new", body)["Location"]))
    assert "1 student was invited." in said
    assert "Ready Sato" in said
