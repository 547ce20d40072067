"""Exams that meet an erasure."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.exams import Invitation, invite
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.ranks.models import Rank
from tests.attendance.conftest import desk
from tests.attendance.factories import CheckInDojo
from tests.students.erasure import erasure_race
from tests.support import factories

__all__ = ["desk"]


@pytest.fixture(scope="module")
def system(desk: CheckInDojo) -> Any:
    return factories.rank_system(desk.dojo)


def test_nobody_is_invited_who_is_being_erased(desk: CheckInDojo, system: Any) -> None:
    mika, ken = desk.students(2)
    exam = factories.exam(desk.dojo, system, "2026-06-15")
    with tenant_scope(desk.dojo.tenant):
        rank = Rank.objects.get(pk=factories.rank(system, "5-kyu"))
        invitations = [Invitation(mika.pk, rank), Invitation(ken.pk, rank)]
        held = Exam.objects.get(pk=exam["id"])
        erasure_race(mika, lambda: invite(exam=held, invitations=invitations))
        assert {one.student_id for one in Candidate.objects.filter(exam=held)} == {ken.pk}
