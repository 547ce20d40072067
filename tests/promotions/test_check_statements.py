"""How many statements a check sends, including those of its transaction: counted at the driver, in a committed dojo."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import connection

from shared_apps.tenants.schema.ddl import owner_connection
from tatami import clock
from tatami.postgresql.statements import Statement
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.attendance.models import Attendance
from tenant_apps.promotions import queries
from tenant_apps.promotions.queries import TRAINING, TRAINING_AND_SESSIONS
from tenant_apps.students.models import RankEvent, StudentFact
from tests.promotions.factories import create_students
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.committed import committed_dojo
from tests.support.statements import sent_statements

MOST: Final = 12
STUDENTS: Final = 40

School = tuple[Dojo, dict[str, Any], list[str]]
"""A dojo, its rank system, and the ids of its students."""

Body = Callable[[dict[str, Any], list[str]], dict[str, Any]]
"""(rank system, students' ids) → the body of a check."""


@pytest.fixture(scope="module")
def school(django_db_setup: None, django_db_blocker: Any) -> Iterator[School]:
    """A committed dojo, so that the transaction of a request is its own. It is purged after the module.

    Every student has a rank, an opening balance, a document and an attendance that counts.
    """
    with django_db_blocker.unblock(), committed_dojo("grading", "Grading") as dojo:
        art = factories.discipline(dojo)
        system = factories.rank_system(dojo, discipline=art["id"])
        session = factories.single_session(dojo, clock.now().isoformat(), discipline=art["id"])
        with tenant_scope(dojo.tenant):
            students = create_students(STUDENTS)
            rank = {
                "system_id": system["id"],
                "rank_id": factories.rank_id(system, "5-kyu"),
                "kind": "import",
            }
            RankEvent.objects.bulk_create(
                RankEvent(student=student, effective_on="2026-01-01", **rank) for student in students
            )
            StudentFact.objects.bulk_create(
                StudentFact(student=student, kind=kind, value=value, on="2026-01-02")
                for student in students
                for kind, value in (("opening_attendance", 10), ("document", "article"))
            )
            visit = {"class_session_id": session["id"], "checked_in_at": clock.now(), "method": "manual"}
            Attendance.objects.bulk_create(Attendance(student=student, **visit) for student in students)
        yield dojo, system, [str(student.pk) for student in students]


def of_students(_: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students}


def of_a_system(system: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students, "rank_system": system["id"]}


def for_a_rank(system: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students, "target_rank": factories.rank_id(system, "4-kyu")}


@pytest.mark.parametrize("body", [of_students, of_a_system, for_a_rank])
def test_a_check_of_forty_students_sends_as_many_statements_as_of_one_and_at_most_twelve(
    school: School, body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo, system, students = school
    one = counted(dojo, body(system, students[:1]), 1, monkeypatch)
    forty = counted(dojo, body(system, students), STUDENTS, monkeypatch)
    assert len(one) == len(forty) <= MOST, forty


def test_a_check_of_all_students_sends_at_most_twelve_statements(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo, _, _ = school
    assert len(counted(dojo, {}, STUDENTS, monkeypatch)) <= MOST


def counted(dojo: Dojo, body: dict[str, Any], results: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements of a check, its transaction included."""
    dojo.admin.post("/promotions/check", body)  # fills the caches of hosts and rules
    # The process reads the routing epoch twice a second; that statement is not part of the check.
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)
    with sent_statements() as sent:
        response = dojo.admin.post("/promotions/check", body)
    assert response.status_code == 200, response.content
    assert len(response.json()["results"]) == results
    assert sent[0].startswith("BEGIN; SET LOCAL"), sent
    assert sent[-1] == "COMMIT", sent
    return sent


def test_a_few_students_have_the_same_results_as_among_many(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo, _, _ = school
    of_few = dojo.admin.post("/promotions/check", {}).json()
    monkeypatch.setattr(queries, "MOST_OF_FEW", STUDENTS - 1)
    assert dojo.admin.post("/promotions/check", {}).json() == of_few
    assert of_few["results"][0]["criteria"][0]["have"] == 11  # the balance and a visit


@pytest.mark.parametrize("statement", [TRAINING, TRAINING_AND_SESSIONS])
def test_the_plan_of_the_training_query_has_no_nested_loop(school: School, statement: Statement) -> None:
    """Even if the planner expects no visits of the students, as right after a large import."""
    dojo, _, _ = school
    with owner_connection(dojo.tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("ANALYZE attendance_attendance, classes_classsession")
    with tenant_scope(dojo.tenant), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON, GENERIC_PLAN) {statement.sql}")
        (plan,) = cursor.fetchone()
    above = nodes_above("attendance_attendance", plan[0]["Plan"])
    assert above, plan
    assert "Nested Loop" not in above


def nodes_above(table: str, node: dict[str, Any]) -> list[str]:
    """Return the types of a plan's nodes from its top down to the one that reads the table; none if none does."""
    if node.get("Relation Name") == table:
        return [node["Node Type"]]
    for child in node.get("Plans", []):
        if below := nodes_above(table, child):
            return [node["Node Type"], *below]
    return []
