"""A student whose record cannot be judged or written: she alone fails, at once, and the rest is done."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.batches import PIECE
from tenant_apps.promotions.models import BatchItem
from tenant_apps.students.models import RankEvent, Student, StudentFact
from tests.promotions.test_batches import School, adds_up
from tests.promotions.test_snapshot import listed, night
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.statements import sent_statements


@pytest.fixture
def school(dojo: Dojo) -> School:
    return School(dojo)


def break_record(school: School, who: Any) -> None:
    """Write a fact down that no API would take, and that no criterion can read."""
    with tenant_scope(school.dojo.tenant):
        StudentFact.objects.create(student_id=who, kind="points", value={"dan": "?"}, on="2026-01-01")


def names(school: School, state: str) -> list[str]:
    with tenant_scope(school.dojo.tenant):
        rows = BatchItem.objects.filter(state=state).order_by("student__search_name")
        return [item.student.first_name for item in rows.select_related("student")]


@pytest.mark.parametrize("award", [True, False])
def test_one_broken_record_holds_nobody_up(school: School, award: bool) -> None:
    school.crowd(9)
    with tenant_scope(school.dojo.tenant):
        broken = [Student.objects.get(first_name=name).pk for name in ("N3", "N4")]
    for who in (*broken, school.early["id"]):
        break_record(school, who)
    batch = school.batch(filter={}, award=award)
    school.turn()
    seen = school.seen(batch)
    assert (seen["done"], seen["failed"], adds_up(seen)) == (11, 3, True)
    assert seen["awarded" if award else "checked"] == 8
    assert names(school, "failed") == ["Early", "N3", "N4"]
    lost = school.results(batch)["N3"]
    assert (lost["error"]["code"], lost["results"]) == ("server_error", [])
    school.work_off()
    assert school.seen(batch)["status"] == "done"


def test_last_nights_check_passes_over_a_broken_record_and_names_it(school: School) -> None:
    night(school)
    assert {row[0] for row in listed(school)} == {"Ready", "Early"}
    break_record(school, school.early["id"])
    with capture_logs() as logs:
        night(school, days=1)
    assert [row[0] for row in listed(school)] == ["Ready"]
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert (told["event"], told["student"]) == ("promotions.student_not_checked", school.early["id"])


def test_the_rest_of_a_large_piece_is_done_in_the_same_turn(school: School) -> None:
    school.crowd(PIECE)
    with tenant_scope(school.dojo.tenant):
        break_record(school, Student.objects.get(first_name="N50").pk)
    batch = school.batch(filter={})
    school.turn()
    assert (school.seen(batch)["done"], school.seen(batch)["failed"]) == (PIECE, 1)


def test_a_batch_of_one_broken_record_has_failed(school: School) -> None:
    break_record(school, school.ready["id"])
    batch = school.batch(school.ready)
    school.work_off()
    assert school.seen(batch)["status"] == "failed"
    assert school.held(school.ready) == "white"


def test_an_award_that_the_constraint_knows_names_the_student(school: School) -> None:
    """On the day of her demotion the step was taken once, before that was refused: she is told, not the whole piece."""
    with tenant_scope(school.dojo.tenant):
        about = {"student_id": school.ready["id"], "system_id": school.system["id"]}
        demotion = RankEvent.objects.create(
            **about, rank_id=school.rank("white"), kind="demote", effective_on="2026-03-15"
        )
        RankEvent.objects.create(
            **about, rank_id=school.rank("yellow"), kind="award", effective_on="2026-03-15", follows=demotion
        )
    later = school.pupil("Later", "2026-01-01")
    batch = school.batch(filter={})
    school.work_off()
    assert school.results(batch)["Ready"]["error"]["code"] == "already_awarded"
    assert school.held(later) == "yellow"


def test_a_batch_names_who_was_demoted_on_its_day(school: School) -> None:
    for code, kind, on in (("green", "import", "2026-03-20"), ("yellow", "demote", "2026-06-15")):
        factories.rank_event(school.dojo, school.early, school.rank(code), on, kind)
    batch = school.batch(school.early, target_ranks=[school.rank("blue")])
    school.work_off()
    found = school.results(batch)["Early"]
    assert (found["state"], found["error"]["code"]) == ("refused", "demoted_that_day")
    assert found["results"][0]["status"] == "eligible"


def test_a_database_that_gives_up_is_no_fault_of_a_student(school: School) -> None:
    school.crowd(PIECE)
    batch = school.batch(filter={})
    with tenant_scope(school.dojo.tenant), connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        cursor.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(OperationalError):
            school.turn()
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert school.seen(batch)["done"] == 0
    school.work_off()
    assert (school.seen(batch)["status"], school.seen(batch)["failed"]) == ("done", 0)


def test_a_piece_without_failures_takes_no_savepoint_for_those_that_have(school: School) -> None:
    school.batch(filter={})
    with sent_statements() as sent:
        school.turn()
    # Its own and that of the award's constraint.
    assert sum(one.startswith("SAVEPOINT") for one in sent) == 2, sent
