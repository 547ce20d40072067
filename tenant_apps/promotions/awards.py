"""Award ranks by the rules as of the day on which they take effect, and store the reasons.

Every award is made here: one by hand, those of a batch and those of an exam. The students are locked first, in key
order, so concurrent decisions about one student run one after the other, each on the history as it is then. The
constraint `rank_award_once` guarantees that one step up is taken once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import subscribers
from tatami.errors import DomainError, NotFound
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.check import Check, CheckResult
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import AlreadyAwarded, DemotedThatDay, NotEligible
from tenant_apps.promotions.models import BatchItem, Certificate, Decision
from tenant_apps.promotions.responses import check_result_data
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import OwnRankChange
from tenant_apps.students.events import Notice, publish_notices
from tenant_apps.students.history import delete_snapshots, publish_rank_events
from tenant_apps.students.models import RankEvent, RankEventQuerySet, Student, StudentQuerySet, StudentUser

Kind = RankEvent.Kind


class Nomination(NamedTuple):
    """A student who is nominated for a rank. With a reason, the award overrides the rules."""

    student: UUID
    target: Rank
    override_reason: str = ""


@dataclass(frozen=True, slots=True)
class AwardDecision:
    """The decision about one nomination: the check result, and the error that prevents the award, if any."""

    result: CheckResult
    override_reason: str
    error: DomainError | None


@transaction.atomic
def award(*, nomination: Nomination, effective_on: date, by: User) -> RankEvent:
    """Award a rank to one student on a local date, and return the rank event.

    Raises `OwnRankChange`, `AlreadyAwarded`, `DemotedThatDay` or `NotEligible`; `NotFound` if the student was archived
    or erased. A second call with the same arguments raises `AlreadyAwarded`.
    """
    students = lock_unarchived_students([nomination.student])
    if not students:
        raise NotFound
    (decision,) = decide_awards([nomination], students, effective_on=effective_on, by=by)
    if decision.error:
        raise decision.error
    (event,) = record_awards([decision], effective_on=effective_on, by=by)
    return event


def lock_unarchived_students(ids: Sequence[UUID]) -> dict[UUID, Student]:
    """Return the students by id, locked until the transaction ends, without those who were erased or archived."""
    return {student.pk: student for student in Student.objects.not_archived().filter(pk__in=ids).locked()}


def decide_awards(
    nominations: Sequence[Nomination], students: Mapping[UUID, Student], *, effective_on: date, by: User
) -> list[AwardDecision]:
    """Return the decision about each nomination. A fixed number of statements.

    `students` holds every nominated student, locked. The rules of a rank's system apply although it was archived since.
    """
    named = {one.target.pk for one in nominations}
    check = Check(students=list(students.values()), as_of=effective_on, named=named)
    checker = AwardChecker.of(students, effective_on=effective_on, by=by)
    return [
        checker.decide(check.result(students[one.student], one.target), override_reason=one.override_reason)
        for one in nominations
    ]


@dataclass(frozen=True, slots=True)
class AwardChecker:
    """Decides about awards of one day: applies the rules, and what the rules do not know (see `decide`)."""

    effective_on: date
    own_students: frozenset[UUID]
    """The students that the deciding user is linked with."""
    received: dict[tuple[UUID, UUID], list[RankEvent]]
    """The rank events that are not voided, by student and rank system, the latest last."""

    @classmethod
    def of(cls, students: Mapping[UUID, Student], *, effective_on: date, by: User | None) -> "AwardChecker":
        """Read what is needed to decide about all `students`: two statements."""
        received: dict[tuple[UUID, UUID], list[RankEvent]] = {}
        for event in RankEvent.objects.not_voided().filter(student__in=students).latest_last():
            received.setdefault((event.student_id, event.system_id), []).append(event)
        return cls(effective_on, StudentUser.objects.student_ids_of(by, among=students), received)

    def decide(self, result: CheckResult, *, override_reason: str = "") -> AwardDecision:
        """Return the decision about one award.

        These prevent it, the first one wins: the student is the user or a child of the user, the rank was received
        already, the student was demoted on that day, the rules (unless there is a reason to override them).
        """
        error: DomainError | None = None
        if result.student.pk in self.own_students:
            error = OwnRankChange()
        elif self._has_received(result):
            error = AlreadyAwarded()
        elif self._is_demoted_that_day(result):
            error = DemotedThatDay()
        elif result.step.status is not Eligibility.ELIGIBLE and not override_reason:
            error = NotEligible(details=check_result_data(result))
        return AwardDecision(result, override_reason, error)

    def _has_received(self, result: CheckResult) -> bool:
        """Return whether the rank was received, on whatever day, with no demotion between that day and this one.

        An award that follows the event whose rank is held on this day counts in any case: `rank_award_once` refuses
        a second one.
        """
        events = self._history(result)
        held = next((event for event in reversed(events) if event.effective_on <= self.effective_on), None)
        demotions = [event.effective_on for event in events if event.kind == Kind.DEMOTE]
        for event in events:
            if event.rank_id == result.target.pk and event.kind != Kind.DEMOTE:
                first, last = sorted((event.effective_on, self.effective_on))
                if not any(first <= demoted_on <= last for demoted_on in demotions):
                    return True
                if event.kind == Kind.AWARD and event.follows_id == (held.pk if held else None):
                    return True
        return False

    def _is_demoted_that_day(self, result: CheckResult) -> bool:
        """Return whether a demotion takes effect on the same day. It would come last: the rank would never be held."""
        return any(
            event.kind == Kind.DEMOTE and event.effective_on == self.effective_on
            for event in self._history(result)
        )

    def _history(self, result: CheckResult) -> list[RankEvent]:
        return self.received.get((result.student.pk, result.rules.system.pk), [])


def record_awards(
    decisions: Sequence[AwardDecision],
    *,
    effective_on: date,
    by: User | None,
    items: Mapping[UUID, BatchItem] | None = None,
    notify: bool = True,
) -> list[RankEvent]:
    """Store awards with their reasons and certificates, and return the rank events in the same order.

    The decisions have no error and their students are locked. A fixed number of statements. `items` names the batch
    item of each student. A step that the rules call a conversion is recorded as a conversion, because the clock of the
    rank depends on it. The students are notified unless `notify` is False (for awards that are entered long after).
    Raises `AlreadyAwarded` if a writer that did not lock the students awarded the same step first.
    """
    students = {decision.result.student.pk for decision in decisions}
    held = {
        (event.student_id, event.system_id): event
        for event in RankEvent.objects.current(students=list(students), as_of=effective_on)
    }
    events = [_event(decision.result, held, effective_on, by) for decision in decisions]
    try:
        with transaction.atomic():
            RankEvent.objects.bulk_create(events)
    except IntegrityError as violation:
        if "rank_award_once" in str(violation) or "rank_event_once" in str(violation):
            raise AlreadyAwarded from None
        raise
    Decision.objects.bulk_create(
        _stored_decision(decision, event, (items or {}).get(event.student_id))
        for decision, event in zip(decisions, events, strict=True)
    )
    Certificate.objects.bulk_create(Certificate(event=event) for event in events)
    delete_snapshots(students, {event.system_id for event in events})
    publish_rank_events(events)
    if notify:
        awarded_on = long_date(effective_on, DojoSettings.current().language_code)
        publish_notices("promotion", [_notice(event, awarded_on) for event in events])
    return events


def void_awards(
    events: RankEventQuerySet,
    students: StudentQuerySet,
    systems: Collection[UUID],
    *,
    reason: str,
    by: User,
    now: datetime,
) -> None:
    """Void the awards `events`, and forget the snapshots of `students` in `systems`.

    Locks the students in key order first; call it in a transaction. Ranks that were awarded on top of these since
    stand. Raises `OwnRankChange` if the user is linked with one of the students.
    """
    ids = [student for (student,) in students.locked().values_list("pk")]
    if StudentUser.objects.student_ids_of(by, among=ids):
        raise OwnRankChange
    webhooks = subscribers("rank_event.voided")
    voided = (
        list(events.not_voided().values_list("pk", "student")) if webhooks.want("rank_event.voided") else []
    )
    events.void(reason=reason, by=by, now=now)
    delete_snapshots(ids, systems)
    webhooks.publish("rank_event.voided", [{"id": pk, "student": student} for pk, student in voided], now=now)


def _notice(event: RankEvent, awarded_on: str) -> Notice:
    values = {"rank": event.rank.name, "rank_system": event.system.name, "awarded_on": awarded_on}
    return Notice(student=event.student_id, values=values, certificate=event.pk)


def _event(
    result: CheckResult, held: dict[tuple[UUID, UUID], RankEvent], effective_on: date, by: User | None
) -> RankEvent:
    is_conversion = result.step.step_type is StepType.CONVERT
    return RankEvent(
        student=result.student,
        system=result.rules.system,
        rank=result.target,
        kind=Kind.CONVERT if is_conversion else Kind.AWARD,
        effective_on=effective_on,
        recorded_by=by,
        follows=held.get((result.student.pk, result.rules.system.pk)),
    )


def _stored_decision(decision: AwardDecision, event: RankEvent, item: BatchItem | None) -> Decision:
    step = decision.result.step
    return Decision(
        event=event,
        rules_id=decision.result.rules.id,
        status=step.status.value,
        path=step.path,
        criteria=check_result_data(decision.result)["criteria"],
        override_reason=decision.override_reason,
        batch_item=item,
    )
