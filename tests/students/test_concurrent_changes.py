"""Concurrent changes over real connections. Rows are committed, and deleted after each test."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction

from shared_apps.accounts.models import User
from shared_apps.tenants.models import Tenant
from tatami import clock
from tatami.errors import DomainError
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.students import privacy
from tenant_apps.students.csv.imports import import_students
from tenant_apps.students.guardians import set_guardians
from tenant_apps.students.history import add_hold
from tenant_apps.students.models import Guardian, Student, StudentGuardian, StudentHold
from tenant_apps.students.services import create_student
from tests.support.now import NOW
from tests.support.races import raise_first_error, run_concurrently

TODAY = NOW.date()


@pytest.fixture
def committing_dojo(django_db_setup: None, django_db_blocker: Any, as_owner: Any) -> Iterator[TenantScope]:
    """The dojo without a transaction around the test."""
    with django_db_blocker.unblock():
        with platform_scope():
            tenant = Tenant.objects.with_primary_domain().get(slug="aiki").scope
        with tenant_scope(tenant), clock.fixed(NOW):
            yield tenant
        connections.close_all()
    as_owner.execute(f'SET search_path = "{tenant.schema_name}"')
    as_owner.execute("TRUNCATE students_student, students_guardian CASCADE")


def race(*changes: Callable[[], Any]) -> list[Any]:
    """Run all changes at the same time, each on its own connection; return the results or error codes, in order."""

    def attempt(change: Callable[[], Any]) -> Any:
        try:
            return change()
        except DomainError as error:
            return error.code

    found = run_concurrently([partial(attempt, change) for change in changes])
    raise_first_error(found)
    return found


def new_student(first_name: str) -> Student:
    return create_student(values={"first_name": first_name, "last_name": "Sato"})


def import_file(content: bytes) -> dict[str, Any]:
    head = User.objects.get(email="head@example.com")
    return import_students(content, by=head, today=TODAY, now=NOW, dry_run=False, allow_duplicates=False)


@pytest.mark.parametrize("_round", range(3))
def test_only_one_of_several_concurrent_overlapping_holds_is_added(committing_dojo, _round):
    mika = new_student("Mika")
    results = race(
        *(partial(add_hold, student=mika, starts_on=TODAY.replace(day=day)) for day in range(1, 7)),
    )
    assert sorted(map(str, results)).count("hold_overlaps") == 5
    assert StudentHold.objects.count() == 1


def test_concurrent_imports_of_one_file_create_once_and_then_update(committing_dojo):
    content = b"external_id,first_name,last_name,guardian_1_name\n" + b"".join(
        b"%d,Mika,Sato,Hana\n" % number for number in range(200)
    )
    reports = race(*[partial(import_file, content)] * 3)
    assert sorted((report["created"], report["updated"]) for report in reports) == [
        (0, 200),
        (0, 200),
        (200, 0),
    ]
    assert (Student.objects.count(), StudentGuardian.objects.count()) == (200, 200)


@pytest.mark.parametrize("_round", range(5))
def test_a_guardian_who_is_linked_and_unlinked_concurrently_stays_or_is_unknown(committing_dojo, _round):
    mika, ren = new_student("Mika"), new_student("Ren")
    set_guardians(mika, [{"name": "Hana"}])
    hana = Guardian.objects.get().pk
    unlinked, linked = race(
        lambda: set_guardians(mika, []),
        lambda: set_guardians(ren, [{"id": hana, "relation": "aunt"}]),
    )
    left = Guardian.objects.count()
    assert StudentGuardian.objects.filter(student=ren).count() == left
    assert unlinked is None
    assert (linked, left) in {(None, 1), ("validation_error", 0)}


def test_only_one_of_two_concurrent_erasures_finds_the_student(committing_dojo):
    mika = new_student("Mika")

    @transaction.atomic
    def erase() -> bool:
        found = Student.objects.select_for_update().filter(pk=mika.pk).first()
        if found is not None:
            privacy.erase(found, NOW)
        return found is not None

    assert sorted(race(erase, erase)) == [False, True]


def test_an_interrupted_import_writes_nothing(committing_dojo):
    interrupted = threading.Event()

    def stop_at_guardian_links(execute: Any, sql: Any, *rest: Any) -> Any:
        if "students_studentguardian" in str(sql) and str(sql).startswith("INSERT"):
            interrupted.set()
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with connection.execute_wrapper(stop_at_guardian_links), pytest.raises(KeyboardInterrupt):
        import_file(b"first_name,last_name,guardian_1_name\nMika,Sato,Hana\n")
    assert interrupted.is_set()
    assert (Student.objects.count(), Guardian.objects.count()) == (0, 0)
