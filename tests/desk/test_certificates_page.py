"""The list of certificates: what it finds, and what another dojo does not."""

import pytest

from tests.promotions.factories import ExamDojo
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements

LIST = "/desk/certificates"


@pytest.fixture
def exams(dojo: Dojo) -> ExamDojo:
    ok(dojo.admin.patch("/settings", {"certificate_number": "KITA-{number:4}"}))
    found = ExamDojo(dojo)
    found.pass_exam(found.ready, found.second)
    return found


def test_certificates_are_listed_with_student_rank_day_and_number(exams: ExamDojo) -> None:
    said = text_of(visitor(exams.dojo, "assistant").get(LIST))
    assert "Ready Sato Yellow · 15 June 2026 · KITA-000" in said
    assert "Second Sato" in said


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ready", ["Ready"]),
        ("sato second", ["Second"]),
        ("kita-00", ["Ready", "Second"]),
        ("no", []),
    ],
)
def test_certificates_are_found_by_name_and_number(exams: ExamDojo, search: str, found: list[str]) -> None:
    said = text_of(visitor(exams.dojo, "admin").get(f"{LIST}?search={search}"))
    assert [name for name in ("Ready", "Second") if f"{name} Sato" in said] == found


def test_a_search_that_no_name_can_contain_is_refused(exams: ExamDojo) -> None:
    assert visitor(exams.dojo, "admin").get(f"{LIST}?search=%00ready").status_code == 400


def test_a_voided_award_is_marked(exams: ExamDojo) -> None:
    event = exams.candidates()["Ready"]["rank_event"]
    ok(exams.dojo.admin.post(f"/rank-events/{event}/void", {"reason": "Wrong student"}))
    assert "voided" in text_of(visitor(exams.dojo, "admin").get(f"{LIST}?search=ready"))


def test_another_dojo_finds_none_and_opens_none(exams: ExamDojo, other_dojo: Dojo) -> None:
    event = exams.candidates()["Ready"]["rank_event"]
    browser = visitor(other_dojo, "admin")
    assert "No certificate yet" in text_of(browser.get(LIST))
    assert browser.get(f"{LIST}/{event}.pdf").status_code == 404
    assert browser.get(f"{LIST}/{factories.unknown_id()}.pdf").status_code == 404


@pytest.mark.parametrize("page", ["x", "²", "-1", "9" * 5000])
def test_a_page_that_is_no_number_is_the_first(exams: ExamDojo, page: str) -> None:
    assert visitor(exams.dojo, "admin").get(f"{LIST}?page={page}").status_code == 200


@pytest.mark.parametrize("page", ["0", "99"])
def test_a_page_that_there_is_not_is_not_found(exams: ExamDojo, page: str) -> None:
    assert visitor(exams.dojo, "admin").get(f"{LIST}?page={page}").status_code == 404


def test_students_do_not_open_the_list(exams: ExamDojo) -> None:
    assert visitor(exams.dojo, "student").get(LIST).status_code == 403


def test_the_list_is_a_fixed_number_of_statements(exams: ExamDojo) -> None:
    assert count_statements(lambda: visitor(exams.dojo, "admin").get(LIST)) <= 5
