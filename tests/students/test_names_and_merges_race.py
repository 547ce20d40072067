"""What happens to students who are created or written about while names are changed, or two records are merged."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import tenant_scope
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import change_settings
from tenant_apps.students import history
from tenant_apps.students.merging import Merge, merge_students
from tenant_apps.students.models import Student, StudentNote
from tenant_apps.students.services import create_student
from tests.support.clients import Dojo
from tests.support.races import ConcurrentCall, run_concurrently


@pytest.fixture
def scope(real_dojo: Dojo) -> Iterator[None]:
    with tenant_scope(real_dojo.tenant):
        yield


def admin(dojo: Dojo) -> User:
    user = dojo.admin.user
    assert user is not None
    return user


def new_student(**fields: Any) -> Student:
    return create_student(values={"first_name": "Mika", "last_name": "Sato", **fields})


def name_of(student: Student) -> str:
    return Student.objects.get(pk=student.pk).name


@pytest.mark.parametrize("has_settings", [True, False])
def test_a_student_created_during_a_change_of_the_order_has_the_new_order(
    scope: None, has_settings: bool
) -> None:
    for order, name in (("family_first", "Sato Mika"), ("given_first", "Mika Sato")):
        if not has_settings:
            DojoSettings.objects.all().delete()
            order, name = "family_first", "Sato Mika"  # noqa: PLW2901 - the default is the other one
        with transaction.atomic():
            change_settings(changes={"name_order": order})
            meanwhile = ConcurrentCall(new_student)
        assert name_of(meanwhile.result()) == name


def test_a_change_of_the_order_waits_for_a_student_who_is_being_created(scope: None) -> None:
    change_settings(changes={"name_order": "given_first"})
    with transaction.atomic():
        student = new_student()
        meanwhile = ConcurrentCall(lambda: change_settings(changes={"name_order": "family_first"}))
    meanwhile.result()
    assert name_of(student) == "Sato Mika"


def test_a_record_about_the_duplicate_during_a_merge_is_refused(scope: None, real_dojo: Dojo) -> None:
    kept, duplicate = new_student(), new_student()

    def add_note() -> Any:
        try:
            return history.add_note(student=duplicate, author=admin(real_dojo), text="Left wrist")
        except NotFound as error:
            return error.details

    with transaction.atomic():
        merge_students(
            kept=kept.pk, duplicate=duplicate.pk, by=admin(real_dojo), now=clock.now(), dry_run=False
        )
        meanwhile = ConcurrentCall(add_note)
    assert meanwhile.result() is None
    assert not StudentNote.objects.filter(student=duplicate.pk).exists()


def test_of_two_merges_of_the_same_records_one_is_done(scope: None, real_dojo: Dojo) -> None:
    one, other = new_student(), new_student()
    by, now = admin(real_dojo), clock.now()

    def merged(kept: Student, duplicate: Student) -> Any:
        return lambda: merge_students(kept=kept.pk, duplicate=duplicate.pk, by=by, now=now, dry_run=False)

    results = run_concurrently([merged(one, other), merged(other, one)])
    assert sorted(isinstance(result, Merge) for result in results) == [False, True]
    assert any(isinstance(result, NotFound) for result in results)
    assert Student.objects.filter(pk__in=[one.pk, other.pk]).count() == 1
