"""Rank histories of demo students: older ranks are imported, later ones are awarded at exams by the rules.

Attendance before the records begin is an opening balance, as in a real dojo that changes over to Tatami.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from demo.dojos import DojoData
from demo.people import Member
from tenant_apps.dojo.dates import LeapDayBirthday
from tenant_apps.promotions.awards import AwardChecker, record_awards
from tenant_apps.promotions.check import Check, CheckResult
from tenant_apps.promotions.engine import Eligibility, Status
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.promotions.responses import eligibility_data
from tenant_apps.ranks.civil_dates import birthday, months_later
from tenant_apps.ranks.criteria import Age, Approved, AttendanceCount, GoodStanding, TimeInRank
from tenant_apps.ranks.definition import RankDefinition, Step, StepType
from tenant_apps.students.models import RankEvent, Student, StudentFact

_TRAINING_DAYS_A_MONTH: Final = 6.5
_BETWEEN_EXAMS: Final = timedelta(weeks=12)
_NEXT_EXAM_IN: Final = timedelta(weeks=2)
_NO_EXAM_SINCE: Final = timedelta(weeks=1)
_TAKES_THE_EXAM: Final = 0.6
_MAX_CANDIDATES: Final = 12
_MAX_BALANCE: Final = 180


def _months(criterion: object) -> float:
    match criterion:
        case TimeInRank(months=months):
            return months
        case AttendanceCount(n=n):
            return n / _TRAINING_DAYS_A_MONTH
        case _:
            return 0


def _old_enough_on(criterion: object, birth_date: date) -> date:
    if isinstance(criterion, Age) and criterion.min is not None:
        return birthday(birth_date, birth_date.year + criterion.min, LeapDayBirthday.MARCH_1)
    return birth_date


def _saturday(day: date) -> date:
    """Return the first Saturday that is not before `day`."""
    return day + timedelta(days=(5 - day.weekday()) % 7)


def add_rank_histories(members: Sequence[Member], dojo: DojoData, rng: Random) -> None:
    """Add the rank events of all. The attendance must be there: at an exam the promotions engine decides."""
    RankEvent.objects.bulk_create(event for member in members for event in _older_ranks(member, dojo, rng))
    StudentFact.objects.bulk_create(_opening_balances(members, dojo, rng))
    day = dojo.since + _BETWEEN_EXAMS
    while _saturday(day) <= dojo.today - _NO_EXAM_SINCE:
        _hold_exam(members, dojo, _saturday(day), rng)
        day += _BETWEEN_EXAMS
    planned = _exam(dojo, _saturday(dojo.today + _NEXT_EXAM_IN))
    students = [member.student for member in members if member.trains_on(dojo.today)]
    check = Check(students=students, as_of=planned.date, system=dojo.rules.system)
    eligible = [one for one in check.results() if one.step.status is Eligibility.ELIGIBLE]
    invited = {one.student.pk: one for one in eligible}
    Candidate.objects.bulk_create(
        Candidate(exam=planned, student=one.student, target=one.target, invited=_stored(one))
        for one in list(invited.values())[:_MAX_CANDIDATES]
    )


def _older_ranks(member: Member, dojo: DojoData, rng: Random) -> Iterator[RankEvent]:
    """Yield the ranks from before the records, and a first rank that asks for standing alone, lowest first.

    Each step takes at least what its first path asks in months, visits and age, and at least `months_in_rank`.
    """
    held, on = None, member.joined_on
    while step := _promotion_from(held, dojo.rules.definition):
        criteria = step.paths[0].criteria
        if any(not isinstance(criterion, GoodStanding) for criterion in criteria):
            months = max(dojo.dojo.months_in_rank, *map(_months, criteria)) * rng.triangular(1.0, 2.6, 1.2)
            reached = months_later(on.toordinal(), round(months)) or date.max.toordinal()
            ages = (_old_enough_on(criterion, member.birth_date) for criterion in criteria)
            on = _saturday(max(date.fromordinal(reached), *ages))
            if on > dojo.since:
                return
        is_imported = on <= dojo.since
        yield RankEvent(
            student=member.student,
            system=dojo.rules.system,
            rank=dojo.rules.ranks[step.to],
            kind=RankEvent.Kind.IMPORT if is_imported else RankEvent.Kind.AWARD,
            effective_on=on,
            recorded_by=dojo.admin if is_imported else dojo.instructor,
        )
        held, member.rank_since = step.to, on


def _promotion_from(held: str | None, definition: RankDefinition) -> Step | None:
    return next((step for step in definition.steps_from(held) if step.type is StepType.PROMOTE), None)


def _opening_balances(members: Sequence[Member], dojo: DojoData, rng: Random) -> Iterator[StudentFact]:
    """Yield the visits since the last rank that were counted on paper, for three of four who trained before."""
    for member in members:
        first = member.rank_since or member.joined_on
        if first >= dojo.since or rng.random() > 3 / 4:
            continue
        visits = (dojo.since - first).days / 7 * member.attendance_rate * rng.uniform(0.8, 1.8)
        yield StudentFact(
            student=member.student,
            kind=StudentFact.Kind.OPENING_ATTENDANCE,
            rank_system=dojo.rules.system,
            value=round(min(visits, _MAX_BALANCE)),
            on=dojo.since,
            note="From the attendance book",
            recorded_by=dojo.admin,
        )


def _hold_exam(members: Sequence[Member], dojo: DojoData, day: date, rng: Random) -> None:
    """Examine most members who have held their rank long enough, and award those who are eligible."""
    held_since = day - timedelta(days=30 * dojo.dojo.months_in_rank)
    due = {
        member.student.pk: member
        for member in members
        if member.trains_on(day) and (member.rank_since or member.joined_on) <= held_since
        if rng.random() < _TAKES_THE_EXAM
    }
    if not due:
        return
    students = {member.student.pk: member.student for member in due.values()}
    results = _check([*students.values()], dojo, day)
    if approvals := list(_approvals(results, dojo, day)):
        StudentFact.objects.bulk_create(approvals)
        results = _check([*students.values()], dojo, day)
    checker = AwardChecker.of(students, effective_on=day, by=dojo.instructor, at_exam=True)
    decisions = [checker.decide(one) for one in results if one.step.status is Eligibility.ELIGIBLE]
    passed = [one for one in decisions if one.error is None]
    events = record_awards(passed, checker=checker, by=dojo.instructor, notify=False)
    exam = _exam(dojo, day, finished_at=dojo.now, finished_by=dojo.instructor)
    Candidate.objects.bulk_create(
        Candidate(
            exam=exam,
            student=event.student,
            target=event.rank,
            outcome=Candidate.Outcome.PASSED,
            event=event,
            decided=_stored(decision.result),
        )
        for decision, event in zip(passed, events, strict=True)
    )
    for event in events:
        due[event.student_id].rank_since = day


def _check(students: Sequence[Student], dojo: DojoData, day: date) -> list[CheckResult]:
    """Return the results for the ordinary steps up."""
    check = Check(students=students, as_of=day, system=dojo.rules.system)
    return [result for result in check.results() if result.is_promotion]


def _approvals(results: Sequence[CheckResult], dojo: DojoData, day: date) -> Iterator[StudentFact]:
    """Yield the approvals of the students who lack nothing else."""
    for result in results:
        lacking = [one.kind for one in result.step.criteria if one.status is not Status.MET]
        if lacking != [Approved.kind]:
            continue
        held = result.step.current_rank
        step = dojo.rules.definition.step(held, result.step.target_rank)
        assert step is not None
        yield StudentFact(
            student=result.student,
            kind=StudentFact.Kind.APPROVAL,
            rank_system=dojo.rules.system,
            value=next(one.which for one in step.paths[0].criteria if isinstance(one, Approved)),
            on=day,
            recorded_by=dojo.instructor,
        )


def _stored(result: CheckResult) -> dict[str, Any]:
    """Return the check result of a candidate who is eligible, as it is stored with the candidate."""
    return {**eligibility_data(result), "warnings": []}


def _exam(dojo: DojoData, day: date, **more: Any) -> Exam:
    """Return the exam of a day, created if it is missing: the chunks of a big dojo share their exams."""
    values = {"location": "Main mat", "examiner_ids": [dojo.instructor.pk], **more}
    exam, _ = Exam.objects.get_or_create(
        name="Grading", date=day, rank_system=dojo.rules.system, defaults=values
    )
    return exam
