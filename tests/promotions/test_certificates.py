"""Certificates and exam papers over HTTP, and the public check of a certificate."""

from typing import Any

import pytest

from tests.promotions.factories import EXAM_DAY, ExamDojo
from tests.promotions.pdf_reading import page_texts, qr_codes
from tests.support.clients import Dojo
from tests.support.responses import assert_error, ok, url_path


def pdf_of(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "application/pdf"
    return bytes(response.getvalue())


def certificate(exam_dojo: ExamDojo, student: dict[str, Any]) -> bytes:
    event = next(one for one in exam_dojo.candidates().values() if one["student"]["id"] == student["id"])
    return pdf_of(exam_dojo.dojo.assistant.get(f"/rank-events/{event['rank_event']}/certificate.pdf"))


def check_certificate(exam_dojo: ExamDojo, url: str, **headers: str) -> Any:
    return exam_dojo.dojo.anonymous.get(url_path(url), **headers)


def test_a_certificate_says_who_was_awarded_what_and_when(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"guest_examiners": ["Kenji Mori Shihan"]}))
    exam_dojo.pass_exam(exam_dojo.ready)
    content = certificate(exam_dojo, exam_dojo.ready)
    (page,) = page_texts(content)
    for words in ("Seishin Dojo", "Ready Sato", "Yellow", "15 June 2026", "Kenji Mori Shihan"):
        assert words in page
    (url,) = qr_codes(content)
    assert url.startswith(f"http://{exam_dojo.dojo.host}")
    shown = ok(check_certificate(exam_dojo, url))
    assert (shown["status"], shown["rank"], shown["awarded_on"]) == ("genuine", "Yellow", EXAM_DAY)
    assert "Ready" not in str(shown)
    assert shown["code"] in page
    assert certificate(exam_dojo, exam_dojo.ready) == content, "printed twice, it is the same file"


def test_a_certificate_of_a_voided_rank_is_revoked(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    event = exam_dojo.candidates()["Ready"]["rank_event"]
    ok(exam_dojo.dojo.admin.post(f"{exam_dojo.path}/reopening", {"reason": "Mixed up"}))
    shown = ok(check_certificate(exam_dojo, url))
    assert (shown["status"], shown["rank"]) == ("revoked", None)
    assert_error(exam_dojo.dojo.admin.get(f"/rank-events/{event}/certificate.pdf"), 404, "not_found")
    page = check_certificate(exam_dojo, url, Accept="text/html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "revoked" in page.content.decode()


@pytest.mark.parametrize("code", ["7KQ2-M9XR-4T1B-0ZVD", "x", "%00", "'", "Ｘ"])
def test_an_invented_certificate_is_unknown(dojo: Dojo, code: str) -> None:
    answer = dojo.anonymous.get(f"/certificates/{code}")
    if code == "%00":
        assert answer.status_code in {400, 404}
    else:
        assert ok(answer)["status"] == "unknown"


def test_a_certificate_of_another_dojo_is_unknown(exam_dojo: ExamDojo, other_dojo: Dojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    code = url.rpartition("/")[2]
    assert ok(other_dojo.anonymous.get(f"/certificates/{code}"))["status"] == "unknown"


def test_a_certificate_of_an_erased_student_is_unknown(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    erasure = {"confirm": exam_dojo.ready["id"]}
    ok(exam_dojo.dojo.admin.post(f"/students/{exam_dojo.ready['id']}/erasure", erasure), 204)
    assert ok(check_certificate(exam_dojo, url))["status"] == "unknown"
    assert exam_dojo.candidates() == {}


def test_all_certificates_of_an_exam_are_one_file(exam_dojo: ExamDojo) -> None:
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    assert_error(exam_dojo.dojo.admin.get(f"{exam_dojo.path}/certificates.pdf"), 409, "nothing_to_print")
    ok(exam_dojo.record_results(Ready="passed", Second="passed"))
    ok(exam_dojo.finish())
    answer = exam_dojo.dojo.admin.get(f"{exam_dojo.path}/certificates.pdf")
    assert answer.streaming
    first, second = page_texts(pdf_of(answer))
    assert "Ready Sato" in first
    assert "Second Sato" in second


def test_the_examiners_list_and_the_candidates_sheet_are_printed(exam_dojo: ExamDojo) -> None:
    path = f"/rank-systems/{exam_dojo.system['id']}/rules"
    rules = ok(exam_dojo.dojo.admin.get(path))
    rules["ranks"][1]["syllabus"] = "- Ikkyo\n- Forward rolls"
    ok(exam_dojo.dojo.admin.put(path, rules))
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    (page,) = page_texts(pdf_of(exam_dojo.dojo.assistant.get(f"{exam_dojo.path}/examiners-list.pdf")))
    for words in ("Grading", "Main hall", "Ready Sato", "Second Sato", "White", "Yellow"):
        assert words in page
    one = exam_dojo.candidates()["Ready"]["id"]
    (page,) = page_texts(pdf_of(exam_dojo.dojo.assistant.get(f"{exam_dojo.path}/candidates/{one}/sheet.pdf")))
    for words in ("Ready Sato", "Ikkyo", "Forward rolls", "White"):
        assert words in page


def test_certificates_are_in_the_language_of_the_dojo(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"language": "pt-br"}))
    exam_dojo.pass_exam(exam_dojo.ready)
    (page,) = page_texts(certificate(exam_dojo, exam_dojo.ready))
    assert "15 de junho de 2026" in page


def test_an_imported_rank_has_no_certificate(exam_dojo: ExamDojo) -> None:
    (event,) = ok(exam_dojo.dojo.admin.get(f"/students/{exam_dojo.ready['id']}/rank-events"))["results"]
    assert_error(exam_dojo.dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf"), 404, "not_found")
