"""Rank histories: what was before is imported; what came since was awarded at exams, to those the rules allow.

Visits before records began stand as opening balances, as they do for a real dojo that changes over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from config.demo.habits import Habit
from config.demo.ladder import Rung
from config.demo.school import School
from tenant_apps.promotions.awards import AwardDecision, record_awards
from tenant_apps.promotions.check import Check
from tenant_apps.promotions.engine import Eligibility
from tenant_apps.promotions.exams import eligible_invitations
from tenant_apps.promotions.models import Candidate, Exam
from tenant_apps.students.models import RankEvent, Student, StudentFact

_BETWEEN_EXAMS: Final = timedelta(weeks=12)
_NEXT_EXAM_IN: Final = timedelta(weeks=2)
_MOST_CANDIDATES: Final = 12
_NOT_SINCE: Final = timedelta(weeks=1)
_SATURDAY: Final = 5
_MOST_BROUGHT_ALONG: Final = 180


@dataclass(slots=True)
class Climber:
    """A student with the ranks that would be reached by today, lowest first; those received are taken off."""

    student: Student
    habit: Habit
    ahead: list[Rung]
    held_since: date | None = None


def write_histories(climbers: Sequence[Climber], school: School, rng: Random) -> None:
    """Write the rank events of all. The attendance must be there: at an exam the engine itself decides."""
    RankEvent.objects.bulk_create(event for climber in climbers for event in _without_exam(climber, school))
    StudentFact.objects.bulk_create(_opening_balances(climbers, school, rng))
    for day in _exam_days(school):
        _hold_exam(climbers, school, day)
    _plan_exam(climbers, school)


def _without_exam(climber: Climber, school: School) -> Iterator[RankEvent]:
    """Yield what was brought along, and a first rank that asks for nothing."""
    while climber.ahead:
        rung = climber.ahead[0]
        is_imported = rung.on <= school.since or rung.on < climber.habit.joined_on
        if not (is_imported or rung.is_given):
            return
        kind = RankEvent.Kind.IMPORT if is_imported else RankEvent.Kind.AWARD
        yield _event(climber, school, kind, rung.on)


def _opening_balances(climbers: Sequence[Climber], school: School, rng: Random) -> Iterator[StudentFact]:
    """Yield the visits since the last rank that were counted on paper, for three of four who trained before."""
    for climber in climbers:
        first = max(climber.held_since or climber.habit.began_on, climber.habit.joined_on)
        if first >= school.since or rng.random() > 3 / 4:
            continue
        visits = (school.since - first).days / 7 * climber.habit.peak * rng.uniform(0.8, 1.8)
        yield StudentFact(
            student=climber.student,
            kind=StudentFact.Kind.OPENING_ATTENDANCE,
            rank_system=school.rules.system,
            value=round(min(visits, _MOST_BROUGHT_ALONG)),
            on=school.since,
            note="From the attendance book",
            recorded_by=school.admin,
        )


def _exam_days(school: School) -> Iterator[date]:
    day = school.since + _BETWEEN_EXAMS
    while (saturday := day + timedelta(days=(_SATURDAY - day.weekday()) % 7)) <= school.today - _NOT_SINCE:
        yield saturday
        day += _BETWEEN_EXAMS


def _hold_exam(climbers: Sequence[Climber], school: School, day: date) -> None:
    """Have those examined who would be ready by then, and award those whom the rules allow."""
    due = {
        climber.student.pk: climber
        for climber in climbers
        if climber.ahead and climber.ahead[0].on <= day and climber.habit.chance(day) > 0
    }
    if not due:
        return
    check = Check(
        students=[climber.student for climber in due.values()], as_of=day, system=school.rules.system
    )
    passed = [
        AwardDecision(answer, "", None)
        for answer in check.results()
        if answer.step.target_rank == due[answer.student.pk].ahead[0].code
        and answer.step.status is Eligibility.ELIGIBLE
    ]
    events = record_awards(passed, effective_on=day, by=school.instructor, notify=False)
    exam = _exam(school, day, finished_at=school.now, finished_by=school.instructor)
    Candidate.objects.bulk_create(
        Candidate(
            exam=exam, student=event.student, target=event.rank, outcome=Candidate.Outcome.PASSED, event=event
        )
        for event in events
    )
    for event in events:
        climber = due[event.student_id]
        climber.ahead.pop(0)
        climber.held_since = day


def _plan_exam(climbers: Sequence[Climber], school: School) -> None:
    """Plan the next exam, with those as candidates who are eligible by then."""
    day = school.today + _NEXT_EXAM_IN
    exam = _exam(school, day + timedelta(days=(_SATURDAY - day.weekday()) % 7))
    students = [climber.student for climber in climbers if climber.habit.chance(school.today) > 0]
    Candidate.objects.bulk_create(
        Candidate(exam=exam, student_id=one.student, target=one.target)
        for one in eligible_invitations(exam, students)[:_MOST_CANDIDATES]
    )


def _exam(school: School, day: date, **more: Any) -> Exam:
    """Return the exam of a day; the students of a large dojo come in several batches to the same."""
    about = {"location": "Main mat", "examiner_ids": [school.instructor.pk], **more}
    exam, _ = Exam.objects.get_or_create(
        name="Grading", date=day, rank_system=school.rules.system, defaults=about
    )
    return exam


def _event(climber: Climber, school: School, kind: str, on: date) -> RankEvent:
    climber.held_since = on
    return RankEvent(
        student=climber.student,
        system=school.rules.system,
        rank=school.rules.ranks[climber.ahead.pop(0).code],
        kind=kind,
        effective_on=on,
        recorded_by=school.admin if kind == RankEvent.Kind.IMPORT else school.instructor,
    )
