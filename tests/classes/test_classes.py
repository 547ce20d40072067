"""Classes, the sessions generated from them, and enrolments."""

from typing import Any

import pytest

from tests.classes.factories import MONDAYS, create_class
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_error, assert_invalid, ok, url_path

WEEK = {"from": "2026-06-15", "to": "2026-06-28"}


def starts(dojo: Dojo, **query: str) -> list[str]:
    return [row["starts_at"] for row in factories.list_sessions(dojo, **query)]


def test_a_class_shows_every_field(dojo: Dojo) -> None:
    art, system = factories.discipline(dojo), factories.rank_system(dojo)
    teacher = dojo.instructor.user
    assert teacher is not None
    body = {
        "name": "Kids",
        "class_type": "basics",
        "discipline": art["id"],
        "location": "Hall A",
        "instructors": [str(teacher.pk)],
        "capacity": 20,
        "min_rank": factories.rank_id(system, "5-kyu"),
        "counts_toward_promotion": False,
        "recurrence": {**factories.SCHEDULE, "until": "2026-12-31"},
        "expected_attendance": {"per_week": 2, "rate": 0.8},
        "check_in_window": {"opens_minutes_before": 15, "closes_minutes_after": 30, "late_after_minutes": 5},
    }
    found = dojo.create("/classes", body)
    assert found["discipline"] == {"id": art["id"], "name": "Aikido"}
    assert found["instructors"] == [{"id": str(teacher.pk), "name": "Instructor"}]
    assert found["min_rank"] == {"id": body["min_rank"], "name": "5th kyu"}
    for field in (
        "class_type",
        "capacity",
        "counts_toward_promotion",
        "expected_attendance",
        "check_in_window",
    ):
        assert found[field] == body[field], field
    assert found["recurrence"] == body["recurrence"]


@pytest.mark.parametrize("missing", ["name", "recurrence"])
def test_only_name_and_recurrence_are_required(dojo: Dojo, missing: str) -> None:
    body = {"name": "Kids", "recurrence": factories.SCHEDULE}
    assert_invalid(dojo.admin.post("/classes", {k: v for k, v in body.items() if k != missing}), missing)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"weekdays": []}, "recurrence.weekdays"),
        ({"weekdays": ["monday"]}, "recurrence.weekdays.0"),
        ({"weekdays": None}, "recurrence.weekdays"),
        ({"start_time": "25:00"}, "recurrence.start_time"),
        ({"start_time": "18:30:00"}, "recurrence.start_time"),
        ({"start_time": "18:30 pm"}, "recurrence.start_time"),
        ({"duration_minutes": 0}, "recurrence.duration_minutes"),
        ({"duration_minutes": "x"}, "recurrence.duration_minutes"),
        ({"from": None}, "recurrence.from"),
        ({"until": "2026-05-31"}, "recurrence.until"),
        ({"every_weeks": 0}, "recurrence.every_weeks"),
        ({"every_weeks": 9}, "recurrence.every_weeks"),
        ({"every_weeks": "two"}, "recurrence.every_weeks"),
        ({"tenant_id": "x"}, "recurrence.tenant_id"),
        ({"more_times": [{"weekdays": ["tu"]}]}, "recurrence.more_times.0.start_time"),
    ],
)
def test_a_recurrence_with_a_bad_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    body = {"name": "Kids", "recurrence": {**factories.SCHEDULE, **change}}
    details = assert_error(dojo.admin.post("/classes", body), 400, "validation_error")
    assert field in details


def test_a_class_every_second_week_has_sessions_in_these_weeks(dojo: Dojo) -> None:
    group = create_class(dojo, recurrence={**MONDAYS, "every_weeks": 2})
    assert group["recurrence"]["every_weeks"] == 2

    def days() -> list[str]:
        rows = factories.list_sessions(dojo, **{"from": "2026-06-01", "to": "2026-07-12"})
        return [row["local_date"] for row in rows]

    assert days() == ["2026-06-01", "2026-06-15", "2026-06-29"]
    body = {"recurrence": {**MONDAYS, "every_weeks": 3}, "apply_from": "2026-06-16"}
    assert dojo.admin.patch(f"/classes/{group['id']}", body).status_code == 200
    assert days() == ["2026-06-01", "2026-06-15", "2026-06-22"]
    body = {"recurrence": MONDAYS, "apply_from": "2026-06-16"}
    assert "every_weeks" not in dojo.admin.patch(f"/classes/{group['id']}", body).json()["recurrence"]
    assert days() == ["2026-06-01", "2026-06-15", "2026-06-22", "2026-06-29", "2026-07-06"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity", 0),
        ("capacity", -1),
        ("capacity", "many"),
        ("expected_attendance", {"rate": 2}),
        ("min_rank", "7"),
        ("check_in_window", {"opens_minutes_before": -1}),
        ("counts_toward_promotion", "perhaps"),
    ],
)
def test_a_class_with_a_bad_value_is_refused(dojo: Dojo, field: str, value: Any) -> None:
    body = {"name": "Kids", "recurrence": factories.SCHEDULE, field: value}
    details = assert_error(dojo.admin.post("/classes", body), 400, "validation_error")
    assert {path.partition(".")[0] for path in details} == {field}


@pytest.mark.parametrize("said", [{"per_week": 2, "rate": 0.8}, {"per_week": 1.5}, {"rate": 1}, {}])
def test_expected_attendance_is_stored(dojo: Dojo, said: dict[str, Any]) -> None:
    assert create_class(dojo, expected_attendance=said)["expected_attendance"] == said


