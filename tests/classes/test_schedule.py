"""Classes, the sessions made from them, enrolments, attendance by hand, and the dojo's settings."""

from datetime import timedelta
from typing import Any

import pytest

from tatami import clock
from tatami.tenancy.middleware import host_resolver
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import done, invalid, made, path_of, refusal

WEEK = {"from": "2026-06-15", "to": "2026-06-28"}


def starts(dojo: Dojo, **query: str) -> list[str]:
    return [row["starts_at"] for row in factories.sessions(dojo, **query)]


def test_a_class_has_what_the_contract_says(dojo: Dojo) -> None:
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
        "min_rank": factories.rank(system, "5-kyu"),
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
    invalid(dojo.admin.post("/classes", {k: v for k, v in body.items() if k != missing}), missing)


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
        ({"tenant_id": "x"}, "recurrence.tenant_id"),
        ({"more_times": [{"weekdays": ["tu"]}]}, "recurrence.more_times.0.start_time"),
    ],
)
def test_a_recurrence_with_a_bad_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    body = {"name": "Kids", "recurrence": {**factories.SCHEDULE, **change}}
    details = refusal(dojo.admin.post("/classes", body), 400, "validation_error")
    assert field in details


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
    details = refusal(dojo.admin.post("/classes", body), 400, "validation_error")
    assert {path.partition(".")[0] for path in details} == {field}


def test_a_class_is_taught_by_staff(dojo: Dojo) -> None:
    assert dojo.student.user is not None
    body = {"name": "Kids", "recurrence": factories.SCHEDULE, "instructors": [str(dojo.student.user.pk)]}
    invalid(dojo.admin.post("/classes", body), "instructors.0")


def test_sessions_are_made_from_the_recurrence(dojo: Dojo) -> None:
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


def test_a_session_has_what_the_contract_says(dojo: Dojo) -> None:
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
    assert done(dojo.admin.get(f"/class-sessions/{session['id']}")).items() >= session.items()


def test_a_class_stays_at_its_hour_when_the_clocks_change(dojo: Dojo) -> None:
    group = factories.training_class(
        dojo, recurrence={**factories.SCHEDULE, "weekdays": ["su"], "start_time": "10:00"}
    )
    found = starts(dojo, **{"class": group["id"], "from": "2026-10-18", "to": "2026-10-31"})
    assert found == ["2026-10-18T08:00:00Z", "2026-10-25T09:00:00Z"]


def test_sessions_end_with_the_recurrence(dojo: Dojo) -> None:
    group = factories.training_class(dojo, recurrence={**factories.SCHEDULE, "until": "2026-06-22"})
    assert len(starts(dojo, **{"class": group["id"], "from": "2026-06-01", "to": "2026-12-31"})) == 4


