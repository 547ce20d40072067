"""A record that is written while the student is erased is refused, because it could never be read again."""

from itertools import count
from typing import Any

import pytest

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import tenant_scope
from tenant_apps.ranks.models import Rank
from tenant_apps.students import history
from tenant_apps.students.csv.imports import import_facts, import_rank_events
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.services import create_student, link_user
from tests.students.erasure import erasure_race
from tests.support.clients import Dojo
from tests.support.now import NOW

TODAY = NOW.date()
NUMBERS = count()
CHANGES = {
    "a note": lambda student, by, rank: history.add_note(student=student, author=by, text="Left wrist"),
    "a fact": lambda student, by, rank: history.record_fact(
        student=student, recorded_by=by, values={"kind": "document", "value": "Essay by Mika", "on": TODAY}
    ),
    "a rank": lambda student, by, rank: history.record_rank_event(
        student=student, rank=rank, kind="import", effective_on=TODAY, recorded_by=by, note="in Okinawa"
    ),
    "a hold": lambda student, by, rank: history.add_hold(
        student=student, starts_on=TODAY, reason="Left wrist"
    ),
    "a link": lambda student, by, rank: link_user(user=by, students=[student]),
}


def new_student(dojo: Dojo, **fields: Any) -> Student:
    """Create a student with a name of their own."""
    with tenant_scope(dojo.tenant):
        return create_student(values={"first_name": "Mika", "last_name": f"Sato {next(NUMBERS)}", **fields})


@pytest.fixture(scope="module")
def rank(real_dojo: Dojo) -> Rank:
    """A rank of the dojo."""
    system = real_dojo.create("/rank-systems", {"preset": "fik-kendo"})
    with tenant_scope(real_dojo.tenant):
        return Rank.objects.select_related("system").get(pk=system["ranks"][0]["id"])


@pytest.fixture
def mika(real_dojo: Dojo) -> Student:
    return new_student(real_dojo)


@pytest.fixture
def admin(real_dojo: Dojo) -> User:
    user = real_dojo.admin.user
    assert user is not None
    return user


def records_of(student: Student) -> list[Any]:
    models = (StudentNote, StudentFact, RankEvent, StudentHold, StudentUser)
    return [row for model in models for row in model._default_manager.filter(student=student)]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_record_is_written_about_an_erased_student(
    real_dojo: Dojo, mika: Student, admin: User, rank: Rank, change: Any
) -> None:
    with tenant_scope(real_dojo.tenant):
        assert isinstance(erasure_race(mika, lambda: change(mika, admin, rank)), NotFound)
        assert records_of(mika) == []


def test_the_reason_of_a_void_is_not_written_about_an_erased_student(
    real_dojo: Dojo, mika: Student, admin: User, rank: Rank
) -> None:
    with tenant_scope(real_dojo.tenant):
        event = CHANGES["a rank"](mika, admin, rank)
        error = erasure_race(
            mika, lambda: history.void_rank_event(event=event, reason="Mika left", by=admin, now=clock.now())
        )
        assert isinstance(error, NotFound)
        event.refresh_from_db()
        assert (event.void_reason, event.voided_at) == ("", None)


def test_a_change_of_a_hold_does_not_deadlock_with_an_erasure(real_dojo: Dojo, mika: Student) -> None:
    """Both lock the student before the hold. The change then finds no student."""
    hold = real_dojo.create(f"/students/{mika.pk}/holds", {"from": "2026-06-01", "reason": "Left wrist"})
    path = f"/students/{mika.pk}/holds/{hold['id']}"
    with tenant_scope(real_dojo.tenant):
        response = erasure_race(mika, lambda: real_dojo.admin.patch(path, {"reason": "Left knee"}))
    assert response.status_code == 404, response.content


@pytest.mark.parametrize("named_by", ["external_id", "first_name,last_name"])
@pytest.mark.parametrize("records", ["facts", "rank events"])
def test_an_import_reports_lines_about_an_erased_student_and_writes_the_others(
    real_dojo: Dojo, admin: User, rank: Rank, records: str, named_by: str
) -> None:
    mika, other = (
        new_student(real_dojo, external_id=f"{records}-{named_by.partition(',')[0]}-{number}")
        for number in range(2)
    )
    header, cells = {
        "facts": ("kind,value,on", "document,Essay,2026-01-01"),
        "rank events": ("rank,effective_on", f"{rank.name},2026-01-01"),
    }[records]
    run = {"facts": import_facts, "rank events": import_rank_events}[records]
    names = [",".join(getattr(student, name) for name in named_by.split(",")) for student in (mika, other)]
    content = "\n".join([f"{named_by},{header}", *(f"{name},{cells}" for name in names)])
    with tenant_scope(real_dojo.tenant):
        report = erasure_race(mika, lambda: run(content.encode(), by=admin, dry_run=False))
        assert [row["outcome"] for row in report["rows"]] == ["failed", "created"]
        assert report["rows"][0] == {
            "line": 2,
            "outcome": "failed",
            "errors": {named_by.partition(",")[0]: ["There is no such student."]},
        }
        assert (len(records_of(mika)), len(records_of(other))) == (0, 1)
