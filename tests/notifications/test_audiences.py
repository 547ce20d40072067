"""Audiences: candidates of an exam, people of a session, guardians only, students on trial or on hold."""

from typing import Any

import pytest

from tests.notifications.mail_factories import (
    CHILD_BIRTH_DATE,
    guardian,
    read_notification,
    send_all,
    student,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.responses import assert_invalid, ok

TEXT = {"subject": "News", "body": "Dear {{ recipient }}"}


def queue(dojo: Dojo, **audience: Any) -> dict[str, Any]:
    return dict(ok(dojo.instructor.post("/notifications", {"audience": audience, **TEXT}), 202))


def reached(dojo: Dojo, **audience: Any) -> set[str]:
    """Queue a mail to an audience; return the first names of the students in it."""
    rows = read_notification(dojo, queue(dojo, **audience))["recipients"]
    return {one["name"].split()[0] for row in rows for one in row["students"]}


@pytest.fixture
def people(dojo: Dojo) -> dict[str, dict[str, Any]]:
    """An active student, one on trial, one on hold, one who is inactive, and one who has nothing to do with it."""
    found = {
        name: student(dojo, name, email=f"{name}@example.com", status=status)
        for name, status in (
            ("Active", "active"),
            ("Trial", "trial"),
            ("Resting", "active"),
            ("Gone", "inactive"),
            ("Other", "active"),
        )
    }
    factories.put_on_hold(dojo, found["Resting"])
    return found


def test_the_candidates_of_an_exam_are_reached(dojo: Dojo, people: dict[str, dict[str, Any]]) -> None:
    system = factories.rank_system(dojo)
    exam = factories.exam(dojo, system, "2026-06-20")
    for name in ("Active", "Trial", "Resting", "Gone"):
        factories.candidate(dojo, exam, people[name], factories.rank_id(system, "5-kyu"))
    assert reached(dojo, exam=exam["id"]) == {"Active", "Trial", "Resting"}
    assert reached(dojo, exam=exam["id"], status="trial") == {"Trial"}


def test_who_is_expected_or_present_at_a_session_is_reached(
    dojo: Dojo, people: dict[str, dict[str, Any]]
) -> None:
    evening = factories.training_class(dojo)
    for name in ("Active", "Trial"):
        ok(dojo.admin.post(f"/classes/{evening['id']}/enrolments", {"student": people[name]["id"]}), 201)
    session = factories.session_today(dojo, evening)
    factories.attendance(dojo, people["Resting"], session)
    assert reached(dojo, class_session=session["id"]) == {"Active", "Trial", "Resting"}
    empty = factories.single_session(dojo)
    assert reached(dojo, class_session=empty["id"]) == set()


def test_a_status_can_be_combined_with_conditions(dojo: Dojo, people: dict[str, dict[str, Any]]) -> None:
    evening = factories.training_class(dojo)
    for name in ("Active", "Trial", "Resting"):
        ok(dojo.admin.post(f"/classes/{evening['id']}/enrolments", {"student": people[name]["id"]}), 201)
    about = {"class": evening["id"]}
    assert reached(dojo, **about) == {"Active"}
    assert reached(dojo, **about, status="trial") == {"Trial"}
    assert reached(dojo, **about, status="on_hold") == {"Resting"}


def test_students_who_are_named_are_reached_whatever_their_status(
    dojo: Dojo, people: dict[str, dict[str, Any]]
) -> None:
    ids = [people[name]["id"] for name in ("Trial", "Resting")]
    assert reached(dojo, students=ids) == {"Trial", "Resting"}


def test_guardians_only_leaves_students_and_adults_out(dojo: Dojo) -> None:
    hana = guardian("Hana Sato", "hana@example.com")
    student(dojo, "Child", email="child@example.com", born=CHILD_BIRTH_DATE, guardians=[hana])
    student(dojo, "Ageless", email="ageless@example.com", born=None)
    adult = student(dojo, "Adult", email="adult@example.com", guardians=[hana])
    note = queue(dojo, guardians_only=True)
    assert [mail.to for mail in send_all(dojo)] == [["hana@example.com"]]
    rows = read_notification(dojo, note)["recipients"]
    unreachable = [row["students"][0]["name"] for row in rows if row["reason"] == "no_address"]
    assert unreachable == ["Ageless Sato"], "who may be a minor and has no guardian is named"
    assert queue(dojo, students=[adult["id"]], guardians_only=True)["total"] == 0


def test_exams_and_sessions_of_another_dojo_are_unknown(dojo: Dojo, other_dojo: Dojo) -> None:
    exam = factories.exam(other_dojo, factories.rank_system(other_dojo))
    session = factories.single_session(other_dojo)
    for field, key in (("exam", exam["id"]), ("class_session", session["id"])):
        answer = dojo.admin.post("/notifications", {"audience": {field: key}, **TEXT})
        assert_invalid(answer, f"audience.{field}")