@pytest.mark.parametrize("value", ["NaN", "nan", "Infinity", "-Infinity", "1e999", None, -1, 51, 1e300])
@pytest.mark.parametrize("name", ["per_week", "rate"])
def test_expected_attendance_must_be_a_number_within_bounds(dojo: Dojo, name: str, value: Any) -> None:
    body = {"name": "Evening", "recurrence": MONDAYS, "expected_attendance": {name: value}}
    assert_invalid(dojo.admin.post("/classes", body), f"expected_attendance.{name}")


def test_only_staff_may_be_instructors(dojo: Dojo) -> None:
    assert dojo.student.user is not None
    body = {"name": "Kids", "recurrence": factories.SCHEDULE, "instructors": [str(dojo.student.user.pk)]}
    assert_invalid(dojo.admin.post("/classes", body), "instructors.0")


def test_a_recurrence_that_names_a_start_twice_is_refused(dojo: Dojo) -> None:
    more = [{"weekdays": ["mo", "tu"], "start_time": "18:30", "duration_minutes": 30}]
    answer = dojo.admin.post("/classes", {"name": "Twice", "recurrence": {**MONDAYS, "more_times": more}})
    assert answer.status_code == 400
    assert set(answer.json()["error"]["details"]) == {"recurrence.more_times.0.start_time"}


def test_sessions_are_generated_from_the_recurrence(dojo: Dojo) -> None:
    more = [{"weekdays": ["sa"], "start_time": "10:00", "duration_minutes": 60}]
    group = factories.training_class(
        dojo, recurrence={**factories.SCHEDULE, "weekdays": ["mo", "we"], "more_times": more}
    )
    assert starts(dojo, **WEEK, **{"class": group["id"]}) == [
        "2026-06-15T16:30:00Z",
        "2026-06-17T16:30:00Z",
        "2026-06-20T08:00:00Z",
        "2026-06-22T16:30:00Z",
        "2026-06-24T16:30:00Z",
        "2026-06-27T08:00:00Z",
    ]


def test_a_session_shows_every_field(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    session = factories.session_today(dojo, group)
    assert session["class"] == {"id": group["id"], "name": "Evening class"}
    wanted = {
        "name": "Evening class",
        "starts_at": "2026-06-15T16:30:00Z",
        "ends_at": "2026-06-15T18:00:00Z",
        "local_date": "2026-06-15",
        "status": "scheduled",
    }
    assert wanted.items() <= session.items()
    assert ok(dojo.admin.get(f"/class-sessions/{session['id']}")).items() >= session.items()


def test_a_class_keeps_its_local_time_when_the_clocks_change(dojo: Dojo) -> None:
    group = factories.training_class(
        dojo, recurrence={**factories.SCHEDULE, "weekdays": ["su"], "start_time": "10:00"}
    )
    found = starts(dojo, **{"class": group["id"], "from": "2026-10-18", "to": "2026-10-31"})
    assert found == ["2026-10-18T08:00:00Z", "2026-10-25T09:00:00Z"]


def test_sessions_end_with_the_recurrence(dojo: Dojo) -> None:
    group = factories.training_class(dojo, recurrence={**factories.SCHEDULE, "until": "2026-06-22"})
    assert len(starts(dojo, **{"class": group["id"], "from": "2026-06-01", "to": "2026-12-31"})) == 4


def test_the_schedule_without_dates_begins_today(dojo: Dojo) -> None:
    factories.training_class(dojo)
    assert factories.list_sessions(dojo)[0]["local_date"] == "2026-06-15"


def test_sessions_in_a_hundred_years_are_refused(dojo: Dojo) -> None:
    assert_invalid(dojo.admin.get("/class-sessions?from=2026-01-01&to=2126-01-01"), "to")


# --- enrolments ---------------------------------------------------------------------------------------------


def test_a_student_is_enrolled_and_leaves(dojo: Dojo) -> None:
    who, group = factories.student(dojo), factories.training_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    enrolment = ok(dojo.admin.post(path, {"student": who["id"]}), 201)
    assert enrolment["student"] == {"id": who["id"], "name": "Mika Sato"}
    assert [row["student"]["id"] for row in ok(dojo.admin.get(path))["results"]] == [who["id"]]
    ok(dojo.admin.delete(f"{path}/{who['id']}"), 204)
    assert ok(dojo.admin.get(path))["results"] == []
    assert_error(dojo.admin.delete(f"{path}/{who['id']}"), 404, "not_found")


def test_enrolling_twice_enrols_once(dojo: Dojo) -> None:
    who, group = factories.student(dojo), factories.training_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    ok(dojo.admin.post(path, {"student": who["id"]}), 201)
    assert dojo.admin.post(path, {"student": who["id"]}).status_code in {200, 201, 409}
    assert ok(dojo.admin.get(path))["count"] == 1


@pytest.mark.parametrize("what", ["enrolment", "attendance", "scan"])
def test_the_location_of_what_a_post_creates_can_be_read(dojo: Dojo, what: str) -> None:
    """Here: resources without a detail route of their own, and attendances."""
    who, group = factories.student(dojo), factories.training_class(dojo)
    path, body = {
        "enrolment": (f"/classes/{group['id']}/enrolments", {"student": who["id"]}),
        "attendance": (
            "/attendance",
            {"student": who["id"], "class_session": factories.session_today(dojo, group)["id"]},
        ),
        "scan": ("/attendance/scan", {"token": factories.qr_token(dojo.admin, who)}),
    }[what]
    answer = dojo.admin.post(path, body)
    ok(answer, 201)
    assert "Location" in answer.headers
    ok(dojo.admin.get(url_path(answer.headers["Location"])))
