"""What makes a dojo's records look kept by people: documents, notes, and two families' accounts."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from config.demo.accounts import address
from config.demo.exams import Climber
from config.demo.people import Group, Person
from config.demo.school import School
from shared_apps.accounts.models import Role
from shared_apps.accounts.users import create_user
from tatami.tenancy.scope import current_tenant
from tenant_apps.students.models import Student, StudentFact, StudentNote
from tenant_apps.students.services import link_user

_NOTES: Final = (
    "Asked about the summer camp; send the dates when they are out.",
    "Has begun to help with the beginners. Good with children.",
    "Shoulder still sore: no high falls until the end of the month.",
    "Late most Thursdays because of work; that is fine.",
    "Wants to sit the next exam. Talk about weapons forms first.",
    "Parents will be away in August, the grandmother brings her.",
    "Very shy at first, much better since the partner exercises.",
    "Forgot the card twice; showed how to open the code on the phone.",
)
_MEDICAL: Final = (
    "Asthma: the inhaler is in the bag.",
    "Left knee operated on; no kneeling techniques.",
    "Epilepsy.",
)


def documents(people: Sequence[Person], climbers: Sequence[Climber], school: School) -> Iterator[StudentFact]:
    """Yield a doctor's certificate for every second senior, and the article or essay of some black belts."""
    handed_in = school.today - timedelta(weeks=10)
    seniors = [c for p, c in zip(people, climbers, strict=True) if p.group is Group.SENIOR]
    for climber in seniors[::2]:
        if climber.habit.joined_on < handed_in:
            expires_on = handed_in + timedelta(days=365)
            yield _document(climber.student, "medical_certificate", handed_in, school, expires_on=expires_on)
    adults = [c for p, c in zip(people, climbers, strict=True) if not p.group.is_minor]
    veterans = sorted(adults, key=lambda climber: climber.habit.began_on)[:6]
    for climber in veterans:
        yield _document(climber.student, "article", handed_in, school)


def _document(
    student: Student, which: str, on: date, school: School, *, expires_on: date | None = None
) -> StudentFact:
    kind = StudentFact.Kind.DOCUMENT
    return StudentFact(
        student=student, kind=kind, value=which, on=on, recorded_by=school.instructor, expires_on=expires_on
    )


def notes(climbers: Sequence[Climber], school: School, rng: Random) -> Iterator[StudentNote]:
    """Yield what the instructor wrote about some students in the last weeks."""
    zone = ZoneInfo(current_tenant().timezone)
    present = [climber for climber in climbers if climber.habit.chance(school.today) > 0]
    for text, climber in zip(_NOTES, rng.sample(present, len(_NOTES)), strict=True):
        first = max(climber.habit.joined_on, school.today - timedelta(weeks=12))
        day = first + (school.today - first) * rng.random()
        at = datetime.combine(day, time(21, 5), tzinfo=zone)
        yield StudentNote(student=climber.student, author=school.instructor, text=text, created_at=at)


def write_medical_notes(climbers: Sequence[Climber], rng: Random) -> None:
    """Note for a few students what the desk should know in an emergency."""
    chosen = [climber.student for climber in rng.sample(climbers, len(_MEDICAL))]
    for student, text in zip(chosen, _MEDICAL, strict=True):
        student.medical_notes = text
    Student.objects.bulk_update(chosen, ["medical_notes"])


def create_family_accounts(
    people: Sequence[Person], climbers: Sequence[Climber], school: School, slug: str
) -> None:
    """Create a student's own account, and a parent's for two siblings: what they see is theirs alone."""
    known = [
        (p, c) for p, c in zip(people, climbers, strict=True) if c.habit.status(school.today) == "active"
    ]
    grown = next(climber.student for person, climber in known if person.group is Group.ADULT)
    children = next(siblings for person, _ in known if len(siblings := _siblings(person, known)) == 2)  # noqa: PLR2004
    parent_name = children[0][0].parents[0].name
    for who, name, students in (
        ("student", grown.name, [grown]),
        ("parent", parent_name, [climber.student for _, climber in children]),
    ):
        user = create_user(
            email=address(slug, who), name=name, role=Role.STUDENT, password_hash=school.admin.password
        )
        link_user(user=user, students=students)


def _siblings(person: Person, known: Sequence[tuple[Person, Climber]]) -> list[tuple[Person, Climber]]:
    return [(p, c) for p, c in known if person.parents and p.parents == person.parents]
