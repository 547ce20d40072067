"""Exams: invitations, results, and the awards of those who passed.

Every change of an exam's candidates or results locks the exam's row, so finishing an exam sees all of them. The
students are locked after it, in key order, as everywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.clock import tenant_date
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.awards import (
    Nomination,
    award_nominated,
    lock_nominated,
    record_awards,
    void_awards,
)
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import (
    AlreadyCandidate,
    DeadlinePassed,
    ExamFinished,
    ExamNotFinished,
    ExamNotHeld,
    NoOpenCondition,
    NotEligible,
)
from tenant_apps.promotions.exam_decisions import ExamChecker
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.promotions.responses import check_result_data
from tenant_apps.ranks.models import Rank
from tenant_apps.students import queries
from tenant_apps.students.events import Notice, publish_notices
from tenant_apps.students.models import RankEvent, Student


class Invitation(NamedTuple):
    """A student who is invited to be examined for a rank."""

    student: UUID
    target: Rank


class ExamResult(NamedTuple):
    """The outcome of a candidate. With a reason, the award overrides the rules.

    With a `condition`, the rank is not awarded until it is met; `condition_until` is the last day for it.
    """

    candidate: UUID
    outcome: str
    override_reason: str = ""
    marks: Mapping[str, float] = {}
    condition: str = ""
    condition_until: date | None = None


@transaction.atomic
def create_exam(*, values: Mapping[str, Any]) -> Exam:
    """Create an exam. Calling it twice creates two."""
    exam = Exam.objects.create(**values)
    publish("exam.created", [{"id": exam.pk}])
    return exam


@transaction.atomic
def change_exam(*, exam: Exam, changes: Mapping[str, Any], notify: bool, now: datetime) -> Exam:
    """Change the given fields of an exam. Raises `ExamFinished`.

    With `notify`, the candidates of an exam that is not past are told a new date or place. A repeated call changes
    nothing and tells no one.
    """
    exam = _lock_open(exam)
    old_date, old_location = exam.date, exam.location
    for field, value in changes.items():
        setattr(exam, field, value)
    exam.save()
    publish("exam.updated", [{"id": exam.pk}], now=now)
    is_moved = (exam.date, exam.location) != (old_date, old_location)
    if notify and is_moved and max(exam.date, old_date) >= tenant_date(now):
        language = DojoSettings.current().language_code
        values = {
            "exam": exam.name,
            "old_date": long_date(old_date, language),
            "date": long_date(exam.date, language),
            "location": exam.location,
        }
        candidates = Candidate.objects.not_erased().filter(exam=exam).values_list("student", flat=True)
        publish_notices("exam_moved", [Notice(one, values) for one in candidates])
    return exam


@transaction.atomic
def delete_exam(*, exam: Exam) -> None:
    """Delete an exam that was not finished. Raises `ExamFinished`: awards keep their exam."""
    exam_id = exam.pk
    _lock_open(exam).delete()
    publish("exam.deleted", [{"id": exam_id}])


@transaction.atomic
def invite(*, exam: Exam, invitations: Sequence[Invitation]) -> None:
    """Make students candidates, and notify those who are new. Inviting a student again for the same rank does nothing.

    Stores how each new candidate stands, with warnings for those who could not be awarded the rank. Students who were
    erased meanwhile are left out. Raises `ExamFinished`; `AlreadyCandidate` if a student is a candidate for another
    rank, and then invites no one.
    """
    exam = _lock_open(exam)
    existing = dict(Candidate.objects.filter(exam=exam).values_list("student", "target"))
    conflicting = [one for one in invitations if existing.get(one.student, one.target.pk) != one.target.pk]
    if conflicting:
        raise AlreadyCandidate(details={"students": [str(one.student) for one in conflicting]})
    students = lock_nominated([one.student for one in invitations if one.student not in existing])
    new = [one for one in invitations if one.student in students]
    candidates = [Candidate(exam=exam, student=students[one.student], target=one.target) for one in new]
    if candidates:
        checker = ExamChecker.of(exam, candidates)
        for candidate in candidates:
            candidate.invited = checker.judged(candidate)
    Candidate.objects.bulk_create(candidates)
    if candidates:
        publish("exam.updated", [{"id": exam.pk}])
    date = long_date(exam.date, DojoSettings.current().language_code)
    publish_notices("exam_invitation", [_notice(exam, one, date) for one in new])


def eligible_invitations(
    exam: Exam, students: Sequence[Student], targets: Sequence[Rank] = ()
) -> list[Invitation]:
    """Return invitations for the students who are eligible as of the exam's date, for one of `targets` if given.

    Skips and conversions count only if `targets` names their rank. Students who are eligible for several ranks are left
    out.
    """
    check = Check(students=students, as_of=exam.date, system=exam.rank_system, targets=targets)
    found: dict[UUID, list[Rank]] = {}
    for result in check.each() if students else ():
        if result.step.status is Eligibility.ELIGIBLE and (targets or result.is_promotion):
            found.setdefault(result.student.pk, []).append(result.target)
    return [Invitation(student, ranks[0]) for student, ranks in found.items() if len(ranks) == 1]


@transaction.atomic
def withdraw(*, exam: Exam, candidate: Candidate) -> None:
    """Remove a candidate from an exam. Raises `ExamFinished`."""
    _lock_open(exam)
    candidate.delete()
    publish("exam.updated", [{"id": exam.pk}])


@transaction.atomic
def record_results(*, exam: Exam, results: Sequence[ExamResult], now: datetime) -> None:
    """Store results; a later call replaces earlier results. Erased candidates are left out. Raises `ExamFinished`."""
    exam = _lock_open(exam)
    by_candidate = {result.candidate: result for result in results}
    named = Candidate.objects.filter(exam=exam, pk__in=by_candidate)
    students = queries.lock_students(named.values_list("student", flat=True))
    candidates = list(named.filter(student__in=students))
    for candidate in candidates:
        result = by_candidate[candidate.pk]
        candidate.outcome, candidate.override_reason = result.outcome, result.override_reason
        candidate.marks = dict(result.marks)
        candidate.condition, candidate.condition_until = result.condition, result.condition_until
        candidate.updated_at = now
    fields = ["outcome", "override_reason", "marks", "condition", "condition_until", "updated_at"]
    Candidate.objects.bulk_update(candidates, fields)
    publish("exam.updated", [{"id": exam.pk}], now=now)


@transaction.atomic
def finish(*, exam: Exam, by: User, now: datetime) -> list[RankEvent]:
    """Award the ranks that were passed without a condition, all of them or none, and return the rank events.

    Stores how each candidate stood, so that the exam is shown as it was decided. Candidates without a result are not
    awarded. Raises `ExamFinished`; `ExamNotHeld` before the exam's day; `NotEligible`, whose details list every
    candidate who passed and cannot be awarded, with the error code and the check result.
    """
    exam = _lock_open(exam)
    if exam.date > tenant_date(now):
        raise ExamNotHeld
    rows = Candidate.objects.not_erased().filter(exam=exam).select_related("target")
    students = lock_nominated(list(rows.values_list("student", flat=True)))
    candidates = [one for one in rows if one.student_id in students]
    for candidate in candidates:
        candidate.student = students[candidate.student_id]
    decisions, refused = [], []
    checker = ExamChecker.of(exam, candidates, by=by)
    for candidate in candidates:
        decision = checker.decide(candidate)
        candidate.decided = checker.judged(candidate)
        candidate.updated_at = now
        if candidate.outcome != Candidate.Outcome.PASSED:
            continue
        if decision.error:
            refused.append(
                {
                    "candidate": str(candidate.pk),
                    "code": decision.error.code,
                    "message": decision.error.message,
                    "details": None if isinstance(decision.error, NotEligible) else decision.error.details,
                    "result": check_result_data(decision.result),
                }
            )
        elif not candidate.is_conditional:
            decisions.append((candidate, decision))
    if refused:
        message = gettext(
            "Some candidates who passed cannot be awarded the rank; `details` lists the reasons."
        )
        raise NotEligible(message, details={"candidates": refused})
    awards = [decision for _, decision in decisions]
    events = record_awards(awards, checker=checker.checker, by=by) if awards else []
    for (candidate, _), event in zip(decisions, events, strict=True):
        candidate.event = event
    Candidate.objects.bulk_update(candidates, ["event", "decided", "updated_at"])
    Exam.objects.filter(pk=exam.pk).update(finished_at=now, finished_by=by, updated_at=now)
    publish("exam.finished", [{"id": exam.pk}], now=now)
    return events


@transaction.atomic
def meet_condition(
    *, exam: Exam, candidate: Candidate, met_on: date, override_reason: str, by: User, now: datetime
) -> RankEvent:
    """Award the rank to a candidate who passed on a condition, as of the local date on which it was met.

    Raises `ExamNotFinished`; `NoOpenCondition`, also when it was met before; `DeadlinePassed` after the deadline unless
    there is a reason; and what prevents an award (see `AwardChecker.decide`).
    """
    exam = _locked(exam)
    if exam.finished_at is None:
        raise ExamNotFinished
    candidate = Candidate.objects.select_related("target").get(pk=candidate.pk)
    if not candidate.is_conditional or candidate.outcome != Candidate.Outcome.PASSED:
        raise NoOpenCondition
    assert candidate.condition_until is not None
    if met_on > candidate.condition_until and not override_reason:
        raise DeadlinePassed(details={"until": candidate.condition_until})
    reason = override_reason or candidate.override_reason
    nomination = Nomination(candidate.student_id, candidate.target, reason)
    event = award_nominated(nomination, effective_on=met_on, by=by, at_exam=True)
    Candidate.objects.filter(pk=candidate.pk).update(event=event, condition_met_on=met_on, updated_at=now)
    return event


@transaction.atomic
def reopen(
    *, exam: Exam, reason: str, by: User, now: datetime, cascade: bool = False, keep_later: bool = False
) -> None:
    """Void the awards of an exam, so that results can be changed.

    Raises `ExamNotFinished`; `OwnRankChange` if the user is linked with a candidate; `RanksStandOnIt` (see
    `void_rank_events`).
    """
    exam = _locked(exam)
    if exam.finished_at is None:
        raise ExamNotFinished
    candidates = Candidate.objects.filter(exam=exam)
    void_awards(
        RankEvent.objects.filter(candidate__exam=exam),
        Student.objects.filter(pk__in=candidates.values("student")),
        reason=reason,
        by=by,
        now=now,
        cascade=cascade,
        keep_later=keep_later,
    )
    candidates.update(event=None, decided=None, condition_met_on=None, updated_at=now)
    Exam.objects.filter(pk=exam.pk).update(
        finished_at=None, finished_by=None, reopened_at=now, reopen_reason=reason, updated_at=now
    )
    publish("exam.reopened", [{"id": exam.pk}], now=now)


def _locked(exam: Exam) -> Exam:
    return (
        Exam.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rank_system")
        .get(pk=exam.pk)
    )


def _lock_open(exam: Exam) -> Exam:
    exam = _locked(exam)
    if exam.finished_at is not None:
        raise ExamFinished
    return exam


def _notice(exam: Exam, invitation: Invitation, date: str) -> Notice:
    values = {
        "exam": exam.name,
        "date": date,
        "location": exam.location,
        "rank": invitation.target.name,
        "rank_system": exam.rank_system.name,
    }
    return Notice(student=invitation.student, values=values)
