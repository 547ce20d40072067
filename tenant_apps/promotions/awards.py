"""Awarding ranks: judged by the rules as of the day it takes effect, written down with the reasons, once.

Everything that awards goes this way: one student by hand, a batch, an exam. The students are locked first, in key
order, so that two who decide about one student decide one after the other, each on the history as it is then. What
must never happen is a constraint (`rank_award_once`): one step up is taken once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from tatami.errors import DomainError, NotFound
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.check import Answer, Check
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import AlreadyAwarded, DemotedThatDay, NotEligible
from tenant_apps.promotions.models import BatchItem, Certificate, Decision
from tenant_apps.promotions.showing import shown_answer
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import OwnRankChange
from tenant_apps.students.events import Notice, publish_notices
from tenant_apps.students.history import delete_snapshots
from tenant_apps.students.models import RankEvent, Student, StudentUser

Kind = RankEvent.Kind


class Nomination(NamedTuple):
    """A student is put forward for a rank; with a reason, past what the rules say."""

    student: UUID
    target: Rank
    override_reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say about a nomination, and what stands in the way of the award, if anything."""

    answer: Answer
    override_reason: str
    refusal: DomainError | None

    @property
    def shown(self) -> dict[str, Any]:
        """What the rules say, as a check shows it."""
        return shown_answer(self.answer)


@transaction.atomic
def award(*, nomination: Nomination, effective_on: date, by: User) -> RankEvent:
    """Award a rank to one student. Raises `OwnRankChange`, `AlreadyAwarded`, `DemotedThatDay`, `NotEligible`.

    `NotFound` where she was archived meanwhile.
    """
    students = lock_live_students([nomination.student])
    if not students:
        raise NotFound
    (verdict,) = judge([nomination], students, effective_on=effective_on, by=by)
    if verdict.refusal:
        raise verdict.refusal
    (event,) = record([verdict], effective_on=effective_on, by=by)
    return event


def lock_live_students(ids: Sequence[UUID]) -> dict[UUID, Student]:
    """Return the students by id, locked until the transaction ends; whoever was erased or archived is left out."""
    return {student.pk: student for student in Student.objects.live().filter(pk__in=ids).locked()}


def refuse_own(students: Collection[UUID], by: User) -> None:
    """Raise `OwnRankChange` if a user speaks for one of the students whose ranks are taken back."""
    if StudentUser.objects.filter(user=by, student__in=students).exists():
        raise OwnRankChange


def judge(
    nominations: Sequence[Nomination], students: Mapping[UUID, Student], *, effective_on: date, by: User
) -> list[Verdict]:
    """Return the verdict on each nomination of `students`, who are locked. A fixed number of statements.

    By the rules of a rank's system though it was archived since.
    """
    named = {one.target.pk for one in nominations}
    check = Check(students=list(students.values()), as_of=effective_on, named=named)
    panel = Panel.of(students, effective_on=effective_on, by=by)
    return [
        panel.verdict(check.answer(students[one.student], one.target), override_reason=one.override_reason)
        for one in nominations
    ]


