"""Exam day: who is invited, how it went, and what is awarded for it.

An exam's row is locked by whoever changes its candidates or results, so that finishing sees all of them; the students
are locked after it, in key order, as everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import User
from tenant_apps.dojo.dates import dojo_today, long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.promotions.awards import Nomination, judge, lock_live_students, record, refuse_own
from tenant_apps.promotions.check import Answer, Check
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.errors import (
    AlreadyCandidate,
    ExamFinished,
    ExamNotFinished,
    ExamNotHeld,
    NotEligible,
)
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.ranks.models import Rank
from tenant_apps.students import locking
from tenant_apps.students.events import Notice, publish_notices
from tenant_apps.students.history import delete_snapshots
from tenant_apps.students.models import RankEvent, Student


class Invitation(NamedTuple):
    """A student is invited to be examined for a rank."""

    student: UUID
    target: Rank


class Result(NamedTuple):
    """How it went for a candidate; a reason carries an award past the rules."""

    candidate: UUID
    outcome: str
    override_reason: str = ""


@transaction.atomic
def change_exam(*, exam: Exam, changes: Mapping[str, Any]) -> Exam:
    """Change what is given. Raises `ExamFinished`."""
    exam = _open(exam)
    for field, value in changes.items():
        setattr(exam, field, value)
    exam.save()
    return exam


@transaction.atomic
def delete_exam(*, exam: Exam) -> None:
    """Take an exam off that was not held. Raises `ExamFinished`: what it awarded would lose its exam."""
    _open(exam).delete()


@transaction.atomic
def invite(*, exam: Exam, invitations: Sequence[Invitation]) -> None:
    """Make students candidates and tell those who are new. Inviting somebody again for the same rank changes nothing.

    Whoever was archived or erased meanwhile is left out. Raises `ExamFinished`; `AlreadyCandidate` for another rank,
    and then invites nobody.
    """
    exam = _open(exam)
    there = dict(Candidate.objects.filter(exam=exam).values_list("student", "target"))
    others = [one for one in invitations if there.get(one.student, one.target.pk) != one.target.pk]
    if others:
        raise AlreadyCandidate(details={"students": [str(one.student) for one in others]})
    here = lock_live_students([one.student for one in invitations if one.student not in there])
    new = [one for one in invitations if one.student in here]
    Candidate.objects.bulk_create(
        Candidate(exam=exam, student_id=one.student, target=one.target) for one in new
    )
    written = long_date(exam.date, DojoSettings.current().language_code)
    publish_notices("exam_invitation", [_notice(exam, one, written) for one in new])


def eligible_for(exam: Exam, students: Sequence[Student], targets: Sequence[Rank] = ()) -> list[Invitation]:
    """Return who may be invited as of the exam's date: one rank each; who could choose between two is left out."""
    wanted = {rank.pk for rank in targets}
    check = Check(students=students, as_of=exam.date, system=exam.rank_system)
    found: dict[UUID, list[Rank]] = {}
    for answer in check.answers() if students else ():
        if answer.result.status is Eligibility.ELIGIBLE and (not wanted or answer.target.pk in wanted):
            found.setdefault(answer.student.pk, []).append(answer.target)
    return [Invitation(student, ranks[0]) for student, ranks in found.items() if len(ranks) == 1]


@transaction.atomic
def withdraw(*, exam: Exam, candidate: Candidate) -> None:
    """Take a candidate off the list. Raises `ExamFinished`."""
    _open(exam)
    candidate.delete()


@transaction.atomic
def record_results(*, exam: Exam, results: Sequence[Result], now: datetime) -> None:
    """Write down how it went, but for whoever was erased; said again, the last word counts. Raises `ExamFinished`."""
    exam = _open(exam)
    by_id = {result.candidate: result for result in results}
    named = Candidate.objects.filter(exam=exam, pk__in=by_id)
    here = locking.lock_students(named.values_list("student", flat=True))
    candidates = list(named.filter(student__in=here))
    for candidate in candidates:
        result = by_id[candidate.pk]
        candidate.outcome, candidate.override_reason = result.outcome, result.override_reason
        candidate.updated_at = now
    Candidate.objects.bulk_update(candidates, ["outcome", "override_reason", "updated_at"])


