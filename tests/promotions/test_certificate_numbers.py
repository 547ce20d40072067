"""The running numbers of certificates, by the scheme of the dojo."""

from typing import Any

import pytest

from tenant_apps.dojo.certificate_numbers import BadNumberFormat, NumberFormat
from tests.promotions.factories import EXAM_DAY, ExamDojo
from tests.promotions.pdf_reading import page_texts
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok


def numbered(exam_dojo: ExamDojo, scheme: str) -> None:
    ok(exam_dojo.dojo.admin.patch("/settings", {"certificate_number": scheme}))


def award(exam_dojo: ExamDojo, student: dict[str, Any], rank: str, on: str = EXAM_DAY) -> str:
    """Award a rank past the rules; return its rank event."""
    body = {
        "student": student["id"],
        "target_rank": exam_dojo.rank(rank),
        "effective_on": on,
        "override_reason": "Ready",
    }
    return str(ok(exam_dojo.dojo.instructor.post("/promotions", body), 201)["id"])


def paper(exam_dojo: ExamDojo, event: str) -> str:
    pdf = exam_dojo.dojo.admin.get(f"/rank-events/{event}/certificate.pdf")
    (page,) = page_texts(pdf.getvalue())
    return page


def test_certificates_of_a_year_count_from_one(exam_dojo: ExamDojo) -> None:
    numbered(exam_dojo, "KITA-{year}-{number:4}")
    first = award(exam_dojo, exam_dojo.ready, "yellow")
    second = award(exam_dojo, exam_dojo.second, "yellow")
    old = factories.student(exam_dojo.dojo, first_name="Old")
    factories.rank_event(exam_dojo.dojo, old, exam_dojo.rank("white"), "2025-01-01")
    earlier = award(exam_dojo, old, "yellow", on="2025-12-31")
    assert "KITA-2026-0001" in paper(exam_dojo, first)
    assert "KITA-2026-0002" in paper(exam_dojo, second)
    assert "KITA-2025-0001" in paper(exam_dojo, earlier)


def test_the_certificates_of_an_exam_have_numbers_that_follow_each_other(exam_dojo: ExamDojo) -> None:
    numbered(exam_dojo, "{number}/{year}")
    exam_dojo.invite(exam_dojo.ready, exam_dojo.second)
    ok(exam_dojo.record_results(Ready="passed", Second="passed"))
    ok(exam_dojo.finish())
    pages = page_texts(exam_dojo.dojo.admin.get(f"{exam_dojo.path}/certificates.pdf").getvalue())
    assert sorted(
        number for number in ("1/2026", "2/2026", "3/2026") for page in pages if number in page
    ) == [
        "1/2026",
        "2/2026",
    ]


def test_a_refused_award_takes_no_number(exam_dojo: ExamDojo) -> None:
    numbered(exam_dojo, "N{number:3}")
    award(exam_dojo, exam_dojo.ready, "yellow")
    again = {
        "student": exam_dojo.ready["id"],
        "target_rank": exam_dojo.rank("yellow"),
        "override_reason": "x",
    }
    assert_error(exam_dojo.dojo.instructor.post("/promotions", again), 409, "already_awarded")
    assert "N002" in paper(exam_dojo, award(exam_dojo, exam_dojo.second, "yellow"))


def test_a_number_stays_when_the_scheme_changes_and_is_never_given_twice(exam_dojo: ExamDojo) -> None:
    numbered(exam_dojo, "A-{number}-1")
    first = award(exam_dojo, exam_dojo.ready, "yellow")
    assert "A-1-1" in paper(exam_dojo, first)
    numbered(exam_dojo, "A-1-{number}")
    assert "A-1-2" in paper(exam_dojo, award(exam_dojo, exam_dojo.second, "yellow"))
    numbered(exam_dojo, "")
    assert "A-1-1" in paper(exam_dojo, first)


def test_without_a_scheme_the_code_is_the_number(exam_dojo: ExamDojo) -> None:
    page = paper(exam_dojo, award(exam_dojo, exam_dojo.ready, "yellow"))
    address = page.partition("/certificates/")[2].split()[0]
    assert page.count(address) == 2


@pytest.mark.parametrize(
    "scheme",
    ["KITA", "{year}", "{number}{number}", "{number:0}", "{number:10}", "{year:2}-{number}", "{name}-{number}",
     "{number", "{number}}", "{}-{number}", "{number:x}", "{number!r}"],
)  # fmt: skip
def test_a_scheme_that_means_nothing_is_refused(dojo: Dojo, scheme: str) -> None:
    with pytest.raises(BadNumberFormat):
        NumberFormat(scheme)
    assert_invalid(dojo.admin.patch("/settings", {"certificate_number": scheme}), "certificate_number")


@pytest.mark.parametrize(
    ("scheme", "number", "series"),
    [
        ("{number}", "42", "{number}"),
        ("{number:4}", "0042", "{number}"),
        ("KITA-{year}-{number:1}", "KITA-2026-42", "KITA-2026-{number}"),
        ("{year}/{number}/{year}", "2026/42/2026", "2026/{number}/2026"),
    ],
)
def test_a_scheme_gives_numbers_and_their_series(scheme: str, number: str, series: str) -> None:
    assert NumberFormat(scheme).number(42, 2026) == number
    assert NumberFormat(scheme).series(2026) == series
