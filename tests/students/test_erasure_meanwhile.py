"""Whatever is being written about a student while she is erased is refused: nobody could reach it any more."""

from typing import Any

import pytest
from tests.attendance.check_in_dojo import Desk

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import NotFound
from tatami.tenancy.scope import tenant_scope
from tenant_apps.ranks.models import Rank
from tenant_apps.students import history
from tenant_apps.students.holds import add_hold
from tenant_apps.students.imports.importing import import_facts, import_rank_events
from tenant_apps.students.models import (
    RankEvent,
    Student,
    StudentFact,
    StudentHold,
    StudentNote,
    StudentUser,
)
from tenant_apps.students.services import link_user
from tests.students.erasures import erased_meanwhile
from tests.support.now import NOW

TODAY = NOW.date()
DEEDS = {
    "a note": lambda who, by, rank: history.add_note(student=who, author=by, text="Her wrist"),
    "a fact": lambda who, by, rank: history.record_fact(
        student=who, recorded_by=by, values={"kind": "document", "value": "Her essay", "on": TODAY}
    ),
    "a rank": lambda who, by, rank: history.record_rank_event(
        student=who, rank=rank, kind="import", effective_on=TODAY, recorded_by=by, note="in Okinawa"
    ),
    "a hold": lambda who, by, rank: add_hold(student=who, starts_on=TODAY, reason="Her wrist"),
    "a sign-in": lambda who, by, rank: link_user(user=by, students=[who]),
}


def test_a_hold_that_is_changed_does_not_wait_in_a_circle(check_in_dojo: Desk, mika: Student) -> None:
    """Whoever changes it takes her row before the hold's, as the erasure does, and finds nobody then."""
    hold = check_in_dojo.dojo.create(
        f"/students/{mika.pk}/holds", {"from": "2026-06-01", "reason": "Her wrist"}
    )
    path = f"/students/{mika.pk}/holds/{hold['id']}"
    with tenant_scope(check_in_dojo.dojo.tenant):
        answer = erased_meanwhile(mika, lambda: check_in_dojo.dojo.admin.patch(path, {"reason": "Her knee"}))
    assert answer.status_code == 404, answer.content


@pytest.fixture(scope="module")
def rank(check_in_dojo: Desk) -> Rank:
    """A rank of the dojo."""
    system = check_in_dojo.dojo.create("/rank-systems", {"preset": "fik-kendo"})
    with tenant_scope(check_in_dojo.dojo.tenant):
        return Rank.objects.select_related("system").get(pk=system["ranks"][0]["id"])


@pytest.fixture
def mika(check_in_dojo: Desk) -> Student:
    (student,) = check_in_dojo.students(1)
    return student


@pytest.fixture
def admin(check_in_dojo: Desk) -> User:
    user = check_in_dojo.dojo.admin.user
    assert user is not None
    return user


def left_of(student: Student) -> list[Any]:
    models = (StudentNote, StudentFact, RankEvent, StudentHold, StudentUser)
    return [row for model in models for row in model._default_manager.filter(student=student)]


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_nothing_is_written_about_who_is_gone(
    check_in_dojo: Desk, mika: Student, admin: User, rank: Rank, deed: Any
) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        assert isinstance(erased_meanwhile(mika, lambda: deed(mika, admin, rank)), NotFound)
        assert left_of(mika) == []


def test_the_reason_of_a_void_is_not_written_either(
    check_in_dojo: Desk, mika: Student, admin: User, rank: Rank
) -> None:
    with tenant_scope(check_in_dojo.dojo.tenant):
        event = DEEDS["a rank"](mika, admin, rank)
        refused = erased_meanwhile(
            mika, lambda: history.void_rank_event(event=event, reason="Mika left", by=admin, now=clock.now())
        )
        assert isinstance(refused, NotFound)
        event.refresh_from_db()
        assert (event.void_reason, event.voided_at) == ("", None)


@pytest.mark.parametrize("named_by", ["external_id", "first_name,last_name"])
@pytest.mark.parametrize("what", ["facts", "rank events"])
def test_a_line_of_a_file_about_who_is_gone_is_faulty_and_the_others_are_written(
    check_in_dojo: Desk, admin: User, rank: Rank, what: str, named_by: str
) -> None:
    mika, other = (check_in_dojo.students(1, external_id=f"{check_in_dojo.made}")[0] for _ in range(2))
    said = {"facts": ("kind,value,on", "document,Essay,2026-01-01")}
    said["rank events"] = ("rank,effective_on", f"{rank.name},2026-01-01")
    read = {"facts": import_facts, "rank events": import_rank_events}[what]
    names = [",".join(getattr(who, name) for name in named_by.split(",")) for who in (mika, other)]
    head, line = said[what]
    content = "\n".join([f"{named_by},{head}", *(f"{name},{line}" for name in names)])
    with tenant_scope(check_in_dojo.dojo.tenant):
        body = erased_meanwhile(mika, lambda: read(content.encode(), by=admin, dry_run=False))
        assert [row["outcome"] for row in body["rows"]] == ["failed", "created"]
        assert body["rows"][0] == {
            "line": 2,
            "outcome": "failed",
            "errors": {named_by.partition(",")[0]: ["There is no such student."]},
        }
        assert (len(left_of(mika)), len(left_of(other))) == (0, 1)