@transaction.atomic
def finish(*, exam: Exam, by: User, now: datetime) -> list[RankEvent]:
    """Award what was passed, all of it or nothing; return the rank events.

    Candidates without a result get nothing. Raises `ExamFinished`; `ExamNotHeld` before its day; `NotEligible`, which
    lists everybody whom something stands in the way of, each with its own code and criteria.
    """
    exam = _open(exam)
    if exam.date > dojo_today(now):
        raise ExamNotHeld
    passed = list(
        Candidate.objects.filter(exam=exam, outcome=Candidate.Outcome.PASSED).select_related("target")
    )
    students = lock_live_students([candidate.student_id for candidate in passed])
    present = [candidate for candidate in passed if candidate.student_id in students]
    nominations = [Nomination(one.student_id, one.target, one.override_reason) for one in present]
    verdicts = judge(nominations, students, effective_on=exam.date, by=by)
    refused = [
        {"candidate": str(candidate.pk), "code": verdict.refusal.code, "message": verdict.refusal.message}
        | {"result": verdict.shown}
        for candidate, verdict in zip(present, verdicts, strict=True)
        if verdict.refusal
    ]
    if refused:
        raise NotEligible(
            "Not everybody who passed may be awarded the rank.", details={"candidates": refused}
        )
    events = record(verdicts, effective_on=exam.date, by=by) if verdicts else []
    for candidate, event in zip(present, events, strict=True):
        candidate.event = event
    Candidate.objects.bulk_update(present, ["event"])
    Exam.objects.filter(pk=exam.pk).update(finished_at=now, finished_by=by, updated_at=now)
    return events


@transaction.atomic
def reopen(*, exam: Exam, reason: str, by: User, now: datetime) -> None:
    """Void what an exam awarded and take results again. Ranks awarded on top since stand.

    Raises `ExamNotFinished`; `OwnRankChange` where he speaks for a candidate.
    """
    exam = _locked(exam)
    if exam.finished_at is None:
        raise ExamNotFinished
    students = Student.objects.filter(pk__in=Candidate.objects.filter(exam=exam).values("student"))
    ids = [student for (student,) in students.locked().values_list("pk")]
    refuse_own(ids, by)
    events = RankEvent.objects.not_voided().filter(candidate__exam=exam)
    events.update(voided_at=now, voided_by=by, void_reason=reason, updated_at=now)
    Candidate.objects.filter(exam=exam).update(event=None, updated_at=now)
    delete_snapshots(ids, [exam.rank_system_id])
    Exam.objects.filter(pk=exam.pk).update(
        finished_at=None, finished_by=None, reopened_at=now, reopen_reason=reason, updated_at=now
    )


def answers_for(exam: Exam, candidates: Iterable[Candidate]) -> dict[UUID, Answer]:
    """Return what the rules say of each candidate as of the exam's date. A fixed number of statements."""
    rows = list(candidates)
    if not rows:
        return {}
    check = Check(students=[one.student for one in rows], as_of=exam.date, system=exam.rank_system)
    return {one.pk: check.answer(one.student, one.target) for one in rows}


def attach_examiners(exams: Iterable[Exam]) -> None:
    """Give each exam its examiners as `examined_by`, in the order in which they were named. One statement."""
    rows = list(exams)
    users = User.objects.in_bulk({user for exam in rows for user in exam.examiner_ids}) if rows else {}
    for exam in rows:
        exam.examined_by = [users[user] for user in exam.examiner_ids if user in users]  # type: ignore[attr-defined]


def _locked(exam: Exam) -> Exam:
    return (
        Exam.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rank_system")
        .get(pk=exam.pk)
    )


def _open(exam: Exam) -> Exam:
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
