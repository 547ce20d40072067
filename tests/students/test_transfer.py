"""A student moves to another dojo: the export of the person there is taken in here, with their history."""

from typing import Any

import pytest

from tenant_apps.students.transfer import MOST_ROWS
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_created, assert_error, assert_invalid, ok
from tests.support.statements import count_statements

PATH = "/students/transfers"
TRAINED = ("2025-03-03", "2025-03-04", "2025-06-02", "2025-06-01", "2025-06-03", "2026-06-01")


@pytest.fixture
def document(dojo: Dojo) -> dict[str, Any]:
    return exported_person(dojo)


def exported_person(dojo: Dojo) -> dict[str, Any]:
    """Return the export of a student with everything."""
    art = factories.discipline(dojo, "Aikido")
    system = factories.rank_system(dojo, discipline=art["id"])
    parent = {"name": "Hana Sato", "email": "hana@example.com", "phone": "030 1", "relation": "mother"}
    who = factories.student(
        dojo,
        birth_date="2012-03-01",
        preferred_name="Mi",
        name_order="family_first",
        medical_notes="Asthma",
        external_id="M-77",
        guardians=[parent],
    )
    path = f"/students/{who['id']}"
    dojo.create(f"{path}/notes", {"text": "Left knee"})
    factories.hold(dojo, who, "2025-08-01", "2025-08-31", reason="A broken arm")
    factories.fact(dojo, who, "skill", "Ukemi", "2025-05-01", rank_system=system["id"])
    factories.fact(dojo, who, "points", {"points": 3, "category": "kata"}, "2025-05-01")
    voided = factories.fact(dojo, who, "skill", "Typing error", "2025-05-01")
    ok(dojo.admin.post(f"/facts/{voided['id']}/void", {"reason": "Wrong person"}))
    factories.fact(dojo, who, "approval", "Test", "2025-05-01")
    factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2025-01-10")
    award = {"student": who["id"], "target_rank": factories.rank_id(system, "4-kyu")}
    ok(
        dojo.admin.post("/promotions", {**award, "effective_on": "2025-06-02", "override_reason": "Seminar"}),
        201,
    )
    for day in TRAINED:
        session = factories.single_session(dojo, starts_at=f"{day}T16:00:00Z", discipline=art["id"])
        factories.attendance(dojo, who, session)
    exported: dict[str, Any] = ok(dojo.admin.get(f"{path}/export"))
    return exported


@pytest.fixture
def system(other_dojo: Dojo) -> dict[str, Any]:
    return renamed_system(other_dojo)


def renamed_system(other_dojo: Dojo) -> dict[str, Any]:
    """Return a rank system of the dojo that takes the student in: made from the same preset, with another name."""
    art = factories.discipline(other_dojo, "AIKIDŌ")
    made = factories.rank_system(other_dojo, discipline=art["id"])
    renamed = ok(other_dojo.admin.patch(f"/rank-systems/{made['id']}", {"name": "Our grades"}))
    return {**made, "name": renamed["name"]}


def test_a_student_moves_with_their_history(other_dojo: Dojo, document: Any, system: Any) -> None:
    response = other_dojo.admin.post(PATH, document)
    body = assert_created(other_dojo.admin, response)
    assert body["imported"] == {
        "attendance": 6, "facts": 2, "guardians": 1, "holds": 1, "notes": 1, "rank_events": 2,
    }  # fmt: skip
    assert [(one["what"], one["value"]) for one in body["left_out"]] == [("facts", "Test")]
    path = f"/students/{body['student']['id']}"
    shown = ok(other_dojo.admin.get(path))
    kept = ("first_name", "preferred_name", "name_order", "birth_date", "external_id", "medical_notes")
    assert {name: shown[name] for name in kept} == {name: document["student"][name] for name in kept}
    assert shown["id"] != document["student"]["id"]
    assert (shown["name"], body["student"]["name"]) == ("Sato Mika", "Sato Mika")
    assert [(one["name"], one["relation"]) for one in shown["guardians"]] == [("Hana Sato", "mother")]
    assert [(one["code"], one["rank_system"]["name"], one["since"]) for one in shown["ranks"]] == [
        ("4-kyu", "Our grades", "2025-06-02")
    ]
    events = ok(other_dojo.admin.get(f"{path}/rank-events"))["results"]
    assert [(one["kind"], one["effective_on"], one["note"]) for one in events] == [
        ("import", "2025-06-02", "Awarded by Seishin Dojo"),
        ("import", "2025-01-10", ""),
    ]
    facts = ok(other_dojo.admin.get(f"{path}/facts"))["results"]
    assert [(one["value"], one["on"]) for one in facts if one["kind"] == "opening_attendance"] == [
        (2, "2026-06-01"),
        (4, "2025-06-01"),
    ]
    assert {one["kind"] for one in facts} == {"opening_attendance", "skill", "points"}
    (note,) = ok(other_dojo.admin.get(f"{path}/notes"))["results"]
    assert (note["text"], note["created_at"]) == ("Left knee", document["notes"][0]["created_at"])
    (hold,) = ok(other_dojo.admin.get(f"{path}/holds"))["results"]
    assert (hold["from"], hold["until"], hold["reason"]) == ("2025-08-01", "2025-08-31", "A broken arm")


