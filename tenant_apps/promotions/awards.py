"""Award ranks by the rules as of the day on which they take effect, and store the reasons.

Every award is made here: one by hand, those of a batch and those of an exam. The students are locked first, in key
order, so concurrent decisions about one student run one after the other, each on the history as it is then. The
constraint `rank_award_once` guarantees that one step up is taken once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from tatami.errors import DomainError, NotFound
from tenant_apps.dojo.award_policies import AwardPolicies
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.certificates import issue_certificates
from tenant_apps.promotions.check import Check, CheckResult
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import AlreadyAwarded, DemotedThatDay, ExamNeeded, NotEligible
from tenant_apps.promotions.models import BatchItem, Decision
from tenant_apps.promotions.responses import check_result_data
from tenant_apps.promotions.standing import StandingCheck
from tenant_apps.ranks.definition import StepType
from tenant_apps.ranks.models import Rank
from tenant_apps.students.errors import OwnRankChange
from tenant_apps.students.events import Notice, publish_notices
from tenant_apps.students.history import delete_snapshots, publish_rank_events, void_rank_events
from tenant_apps.students.models import RankEvent, RankEventQuerySet, Student, StudentQuerySet, StudentUser
from tenant_apps.students.rank_history import birth_error, error_after, error_before, event_data

Kind = RankEvent.Kind


class Nomination(NamedTuple):
    """A student who is nominated for a rank. With a reason, the award overrides the rules."""

    student: UUID
    target: Rank
    override_reason: str = ""


@dataclass(frozen=True, slots=True)
class AwardDecision:
    """The decision about one nomination: the check result, and the error that prevents the award, if any.

    `result` is that of the rules and of `standing`, which every award asks for.
    """

    result: CheckResult
    override_reason: str
    error: DomainError | None


@transaction.atomic
def award(*, nomination: Nomination, effective_on: date, by: User) -> RankEvent:
    """Award a rank to one student on a local date, and return the rank event.

    Raises what `AwardChecker.decide` names; `NotFound` if the student was erased. A second call with the same arguments
    raises `AlreadyAwarded`.
    """
    return award_nominated(nomination, effective_on=effective_on, by=by)


def award_nominated(
    nomination: Nomination, *, effective_on: date, by: User, at_exam: bool = False
) -> RankEvent:
    """Award a rank as `award` does, in the caller's transaction. `at_exam`: the student passed an exam for it.

    The rules of the rank's system apply although it was archived since.
    """
    students = lock_nominated([nomination.student])
    if not students:
        raise NotFound
    student = students[nomination.student]
    check = Check(students=[student], as_of=effective_on, named={nomination.target.pk})
    checker = AwardChecker.of(students, effective_on=effective_on, by=by, at_exam=at_exam)
    result = check.result(student, nomination.target)
    decision = checker.decide(result, override_reason=nomination.override_reason)
    if decision.error:
        raise decision.error
    (event,) = record_awards([decision], checker=checker, by=by)
    return event


def lock_nominated(ids: Sequence[UUID]) -> dict[UUID, Student]:
    """Return the students by id, locked until the transaction ends, without those who were erased."""
    return {student.pk: student for student in Student.objects.filter(pk__in=ids).locked()}


@dataclass(frozen=True, slots=True)
class AwardChecker:
    """Decides about awards of one day: applies the rules, and what the rules do not know (see `decide`)."""

    effective_on: date
    own_students: frozenset[UUID]
    """The students that the deciding user is linked with."""
    received: dict[tuple[UUID, UUID], list[RankEvent]]
    """The rank events that are not voided, by student and rank system, the latest last."""
    standing: StandingCheck
    settings: DojoSettings
    at_exam: bool

    @classmethod
    def of(
        cls,
        students: Mapping[UUID, Student],
        *,
        effective_on: date,
        by: User | None,
        at_exam: bool = False,
    ) -> "AwardChecker":
        """Read what is needed to decide about all `students`: four statements."""
        received: dict[tuple[UUID, UUID], list[RankEvent]] = {}
        events = RankEvent.objects.not_voided().filter(student__in=students).select_related("rank", "student")
        for event in events.latest_last():
            received.setdefault((event.student_id, event.system_id), []).append(event)
        return cls(
            effective_on,
            StudentUser.objects.student_ids_of(by, among=students),
            received,
            StandingCheck.of(students, on=effective_on),
            DojoSettings.current(),
            at_exam,
        )

    def decide(self, result: CheckResult, *, override_reason: str = "") -> AwardDecision:
        """Return the decision about one award.

        These prevent it, the first one wins: the student is the user or a child of the user (`OwnRankChange`), the rank
        was received already (`AlreadyAwarded`), the student was demoted on that day (`DemotedThatDay`) or was not born
        yet (`Invalid`). Unless there is a reason: the rules or the student's standing (`NotEligible`), another step of
        that day (`AlreadyAwarded`), ranks of this kind need an exam (`ExamNeeded`). And in any case: the rank does not
        fit between the ranks before and after it (`RankOutOfOrder`).
        """
        result = self.standing.applied_to(result)
        error = self._definite_error(result)
        if error is None and not override_reason:
            error = self._error_without_reason(result)
        error = error or self._order_error(result)
        return AwardDecision(result, override_reason, error)

    def event_of(self, result: CheckResult, by: User | None) -> RankEvent:
        """Return the event of an award, not saved."""
        is_conversion = result.step.step_type is StepType.CONVERT
        return RankEvent(
            student=result.student,
            system=result.rules.system,
            rank=result.target,
            kind=Kind.CONVERT if is_conversion else Kind.AWARD,
            effective_on=self.effective_on,
            recorded_by=by,
            follows=self._held(result),
        )

    def _definite_error(self, result: CheckResult) -> DomainError | None:
        if result.student.pk in self.own_students:
            return OwnRankChange()
        if received := self._received(result):
            return AlreadyAwarded(details={"rank_events": [event_data(received)]})
        if self._is_demoted_that_day(result):
            return DemotedThatDay()
        return birth_error(result.student, self.effective_on)

    def _error_without_reason(self, result: CheckResult) -> DomainError | None:
        if result.step.status is not Eligibility.ELIGIBLE:
            return NotEligible(details=check_result_data(result))
        if step := self._step_of_the_day(result):
            message = gettext(
                "The student received {rank} on this day. A second step on one day needs a reason."
            ).format(rank=step.rank.name)
            return AlreadyAwarded(message, details={"rank_events": [event_data(step)]})
        if not self.at_exam and AwardPolicies.of(self.settings).for_kind(result.target.kind).needs_exam:
            return ExamNeeded(details=check_result_data(result))
        return None

    def _received(self, result: CheckResult) -> RankEvent | None:
        """Return the event by which the rank was received, on whatever day, with no demotion between it and this day.

        An award that follows the event whose rank is held on this day counts in any case: `rank_award_once` refuses
        a second one.
        """
        events = self._history(result)
        held = self._held(result)
        demotions = [event.effective_on for event in events if event.kind == Kind.DEMOTE]
        for event in events:
            if event.rank_id == result.target.pk and event.kind != Kind.DEMOTE:
                first, last = sorted((event.effective_on, self.effective_on))
                if not any(first <= demoted_on <= last for demoted_on in demotions):
                    return event
                if event.kind == Kind.AWARD and event.follows_id == (held.pk if held else None):
                    return event
        return None

    def _step_of_the_day(self, result: CheckResult) -> RankEvent | None:
        """Return the award or conversion of the same day, unless the rules call this step a skip."""
        if result.step.step_type is StepType.SKIP:
            return None
        steps = (one for one in self._history(result) if one.kind in {Kind.AWARD, Kind.CONVERT})
        return next((one for one in steps if one.effective_on == self.effective_on), None)

    def _order_error(self, result: CheckResult) -> DomainError | None:
        """Return the error of a rank below the one held, or above the one that comes next."""
        later = next(
            (event for event in self._history(result) if event.effective_on > self.effective_on), None
        )
        event = self.event_of(result, None)
        if event.kind == Kind.CONVERT:
            return None
        return error_after(event.follows, event, ()) or (error_before(event, later) if later else None)

    def _is_demoted_that_day(self, result: CheckResult) -> bool:
        """Return whether a demotion takes effect on the same day. It would come last: the rank would never be held."""
        return any(
            event.kind == Kind.DEMOTE and event.effective_on == self.effective_on
            for event in self._history(result)
        )

    def _held(self, result: CheckResult) -> RankEvent | None:
        """Return the event whose rank is held on this day."""
        events = reversed(self._history(result))
        return next((event for event in events if event.effective_on <= self.effective_on), None)

    def _history(self, result: CheckResult) -> list[RankEvent]:
        return self.received.get((result.student.pk, result.rules.system.pk), [])


def record_awards(
    decisions: Sequence[AwardDecision],
    *,
    checker: AwardChecker,
    by: User | None,
    items: Mapping[UUID, BatchItem] | None = None,
    notify: bool = True,
) -> list[RankEvent]:
    """Store awards with their reasons and certificates, and return the rank events in the same order.

    The decisions are of `checker`, they have no error, and their students are locked. A fixed number of statements.
    `items` names the batch item of each student. A step that the rules call a conversion is recorded as a conversion,
    because the clock of the rank depends on it. `AwardPolicies` decides for each kind of rank about certificate and
    mail; no one is notified if `notify` is False (for awards that are entered long after).
    Raises `AlreadyAwarded` if a writer that did not lock the students awarded the same step first.
    """
    events = [checker.event_of(decision.result, by) for decision in decisions]
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
    policies = AwardPolicies.of(checker.settings)
    certified = {event.pk for event in events if policies.for_kind(event.rank.kind).certificate}
    issue_certificates(
        [event for event in events if event.pk in certified],
        effective_on=checker.effective_on,
        scheme=checker.settings.certificate_number,
    )
    delete_snapshots({event.student_id for event in events}, {event.system_id for event in events})
    publish_rank_events(events)
    if notify:
        awarded_on = long_date(checker.effective_on, checker.settings.language_code)
        notices = [
            _notice(event, awarded_on, has_certificate=event.pk in certified)
            for event in events
            if policies.for_kind(event.rank.kind).mail
        ]
        publish_notices("promotion", notices)
    return events


def void_awards(
    events: RankEventQuerySet,
    students: StudentQuerySet,
    *,
    reason: str,
    by: User,
    now: datetime,
    cascade: bool,
    keep_later: bool,
) -> None:
    """Void the awards `events` of `students`, as `void_rank_events` does. Raises `RanksStandOnIt`.

    Locks the students in key order first; call it in a transaction. Raises `OwnRankChange` if the user is linked with
    one of the students.
    """
    ids = [student for (student,) in students.locked().values_list("pk")]
    if StudentUser.objects.student_ids_of(by, among=ids):
        raise OwnRankChange
    void_rank_events(events, reason=reason, by=by, now=now, cascade=cascade, keep_later=keep_later)


def _notice(event: RankEvent, awarded_on: str, *, has_certificate: bool) -> Notice:
    values = {"rank": event.rank.name, "rank_system": event.system.name, "awarded_on": awarded_on}
    return Notice(student=event.student_id, values=values, certificate=event.pk if has_certificate else None)


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
