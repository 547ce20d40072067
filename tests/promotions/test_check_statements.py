"""How many statements a check costs, its transaction's own included: counted at the driver, on a committed dojo."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import connection

from shared_apps.tenants.schemas import owner_in
from tatami import clock
from tatami.ids import uuid7
from tatami.tenancy.middleware import host_resolver
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.visit_rows import TRAINING
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.committed import committed_dojo
from tests.support.statements import sent_statements

MOST: Final = 12
STUDENTS: Final = 40

Asked = Callable[[dict[str, Any], list[str]], dict[str, Any]]
"""(the rank system, the students' ids) → the body of a check."""


@pytest.fixture(scope="module")
def school(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Dojo, dict[str, Any], list[str]]]:
    """A committed dojo, so that a request's transaction is its own; its rank system and students. Purged in the end.

    Everybody has a rank, an opening balance and a document; every class that they could visit counts.
    """
    with django_db_blocker.unblock(), committed_dojo("grading", "Grading") as dojo:
        art = factories.discipline(dojo)
        system = factories.rank_system(dojo, discipline=art["id"])
        session = factories.single_session(dojo, clock.now().isoformat(), discipline=art["id"])
        yield dojo, system, [_student(dojo, system, session) for _ in range(STUDENTS)]


def _student(dojo: Dojo, system: dict[str, Any], session: dict[str, Any]) -> str:
    who = factories.student(dojo)
    factories.rank_event(dojo, who, factories.rank(system, "5-kyu"), "2026-01-01")
    factories.fact(dojo, who, "opening_attendance", 10, "2026-01-02")
    factories.fact(dojo, who, "document", "article", "2026-01-02")
    factories.attendance(dojo, who, session)
    return str(who["id"])


def named(_: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students}


def of_a_system(system: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students, "rank_system": system["id"]}


def for_a_rank(system: dict[str, Any], students: list[str]) -> dict[str, Any]:
    return {"students": students, "target_rank": factories.rank(system, "4-kyu")}


@pytest.mark.parametrize("asked", [named, of_a_system, for_a_rank])
def test_forty_students_cost_as_many_statements_as_one_and_at_most_twelve(
    school: tuple[Dojo, dict[str, Any], list[str]], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo, system, students = school
    one = counted(dojo, asked(system, students[:1]), 1, monkeypatch)
    forty = counted(dojo, asked(system, students), STUDENTS, monkeypatch)
    assert len(one) == len(forty) <= MOST, forty


def test_a_check_of_everybody_costs_at_most_twelve_statements(
    school: tuple[Dojo, dict[str, Any], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dojo, _, _ = school
    assert len(counted(dojo, {}, STUDENTS, monkeypatch)) <= MOST


def counted(dojo: Dojo, body: dict[str, Any], answers: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    dojo.admin.post("/promotions/check", body)  # hosts are known, rules are parsed
    # Reading the routing epoch twice a second is the process's statement, not the check's.
    monkeypatch.setattr(host_resolver(), "_monotonic", lambda: 0.0)
    with sent_statements() as sent:
        answer = dojo.admin.post("/promotions/check", body)
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) == answers
    assert sent[0].startswith("BEGIN; SET LOCAL"), sent
    assert sent[-1] == "COMMIT", sent
    return sent


def test_visits_are_never_compared_with_sessions_one_by_one(
    school: tuple[Dojo, dict[str, Any], list[str]],
) -> None:
    """Whatever the planner believes: here, as right after a large import, that a student asked for has no visits."""
    dojo, _, _ = school
    with owner_in(dojo.tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("ANALYZE attendance_attendance, classes_classsession")
    with tenant_scope(dojo.tenant), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {TRAINING}", [[uuid7() for _ in range(5)]])
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