@dataclass(frozen=True, slots=True)
class Panel:
    """Decides on awards of one day. It knows what is asked beside the rules: who decides, and what was received."""

    effective_on: date
    own: frozenset[UUID]
    received: dict[tuple[UUID, UUID], list[RankEvent]]
    """Standing events by student and rank system, the latest last."""

    @classmethod
    def of(cls, students: Mapping[UUID, Student], *, effective_on: date, by: User | None) -> "Panel":
        """Read what it must know about all students: two statements."""
        received: dict[tuple[UUID, UUID], list[RankEvent]] = {}
        for event in RankEvent.objects.not_voided().filter(student__in=students).latest_last():
            received.setdefault((event.student_id, event.system_id), []).append(event)
        own = StudentUser.objects.filter(user=by, student__in=students).values_list("student_id", flat=True)
        return cls(effective_on, frozenset(own), received)

    def verdict(self, answer: Answer, *, override_reason: str = "") -> Verdict:
        """Return what stands in the way of this award: oneself, what was received or taken away, the rules."""
        refusal: DomainError | None = None
        if answer.student.pk in self.own:
            refusal = OwnRankChange()
        elif self._has_received(answer):
            refusal = AlreadyAwarded()
        elif self._is_demoted_that_day(answer):
            refusal = DemotedThatDay()
        elif answer.result.status is not Eligibility.ELIGIBLE and not override_reason:
            refusal = NotEligible(details=shown_answer(answer))
        return Verdict(answer, override_reason, refusal)

    def _has_received(self, answer: Answer) -> bool:
        """Whether the rank was received before or after that day, with no demotion in between.

        Or was awarded from the event whose rank is held on that day, which is the constraint `rank_award_once`.
        """
        events = self._history(answer)
        held = next((event for event in reversed(events) if event.effective_on <= self.effective_on), None)
        demotions = [event.effective_on for event in events if event.kind == Kind.DEMOTE]
        for event in events:
            if event.rank_id == answer.target.pk and event.kind != Kind.DEMOTE:
                first, last = sorted((event.effective_on, self.effective_on))
                if not any(first <= demoted_on <= last for demoted_on in demotions):
                    return True
                if event.kind == Kind.AWARD and event.follows_id == (held.pk if held else None):
                    return True
        return False

    def _is_demoted_that_day(self, answer: Answer) -> bool:
        """Whether an award would come before a demotion of its own day: the rank would never be held."""
        return any(
            event.kind == Kind.DEMOTE and event.effective_on == self.effective_on
            for event in self._history(answer)
        )

    def _history(self, answer: Answer) -> list[RankEvent]:
        return self.received.get((answer.student.pk, answer.rules.system.pk), [])


def record(
    verdicts: Sequence[Verdict],
    *,
    effective_on: date,
    by: User | None,
    items: Mapping[UUID, BatchItem] | None = None,
    tell: bool = True,
) -> list[RankEvent]:
    """Write awards and their reasons down, of verdicts without a refusal on students who are locked.

    A fixed number of statements. A step that the rules call a conversion is recorded as one, for the clock of the rank
    depends on it. The students are told unless `tell` is False: what is written down long after is no news. Raises
    `AlreadyAwarded` where a writer that did not lock came first.
    """
    students = {verdict.answer.student.pk for verdict in verdicts}
    held = {
        (event.student_id, event.system_id): event
        for event in RankEvent.objects.current(students=list(students), as_of=effective_on)
    }
    events = [_event(verdict, held, effective_on, by) for verdict in verdicts]
    try:
        with transaction.atomic():
            RankEvent.objects.bulk_create(events)
    except IntegrityError as violation:
        if "rank_award_once" in str(violation) or "rank_event_once" in str(violation):
            raise AlreadyAwarded from None
        raise
    Decision.objects.bulk_create(
        _decision(verdict, event, (items or {}).get(event.student_id))
        for verdict, event in zip(verdicts, events, strict=True)
    )
    Certificate.objects.bulk_create(Certificate(event=event) for event in events)
    delete_snapshots(students, {event.system_id for event in events})
    if tell:
        written = long_date(effective_on, DojoSettings.current().language_code)
        publish_notices("promotion", [_notice(event, written) for event in events])
    return events


def _notice(event: RankEvent, awarded_on: str) -> Notice:
    values = {"rank": event.rank.name, "rank_system": event.system.name, "awarded_on": awarded_on}
    return Notice(student=event.student_id, values=values, certificate=event.pk)


def _event(
    verdict: Verdict, held: dict[tuple[UUID, UUID], RankEvent], effective_on: date, by: User | None
) -> RankEvent:
    answer = verdict.answer
    is_conversion = answer.result.step_type is StepType.CONVERT
    return RankEvent(
        student=answer.student,
        system=answer.rules.system,
        rank=answer.target,
        kind=Kind.CONVERT if is_conversion else Kind.AWARD,
        effective_on=effective_on,
        recorded_by=by,
        follows=held.get((answer.student.pk, answer.rules.system.pk)),
    )


def _decision(verdict: Verdict, event: RankEvent, item: BatchItem | None) -> Decision:
    result = verdict.answer.result
    return Decision(
        event=event,
        rules_id=verdict.answer.rules.id,
        status=result.status.value,
        path=result.path,
        criteria=verdict.shown["criteria"],
        override_reason=verdict.override_reason,
        batch_item=item,
    )
