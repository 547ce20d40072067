"""Invitations that run while a student is erased."""

from typing import Any

import pytest

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.exams import Invitation, invite
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.ranks.models import Rank
from tests.attendance.conftest import check_in_dojo
from tests.attendance.factories import CheckInDojo
from tests.students.erasure import erasure_race
from tests.support import factories

__all__ = ["check_in_dojo"]


@pytest.fixture(scope="module")
def system(check_in_dojo: CheckInDojo) -> Any:
    return factories.rank_system(check_in_dojo.dojo)


def test_a_student_who_is_being_erased_is_not_invited(check_in_dojo: CheckInDojo, system: Any) -> None:
    mika, ken = check_in_dojo.students(2)
    exam = factories.exam(check_in_dojo.dojo, system, "2026-06-15")
    with tenant_scope(check_in_dojo.dojo.tenant):
        rank = Rank.objects.get(pk=factories.rank_id(system, "5-kyu"))
        invitations = [Invitation(mika.pk, rank), Invitation(ken.pk, rank)]
        held = Exam.objects.get(pk=exam["id"])
        erasure_race(mika, lambda: invite(exam=held, invitations=invitations))
        assert {one.student_id for one in Candidate.objects.filter(exam=held)} == {ken.pk}
