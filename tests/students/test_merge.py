"""Two records of one person: a warning when the second one is entered, and the merge of both."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.students import merging, privacy
from tenant_apps.students.models import Guardian, Student
from tests.students.erasure import personal_traces
from tests.support import factories
from tests.support.clients import Caller, Dojo
from tests.support.responses import assert_error, assert_invalid, ok


def merge(dojo: Dojo, kept: dict[str, Any], duplicate: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"duplicate": duplicate["id"], **more}
    merged: dict[str, Any] = ok(dojo.admin.post(f"/students/{kept['id']}/merge", body))
    return merged


def listed(caller: Caller, path: str) -> list[dict[str, Any]]:
    return list(ok(caller.get(path))["results"])


def decided(merged: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["what"], one["rule"]) for one in merged["conflicts"]}


def test_every_table_that_refers_to_a_student_has_a_rule() -> None:
    names = {f"{model._meta.label}.{field}" for model, field in merging.references()}
    assert {"attendance.Attendance.student", "students.Student.merged_into"} <= names
    assert merging.references_without_rule() == []
    assert privacy.unregistered_models() == []


# --- possible duplicates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        {"first_name": "Zoë", "last_name": "O'Brien"},
        {"first_name": "ZOE", "last_name": "O'Brien", "birth_date": "2012-03-01"},
        {"first_name": "O'Brien", "last_name": "Zoë"},
        {"first_name": "Zo", "last_name": "O'Brien"},
    ],
)
@pytest.mark.parametrize("order", ["given_first", "family_first"])
def test_a_new_student_names_those_who_may_be_the_same_person(
    dojo: Dojo, other_dojo: Dojo, again: dict[str, Any], order: str
) -> None:
    ok(dojo.admin.patch("/settings", {"name_order": order}))
    person = {"first_name": "Zoë", "last_name": "O'Brien", "preferred_name": "Zo", "birth_date": "2012-03-01"}
    for here in (dojo, other_dojo):
        assert "possible_duplicates" not in here.create("/students", person)
    (first,) = listed(dojo.admin, "/students")
    ok(dojo.admin.delete(f"/students/{first['id']}"), 204)
    second = ok(dojo.assistant.post("/students", again), 201)
    assert second["possible_duplicates"] == [
        {
            "id": first["id"],
            "name": first["name"],
            "birth_date": "2012-03-01",
            "external_id": None,
            "archived": True,
        }
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"first_name": "Zoë", "last_name": "O'Brien", "birth_date": "2011-03-01"},
        {"first_name": "Zoë", "last_name": "Brien"},
        {"first_name": "Zoë", "last_name": ""},
    ],
)
def test_another_birth_date_or_name_is_another_person(dojo: Dojo, other: dict[str, Any]) -> None:
    dojo.create("/students", {"first_name": "Zoë", "last_name": "O'Brien", "birth_date": "2012-03-01"})
    assert "possible_duplicates" not in dojo.create("/students", other)


# --- the merge ----------------------------------------------------------------------------------------------------


def test_everything_moves_and_the_old_id_leads_to_the_kept_record(dojo: Dojo) -> None:
    kept = factories.student(dojo)
    parent = {"name": "Hana Sato", "email": "hana@example.com", "relation": "mother"}
    old = factories.student(
        dojo, phone="030 1", external_id="M-77", birth_date="2012-03-01", guardians=[parent]
    )
    training_class = factories.training_class(dojo)
    dojo.create(f"/classes/{training_class['id']}/enrolments", {"student": old["id"]})
    attended = factories.attendance(dojo, old, factories.session_today(dojo, training_class))
    card = factories.qr_token(dojo.admin, old, kind="card")
    dojo.create(f"/students/{old['id']}/notes", {"text": "Left knee"})
    factories.fact(dojo, old, "points", 3, "2026-01-01")
    factories.hold(dojo, old, "2026-01-01", "2026-01-31")
    system = factories.rank_system(dojo)
    _, event = factories.passed_exam(dojo, system, old, factories.rank_id(system, "5-kyu"))
    factories.link_user(dojo, dojo.student, old)
    factories.notification(dojo, old)

    merged = merge(dojo, kept, old)
    assert merged["conflicts"] == []
    assert merged["moved"] == dict.fromkeys(
        [
            "attendance",
            "cards",
            "enrolments",
            "exams",
            "facts",
            "guardians",
            "holds",
            "notes",
            "rank_events",
            "users",
        ],
        1,
    ) | {"mails": merged["moved"]["mails"]}
    shown = ok(dojo.admin.get(f"/students/{kept['id']}"))
    assert {name: shown[name] for name in ("phone", "external_id", "birth_date")} == {
        "phone": "030 1",
        "external_id": "M-77",
        "birth_date": "2012-03-01",
    }
    assert [one["name"] for one in shown["guardians"]] == ["Hana Sato"]
    assert [one["code"] for one in shown["ranks"]] == ["5-kyu"]
    path = f"/students/{kept['id']}"
    assert [row["id"] for row in listed(dojo.admin, f"{path}/attendance")] == [attended["id"]]
    assert [row["id"] for row in listed(dojo.admin, f"{path}/rank-events")] == [event["id"]]
    for records in ("notes", "facts", "holds"):
        assert len(listed(dojo.admin, f"{path}/{records}")) == 1
    assert [one["id"] for one in ok(dojo.student.get("/me"))["students"]] == [kept["id"]]
    assert ok(dojo.admin.post("/attendance/scan", {"token": card}))["status"] == "already_recorded"
    assert dojo.admin.get(f"/rank-events/{event['id']}/certificate.pdf").status_code == 200
    assert len(ok(dojo.admin.get(f"{path}/export"))["notifications"]) >= 1

    into = {"id": kept["id"], "name": "Mika Sato"}
    for sub in ("", "/notes", "/attendance", "/rank-events", "/export"):
        details = assert_error(dojo.admin.get(f"/students/{old['id']}{sub}"), 404, "not_found")
        assert details == {"merged_into": into}
    for response in (
        dojo.assistant.patch(f"/students/{old['id']}", {"phone": "1"}),
        dojo.instructor.delete(f"/students/{old['id']}"),
        dojo.admin.post(f"/students/{old['id']}/erasure", {"confirm": old["id"]}),
        dojo.admin.post(f"/students/{old['id']}/card", {}),
        dojo.admin.post(f"/students/{old['id']}/merge", {"duplicate": kept["id"]}),
    ):
        assert assert_error(response, 404, "not_found") == {"merged_into": into}
    assert assert_error(dojo.student.get(f"/students/{old['id']}"), 404, "not_found") == {}
    assert ok(dojo.admin.get("/students"))["count"] == 1


def test_a_dry_run_reports_the_same_and_writes_nothing(dojo: Dojo) -> None:
    kept = factories.student(dojo, email="a@example.com")
    old = factories.student(dojo, email="b@example.com", phone="030 1")
    for who in (kept, old):
        factories.attendance(dojo, who, factories.single_session(dojo))
    before = [ok(dojo.admin.get(f"/students/{who['id']}")) for who in (kept, old)]
    preview = merge(dojo, kept, old, dry_run=True)
    assert (preview["dry_run"], preview["moved"]) == (True, {"attendance": 1})
    assert not [row for row in dojo.admin.get("/audit").json()["results"] if "merge" in row["action"]]
    assert [ok(dojo.admin.get(f"/students/{who['id']}")) for who in (kept, old)] == before
    assert merge(dojo, kept, old) == {**preview, "dry_run": False}


def test_both_at_one_session_count_once_by_the_earlier_check_in(dojo: Dojo) -> None:
    kept, old = factories.student(dojo), factories.student(dojo)
    rows = {}
    for minute, first in ((0, kept), (1, old)):
        session = factories.single_session(dojo, starts_at=f"2026-06-1{minute}T16:00:00Z")
        for place, who in enumerate((first, kept if first is old else old)):
            at = f"2026-06-1{minute}T16:0{place}:00Z"
            body = {"student": who["id"], "class_session": session["id"], "checked_in_at": at}
            rows[minute, place] = ok(dojo.admin.post("/attendance", body), 201)["attendance"]["id"]
    merged = merge(dojo, kept, old)
    assert decided(merged) == {("attendance", "earlier_check_in")}
    shown = {row["id"]: row["voided"] for row in listed(dojo.admin, f"/students/{kept['id']}/attendance")}
    assert shown == {rows[0, 0]: False, rows[0, 1]: True, rows[1, 0]: False, rows[1, 1]: True}


@pytest.mark.parametrize(
    ("kept", "other", "is_one"),
    [
        ({"phone": "0049 30 4711"}, {"phone": "+49 (30) 4711"}, True),
        ({"phone": "030 471147", "relation": "father"}, {"phone": "030 471147", "relation": "Father"}, True),
        ({"phone": "030 471147", "relation": "father"}, {"phone": "030 471147", "relation": "uncle"}, False),
        ({"phone": "030 471147", "email": "a@example.com"}, {"phone": "030 471147", "email": "b@example.com"}, False),
        ({"phone": "123456"}, {"phone": "123456"}, False),
    ],
)  # fmt: skip
def test_guardians_are_one_by_the_evidence_of_imports(
    dojo: Dojo, kept: dict[str, str], other: dict[str, str], is_one: bool
) -> None:
    students = [factories.student(dojo, guardians=[{"name": "José Silva", **one}]) for one in (kept, other)]
    merged = merge(dojo, *students)
    assert (("guardians", "same_guardian") in decided(merged)) is is_one
    assert len(ok(dojo.admin.get(f"/students/{students[0]['id']}"))["guardians"]) == (1 if is_one else 2)


def test_each_conflict_is_listed_and_decided_by_a_named_rule(dojo: Dojo) -> None:
    parent = {"name": "Hana Sato", "phone": "030 4711", "relation": "mother"}
    stranger = {"name": "Hana Sato", "phone": "000"}
    kept = factories.student(dojo, joined_on="2025-02-01", medical_notes="Asthma", guardians=[parent])
    old = factories.student(
        dojo,
        first_name="Mica",
        joined_on="2024-01-01",
        medical_notes="Nut allergy",
        gender="f",
        guardians=[{**parent, "email": "hana@example.com"}, stranger],
    )
    training_class = factories.training_class(dojo)
    exam = factories.exam(dojo, system := factories.rank_system(dojo))
    for who in (kept, old):
        dojo.create(f"/classes/{training_class['id']}/enrolments", {"student": who["id"]})
        factories.fact(dojo, who, "opening_attendance", 10 if who is kept else 12, "2026-01-01")
        factories.fact(dojo, who, "skill", "Ukemi", "2026-01-01")
        factories.candidate(dojo, exam, who, factories.rank_id(system, "5-kyu"))
        factories.qr_token(dojo.admin, who, kind="card")
    factories.hold(dojo, kept, "2026-01-01", "2026-01-10")
    factories.hold(dojo, old, "2026-01-05", "2026-02-10")
    factories.hold(dojo, old, "2026-03-01", "2026-03-10")
    factories.link_user(dojo, dojo.student, kept, old)
    factories.batch(dojo, kept, old)
    merged = merge(dojo, kept, old)
    assert decided(merged) == {
        ("name", "kept_record_wins"),
        ("joined_on", "earlier_date"),
        ("guardians", "same_guardian"),
        ("enrolments", "kept_record_wins"),
        ("facts", "one_opening_balance"),
        ("facts", "same_fact"),
        ("exams", "one_candidacy"),
        ("cards", "one_valid_card"),
        ("holds", "joined_hold"),
        ("users", "kept_record_wins"),
        ("batch_items", "kept_record_wins"),
    }
    shown = ok(dojo.admin.get(f"/students/{kept['id']}"))
    assert (shown["name"], shown["joined_on"], shown["gender"]) == ("Mika Sato", "2024-01-01", "f")
    assert shown["medical_notes"] == "Asthma\n\nNut allergy"
    assert [one["phone"] for one in shown["guardians"]] == ["030 4711", "000"]
    facts = listed(dojo.admin, f"/students/{kept['id']}/facts")
    assert sorted(str(fact["value"]) for fact in facts if not fact["voided"]) == ["10", "Ukemi"]
    holds = listed(dojo.admin, f"/students/{kept['id']}/holds")
    assert [(hold["from"], hold["until"]) for hold in holds] == [
        ("2026-03-01", "2026-03-10"),
        ("2026-01-01", "2026-02-10"),
    ]
    with tenant_scope(dojo.tenant):
        assert Guardian.objects.count() == 2


def test_a_rank_that_both_records_have_counts_once(dojo: Dojo) -> None:
    kept, old = factories.student(dojo), factories.student(dojo)
    system = factories.rank_system(dojo)
    five, four = (factories.rank_id(system, code) for code in ("5-kyu", "4-kyu"))
    factories.rank_event(dojo, kept, five, "2025-03-01")
    factories.rank_event(dojo, old, five, "2025-01-01")
    award = {
        "student": old["id"],
        "target_rank": four,
        "effective_on": "2025-12-01",
        "override_reason": "Seminar",
    }
    awarded = ok(dojo.admin.post("/promotions", award), 201)
    factories.rank_event(dojo, kept, four, "2025-11-01")
    merged = merge(dojo, kept, old)
    assert decided(merged) == {("rank_events", "same_step")}
    events = listed(dojo.admin, f"/students/{kept['id']}/rank-events")
    live = [(event["effective_on"], event["kind"]) for event in events if not event["voided"]]
    assert live == [("2025-12-01", "award"), ("2025-01-01", "import")]
    assert len(events) == 4
    again = {**award, "student": kept["id"]}
    assert_error(dojo.admin.post("/promotions", again), 409, "already_awarded")
    assert [one["since"] for one in ok(dojo.admin.get(f"/students/{kept['id']}"))["ranks"]] == ["2025-12-01"]
    assert awarded["id"] in {event["id"] for event in events}


def test_awards_of_both_records_are_one_step_each(dojo: Dojo) -> None:
    kept, old = factories.student(dojo), factories.student(dojo)
    system = factories.rank_system(dojo)
    for who, month in ((kept, 2), (old, 1)):
        for code, year in (("5-kyu", 2024), ("4-kyu", 2025)):
            body = {
                "student": who["id"],
                "target_rank": factories.rank_id(system, code),
                "effective_on": f"{year}-0{month}-01",
                "override_reason": "Seminar",
            }
            ok(dojo.admin.post("/promotions", body), 201)
    merge(dojo, kept, old)
    events = listed(dojo.admin, f"/students/{kept['id']}/rank-events")
    assert [event["effective_on"] for event in events if not event["voided"]] == ["2025-01-01", "2024-01-01"]


def test_users_cannot_merge_rank_histories_of_their_own(dojo: Dojo) -> None:
    kept, old = factories.student(dojo), factories.student(dojo)
    system = factories.rank_system(dojo)
    factories.rank_event(dojo, old, factories.rank_id(system, "5-kyu"), "2025-01-01")
    factories.link_user(dojo, dojo.admin, kept)
    response = dojo.admin.post(f"/students/{kept['id']}/merge", {"duplicate": old["id"]})
    assert_error(response, 403, "permission_denied")
    assert ok(dojo.admin.get("/students"))["count"] == 2


def test_a_second_merge_is_refused_and_chains_lead_to_the_last_record(dojo: Dojo, other_dojo: Dojo) -> None:
    first, second, third = (factories.student(dojo) for _ in range(3))
    theirs = factories.student(other_dojo)
    path = f"/students/{second['id']}/merge"
    merge(dojo, second, first)
    details = assert_error(dojo.admin.post(path, {"duplicate": first["id"]}), 409, "already_merged")
    assert details["merged_into"]["id"] == second["id"]
    for wrong in (second["id"], theirs["id"], "x", None):
        assert_invalid(dojo.admin.post(path, {"duplicate": wrong}), "duplicate")
    assert merge(dojo, third, second)["moved"] == {"merged_records": 1}
    details = assert_error(dojo.admin.get(f"/students/{first['id']}"), 404, "not_found")
    assert details["merged_into"]["id"] == third["id"]


def test_an_erasure_reaches_what_came_from_the_duplicate(dojo: Dojo) -> None:
    kept = factories.student(dojo)
    old = factories.student(dojo, external_id="M-77", medical_notes="asthma", birth_date="1999-02-03")
    dojo.create(f"/students/{old['id']}/notes", {"text": "Sato's wrist"})
    dojo.admin.patch(f"/students/{old['id']}", {"preferred_name": "Mika"}, Idempotency_Key="patch")
    sibling = factories.student(dojo, first_name="Ren", last_name="Ito")
    factories.link_user(dojo, dojo.student, old, sibling)
    session = factories.single_session(dojo)
    scan = {"token": factories.session_qr_code(dojo.admin, session)["token"], "nonce": "1"}
    candidates = assert_error(dojo.student.post("/attendance/scan", scan), 409, "ambiguous_student")
    assert old["id"] in str(candidates)
    merge(dojo, kept, old)
    assert personal_traces(dojo.tenant)
    ok(dojo.admin.post(f"/students/{kept['id']}/erasure", {"confirm": kept["id"]}), 204)
    assert personal_traces(dojo.tenant) == set()
    assert assert_error(dojo.admin.get(f"/students/{old['id']}"), 404, "not_found") == {}
    with tenant_scope(dojo.tenant):
        assert [student.first_name for student in Student.objects.all()] == ["Ren"]


def test_a_merge_is_audited_without_names(dojo: Dojo) -> None:
    kept, old = factories.student(dojo), factories.student(dojo)
    merge(dojo, kept, old)
    (entry,) = listed(dojo.admin, f"/audit?object={kept['id']}&action=student-merge.post")
    assert entry["fields"] == ["duplicate"]