def test_days_of_training_since_the_rank_count_here(other_dojo: Dojo, document: Any, system: Any) -> None:
    rules = ok(other_dojo.admin.get(f"/rank-systems/{system['id']}/rules"))
    assert "attendance_count" in str(rules)
    who = ok(other_dojo.admin.post(PATH, document), 201)["student"]
    checked = ok(other_dojo.admin.post("/promotions/check", {"students": [who["id"]]}))["results"][0]
    (visits,) = [one for one in checked["criteria"] if one["kind"] == "attendance_count"]
    assert "2" in str(visits["have"])


def test_what_this_dojo_does_not_have_is_left_out_and_listed(other_dojo: Dojo, document: Any) -> None:
    body = ok(other_dojo.admin.post(PATH, document), 201)
    assert {one["what"] for one in body["left_out"]} == {"rank_events", "facts", "attendance"}
    assert body["imported"] == {
        "attendance": 0, "facts": 1, "guardians": 1, "holds": 1, "notes": 1, "rank_events": 0,
    }  # fmt: skip


def test_a_document_that_is_sent_twice_is_refused(other_dojo: Dojo, document: Any, system: Any) -> None:
    first = ok(other_dojo.admin.post(PATH, document), 201)["student"]
    details = assert_error(other_dojo.admin.post(PATH, document), 409, "possible_duplicate")
    assert [one["id"] for one in details["possible_duplicates"]] == [first["id"]]
    second = ok(other_dojo.admin.post(f"{PATH}?allow_duplicates=true", document), 201)["student"]
    assert ok(other_dojo.admin.get(f"/students/{second['id']}"))["external_id"] is None


def test_a_preview_writes_nothing(other_dojo: Dojo, document: Any, system: Any) -> None:
    preview = ok(other_dojo.admin.post(f"{PATH}?dry_run=true", document))
    assert (preview["student"], preview["dry_run"]) == (None, True)
    audit = other_dojo.admin.get("/audit").json()["results"]
    assert not [row for row in audit if row["action"].startswith("student-transfers")]
    assert ok(other_dojo.admin.get("/students"))["count"] == 0
    made = ok(other_dojo.admin.post(PATH, document), 201)
    assert (made["imported"], made["left_out"]) == (preview["imported"], preview["left_out"])


@pytest.mark.parametrize(
    ("part", "value", "path"),
    [
        ("student", None, "student"),
        ("student", {"last_name": "Sato"}, "student.first_name"),
        ("student", {"first_name": "Mika", "birth_date": "1012-01-01"}, "student.birth_date"),
        ("rank_events", [{"kind": "award"}], None),
        ("facts", [{"kind": "points", "value": "many", "on": "2026-01-01"}], "facts.0.value"),
        ("holds", [{"from": "2026-02-01", "until": "2026-01-01"}], "holds.0.until"),
        ("attendance", [{"local_date": "2026-02-30"}], "attendance.0.local_date"),
        ("attendance", [{"local_date": "2026-02-01"}] * (MOST_ROWS + 1), None),
        ("notes", "Left knee", None),
    ],
)
def test_a_damaged_document_is_refused_and_nothing_is_written(
    dojo: Dojo, part: str, value: Any, path: str | None
) -> None:
    document = {"student": {"first_name": "Mika"}, part: value}
    response = dojo.admin.post(PATH, document)
    if path is None:
        assert_error(response, 400, "validation_error")
    else:
        assert_invalid(response, path)
    assert ok(dojo.admin.get("/students"))["count"] == 0


def test_the_number_of_statements_does_not_depend_on_the_size(
    other_dojo: Dojo, document: Any, system: Any
) -> None:
    def take_in(times: int) -> int:
        parts = ("notes", "facts", "attendance", "rank_events")
        large = {**document, **{part: document[part] * times for part in parts}}
        return count_statements(lambda: ok(other_dojo.admin.post(f"{PATH}?dry_run=true", large)))

    assert take_in(1) == take_in(20)


@pytest.mark.parametrize("part", ["belts", "rank_event", "", "Student", "tenant_id"])
def test_a_part_that_no_export_has_is_refused_by_its_name(other_dojo: Dojo, part: str) -> None:
    body = {"student": {"first_name": "Jigoro"}, part: []}
    details = assert_error(other_dojo.admin.post(PATH, body), 400, "validation_error")
    assert list(details) == [part or "non_field_errors"]
    assert ok(other_dojo.admin.get("/students"))["count"] == 0


def test_all_parts_of_an_export_are_accepted(other_dojo: Dojo, document: Any) -> None:
    assert {"enrolments", "exams", "users", "exported_at"} <= set(document)
    ok(other_dojo.admin.post(f"{PATH}?dry_run=true", document))
