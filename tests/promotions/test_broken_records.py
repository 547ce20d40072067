"""Records that cannot be checked or written: they fail at once, and the rest is processed."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from tatami.tenancy.scope import tenant_scope
from tenant_apps.promotions.batches import CHUNK_SIZE
from tenant_apps.promotions.models import BatchItem
from tenant_apps.students.models import RankEvent, Student, StudentFact
from tests.promotions.factories import GradedDojo, counts_add_up
from tests.support import factories
from tests.support.statements import sent_statements


def break_record(graded: GradedDojo, who: Any) -> None:
    """Store a fact that the API would refuse and that no criterion can read."""
    with tenant_scope(graded.dojo.tenant):
        StudentFact.objects.create(student_id=who, kind="points", value={"dan": "?"}, on="2026-01-01")


def names(graded: GradedDojo, state: str) -> list[str]:
    with tenant_scope(graded.dojo.tenant):
        rows = BatchItem.objects.filter(state=state).order_by("student__search_name")
        return [item.student.first_name for item in rows.select_related("student")]


@pytest.mark.parametrize("award", [True, False])
def test_broken_records_fail_and_the_rest_is_processed(graded: GradedDojo, award: bool) -> None:
    graded.add_students(9)
    with tenant_scope(graded.dojo.tenant):
        broken = [Student.objects.get(first_name=name).pk for name in ("N3", "N4")]
    for who in (*broken, graded.early["id"]):
        break_record(graded, who)
    batch = graded.create_batch(filter={}, award=award)
    graded.process_chunk()
    seen = graded.read_batch(batch)
    assert (seen["done"], seen["failed"], counts_add_up(seen)) == (11, 3, True)
    assert seen["awarded" if award else "checked"] == 8
    assert names(graded, "failed") == ["Early", "N3", "N4"]
    lost = graded.batch_results(batch)["N3"]
    assert (lost["error"]["code"], lost["results"]) == ("server_error", [])
    graded.process_batches()
    assert graded.read_batch(batch)["status"] == "done"


def test_the_snapshot_skips_a_broken_record_and_logs_it(graded: GradedDojo) -> None:
    graded.take_snapshot()
    assert {row[0] for row in graded.snapshot()} == {"Ready", "Early"}
    break_record(graded, graded.early["id"])
    with capture_logs() as logs:
        graded.take_snapshot(days=1)
    assert [row[0] for row in graded.snapshot()] == ["Ready"]
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert (told["event"], told["student"]) == ("promotions.student_not_checked", graded.early["id"])


def test_the_rest_of_a_full_chunk_is_processed_in_the_same_turn(graded: GradedDojo) -> None:
    graded.add_students(CHUNK_SIZE)
    with tenant_scope(graded.dojo.tenant):
        break_record(graded, Student.objects.get(first_name="N50").pk)
    batch = graded.create_batch(filter={})
    graded.process_chunk()
    assert (graded.read_batch(batch)["done"], graded.read_batch(batch)["failed"]) == (CHUNK_SIZE, 1)


def test_a_batch_of_one_broken_record_has_failed(graded: GradedDojo) -> None:
    break_record(graded, graded.ready["id"])
    batch = graded.create_batch(graded.ready)
    graded.process_batches()
    assert graded.read_batch(batch)["status"] == "failed"
    assert graded.rank_held(graded.ready) == "white"


def test_a_violated_constraint_refuses_one_student_and_awards_the_rest(graded: GradedDojo) -> None:
    """The step was taken on the day of a demotion, before such awards were refused. Only this student is refused."""
    with tenant_scope(graded.dojo.tenant):
        about = {"student_id": graded.ready["id"], "system_id": graded.system["id"]}
        demotion = RankEvent.objects.create(
            **about, rank_id=graded.rank("white"), kind="demote", effective_on="2026-03-15"
        )
        RankEvent.objects.create(
            **about, rank_id=graded.rank("yellow"), kind="award", effective_on="2026-03-15", follows=demotion
        )
    later = graded.add_student("Later", "2026-01-01")
    batch = graded.create_batch(filter={})
    graded.process_batches()
    assert graded.batch_results(batch)["Ready"]["error"]["code"] == "already_awarded"
    assert graded.rank_held(later) == "yellow"


def test_a_batch_refuses_a_student_who_was_demoted_on_its_date(graded: GradedDojo) -> None:
    for code, kind, on in (("green", "import", "2026-03-20"), ("yellow", "demote", "2026-06-15")):
        factories.rank_event(graded.dojo, graded.early, graded.rank(code), on, kind)
    batch = graded.create_batch(graded.early, target_ranks=[graded.rank("blue")])
    graded.process_batches()
    found = graded.batch_results(batch)["Early"]
    assert (found["state"], found["error"]["code"]) == ("refused", "demoted_that_day")
    assert found["results"][0]["status"] == "eligible"


def test_a_database_timeout_does_not_fail_any_student(graded: GradedDojo) -> None:
    graded.add_students(CHUNK_SIZE)
    batch = graded.create_batch(filter={})
    with tenant_scope(graded.dojo.tenant), connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        cursor.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(OperationalError):
            graded.process_chunk()
        cursor.execute("ROLLBACK TO SAVEPOINT before")
    assert graded.read_batch(batch)["done"] == 0
    graded.process_batches()
    assert (graded.read_batch(batch)["status"], graded.read_batch(batch)["failed"]) == ("done", 0)


def test_a_chunk_without_failures_takes_two_savepoints(graded: GradedDojo) -> None:
    graded.create_batch(filter={})
    with sent_statements() as sent:
        graded.process_chunk()
    # Its own and that of the award's constraint.
    assert sum(one.startswith("SAVEPOINT") for one in sent) == 2, sent
