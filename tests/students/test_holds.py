"""Holds: breaks from training with dates, and the status that follows from them."""

from datetime import UTC, date, datetime

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students.models import RankEvent, Student, status_on
from tests.students.csv_files import number_of_student_statements


@pytest.fixture
def mika(dojo):
    return dojo.create("/students", {"first_name": "Mika", "last_name": "Sato"})


def holds(student):
    return f"/students/{student['id']}/holds"


def status_of(dojo, student):
    return dojo.admin.get(f"/students/{student['id']}").json()["status"]


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        ("2026-06-15", "2026-06-15", "on_hold"),
        ("2026-06-01", None, "on_hold"),
        ("2026-06-01", "2026-06-14", "active"),
        ("2026-06-16", None, "active"),
    ],
)
def test_a_student_is_on_hold_from_the_first_to_the_last_day(dojo, mika, first, last, status):
    made = dojo.assistant.post(holds(mika), {"from": first, "until": last, "reason": "knee"})
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in ("from", "until", "reason")} == {
        "from": first,
        "until": last,
        "reason": "knee",
    }
    assert dojo.admin.get(made.headers["Location"]).json() == made.json()
    assert status_of(dojo, mika) == status
    assert [row["id"] for row in dojo.admin.get(f"/students?status={status}").json()["results"]] == [
        mika["id"]
    ]
    with tenant_scope(dojo.tenant):
        assert Student.objects.promotable(on=date(2026, 6, 15)).exists() is (status == "active")
        assert Student.objects.promotable().exists() is (status == "active")


def test_related_rows_can_be_annotated_with_the_status(dojo, mika):
    """A card, an enrolment or a rank event leads to the student's status in its own statement."""
    system = dojo.create("/rank-systems", {"preset": "fik-kendo"})
    event = {"rank": system["ranks"][0]["id"], "kind": "import", "effective_on": "2026-01-01"}
    dojo.create(f"/students/{mika['id']}/rank-events", event)
    dojo.create(holds(mika), {"from": "2026-06-15", "until": "2026-06-15"})
    with tenant_scope(dojo.tenant):
        for day, status in ((14, "active"), (15, "on_hold"), (16, "active")):
            rows = RankEvent.objects.annotate(shown=status_on(date(2026, 6, day), "student__"))
            assert [row.shown for row in rows] == [status]


def test_today_is_the_local_date_of_the_dojo(dojo, mika):
    """22:30 UTC is the next day in Berlin."""
    dojo.create(holds(mika), {"from": "2026-06-16"})
    assert status_of(dojo, mika) == "active"
    with clock.fixed(datetime(2026, 6, 15, 22, 30, tzinfo=UTC)):
        late = dojo.person("admin", "late").get(f"/students/{mika['id']}")
    assert late.json()["status"] == "on_hold"


@pytest.mark.parametrize("stored", ["trial", "inactive"])
def test_inactive_students_stay_inactive_during_a_hold(dojo, mika, stored):
    dojo.admin.patch(f"/students/{mika['id']}", {"status": stored})
    dojo.admin.post(holds(mika), {"from": "2026-06-01"})
    assert status_of(dojo, mika) == {"trial": "on_hold", "inactive": "inactive"}[stored]


def test_on_hold_cannot_be_set_as_status(dojo, mika):
    response = dojo.admin.patch(f"/students/{mika['id']}", {"status": "on_hold"})
    assert response.json()["error"]["details"] == {
        "status": ["Add a hold instead: the status follows from it."]
    }


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-05-01", None), ("2026-06-30", None), ("2026-06-10", "2026-06-20"), ("2026-05-01", "2026-06-01")],
)
def test_overlapping_holds_are_refused(dojo, mika, first, last):
    present = dojo.create(holds(mika), {"from": "2026-06-01", "until": "2026-06-30"})
    response = dojo.admin.post(holds(mika), {"from": first, "until": last})
    assert (response.status_code, response.json()["error"]["code"]) == (409, "hold_overlaps")
    assert response.json()["error"]["details"]["holds"] == [
        {"id": present["id"], "from": "2026-06-01", "until": "2026-06-30"}
    ]
    assert dojo.admin.get(holds(mika)).json()["count"] == 1


def test_consecutive_holds_are_accepted(dojo, mika):
    dojo.create(holds(mika), {"from": "2026-06-01", "until": "2026-06-30"})
    later = dojo.create(holds(mika), {"from": "2026-07-01"})
    response = dojo.admin.patch(f"{holds(mika)}/{later['id']}", {"from": "2026-06-30"})
    assert response.json()["error"]["code"] == "hold_overlaps"
    response = dojo.admin.patch(f"{holds(mika)}/{later['id']}", {"until": "2026-07-31", "reason": "abroad"})
    assert (response.json()["until"], response.json()["reason"]) == ("2026-07-31", "abroad")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "from"),
        ({"from": "2026-06-15", "until": "2026-06-14"}, "until"),
        ({"from": "soon"}, "from"),
        ({"from": "2026-06-15", "reason": "x" * 501}, "reason"),
        ({"from": "2026-06-15", "status": "on_hold"}, "status"),
    ],
)
def test_invalid_input_is_refused_by_field(dojo, mika, body, field):
    response = dojo.admin.post(holds(mika), body)
    assert (response.status_code, list(response.json()["error"]["details"])) == (400, [field])
    assert dojo.admin.get(holds(mika)).json()["count"] == 0


def test_a_hold_is_not_found_under_another_student(dojo, mika):
    ren = dojo.create("/students", {"first_name": "Ren", "last_name": "Ito"})
    hold = dojo.create(holds(ren), {"from": "2026-06-01"})
    assert dojo.admin.patch(f"{holds(mika)}/{hold['id']}", {"reason": "x"}).status_code == 404
    assert dojo.admin.delete(f"{holds(ren)}/{hold['id']}").status_code == 204
    assert status_of(dojo, ren) == "active"


def test_the_audit_log_does_not_contain_the_reason_of_a_hold(dojo, mika):
    dojo.admin.post(holds(mika), {"from": "2026-06-01", "reason": "broken wrist"})
    entry = dojo.admin.get("/audit?action=student-holds.post").json()["results"][0]
    assert (entry["fields"], entry["reason"]) == (["from", "reason"], "")


def test_students_can_read_their_own_holds(dojo, mika):
    dojo.admin.patch(f"/users/{dojo.student.user.pk}", {"students": [mika["id"]]})
    dojo.admin.post(holds(mika), {"from": "2026-06-01"})
    assert dojo.student.get(holds(mika)).json()["count"] == 1
    assert dojo.student.post(holds(mika), {"from": "2027-06-01"}).status_code == 403


def test_the_number_of_statements_does_not_depend_on_the_number_of_students(
    dojo, django_assert_max_num_queries
):
    counts = []
    for wanted in (2, 12):
        for number in range(dojo.admin.get("/students").json()["count"], wanted):
            body = {"first_name": f"S{number}", "last_name": "X", "guardians": [{"name": f"G{number}"}]}
            student = dojo.create("/students", body)
            dojo.create(holds(student), {"from": "2026-06-01"})
        with django_assert_max_num_queries(20) as captured:
            assert len(dojo.admin.get("/students?status=on_hold").json()["results"]) == wanted
        counts.append(number_of_student_statements(captured))
    assert counts[0] == counts[1]
