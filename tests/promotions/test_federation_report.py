"""The report of a grading to the federation: JSON, CSV, XLSX and PDF."""

import csv
import io
from typing import Any

import openpyxl
import pytest

from tests.promotions.factories import EXAM_DAY, ExamDojo
from tests.promotions.pdf_reading import page_texts
from tests.support.clients import Dojo
from tests.support.responses import ok
from tests.support.statements import count_get_statements


@pytest.fixture
def graded(exam_dojo: ExamDojo) -> ExamDojo:
    """An exam with a candidate who passed, one who failed, one who was absent and one without a result."""
    dojo = exam_dojo.dojo
    ok(dojo.admin.patch("/settings", {"certificate_number": "KITA-{year}-{number:4}"}))
    ready = {"licence_number": "DAB-20417", "birth_date": "2012-03-01", "external_id": "M-1"}
    ok(dojo.admin.patch(f"/students/{exam_dojo.ready['id']}", ready))
    ok(dojo.admin.patch(exam_dojo.path, {"guest_examiners": ["Kenji Mori Shihan", "Ann Kowalczyk"]}))
    late = exam_dojo.add_student("Late", "2026-01-01")
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second, exam_dojo.early, late)
    ok(exam_dojo.record_results(Ready="passed", Second="failed", Early="absent"))
    return exam_dojo


def report(exam_dojo: ExamDojo, query: str = "") -> Any:
    response = exam_dojo.dojo.assistant.get(f"{exam_dojo.path}/federation-report{query}")
    assert response.status_code == 200, response.content
    return response


def results(exam_dojo: ExamDojo) -> dict[str, dict[str, Any]]:
    return {one["first_name"]: one for one in report(exam_dojo).json()["results"]}


def test_a_finished_exam_is_reported_with_its_results(graded: ExamDojo) -> None:
    ok(graded.finish())
    body = report(graded).json()
    assert body["exam"] == {
        "dojo": "Seishin Dojo",
        "exam": graded.exam["name"],
        "date": EXAM_DAY,
        "location": "Main hall",
        "rank_system": "Our grades",
        "examiners": ["Kenji Mori Shihan", "Ann Kowalczyk"],
        "status": "finished",
    }
    assert [(one["number"], one["first_name"]) for one in body["results"]] == [
        (1, "Early"), (2, "Late"), (3, "Ready"), (4, "Second")
    ]  # fmt: skip
    found = results(graded)
    assert found["Ready"] == {
        "number": 3,
        "student_id": graded.ready["id"],
        "external_id": "M-1",
        "licence_number": "DAB-20417",
        "last_name": "Sato",
        "first_name": "Ready",
        "name": "Ready Sato",
        "birth_date": "2012-03-01",
        "gender": "",
        "rank_before": "White",
        "rank_sought": "Yellow",
        "outcome": "passed",
        "rank_awarded": "Yellow",
        "awarded_on": EXAM_DAY,
        "certificate_number": "KITA-2026-0001",
    }
    for name, outcome in (("Second", "failed"), ("Early", "absent"), ("Late", None)):
        assert (found[name]["rank_before"], found[name]["outcome"]) == ("White", outcome)
        assert (found[name]["rank_awarded"], found[name]["awarded_on"], found[name]["certificate_number"]) == (
            "", None, ""
        )  # fmt: skip


def test_an_open_exam_is_reported_without_awards(graded: ExamDojo) -> None:
    body = report(graded).json()
    assert body["exam"]["status"] == "open"
    ready = results(graded)["Ready"]
    assert (ready["outcome"], ready["rank_before"], ready["rank_awarded"]) == ("passed", "White", "")


def test_the_rank_before_stays_when_the_student_goes_on(graded: ExamDojo) -> None:
    ok(graded.finish())
    path = f"/students/{graded.ready['id']}/rank-events"
    later = {"rank": graded.rank("green"), "kind": "import", "effective_on": EXAM_DAY}
    ok(graded.dojo.admin.post(path, later), 201)
    ready = results(graded)["Ready"]
    assert (ready["rank_before"], ready["rank_awarded"]) == ("White", "Yellow")


def test_the_first_rank_of_a_student_has_no_rank_before(exam_dojo: ExamDojo) -> None:
    new = exam_dojo.dojo.create("/students", {"first_name": "New"})
    exam_dojo.invite(new, to="white")
    assert results(exam_dojo)["New"]["rank_before"] == ""
    ok(exam_dojo.record_results(New="passed"))
    ok(exam_dojo.finish())
    new_line = results(exam_dojo)["New"]
    assert (new_line["rank_before"], new_line["rank_awarded"]) == ("", "White")


def test_the_report_is_a_table_for_spreadsheets(graded: ExamDojo) -> None:
    ok(graded.finish())
    text = report(graded, "?format=csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    by_name = {row["first_name"]: row for row in rows}
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]
    ready = by_name["Ready"]
    assert (ready["exam"], ready["examiners"]) == (graded.exam["name"], "Kenji Mori Shihan, Ann Kowalczyk")
    assert (ready["licence_number"], ready["outcome"]) == ("DAB-20417", "passed")
    assert (ready["rank_awarded"], ready["certificate_number"]) == ("Yellow", "KITA-2026-0001")
    workbook = openpyxl.load_workbook(io.BytesIO(report(graded, "?format=xlsx").content))
    heading, *lines = workbook.active.iter_rows(values_only=True)
    assert list(heading) == list(rows[0])
    assert [line[heading.index("first_name")] for line in lines] == [row["first_name"] for row in rows]


def pdf(exam_dojo: ExamDojo) -> str:
    response = exam_dojo.dojo.assistant.get(f"{exam_dojo.path}/federation-report.pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    return " ".join(page_texts(response.content))


def test_the_report_on_paper_says_the_same(graded: ExamDojo) -> None:
    assert "This exam is not finished" in pdf(graded)
    ok(graded.finish())
    text = pdf(graded)
    for words in (
        "4 · Passed: 1 · Failed: 1 · Absent: 1",
        "Ready Sato 2012-03-01 DAB-20417 White Yellow Passed KITA-2026-0001",
        "Second Sato",
        "15 June 2026",
        "Main hall",
        "Kenji Mori Shihan, Ann Kowalczyk",
    ):
        assert words in text
    assert "not finished" not in text


def test_the_report_on_paper_is_in_the_language_of_the_dojo(graded: ExamDojo) -> None:
    ok(graded.dojo.admin.patch("/settings", {"language": "pt-br"}))
    text = pdf(graded)
    assert "Este exame não está concluído" in text
    assert "Aprovado(a): 1" in text


def test_an_erased_candidate_is_not_reported(graded: ExamDojo) -> None:
    who = graded.second["id"]
    ok(graded.dojo.admin.post(f"/students/{who}/erasure", {"confirm": who}), 204)
    assert "Second" not in results(graded)
    assert "Second" not in pdf(graded)


def test_the_number_of_statements_does_not_depend_on_the_candidates(exam_dojo: ExamDojo) -> None:
    path = f"{exam_dojo.path}/federation-report"
    exam_dojo.invite(exam_dojo.ready)
    of_one = count_get_statements(exam_dojo.dojo.assistant, path)
    exam_dojo.invite(*exam_dojo.add_students(20))
    assert count_get_statements(exam_dojo.dojo.assistant, path) == of_one


def test_the_report_of_another_dojos_exam_is_not_found(graded: ExamDojo, other_dojo: Dojo) -> None:
    assert other_dojo.admin.get(f"{graded.path}/federation-report").status_code == 404
