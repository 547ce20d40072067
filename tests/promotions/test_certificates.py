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
    assert (shown["initials"], shown["held"], shown["held_until"]) == ("R. S.", True, None)
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
    (paper,) = page_texts(pdf_of(exam_dojo.dojo.admin.get(f"/rank-events/{event}/certificate.pdf")))
    assert "VOID" in paper
    assert "Voided on 15 June 2026" in paper
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


# --- who signs ------------------------------------------------------------------------------------------------


def awarded(exam_dojo: ExamDojo, caller: Any, student: dict[str, Any]) -> str:
    """Award yellow without an exam; return the text of the certificate."""
    award = {
        "student": student["id"],
        "target_rank": exam_dojo.rank("yellow"),
        "effective_on": EXAM_DAY,
        "override_reason": "Ready",
    }
    event = ok(caller.post("/promotions", award), 201)
    (page,) = page_texts(pdf_of(exam_dojo.dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf")))
    return page


def test_an_admin_who_entered_an_award_is_not_its_examiner(exam_dojo: ExamDojo) -> None:
    page = awarded(exam_dojo, exam_dojo.dojo.admin, exam_dojo.ready)
    assert "Admin" not in page
    assert "EXAMINER" in page


def test_the_instructor_who_awarded_a_rank_signs(exam_dojo: ExamDojo) -> None:
    assert "Instructor EXAMINER" in awarded(exam_dojo, exam_dojo.dojo.instructor, exam_dojo.ready)


@pytest.mark.parametrize("role", ["admin", "instructor"])
def test_the_examiners_of_the_settings_sign_without_an_exam(exam_dojo: ExamDojo, role: str) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"certificate_examiners": ["Hana Mori Sensei", "Jun Ito"]}))
    page = awarded(exam_dojo, exam_dojo.dojo.person(role), exam_dojo.ready)
    assert "Hana Mori Sensei" in page
    assert "Jun Ito" in page
    assert "Instructor" not in page


def test_the_examiners_of_an_exam_go_before_those_of_the_settings(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"certificate_examiners": ["Hana Mori Sensei"]}))
    ok(exam_dojo.dojo.admin.patch(exam_dojo.path, {"guest_examiners": ["Kenji Mori Shihan"]}))
    exam_dojo.pass_exam(exam_dojo.ready)
    (page,) = page_texts(certificate(exam_dojo, exam_dojo.ready))
    assert "Kenji Mori Shihan" in page
    assert "Hana Mori" not in page


# --- wording, second language, licence ------------------------------------------------------------------------


def test_a_certificate_has_the_wording_of_the_dojo_and_the_licence_of_the_student(
    exam_dojo: ExamDojo,
) -> None:
    own = {
        "certificate_title": "Diploma",
        "certificate_before_name": "We declare that",
        "certificate_before_rank": "has reached",
        "certificate_closing": "In the spirit of harmony",
        "certificate_second_language": "pt-br",
    }
    assert ok(exam_dojo.dojo.admin.patch("/settings", own)).items() >= own.items()
    student = f"/students/{exam_dojo.ready['id']}"
    assert ok(exam_dojo.dojo.admin.patch(student, {"licence_number": "DAB-20417"}))["licence_number"]
    exam_dojo.pass_exam(exam_dojo.ready)
    (page,) = page_texts(certificate(exam_dojo, exam_dojo.ready))
    for words in (
        "DIPLOMA Certificado de Graduação",
        "We declare that Certificamos que Ready Sato has reached alcançou a graduação de Yellow",
        "In the spirit of harmony",
        "15 June 2026 · 15 de junho de 2026",
        "DAB-20417",
    ):
        assert words in page


def test_the_second_language_is_not_printed_twice(exam_dojo: ExamDojo) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"certificate_second_language": "en"}))
    exam_dojo.pass_exam(exam_dojo.ready)
    (page,) = page_texts(certificate(exam_dojo, exam_dojo.ready))
    assert page.count("This is to certify that") == 1


# --- the public check -----------------------------------------------------------------------------------------


def history(exam_dojo: ExamDojo, *events: tuple[str, str, str]) -> list[dict[str, Any]]:
    path = f"/students/{exam_dojo.ready['id']}/rank-events"
    return [
        ok(
            exam_dojo.dojo.admin.post(
                path, {"rank": exam_dojo.rank(rank), "kind": kind, "effective_on": on, "note": "Decided"}
            ),
            201,
        )
        for kind, rank, on in events
    ]


def test_the_check_says_when_the_rank_is_no_longer_held(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    (demotion,) = history(exam_dojo, ("demote", "white", EXAM_DAY))
    shown = ok(check_certificate(exam_dojo, url))
    assert (shown["status"], shown["rank"]) == ("genuine", "Yellow")
    assert (shown["held"], shown["held_until"]) == (False, EXAM_DAY)
    page = check_certificate(exam_dojo, url, Accept="text/html").content.decode()
    assert "The rank is no longer held since 15 June 2026." in page
    ok(exam_dojo.dojo.admin.post(f"/rank-events/{demotion['id']}/void", {"reason": "Mixed up"}))
    assert ok(check_certificate(exam_dojo, url))["held"]


def test_who_was_promoted_since_still_holds_the_rank(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    history(exam_dojo, ("import", "green", EXAM_DAY))
    shown = ok(check_certificate(exam_dojo, url))
    assert (shown["held"], shown["held_until"]) == (True, None)


def test_the_page_of_the_check_is_in_the_language_of_the_dojo(exam_dojo: ExamDojo) -> None:
    exam_dojo.pass_exam(exam_dojo.ready)
    (url,) = qr_codes(certificate(exam_dojo, exam_dojo.ready))
    page = check_certificate(exam_dojo, url, Accept="text/html").content.decode()
    assert "This certificate is genuine: R. S. was awarded Yellow on 15 June 2026." in page
    ok(exam_dojo.dojo.admin.patch("/settings", {"language": "pt-br"}))
    page = check_certificate(exam_dojo, url, Accept="text/html").content.decode()
    assert '<html lang="pt-br">' in page
    assert "R. S. alcançou a graduação de Yellow em 15 de junho de 2026." in page
