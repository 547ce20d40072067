"""The profile of a student: what it shows, and the dialogs that change what is recorded."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from shared_apps.accounts.models import User
from tatami.tenancy.scope import tenant_scope
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.pages import text_of, visitor
from tests.support.responses import ok
from tests.support.statements import count_statements


@pytest.fixture
def mika(dojo: Dojo) -> dict[str, Any]:
    return factories.student(
        dojo,
        birth_date="2010-05-01",
        phone="030 1234",
        medical_notes="Asthma",
        guardians=[{"name": "Yuki Sato", "email": "yuki@example.com", "relation": "Mother"}],
    )


def path_of(student: dict[str, Any], rest: str = "") -> str:
    return f"/desk/students/{student['id']}{rest}"


def test_the_profile_shows_the_person_their_guardians_and_medical_notes(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    shown = text_of(visitor(dojo, "assistant").get(path_of(mika)))
    for text in ("Mika Sato", "age 16", "030 1234", "Asthma", "Yuki Sato", "Mother", "yuki@example.com"):
        assert text in shown


def test_the_profile_shows_ranks_progress_and_visits(dojo: Dojo, mika: dict[str, Any]) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, system["ranks"][0]["id"], "2026-01-10")
    session = factories.session_today(dojo, factories.training_class(dojo))
    factories.attendance(dojo, mika, session)
    page = visitor(dojo, "instructor").get(path_of(mika))
    shown = text_of(page)
    for text in (
        f"{system['ranks'][0]['name']} Aikikai Hombu grades, since 10 Jan 2026",
        f"{system['ranks'][1]['name']} Aikikai Hombu grades",
        "1 visit in a year, 1 in the last 30 days. The last one was on 15 June 2026.",
        "Evening class 18:40 · by hand",
        "Is an active student.",
    ):
        assert text in shown
    assert "15 June 2026: 1 session</title>" in page.content.decode()


def test_every_path_to_the_next_rank_is_shown_in_sentences(dojo: Dojo, mika: dict[str, Any]) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, system["ranks"][0]["id"], "2026-01-10")
    (step,) = ok(dojo.admin.post("/promotions/check", {"students": [mika["id"]]}))["results"]
    shown = text_of(visitor(dojo, "assistant").get(path_of(mika)))
    for path in step["paths"]:
        for criterion in path["criteria"]:
            assert criterion["message"] in shown


def test_training_that_is_not_known_can_be_entered_beside_the_rule(dojo: Dojo, mika: dict[str, Any]) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, system["ranks"][0]["id"], "2026-01-10")
    link = path_of(mika, "/facts/new?kind=opening_attendance")
    instructor = visitor(dojo, "instructor")
    (step,) = ok(dojo.admin.post("/promotions/check", {"students": [mika["id"]]}))["results"]
    is_unknown = [one["status"] for one in step["criteria"] if one["kind"] == "attendance_count"] == [
        "unknown"
    ]
    assert is_unknown
    assert link in instructor.get(path_of(mika)).content.decode()
    assert link not in visitor(dojo, "assistant").get(path_of(mika)).content.decode()
    factories.fact(dojo, mika, "opening_attendance", {"count": 0, "unit": "day"}, "2026-01-10")
    assert link not in instructor.get(path_of(mika)).content.decode()


def test_a_student_of_another_dojo_is_not_found(dojo: Dojo, other_dojo: Dojo) -> None:
    stranger = factories.student(other_dojo)
    browser = visitor(dojo, "admin")
    rests = (
        "",
        "/edit",
        "/card",
        "/visits",
        "/data",
        "/archive",
        "/erase",
        "/merge",
        "/notes/new",
        "/logins/new",
    )
    for rest in rests:
        assert browser.get(path_of(stranger, rest)).status_code == 404, rest
    for rest in ("/archive", "/restore", "/card"):
        assert browser.post(path_of(stranger, rest)).status_code == 404, rest


def test_the_old_address_of_a_merged_record_leads_to_the_one_that_was_kept(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    twin = factories.student(dojo)
    ok(dojo.admin.post(f"/students/{mika['id']}/merge", {"duplicate": twin["id"]}))
    assert visitor(dojo, "admin").get(path_of(twin))["Location"] == path_of(mika)


def test_roles_see_only_what_they_may_do(dojo: Dojo, mika: dict[str, Any]) -> None:
    # What each of them opens: for all staff, for teachers, for admins.
    staff, teachers, admins = (
        ("/edit", "/breaks/new", "/classes/new"),
        ("/notes/new", "/archive"),
        ("/merge", "/erase"),
    )
    for role, allowed in (
        ("assistant", staff),
        ("instructor", (*staff, *teachers)),
        ("admin", (*staff, *teachers, *admins)),
    ):
        browser = visitor(dojo, role)
        shown = browser.get(path_of(mika)).content.decode()
        for rest in (*staff, *teachers, *admins):
            assert (f'href="{path_of(mika, rest)}"' in shown) is (rest in allowed), (role, rest)
            assert (browser.get(path_of(mika, rest)).status_code == 200) is (rest in allowed), (role, rest)


def test_the_profile_needs_a_fixed_number_of_statements(dojo: Dojo, mika: dict[str, Any]) -> None:
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, mika, system["ranks"][0]["id"], "2026-01-10")

    def one_of_each(number: int) -> None:
        dojo.create(f"/students/{mika['id']}/notes", {"text": f"Note {number}"})
        factories.fact(dojo, mika, "document", f"Form {number}", "2026-01-01")
        factories.hold(dojo, mika, f"2025-0{number}-01", f"2025-0{number}-05")
        factories.attendance(dojo, mika, factories.single_session(dojo, f"2026-06-0{number}T16:30:00Z"))
        factories.link_user(dojo, dojo.person("student", f"parent{number}"), mika)
        entered = factories.training_class(dojo, name=f"Class {number}")
        dojo.create(f"/classes/{entered['id']}/enrolments", {"student": mika["id"]})

    browser = visitor(dojo, "admin")
    one_of_each(1)
    before = count_statements(lambda: browser.get(path_of(mika)))
    for number in (2, 3, 4):
        one_of_each(number)
    assert count_statements(lambda: browser.get(path_of(mika))) == before == 31


# --- dialogs ------------------------------------------------------------------------------------------------------


def test_a_dialog_is_a_part_for_htmx_and_a_page_without_it(dojo: Dojo, mika: dict[str, Any]) -> None:
    browser = visitor(dojo, "instructor")
    part, page = browser.fragment(path_of(mika, "/notes/new")), browser.get(path_of(mika, "/notes/new"))
    assert b"<html" not in part.content
    assert b"<html" in page.content
    assert "New note" in text_of(part)
    assert "New note" in text_of(page)


def test_a_note_is_written_changed_and_deleted_by_its_author(dojo: Dojo, mika: dict[str, Any]) -> None:
    browser = visitor(dojo, "instructor")
    assert browser.post(path_of(mika, "/notes/new"), {"text": "Ukemi"})["Location"] == path_of(mika)
    assert "The note is saved." in text_of(browser.get(path_of(mika)))
    (note,) = ok(dojo.instructor.get(f"/students/{mika['id']}/notes"))["results"]
    assert "Ukemi" in browser.get(path_of(mika, f"/notes/{note['id']}")).content.decode()
    browser.post(path_of(mika, f"/notes/{note['id']}"), {"text": "Ukemi is fine"})
    assert "Ukemi is fine" in text_of(browser.get(path_of(mika)))
    browser.post(path_of(mika, f"/notes/{note['id']}/delete"))
    assert "Ukemi" not in text_of(browser.get(path_of(mika)))


def test_a_note_of_somebody_else_cannot_be_changed_and_that_is_not_offered(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    note = dojo.create(f"/students/{mika['id']}/notes", {"text": "By the admin"})
    browser = visitor(dojo, "instructor")
    assert f"/notes/{note['id']}" not in browser.get(path_of(mika)).content.decode()
    refused = browser.post(path_of(mika, f"/notes/{note['id']}"), {"text": "Changed"})
    assert refused.status_code == 403
    assert "Only the author or an admin can change a note." in text_of(refused)


def test_after_a_dialog_htmx_loads_the_profile_again(dojo: Dojo, mika: dict[str, Any]) -> None:
    done = visitor(dojo, "instructor").post(path_of(mika, "/notes/new"), {"text": "Ukemi"}, HX_Request="true")
    assert done["HX-Redirect"] == path_of(mika)


def test_the_faults_of_a_dialog_stand_at_their_fields_and_keep_what_was_entered(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    entered = {"first_day": "2026-06-10", "until": "2026-06-01", "reason": "Knee"}
    refused = visitor(dojo, "assistant").post(path_of(mika, "/breaks/new"), entered, HX_Request="true")
    assert refused.status_code == 400
    assert "This is before the first day." in text_of(refused)
    assert 'value="Knee"' in refused.content.decode()
    assert ok(dojo.admin.get(f"/students/{mika['id']}/holds"))["count"] == 0


def test_a_break_is_entered_and_ended(dojo: Dojo, mika: dict[str, Any]) -> None:
    browser = visitor(dojo, "assistant")
    browser.post(path_of(mika, "/breaks/new"), {"first_day": "2026-06-10", "until": "", "reason": "Knee"})
    assert "On hold" in text_of(browser.get(path_of(mika)))
    (hold,) = ok(dojo.admin.get(f"/students/{mika['id']}/holds"))["results"]
    ended = {"first_day": "2026-06-10", "until": "2026-06-14", "reason": "Knee"}
    browser.post(path_of(mika, f"/breaks/{hold['id']}"), ended)
    assert "On hold" not in text_of(browser.get(path_of(mika)))


@pytest.mark.parametrize(
    ("kind", "entered", "value"),
    [
        ("opening_attendance", {"value": "30", "unit": "hour"}, {"count": 30, "unit": "hour"}),
        ("points", {"value": "2.5", "category": ""}, 2.5),
        ("points", {"value": "3", "category": "kata"}, {"points": 3, "category": "kata"}),
        ("document", {"value": "Consent"}, "Consent"),
    ],
)
def test_a_fact_has_the_fields_of_its_kind(
    dojo: Dojo, mika: dict[str, Any], kind: str, entered: dict[str, str], value: Any
) -> None:
    browser = visitor(dojo, "instructor")
    form = browser.get(path_of(mika, f"/facts/new?kind={kind}")).content.decode()
    assert all(f'name="{name}"' in form for name in entered)
    browser.post(path_of(mika, f"/facts/new?kind={kind}"), {**entered, "on": "2026-06-01", "rank_system": ""})
    (fact,) = ok(dojo.admin.get(f"/students/{mika['id']}/facts"))["results"]
    assert (fact["kind"], fact["value"]) == (kind, value)
    browser.post(path_of(mika, f"/facts/{fact['id']}/void"), {"reason": "Mistyped"})
    assert ok(dojo.admin.get(f"/students/{mika['id']}/facts"))["results"][0]["voided"]


def test_a_number_that_is_none_is_said_at_its_field(dojo: Dojo, mika: dict[str, Any]) -> None:
    entered = {"value": "many", "unit": "day", "on": "2026-06-01", "rank_system": ""}
    refused = visitor(dojo, "instructor").post(path_of(mika, "/facts/new?kind=opening_attendance"), entered)
    assert refused.status_code == 400
    assert "A whole number from 0 to 100000 is needed." in text_of(refused)


def test_a_rank_is_recorded_awarded_and_taken_back_with_a_reason(dojo: Dojo, mika: dict[str, Any]) -> None:
    system = factories.rank_system(dojo)
    first, second = (rank["id"] for rank in system["ranks"][:2])
    browser = visitor(dojo, "instructor")
    recorded = {"rank": first, "kind": "import", "effective_on": "2026-01-10", "note": ""}
    browser.post(path_of(mika, "/ranks/new"), recorded)
    award = {"effective_on": "2026-06-15", "override_reason": ""}
    refused = browser.post(path_of(mika, f"/ranks/{second}/award"), award)
    assert refused.status_code == 409
    assert 'class="notice error"' in refused.content.decode()
    browser.post(path_of(mika, f"/ranks/{second}/award"), {**award, "override_reason": "Seminar"})
    events = ok(dojo.admin.get(f"/students/{mika['id']}/rank-events"))["results"]
    assert [event["rank"]["id"] for event in events] == [second, first]
    browser.post(path_of(mika, f"/ranks/{events[0]['id']}/void"), {"reason": "Wrong person"})
    assert "1 entry was taken back" in text_of(browser.get(path_of(mika)))


def test_a_visit_is_recorded_for_a_session_of_the_day_and_taken_back(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    session = factories.single_session(dojo, "2026-06-12T16:30:00Z", name="Seminar")
    browser = visitor(dojo, "instructor")
    assert "There is no session on this day." in text_of(
        browser.get(path_of(mika, "/visits/new?day=2026-06-11"))
    )
    assert "18:30 Seminar" in text_of(browser.get(path_of(mika, "/visits/new?day=2026-06-12")))
    entered = {"class_session": session["id"], "late": "on"}
    assert browser.post(path_of(mika, "/visits/new?day=2026-06-12"), entered).status_code == 302
    (visit,) = ok(dojo.admin.get(f"/students/{mika['id']}/attendance"))["results"]
    assert visit["late"]
    browser.post(path_of(mika, f"/visits/{visit['id']}/void"), {"reason": "Was ill"})
    assert "taken back: Was ill" in text_of(browser.get(path_of(mika)))


def test_an_assistant_is_offered_to_take_back_only_their_own_visits_of_today(
    dojo: Dojo, mika: dict[str, Any]
) -> None:
    by_admin = factories.attendance(dojo, mika, factories.session_today(dojo, factories.training_class(dojo)))
    other = factories.single_session(dojo, "2026-06-12T16:30:00Z")
    body = {"student": mika["id"], "class_session": other["id"]}
    own = dojo.assistant.post("/attendance", body).json()["attendance"]
    shown = visitor(dojo, "assistant").get(path_of(mika)).content.decode()
    assert f"/visits/{own['id']}/void" in shown
    assert f"/visits/{by_admin['id']}/void" not in shown


def test_all_visits_are_listed_page_by_page(dojo: Dojo, mika: dict[str, Any]) -> None:
    first = datetime(2026, 4, 1, 16, 30, tzinfo=UTC)
    for number in range(51):
        starts_at = (first + timedelta(days=number)).isoformat()
        factories.attendance(dojo, mika, factories.single_session(dojo, starts_at, name=f"Session {number}"))
    browser = visitor(dojo, "assistant")
    newest = browser.get(path_of(mika, "/visits"))
    assert ("Session 50 " in text_of(newest), "Session 0 " in text_of(newest)) == (True, False)
    (older,) = re.findall(r'rel="next" href="([^"]+)"', newest.content.decode())
    oldest = text_of(browser.get(path_of(mika, "/visits") + unescape(older)))
    assert ("Session 50 " in oldest, "Session 0 " in oldest) == (False, True)
    assert "Older" not in oldest


def test_a_student_is_enrolled_and_the_enrolment_ends(dojo: Dojo, mika: dict[str, Any]) -> None:
    evening = factories.training_class(dojo)
    browser = visitor(dojo, "assistant")
    browser.post(path_of(mika, "/classes/new"), {"class_id": evening["id"], "first_day": "2026-06-01"})
    assert "Evening class since 1 June 2026" in text_of(browser.get(path_of(mika)))
    browser.post(path_of(mika, f"/classes/{evening['id']}/end"), {"until": ""})
    assert "In no class yet." in text_of(browser.get(path_of(mika)))


def test_a_parent_is_invited_with_the_address_of_the_guardian(dojo: Dojo, mika: dict[str, Any]) -> None:
    browser = visitor(dojo, "admin")
    assert 'value="yuki@example.com"' in browser.get(path_of(mika, "/logins/new")).content.decode()
    browser.post(path_of(mika, "/logins/new"), {"email": "yuki@example.com", "name": "Yuki Sato"})
    with tenant_scope(dojo.tenant):
        user = User.objects.get(email="yuki@example.com")
    invited = ok(dojo.admin.get(f"/users/{user.pk}"))
    assert (invited["role"], [one["id"] for one in invited["students"]]) == ("student", [mika["id"]])


def test_a_parent_who_has_a_login_already_keeps_the_other_children(dojo: Dojo, mika: dict[str, Any]) -> None:
    sibling = factories.student(dojo, first_name="Ren")
    factories.link_user(dojo, dojo.student, sibling)
    browser = visitor(dojo, "admin")
    browser.post(path_of(mika, "/logins/new"), {"email": "STUDENT@example.com", "name": ""})
    assert dojo.student.user is not None
    route = f"/users/{dojo.student.user.pk}"
    assert {one["id"] for one in ok(dojo.admin.get(route))["students"]} == {mika["id"], sibling["id"]}
    browser.post(path_of(mika, f"/logins/{dojo.student.user.pk}/end"))
    assert {one["id"] for one in ok(dojo.admin.get(route))["students"]} == {sibling["id"]}


def test_the_personal_data_are_a_file(dojo: Dojo, mika: dict[str, Any]) -> None:
    file = visitor(dojo, "admin").get(path_of(mika, "/data"))
    assert file["Content-Disposition"] == f'attachment; filename="{mika["id"]}.json"'
    assert b"Asthma" in file.content
