"""Batches: check or award thousands of students, in chunks.

A worker claims the items of a chunk with SKIP LOCKED, after their students, and processes them in the same transaction.
If the worker is killed, the transaction rolls back: the items are queued as before, and another worker claims them.
Cancelling and reverting lock the batch's row first, then the queued items; items that a worker has claimed are waited
for, so their states are final.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from shared_apps.accounts.models import User
from tatami.errors import DomainError, NotFound, ServerError
from tatami.jobs import DONE, MORE, JobRun, job
from tenant_apps.promotions.awards import AwardChecker, AwardDecision, record_awards, void_awards
from tenant_apps.promotions.bisect import RECORD_ERRORS, bisect_failures
from tenant_apps.promotions.check import Check, CheckResult
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import (
    AlreadyReverted,
    AmbiguousTarget,
    BatchEnded,
    NoOpenRank,
    NotEligible,
    NothingToRevert,
)
from tenant_apps.promotions.models import Batch, BatchItem
from tenant_apps.promotions.responses import eligibility_data
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.models import RankEvent, Student

logger = structlog.get_logger(__name__)

CHUNK_SIZE: Final = 100
"""Students of one chunk: about a second of work."""

MAX_CHUNK_ATTEMPTS: Final = 3
"""After so many attempts that were cut off, a chunk is one student, to find the student that kills the worker."""

MAX_ATTEMPTS: Final = 7
"""After so many attempts, the student fails."""


State = BatchItem.State


@transaction.atomic
def create_batch(
    *,
    students: Sequence[UUID],
    award: bool,
    as_of: date,
    rank_system: RankSystem | None,
    target_ranks: Sequence[Rank],
    by: User,
) -> Batch:
    """Create a batch and request its processing. `as_of` is a local date.

    Called twice, it creates two batches; the second one awards nothing that the first one awarded.
    """
    batch = Batch.objects.create(
        award=award,
        as_of=as_of,
        rank_system=rank_system,
        target_ranks=[rank.pk for rank in target_ranks],
        requested_by=by,
    )
    items = (BatchItem(batch=batch, student_id=student) for student in students)
    BatchItem.objects.bulk_create(items, batch_size=5_000)
    run_batches.request()
    return batch


@transaction.atomic
def cancel(*, batch: Batch, now: datetime) -> None:
    """Cancel the queued items; awards stand. Cancelling twice changes nothing.

    Raises `BatchEnded` if the batch is finished or reverted.
    """
    batch = _locked(batch)
    if batch.finished_at or batch.reverted_at:
        raise BatchEnded
    if not batch.cancelled_at:
        Batch.objects.filter(pk=batch.pk).update(cancelled_at=now, updated_at=now)
        _cancel_queued_items(batch)


@transaction.atomic
def revert(
    *,
    batch: Batch,
    reason: str,
    by: User,
    now: datetime,
    cascade: bool = False,
    keep_later: bool = False,
) -> None:
    """Void all that a batch awarded, and cancel its queued items.

    Raises `NothingToRevert` for a check, `AlreadyReverted`, `OwnRankChange` if the user is linked with one of the
    students who were awarded a rank, and `RanksStandOnIt` (see `void_rank_events`).
    """
    batch = _locked(batch)
    if not batch.award:
        raise NothingToRevert
    if batch.reverted_at:
        raise AlreadyReverted
    Batch.objects.filter(pk=batch.pk).update(reverted_at=now, revert_reason=reason, updated_at=now)
    _cancel_queued_items(batch)
    awarded = BatchItem.objects.filter(batch=batch, state=State.AWARDED)
    students = Student.objects.filter(pk__in=awarded.values("student"))
    events = RankEvent.objects.filter(decision__batch_item__batch=batch)
    void_awards(events, students, reason=reason, by=by, now=now, cascade=cascade, keep_later=keep_later)
    awarded.update(state=State.REVERTED, updated_at=now)


@job("promotions.batches")
def run_batches(run: JobRun) -> str | None:
    """Process a chunk of the oldest batch that has not ended."""
    batch = Batch.objects.unfinished().select_related("rank_system", "requested_by").first()
    if batch is None:
        return DONE
    if not _process_chunk(batch, run):
        _finish(batch, run.now)
    return MORE


def _process_chunk(batch: Batch, run: JobRun) -> bool:
    """Process some queued items that no other worker has claimed; return whether there were any.

    If a record is bad, the chunk is processed a second time, and the bad record is isolated. Database errors propagate,
    and the next attempt tries again.
    """
    try:
        return _claim_and_process(batch, run, _process)
    except RECORD_ERRORS:
        return _claim_and_process(batch, run, _process_bisecting)


@transaction.atomic
def _claim_and_process(
    batch: Batch, run: JobRun, process: Callable[[Batch, Mapping[UUID, BatchItem]], None]
) -> bool:
    if batch.started_at is None:
        Batch.objects.filter(pk=batch.pk, started_at__isnull=True).update(started_at=run.now)
    items = _claim(batch, CHUNK_SIZE if run.attempt <= MAX_CHUNK_ATTEMPTS else 1)
    if not items:
        return False
    if run.attempt > MAX_ATTEMPTS:
        for item in items.values():
            item.state, item.error = State.FAILED, _error_data(ServerError())
    else:
        process(batch, items)
    for item in items.values():
        item.updated_at = run.now
    BatchItem.objects.bulk_update(items.values(), ["state", "answers", "error", "updated_at"])
    return True


def _claim(batch: Batch, size: int) -> dict[UUID, BatchItem]:
    """Return queued items by student, both locked. The students are locked first, as an erasure does.

    Students that are locked by another transaction are left for a later chunk.
    """
    students = {
        item.student_id: item.student for item in _queued_with_students(batch, skip_locked=True)[:size]
    }
    # The items are read again: another worker may have processed them since.
    queued = _queued(batch).filter(student__in=students)
    claimed = queued.select_for_update(of=("self",), skip_locked=True, no_key=True).order_by("student_id")
    items = {item.student_id: item for item in claimed}
    for student, item in items.items():
        item.student = students[student]
    return items


def _finish(batch: Batch, now: datetime) -> None:
    """Mark a batch finished if none of its items is queued. Waits for items that another worker has claimed."""
    with transaction.atomic():
        if _queued_with_students(batch).first() is None:
            Batch.objects.filter(pk=batch.pk, finished_at__isnull=True).update(
                finished_at=now, updated_at=now
            )


def _process(batch: Batch, items: Mapping[UUID, BatchItem]) -> None:
    students: dict[UUID, Student] = {}
    for item in items.values():
        if item.student.is_archived:
            item.state, item.error = State.REFUSED, _error_data(NotFound())
        else:
            students[item.student_id] = item.student
    results = _check(batch, students)
    for student in students:
        items[student].answers = [eligibility_data(result) for result in results[student]]
        items[student].state = State.CHECKED
    if batch.award:
        _award(batch, items, students, results)


def _process_bisecting(batch: Batch, items: Mapping[UUID, BatchItem]) -> None:
    def process(several: Sequence[BatchItem]) -> None:
        _process(batch, {item.student_id: item for item in several})

    bisect_failures(list(items.values()), process, _reject)


def _reject(item: BatchItem, error: Exception) -> None:
    item.answers = []
    if isinstance(error, DomainError):
        item.state, item.error = State.REFUSED, _error_data(error)
    else:
        item.state, item.error = State.FAILED, _error_data(ServerError())
        logger.error("promotions.item_failed", item=str(item.pk), exc_info=error)


def _check(batch: Batch, students: Mapping[UUID, Student]) -> dict[UUID, list[CheckResult]]:
    """Return the results by student: for the target ranks of the batch, else for the ordinary steps up."""
    found: dict[UUID, list[CheckResult]] = {student: [] for student in students}
    targets = list(Rank.objects.filter(pk__in=batch.target_ranks))
    check = Check(
        students=list(students.values()), as_of=batch.as_of, system=batch.rank_system, targets=targets
    )
    # Ranks that were removed from their system since are not awarded, nor is another in their place.
    is_possible = students and (targets or not batch.target_ranks)
    for result in check.each() if is_possible else ():
        if batch.target_ranks or result.is_promotion:
            found[result.student.pk].append(result)
    return found


def _award(
    batch: Batch,
    items: Mapping[UUID, BatchItem],
    students: Mapping[UUID, Student],
    results: Mapping[UUID, Sequence[CheckResult]],
) -> None:
    checker = AwardChecker.of(students, effective_on=batch.as_of, by=batch.requested_by)
    granted: list[AwardDecision] = []
    for student in students:
        item = items[student]
        item.answers = [eligibility_data(checker.standing.applied_to(one)) for one in results[student]]
        errors, decisions = _decide(checker, results[student])
        granted += decisions
        item.state = State.AWARDED if decisions else State.REFUSED
        item.error = _error_data(errors[0]) if errors and not decisions else None
    record_awards(granted, checker=checker, by=batch.requested_by, items=items)


def _decide(
    checker: AwardChecker, results: Sequence[CheckResult]
) -> tuple[list[DomainError], list[AwardDecision]]:
    """Return the errors and the awards of one student: one rank in each system in which the student is eligible.

    Without an award there is an error.
    """
    by_system: dict[UUID, list[CheckResult]] = {}
    for result in results:
        if result.step.status is Eligibility.ELIGIBLE:
            by_system.setdefault(result.rules.system.pk, []).append(result)
    errors: list[DomainError] = []
    granted: list[AwardDecision] = []
    for eligible in by_system.values():
        decision = checker.decide(eligible[0])
        if decision.error:
            errors.append(decision.error)
        elif len(eligible) > 1:
            errors.append(AmbiguousTarget())
        else:
            granted.append(decision)
    if not errors and not granted:
        errors.append(NotEligible() if results else NoOpenRank())
    return errors, granted


def _locked(batch: Batch) -> Batch:
    return Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)


def _queued(batch: Batch) -> QuerySet[BatchItem]:
    return BatchItem.objects.filter(batch=batch, state=State.QUEUED)


def _queued_with_students(batch: Batch, *, skip_locked: bool = False) -> QuerySet[BatchItem]:
    """Return the queued items in the key order of their students. The students are locked, the items are not."""
    queued = _queued(batch).select_related("student").order_by("student_id")
    return queued.select_for_update(of=("student",), skip_locked=skip_locked, no_key=True)


def _cancel_queued_items(batch: Batch) -> None:
    _queued(batch).update(state=State.CANCELLED)


def _error_data(error: DomainError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
