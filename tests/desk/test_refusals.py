"""The page of refused scans."""

from datetime import timedelta

from django.utils.translation import override

from tatami import clock
from tatami.errors import DomainError
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Refusal
from tenant_apps.desk.refusals.reasons import reason_of, reasons
from tests.attendance.scanning import scan
from tests.desk.test_kiosk import NOT_AT_A_KIOSK
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.pages import text_of, visitor
from tests.support.statements import count_statements

NOT_LISTED = {
    "qr_invalid",  # no code of the dojo
    "idempotency_key_reused",
    "session_not_begun",  # only by hand
    "pairing_code_invalid",
    "pairing_code_expired",
    "already_paired",
    "device_revoked",
}


def refuse(dojo: Dojo, number: int = 1, **fields: object) -> None:
    """List refusals as scans do, each a minute after the one before."""
    with tenant_scope(dojo.tenant):
        for minute in range(number):
            at = NOW - timedelta(minutes=number - minute)
            Refusal.objects.create(**{"code": "qr_expired", "scanned_at": at, "created_at": at, **fields})


def test_a_refused_scan_is_shown_with_its_student_class_and_device(dojo: Dojo) -> None:
    evening = factories.training_class(dojo, capacity=1)
    session = factories.session_today(dojo, evening)
    assert dojo.admin.patch("/settings", {"capacity_policy": "enforce"}).status_code == 200
    first, second = factories.student(dojo), factories.student(dojo, first_name="Ren")
    dojo.admin.post("/attendance", {"student": first["id"], "class_session": session["id"]})
    kiosk, _ = factories.paired_device(dojo)
    assert scan(kiosk, factories.qr_token(dojo.admin, second)).status_code == 409
    answer = visitor(dojo, "assistant").get("/desk/refusals")
    page = answer.content.decode()
    assert "Ren Sato This class session is full. Evening class · Front door 18:40" in text_of(answer)
    assert f'href="/desk/students/{second["id"]}"' in page
    assert f'href="/desk/schedule/sessions/{session["id"]}"' in page


def test_the_list_is_read_in_pages_the_newest_first(dojo: Dojo) -> None:
    refuse(dojo, 51)
    desk = visitor(dojo, "assistant")
    first = desk.get("/desk/refusals").content.decode()
    assert first.count("<time datetime=") == 50
    assert first.index("18:39") < first.index("18:38")
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = desk.get(f"/desk/refusals{older}").content.decode()
    assert second.count("<time datetime=") == 1
    assert 'rel="next"' not in second
    assert "17:49" in second
    assert 'rel="prev"' in second


def test_the_list_has_the_filters_of_the_api(dojo: Dojo) -> None:
    student = factories.student(dojo)
    session = factories.session_today(dojo, factories.training_class(dojo))
    refuse(dojo, student_id=student["id"])
    refuse(dojo, code="session_full", class_session_id=session["id"])
    refuse(dojo, created_at=NOW - timedelta(days=3), code="card_shared")
    desk = visitor(dojo, "assistant")

    def shown(query: str) -> int:
        return int(desk.get(f"/desk/refusals?{query}").content.decode().count("<time datetime="))

    assert shown("") == 3
    assert shown("from=2026-06-15") == 2
    assert shown("to=2026-06-14") == 1
    assert shown("code=session_full") == 1
    assert shown(f"student={student['id']}") == 1
    assert shown(f"class_session={session['id']}") == 1
    assert shown(f"class_session={session['id']}&code=qr_expired") == 0
    narrowed = text_of(desk.get(f"/desk/refusals?student={student['id']}"))
    assert "Mika Sato Show all" in narrowed
    assert "None was refused in this selection." in text_of(desk.get("/desk/refusals?code=not_enrolled"))


def test_an_odd_filter_is_refused_and_an_unknown_student_not_found(dojo: Dojo) -> None:
    desk = visitor(dojo, "assistant")
    assert desk.get("/desk/refusals?from=yesterday").status_code == 400
    assert desk.get("/desk/refusals?cursor=odd").status_code == 400
    unknown = "019775a0-0000-7000-8000-000000000000"
    assert desk.get(f"/desk/refusals?student={unknown}").status_code == 404


def test_a_wrong_clock_of_a_device_is_shown(dojo: Dojo) -> None:
    refuse(dojo, scanned_at=NOW - timedelta(days=1), code="clock_unreliable")
    assert "by the device's clock: 14 Jun 2026, 18:40" in text_of(
        visitor(dojo, "admin").get("/desk/refusals")
    )


def test_a_dojo_without_refusals_reads_what_belongs_here(dojo: Dojo) -> None:
    assert "Every code that was shown was let in." in text_of(visitor(dojo, "admin").get("/desk/refusals"))


def test_each_reason_has_words_in_the_language_of_the_reader() -> None:
    errors = {
        one.code for one in DomainError.__subclasses__() if one.__module__ == "tenant_apps.attendance.errors"
    }
    assert errors - NOT_LISTED <= reasons().keys()
    assert errors > NOT_AT_A_KIOSK & NOT_LISTED
    assert reason_of("session_full") == "This class session is full."
    with override("pt-br"):
        assert reason_of("session_full") != "This class session is full."
    assert reason_of("of_a_later_version") == "Of a later version"


def test_the_number_of_statements_does_not_depend_on_the_rows(dojo: Dojo) -> None:
    desk = visitor(dojo, "assistant")
    student = factories.student(dojo)
    refuse(dojo, student_id=student["id"])
    desk.get("/desk/refusals")
    few = count_statements(lambda: desk.get("/desk/refusals"))
    for number in range(10):
        refuse(dojo, student_id=factories.student(dojo, first_name=f"Mika {number}")["id"])
    assert count_statements(lambda: desk.get("/desk/refusals")) == few
    with clock.fixed(NOW):
        assert few <= 10
