"""Exams that meet an erasure: whoever is forgotten meanwhile is neither invited nor written about."""

from typing import Any
from uuid import UUID

import pytest

from tatami import clock
from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.exams import Invitation, Result, invite, record_results
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.ranks.models import Rank
from tests.attendance.desk import Desk
from tests.contract import things
from tests.students.conftest import desk
from tests.students.erasures import erased_meanwhile

__all__ = ["desk"]


@pytest.fixture(scope="module")
def system(desk: Desk) -> Any:
    return things.rank_system(desk.dojo)


def test_a_result_says_nothing_about_somebody_who_is_being_erased(desk: Desk, system: Any) -> None:
    (mika,) = desk.students(1)
    exam = things.exam(desk.dojo, system, "2026-06-15")
    rank = things.rank(system, "5-kyu")
    candidate = things.candidate(desk.dojo, exam, {"id": str(mika.pk)}, rank)
    with tenant_scope(desk.dojo.tenant):
        result = Result(UUID(candidate["id"]), "passed", "Her wrist was broken")
        held = Exam.objects.get(pk=exam["id"])
        erased_meanwhile(mika, lambda: record_results(exam=held, results=[result], now=clock.now()))
        assert Candidate.objects.get(pk=candidate["id"]).override_reason == ""


def test_nobody_is_invited_who_is_being_erased(desk: Desk, system: Any) -> None:
    mika, ken = desk.students(2)
    exam = things.exam(desk.dojo, system, "2026-06-15")
    with tenant_scope(desk.dojo.tenant):
        rank = Rank.objects.get(pk=things.rank(system, "5-kyu"))
        invitations = [Invitation(mika.pk, rank), Invitation(ken.pk, rank)]
        held = Exam.objects.get(pk=exam["id"])
        erased_meanwhile(mika, lambda: invite(exam=held, invitations=invitations))
        assert {one.student_id for one in Candidate.objects.filter(exam=held)} == {ken.pk}
