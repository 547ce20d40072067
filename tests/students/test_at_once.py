"""What happens at once, over real connections: rows are committed, and cleared away at the end."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import DomainError
from tatami.tenancy.scope import tenant_scope
from tenant_apps.students import personal_data
from tenant_apps.students.guardians import set_guardians
from tenant_apps.students.holds import add_hold
from tenant_apps.students.imports.importing import import_students
from tenant_apps.students.models import Guardian, Student, StudentGuardian, StudentHold
from tenant_apps.students.services import create_student
from tests.conftest import _tenant
from tests.support.now import NOW

TODAY = NOW.date()


@pytest.fixture
def crowded(django_db_setup: None, django_db_blocker: Any, as_owner: Any) -> Any:
    """The dojo, whose rows of this test are really committed."""
    with django_db_blocker.unblock():
        tenant = _tenant("aiki")
        yield tenant
        connections.close_all()
    as_owner.execute(f'SET search_path = "{tenant.schema_name}"')
    as_owner.execute("TRUNCATE students_student, students_guardian CASCADE")


def at_once(tenant: Any, *deeds: Callable[[], Any]) -> list[Any]:
    """Do all of them together, each on a connection of its own; return what each gave, or the code of its refusal."""
    found: list[Any] = [None] * len(deeds)
    gate = threading.Barrier(len(deeds))

    def run(place: int, deed: Callable[[], Any]) -> None:
        with tenant_scope(tenant), clock.fixed(NOW):
            gate.wait()
            try:
                found[place] = deed()
            except DomainError as refusal:
                found[place] = refusal.code
            finally:
                connections.close_all()

    threads = [threading.Thread(target=run, args=(place, deed)) for place, deed in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def make(first: str) -> Student:
    return create_student(values={"first_name": first, "last_name": "Sato"})


@pytest.mark.parametrize("_round", range(3))
def test_of_holds_that_share_a_day_one_is_written(crowded, _round):
    with tenant_scope(crowded):
        mika = make("Mika")
    answers = at_once(
        crowded,
        *(lambda day=day: add_hold(student=mika, starts_on=TODAY.replace(day=day)) for day in range(1, 7)),
    )
    assert sorted(map(str, answers)).count("hold_overlaps") == 5
    with tenant_scope(crowded):
        assert StudentHold.objects.count() == 1


def test_of_two_imports_of_one_file_the_second_updates(crowded):
    with tenant_scope(crowded):
        head = User.objects.get(email="head@example.com")
    content = b"external_id,first_name,last_name,guardian_1_name\n" + b"".join(
        b"%d,Mika,Sato,Hana\n" % number for number in range(200)
    )

    def deed() -> tuple[int, int]:
        body = import_students(content, by=head, today=TODAY, now=NOW, dry_run=False, allow_duplicates=False)
        return body["created"], body["updated"]

    assert sorted(at_once(crowded, deed, deed, deed)) == [(0, 200), (0, 200), (200, 0)]
    with tenant_scope(crowded):
        assert (Student.objects.count(), StudentGuardian.objects.count()) == (200, 200)


@pytest.mark.parametrize("_round", range(5))
def test_a_guardian_linked_here_while_unlinked_there_stays_or_is_unknown(crowded, _round):
    with tenant_scope(crowded):
        mika, ren = make("Mika"), make("Ren")
        set_guardians(mika, [{"name": "Hana"}])
        hana = Guardian.objects.get().pk
    unlinked, linked = at_once(
        crowded,
        lambda: set_guardians(mika, []),
        lambda: set_guardians(ren, [{"id": hana, "relation": "aunt"}]),
    )
    with tenant_scope(crowded):
        left = Guardian.objects.count()
        assert StudentGuardian.objects.filter(student=ren).count() == left
    assert unlinked is None
    assert (linked, left) in {(None, 1), ("validation_error", 0)}


def test_of_two_erasures_one_finds_her(crowded):
    with tenant_scope(crowded):
        mika = make("Mika")

    @transaction.atomic
    def deed() -> bool:
        found = Student.objects.select_for_update().filter(pk=mika.pk).first()
        if found is not None:
            personal_data.erase(found, NOW)
        return found is not None

    assert sorted(at_once(crowded, deed, deed)) == [False, True]


def test_an_import_that_is_cut_in_the_middle_has_written_nothing(crowded, monkeypatch):
    with tenant_scope(crowded):
        head = User.objects.get(email="head@example.com")
        cut = threading.Event()

        def stop_at_links(execute: Any, sql: Any, *rest: Any) -> Any:
            if "students_studentguardian" in str(sql) and str(sql).startswith("INSERT"):
                cut.set()
                raise KeyboardInterrupt
            return execute(sql, *rest)

        content = b"first_name,last_name,guardian_1_name\nMika,Sato,Hana\n"
        with connection.execute_wrapper(stop_at_links), pytest.raises(KeyboardInterrupt):
            import_students(content, by=head, today=TODAY, now=NOW, dry_run=False, allow_duplicates=False)
        assert cut.is_set()
        assert (Student.objects.count(), Guardian.objects.count()) == (0, 0)
