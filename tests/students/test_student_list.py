"""The list of students is compiled once per shape: it equals what the serializer shows, and keeps dojos apart."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.ranks.models import RankSystem
from tenant_apps.students.models import (
    Guardian,
    RankEvent,
    Student,
    StudentGuardian,
    StudentHold,
    StudentUser,
)
from tenant_apps.students.services import new_check_in_id
from tenant_apps.students.views.students import StudentCollection
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.compiled_lists import assert_as_serialized, queries_of
from tests.support.factories import unknown_id
from tests.support.now import NOW
from tests.support.responses import assert_invalid, ok
from tests.support.statements import sent_statements

TODAY = NOW.date()
NAMES = ("Zoë", "O'Neil", "100%", "under_score", "back\\slash", "$1", "Mika", "山田", "")


def _student(random: random.Random, number: int) -> Student:
    row = Student(
        first_name=random.choice(NAMES),
        last_name=random.choice(NAMES),
        email=random.choice(["", "m@example.com"]),
        birth_date=random.choice([None, date(2012, 2, 29)]),
        status=random.choice(["trial", "active", "active", "inactive"]),
        joined_on=random.choice([None, date(2025, 1, number % 28 + 1)]),
        external_id=random.choice([None, f"A-{number}"]),
        medical_notes=random.choice(["", "Asthma\nand more"]),
        archived_at=random.choice([None, None, NOW]),
        erased_at=random.choice([*[None] * 9, NOW]),
        check_in_id=new_check_in_id(),
        created_at=NOW - timedelta(microseconds=random.choice([0, 1, 250_000])),
    )
    row.set_search_name()
    return row


def _add_events(random: random.Random, students: list[Student]) -> None:
    ranks = {
        system: list(system.ranks.order_by("position")) for system in RankSystem.objects.order_by("name")
    }
    for student in students:
        for system, steps in ranks.items():
            rows = {
                (rank.pk, kind, on): RankEvent(
                    student=student,
                    system=system,
                    rank=rank,
                    kind=kind,
                    effective_on=on,
                    voided_at=random.choice([None, None, NOW]),
                )
                for rank in random.sample(steps[:4], random.randint(0, 3))
                for kind in [random.choice(["import", "demote"])]
                for on in [TODAY + timedelta(days=random.choice([-300, -300, 0, 1]))]
            }
            RankEvent.objects.bulk_create(rows.values())


@pytest.fixture(params=[1, 2, 3])
def students(dojo: Dojo, request: Any) -> Iterator[list[Student]]:
    """Generated students: archived, erased, on hold, with guardians of siblings and ranks in two systems."""
    chance = random.Random(request.param)
    art = factories.discipline(dojo)
    for preset in ("aikikai", "fik-kendo"):
        factories.rank_system(dojo, preset, discipline=art["id"])
    with tenant_scope(dojo.tenant):
        rows = Student.objects.bulk_create([_student(chance, number) for number in range(25)])
        guardians = [Guardian(name=f"Parent {number}", phone=str(number)) for number in range(6)]
        Guardian.objects.bulk_create(guardians)
        StudentGuardian.objects.bulk_create(
            StudentGuardian(student=row, guardian=guardian, relation=chance.choice(["", "mother"]))
            for row in rows
            for guardian in chance.sample(guardians, chance.randint(0, 3))
        )
        StudentHold.objects.bulk_create(
            StudentHold(student=row, starts_on=TODAY + timedelta(days=start), until=until)
            for row in rows
            for start in [chance.choice([-9, 0, 1])]
            for until in [chance.choice([None, TODAY + timedelta(days=1)])]
            if chance.random() < 0.4
        )
        _add_events(chance, rows)
        user = dojo.student.user
        StudentUser.objects.bulk_create(StudentUser(user=user, student=row) for row in chance.sample(rows, 9))
    return rows


SAMPLES = {"status": "on_hold", "external_id": "A-7", "class": unknown_id(), "rank": unknown_id()}


def test_the_list_equals_what_the_serializer_shows(dojo: Dojo, students: list[Student]) -> None:
    searches = [f"search={word}" for word in ("zoe", "o'neil", "%25", "_", "%5C", "%241", "mika+zoe", "山")]
    pages = ["page=2&page_size=5", "page=99", "page=0", "page_size=0", "page_size=3&search=a&archived=true"]
    mistakes = [
        "archived=x&ordering=x&page=0",
        "status=x&page_size=x",
        "ordering=x&page=x",
        "search=" + "a+" * 11,
    ]
    queries = queries_of(StudentCollection, SAMPLES) + searches + pages + mistakes
    for query in [*queries, "archived=true", *(f"status={status}" for status in Student.Status.values)]:
        for caller in (dojo.admin, dojo.student):
            assert_as_serialized(StudentCollection, caller, f"/students?{query}")
    shown = ok(dojo.admin.get("/students?page_size=200"))["results"]
    assert {row["status"] for row in shown} == set(Student.Status.values)
    assert any(len(row["ranks"]) == 2 for row in shown)
    assert 0 < ok(dojo.student.get("/students"))["count"] < len(shown)


def test_one_shape_serves_all_dojos_and_callers(dojo: Dojo, other_dojo: Dojo) -> None:
    mika = factories.student(dojo, first_name="Mika")
    ren = factories.student(other_dojo, first_name="Ren")
    factories.link_user(dojo, dojo.student, mika)
    for here, own in ((dojo, mika), (other_dojo, ren)):
        assert [row["id"] for row in ok(here.admin.get("/students?search=sato"))["results"]] == [own["id"]]
    assert [row["id"] for row in ok(dojo.student.get("/students"))["results"]] == [mika["id"]]
    assert ok(other_dojo.student.get("/students"))["count"] == 0


@pytest.mark.parametrize("query", ["", "status=active&search=a", "page_size=1&page=2"])
def test_the_list_needs_three_statements_besides_those_of_the_caller(dojo: Dojo, query: str) -> None:
    for name in ("Ana", "Aya"):
        factories.student(dojo, first_name=name, guardians=[{"name": "Parent"}])
    ok(dojo.admin.get(f"/students?{query}"))
    with sent_statements() as sent:
        ok(dojo.admin.get(f"/students?{query}"))
    own = [one for one in sent if not any(word in one for word in ("SAVEPOINT", "SET LOCAL", "tenants_"))]
    # The caller, the rows with their count, the guardians, the ranks.
    assert len(own) == 4


def test_an_invalid_order_is_refused_in_a_shape_that_is_compiled_already(dojo: Dojo) -> None:
    ok(dojo.admin.get("/students?ordering=name"))
    assert_invalid(dojo.admin.get("/students?ordering=name,x"), "ordering")


def test_the_list_and_its_export_show_who_is_enrolled_in_a_class(dojo: Dojo) -> None:
    enrolled, _other = factories.student(dojo, first_name="Aiko"), factories.student(dojo, first_name="Ben")
    evening = factories.training_class(dojo)
    dojo.create(f"/classes/{evening['id']}/enrolments", {"student": enrolled["id"]})
    shown = ok(dojo.admin.get(f"/students?class={evening['id']}"))
    assert [row["id"] for row in shown["results"]] == [enrolled["id"]]
    exported = b"".join(dojo.admin.get(f"/students/export?class={evening['id']}").streaming_content)
    assert b"Aiko" in exported
    assert b"Ben" not in exported


def test_the_list_and_its_export_show_who_holds_a_rank_today(dojo: Dojo) -> None:
    system = factories.rank_system(dojo)
    fifth, fourth = (rank["id"] for rank in system["ranks"][:2])
    junior, senior = factories.student(dojo, first_name="Aiko"), factories.student(dojo, first_name="Ben")
    for student, rank, on in (
        (junior, fifth, "2026-01-10"),
        (senior, fifth, "2025-01-10"),
        (senior, fourth, "2026-01-10"),
    ):
        factories.rank_event(dojo, student, rank, on)
    for rank, holder in ((fifth, junior), (fourth, senior)):
        shown = ok(dojo.admin.get(f"/students?rank={rank}"))
        assert [row["id"] for row in shown["results"]] == [holder["id"]]
    exported = b"".join(dojo.admin.get(f"/students/export?rank={fifth}").streaming_content)
    assert b"Aiko" in exported
    assert b"Ben" not in exported