def test_a_change_of_a_class_leaves_past_sessions_as_they_are(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    done(dojo.admin.patch(f"/classes/{group['id']}", {"name": "Advanced", "location": "Hall B"}))
    names = {
        row["local_date"]: row["name"]
        for row in factories.sessions(dojo, **{"from": "2026-06-01", "to": "2026-06-22"})
    }
    assert names == {
        "2026-06-01": "Evening class",
        "2026-06-08": "Evening class",
        "2026-06-15": "Advanced",
        "2026-06-22": "Advanced",
    }


def test_a_change_applies_from_the_day_that_is_named(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    change = {"recurrence": {**factories.SCHEDULE, "start_time": "19:00"}, "apply_from": "2026-06-22"}
    done(dojo.admin.patch(f"/classes/{group['id']}", change))
    assert starts(dojo, **{"class": group["id"], **WEEK}) == ["2026-06-15T16:30:00Z", "2026-06-22T17:00:00Z"]


def test_a_change_leaves_sessions_with_attendance_as_they_are(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    attended = factories.attendance(dojo, factories.student(dojo), factories.session_today(dojo, group))
    done(
        dojo.admin.patch(
            f"/classes/{group['id']}", {"recurrence": {**factories.SCHEDULE, "start_time": "19:00"}}
        )
    )
    today = factories.sessions(dojo, **{"class": group["id"], "from": "2026-06-15", "to": "2026-06-15"})
    assert [row["id"] for row in today] == [attended["class_session"]["id"]], "and no second one beside it"


def test_an_archived_class_has_no_sessions_to_come_and_a_restored_one_has(dojo: Dojo) -> None:
    group = factories.training_class(dojo)
    ahead = {"class": group["id"], "from": "2026-06-16", "to": "2026-06-30"}
    done(dojo.admin.delete(f"/classes/{group['id']}"), 204)
    assert starts(dojo, **ahead) == []
    done(dojo.admin.patch(f"/classes/{group['id']}", {"archived": False}))
    assert starts(dojo, **ahead) == ["2026-06-22T16:30:00Z", "2026-06-29T16:30:00Z"]


def test_the_schedule_without_dates_begins_today(dojo: Dojo) -> None:
    factories.training_class(dojo)
    assert factories.sessions(dojo)[0]["local_date"] == "2026-06-15"


def test_nobody_asks_for_sessions_in_a_hundred_years(dojo: Dojo) -> None:
    invalid(dojo.admin.get("/class-sessions?from=2026-01-01&to=2126-01-01"), "to")


# --- single sessions ----------------------------------------------------------------------------------------


def test_a_single_session_is_made(dojo: Dojo) -> None:
    teacher = dojo.instructor.user
    assert teacher is not None
    body = {
        "name": "Seminar",
        "discipline": factories.discipline(dojo)["id"],
        "starts_at": "2026-06-20T10:00:00+02:00",
        "duration_minutes": 120,
        "instructors": [str(teacher.pk)],
        "capacity": 40,
        "location": "Hall B",
        "note": "Bring a jo.",
    }
    session = made(dojo.admin, dojo.admin.post("/class-sessions", body))
    assert session["starts_at"] == "2026-06-20T08:00:00Z"
    assert session["ends_at"] == "2026-06-20T10:00:00Z"
    assert session["instructors"] == [{"id": str(teacher.pk), "name": "Instructor"}]
    assert (session["class"], session["capacity"], session["note"]) == (None, 40, "Bring a jo.")


def test_a_session_of_a_class_takes_after_it(dojo: Dojo) -> None:
    group = factories.training_class(dojo, location="Hall A", capacity=12)
    body = {"class": group["id"], "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60}
    session = dojo.create("/class-sessions", body)
    assert (session["name"], session["location"], session["capacity"]) == ("Evening class", "Hall A", 12)
    refusal(dojo.admin.post("/class-sessions", body), 409, "conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"starts_at": "2026-06-20"}, "starts_at"),
        ({"starts_at": "2026-06-20T10:00:00"}, "starts_at"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"class": "x"}, "class"),
        ({"ends_at": "2026-06-20T10:00:00Z"}, "ends_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
    ],
)
def test_a_session_with_a_bad_value_is_refused(dojo: Dojo, change: dict[str, Any], field: str) -> None:
    body = {"name": "Seminar", "starts_at": "2026-06-20T08:00:00Z", "duration_minutes": 60, **change}
    invalid(dojo.admin.post("/class-sessions", body), field)


def test_a_session_is_cancelled_and_takes_place_after_all(dojo: Dojo) -> None:
    session = factories.single_session(dojo)
    path = f"/class-sessions/{session['id']}"
    answer = dojo.admin.post(f"{path}/cancellation")
    assert done(answer, 201)["status"] == "cancelled"
    assert done(dojo.admin.get(path_of(answer.headers["Location"])))["status"] == "cancelled"
    done(dojo.admin.delete(f"{path}/cancellation"), 204)
    assert done(dojo.admin.get(path))["status"] == "scheduled"


# --- enrolments ---------------------------------------------------------------------------------------------


def test_a_student_is_enrolled_and_leaves(dojo: Dojo) -> None:
    who, group = factories.student(dojo), factories.training_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    enrolment = done(dojo.admin.post(path, {"student": who["id"]}), 201)
    assert enrolment["student"] == {"id": who["id"], "name": "Mika Sato"}
    assert [row["student"]["id"] for row in done(dojo.admin.get(path))["results"]] == [who["id"]]
    done(dojo.admin.delete(f"{path}/{who['id']}"), 204)
    assert done(dojo.admin.get(path))["results"] == []
    refusal(dojo.admin.delete(f"{path}/{who['id']}"), 404, "not_found")


def test_enrolling_twice_enrols_once(dojo: Dojo) -> None:
    who, group = factories.student(dojo), factories.training_class(dojo)
    path = f"/classes/{group['id']}/enrolments"
    done(dojo.admin.post(path, {"student": who["id"]}), 201)
    assert dojo.admin.post(path, {"student": who["id"]}).status_code in {200, 201, 409}
    assert done(dojo.admin.get(path))["count"] == 1


@pytest.mark.parametrize("what", ["enrolment", "attendance", "scan"])
def test_what_is_made_has_a_location_that_resolves(dojo: Dojo, what: str) -> None:
    """Every POST that creates says where: here, what has no page of its own."""
    who, group = factories.student(dojo), factories.training_class(dojo)
    path, body = {
        "enrolment": (f"/classes/{group['id']}/enrolments", {"student": who["id"]}),
        "attendance": (
            "/attendance",
            {"student": who["id"], "class_session": factories.session_today(dojo, group)["id"]},
        ),
        "scan": ("/attendance/scan", {"token": factories.code_of(dojo.admin, who)}),
    }[what]
    answer = dojo.admin.post(path, body)
    done(answer, 201)
    assert "Location" in answer.headers
    done(dojo.admin.get(path_of(answer.headers["Location"])))


# --- attendance by hand -------------------------------------------------------------------------------------


def by_hand(dojo: Dojo, who: Any, session: Any, **more: Any) -> Any:
    return dojo.admin.post("/attendance", {"student": who["id"], "class_session": session["id"], **more})


def test_attendance_by_hand_answers_like_a_scan(dojo: Dojo) -> None:
    who, session = factories.student(dojo), factories.single_session(dojo)
    first = done(by_hand(dojo, who, session), 201)
    assert (first["status"], first["attendance"]["method"]) == ("recorded", "manual")
    assert set(first) == {"status", "attendance", "student", "alerts"}
    assert done(by_hand(dojo, who, session)) == {**first, "status": "already_recorded"}


def test_attendance_by_hand_ignores_window_capacity_enrolment_and_rank(dojo: Dojo) -> None:
    done(
        dojo.admin.patch(
            "/settings", {f"{name}_policy": "enforce" for name in ("enrolment", "rank", "capacity")}
        )
    )
    system = factories.rank_system(dojo)
    group = factories.training_class(dojo, min_rank=factories.rank(system, "1-dan"), capacity=1)
    session = factories.sessions(dojo, **{"class": group["id"], "from": "2026-06-01", "to": "2026-06-01"})[0]
    for _ in range(2):
        body = done(by_hand(dojo, factories.student(dojo), session), 201)
        assert body["attendance"]["checked_in_at"] == "2026-06-01T16:30:00Z"
        assert body["attendance"]["late"] is False


def test_the_moment_of_attendance_may_be_said(dojo: Dojo) -> None:
    session = factories.single_session(dojo, "2026-06-10T16:30:00Z")
    body = done(by_hand(dojo, factories.student(dojo), session, checked_in_at="2026-06-10T16:50:00Z"), 201)
    assert (body["attendance"]["checked_in_at"], body["attendance"]["late"]) == ("2026-06-10T16:50:00Z", True)
    body = done(by_hand(dojo, factories.student(dojo), session, late=True), 201)
    assert body["attendance"]["late"] is True


@pytest.mark.parametrize("moment", ["2026-06-16T00:00:00Z", "2026-06-10", "now"])
def test_a_moment_to_come_is_refused(dojo: Dojo, moment: str) -> None:
    invalid(
        by_hand(dojo, factories.student(dojo), factories.single_session(dojo), checked_in_at=moment),
        "checked_in_at",
    )


def test_a_voided_attendance_is_kept_no_longer_counts_and_is_recorded_anew(dojo: Dojo) -> None:
    who, session = factories.student(dojo), factories.single_session(dojo)
    first = done(by_hand(dojo, who, session), 201)["attendance"]
    path = f"/attendance/{first['id']}/void"
    assert done(dojo.admin.post(path, {"reason": "Her sister"}))["id"] == first["id"]
    refusal(dojo.admin.post(path, {"reason": "Again"}), 409, "already_voided")
    second = done(by_hand(dojo, who, session), 201)["attendance"]
    assert second["id"] != first["id"]


def test_attendance_is_filtered(dojo: Dojo) -> None:
    who, other = factories.student(dojo), factories.student(dojo, first_name="Ren")
    today, earlier = factories.single_session(dojo), factories.single_session(dojo, "2026-06-10T16:30:00Z")
    mine = factories.attendance(dojo, who, today)["id"]
    before = factories.attendance(dojo, who, earlier)["id"]
    theirs = factories.attendance(dojo, other, today)["id"]

    def ids(query: str) -> set[str]:
        return {row["id"] for row in done(dojo.admin.get(f"/attendance?{query}"))["results"]}

    assert ids(f"student={who['id']}") == {mine, before}
    assert ids(f"class_session={today['id']}") == {mine, theirs}
    assert ids("from=2026-06-15&to=2026-06-15") == {mine, theirs}
    assert ids("to=2026-06-10") == {before}
    rows = done(dojo.admin.get(f"/students/{who['id']}/attendance"))["results"]
    assert [row["id"] for row in rows] == [mine, before]


# --- settings -----------------------------------------------------------------------------------------------


def test_settings_are_read_and_changed(dojo: Dojo) -> None:
    before = done(dojo.admin.get("/settings"))
    assert {"name", "timezone", "leap_day_birthday", "card_policy", "late_after_minutes", "terms"} <= set(
        before
    )
    after = done(dojo.admin.patch("/settings", {"late_after_minutes": 3, "terms": "No shoes."}))
    assert after.items() >= {**before, "late_after_minutes": 3, "terms": "No shoes.", **stamps(after)}.items()
    assert done(dojo.admin.get("/settings")) == after


def stamps(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("id", "created_at", "updated_at") if name in body}


def test_name_and_time_zone_are_the_ones_the_platform_knows(dojo: Dojo, platform: Any) -> None:
    done(dojo.admin.patch("/settings", {"name": "Neues Dojo", "timezone": "Asia/Tokyo"}))
    host_resolver.cache_clear()  # every process knows within a second; this test does not wait
    assert done(dojo.admin.get("/me"))["tenant"]["timezone"] == "Asia/Tokyo"
    tenants = done(platform.superadmin().get("/tenants"))["results"]
    assert {row["slug"]: row["name"] for row in tenants} == {"aiki": "Neues Dojo", "kendo": "Seishin Dojo"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Europe/Atlantis"),
        ("leap_day_birthday", "feb30"),
        ("card_policy", "x"),
        ("late_after_minutes", -1),
        ("opens_minutes_before", "x"),
        ("name", ""),
        ("slug", "kendo"),
        ("tenant_id", "x"),
        ("language", "xx"),
    ],
)
def test_a_setting_with_a_bad_value_is_refused(dojo: Dojo, field: str, value: Any) -> None:
    before = done(dojo.admin.patch("/settings", {"terms": "No shoes."}))
    invalid(dojo.admin.patch("/settings", {"terms": "Shoes.", field: value}), field)
    assert done(dojo.admin.get("/settings")) == before


def test_settings_that_nobody_changed_are_the_same_each_time(dojo: Dojo) -> None:
    assert done(dojo.admin.get("/settings")) == done(dojo.admin.get("/settings"))


def test_the_dojos_today_is_its_own(dojo: Dojo) -> None:
    """At 23:30 in Berlin it is tomorrow in Tokyo."""
    with clock.fixed(NOW + timedelta(hours=4, minutes=50)):
        caller = Dojo(dojo.tenant).person("admin", "late")
        assert done(caller.post("/promotions/check", {}))["as_of"] == "2026-06-15"
        done(caller.patch("/settings", {"timezone": "Asia/Tokyo"}))
        host_resolver.cache_clear()
        assert done(caller.post("/promotions/check", {}))["as_of"] == "2026-06-16"
