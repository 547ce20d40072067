"""Batches: a check, or awards, for thousands of students, a piece at a time.

An item is claimed with SKIP LOCKED, after its student, and done in the transaction that claimed it, so a killed worker
leaves it as it was, and free. Whoever ends a batch first takes its row, then the items that wait: those a worker is at
come first, and are final when they are looked at.
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
from tatami.work import DONE, MORE, Turn, job
from tenant_apps.promotions.awards import Panel, Verdict, record, refuse_own
from tenant_apps.promotions.check import Answer, Check
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import (
    AlreadyReverted,
    AmbiguousTarget,
    BatchEnded,
    NothingToRevert,
)
from tenant_apps.promotions.halving import WRONG_WITH_A_RECORD, by_halves
from tenant_apps.promotions.models import Batch, BatchItem
from tenant_apps.promotions.showing import shown_answer
from tenant_apps.ranks.models import Rank, RankSystem
from tenant_apps.students.history import delete_snapshots
from tenant_apps.students.models import RankEvent, Student

logger = structlog.get_logger(__name__)

PIECE: Final = 100
"""Students of one piece: about a second of work."""

TRIED_TOGETHER: Final = 3
"""After so many attempts, each cut off, a piece is one student, to find the one with whom a worker dies…"""

TRIED_ALONE: Final = 7
"""…and after so many the student is given up."""

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
    """Write a batch down and have workers do it. Sent twice it is two batches; the second awards nothing again."""
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
    """Leave undone what is not done yet; what was awarded stands. Twice changes nothing. Raises `BatchEnded`."""
    batch = _locked(batch)
    if batch.finished_at or batch.reverted_at:
        raise BatchEnded
    if not batch.cancelled_at:
        Batch.objects.filter(pk=batch.pk).update(cancelled_at=now, updated_at=now)
        _drop_waiting(batch)


@transaction.atomic
def revert(*, batch: Batch, reason: str, by: User, now: datetime) -> None:
    """Void all that a batch awarded, and leave undone what is not done yet.

    Ranks that were awarded on top of these since stand. Raises `NothingToRevert`, `AlreadyReverted`; `OwnRankChange`
    where he speaks for one of those awarded.
    """
    batch = _locked(batch)
    if not batch.award:
        raise NothingToRevert
    if batch.reverted_at:
        raise AlreadyReverted
    Batch.objects.filter(pk=batch.pk).update(reverted_at=now, revert_reason=reason, updated_at=now)
    _drop_waiting(batch)
    awarded = BatchItem.objects.filter(batch=batch, state=State.AWARDED)
    students = Student.objects.filter(pk__in=awarded.values("student"))
    ids = [student for (student,) in students.locked().values_list("pk")]
    refuse_own(ids, by)
    events = RankEvent.objects.not_voided().filter(decision__batch_item__batch=batch)
    systems = set(events.values_list("system", flat=True))
    events.update(voided_at=now, voided_by=by, void_reason=reason, updated_at=now)
    awarded.update(state=State.REVERTED, updated_at=now)
    delete_snapshots(ids, systems)


@job("promotions.batches")
def run_batches(turn: Turn) -> str | None:
    """Do a piece of the oldest batch that is not at its end."""
    batch = Batch.objects.unfinished().select_related("rank_system", "requested_by").first()
    if batch is None:
        return DONE
    if not _do_piece(batch, turn):
        _finish(batch, turn.now)
    return MORE


def _do_piece(batch: Batch, turn: Turn) -> bool:
    """Do some items that wait and that nobody else is at; return whether there were any.

    Where something is wrong with one of them it is done once more, now to find the one. What is wrong with the database
    passes through, and is tried again with another attempt.
    """
    try:
        return _do_waiting(batch, turn, _do)
    except WRONG_WITH_A_RECORD:
        return _do_waiting(batch, turn, _do_by_halves)


@transaction.atomic
def _do_waiting(batch: Batch, turn: Turn, do: Callable[[Batch, Mapping[UUID, BatchItem]], None]) -> bool:
    if batch.started_at is None:
        Batch.objects.filter(pk=batch.pk, started_at__isnull=True).update(started_at=turn.now)
    items = _claim(batch, PIECE if turn.attempt <= TRIED_TOGETHER else 1)
    if not items:
        return False
    if turn.attempt > TRIED_ALONE:
        for item in items.values():
            item.state, item.error = State.FAILED, _shown(ServerError())
    else:
        do(batch, items)
    for item in items.values():
        item.updated_at = turn.now
    BatchItem.objects.bulk_update(items.values(), ["state", "answers", "error", "updated_at"])
    return True


def _claim(batch: Batch, size: int) -> dict[UUID, BatchItem]:
    """Return items that wait, by student, both locked: the students first, as whoever erases one locks them.

    Whom somebody else is at is left to the next turn.
    """
    students = {item.student_id: item.student for item in _with_students(batch, skip_locked=True)[:size]}
    # What another worker has done since it was read here waits no more.
    waiting = _waiting(batch).filter(student__in=students)
    claimed = waiting.select_for_update(of=("self",), skip_locked=True, no_key=True).order_by("student_id")
    items = {item.student_id: item for item in claimed}
    for student, item in items.items():
        item.student = students[student]
    return items


def _finish(batch: Batch, now: datetime) -> None:
    """Mark a batch done if none of its items waits; those that another worker is at are waited for."""
    with transaction.atomic():
        if _with_students(batch).first() is None:
            Batch.objects.filter(pk=batch.pk, finished_at__isnull=True).update(
                finished_at=now, updated_at=now
            )


def _do(batch: Batch, items: Mapping[UUID, BatchItem]) -> None:
    students: dict[UUID, Student] = {}
    for item in items.values():
        if item.student.is_archived:
            item.state, item.error = State.REFUSED, _shown(NotFound())
        else:
            students[item.student_id] = item.student
    answers = _answers(batch, students)
    for student in students:
        items[student].answers = [_kept(answer) for answer in answers[student]]
        items[student].state = State.CHECKED
    if batch.award:
        _award(batch, items, students, answers)


def _do_by_halves(batch: Batch, items: Mapping[UUID, BatchItem]) -> None:
    def do(several: Sequence[BatchItem]) -> None:
        _do(batch, {item.student_id: item for item in several})

    by_halves(list(items.values()), do, _give_up)


def _give_up(item: BatchItem, fault: Exception) -> None:
    item.answers = []
    if isinstance(fault, DomainError):
        item.state, item.error = State.REFUSED, _shown(fault)
    else:
        item.state, item.error = State.FAILED, _shown(ServerError())
        logger.error("promotions.item_failed", item=str(item.pk), exc_info=fault)


def _award(
    batch: Batch,
    items: Mapping[UUID, BatchItem],
    students: Mapping[UUID, Student],
    answers: Mapping[UUID, Sequence[Answer]],
) -> None:
    panel = Panel.of(students, effective_on=batch.as_of, by=batch.requested_by)
    granted: list[Verdict] = []
    for student in students:
        item = items[student]
        refusals, mine = _verdicts(panel, answers[student])
        granted += mine
        item.state = State.AWARDED if mine else State.REFUSED
        item.error = _shown(refusals[0]) if refusals and not mine else None
    record(granted, effective_on=batch.as_of, by=batch.requested_by, items=items)


def _verdicts(panel: Panel, answers: Sequence[Answer]) -> tuple[list[DomainError], list[Verdict]]:
    """Return why a student does not get what the rules allow, and what she gets: one rank in each system."""
    by_system: dict[UUID, list[Answer]] = {}
    for answer in answers:
        if answer.result.status is Eligibility.ELIGIBLE:
            by_system.setdefault(answer.rules.system.pk, []).append(answer)
    refusals: list[DomainError] = []
    granted: list[Verdict] = []
    for eligible in by_system.values():
        verdict = panel.verdict(eligible[0])
        if len(eligible) > 1:
            refusals.append(AmbiguousTarget())
        elif verdict.refusal:
            refusals.append(verdict.refusal)
        else:
            granted.append(verdict)
    return refusals, granted


def _answers(batch: Batch, students: Mapping[UUID, Student]) -> dict[UUID, list[Answer]]:
    found: dict[UUID, list[Answer]] = {student: [] for student in students}
    targets = {UUID(rank) for rank in batch.target_ranks}
    check = Check(
        students=list(students.values()), as_of=batch.as_of, system=batch.rank_system, named=targets
    )
    for answer in check.answers() if students else ():
        if not targets or answer.target.pk in targets:
            found[answer.student.pk].append(answer)
    return found


def _locked(batch: Batch) -> Batch:
    return Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)


def _waiting(batch: Batch) -> QuerySet[BatchItem]:
    return BatchItem.objects.filter(batch=batch, state=State.QUEUED)


def _with_students(batch: Batch, *, skip_locked: bool = False) -> QuerySet[BatchItem]:
    """Return what waits, in the students' key order, with the students locked, and the items as they were before."""
    waiting = _waiting(batch).select_related("student").order_by("student_id")
    return waiting.select_for_update(of=("student",), skip_locked=skip_locked, no_key=True)


def _drop_waiting(batch: Batch) -> None:
    _waiting(batch).update(state=State.CANCELLED)


def _kept(answer: Answer) -> dict[str, object]:
    shown = shown_answer(answer)
    del shown["student"]
    return shown


def _shown(refusal: DomainError) -> dict[str, str]:
    return {"code": refusal.code, "message": refusal.message}
