"""Taking people into a school: students, guardians, enrolments, attendance and ranks, in some twenty statements."""

import secrets
from collections.abc import Sequence
from itertools import chain
from random import Random

from config.demo.exams import Climber, write_histories
from config.demo.habits import habit
from config.demo.ladder import rungs
from config.demo.people import Parent, Person
from config.demo.school import School, Slot
from config.demo.visits import favourites, made_visits, possible_visits, record_visits
from tenant_apps.classes.models import Enrolment
from tenant_apps.students.models import Guardian, Student, StudentGuardian


def take_in(
    people: Sequence[Person],
    school: School,
    rng: Random,
    *,
    numbered_from: int,
    attendances: int | None = None,
) -> list[Climber]:
    """Write down `people` and what they did up to now. Call it in a transaction.

    Their external ids are numbered. `attendances`: exactly so many visits, if that many were possible.
    """
    climbers = [
        _climber(person, school, rng, number) for number, person in enumerate(people, start=numbered_from)
    ]
    Student.objects.bulk_create(climber.student for climber in climbers)
    _write_guardians(people, climbers)
    weeks = [favourites(person.group, school.slots, rng) for person in people]
    _enrol(climbers, weeks)
    possible = chain.from_iterable(
        possible_visits(climber.student.pk, climber.habit, slots, rng)
        for climber, slots in zip(climbers, weeks, strict=True)
    )
    record_visits(made_visits(possible, quota=attendances), school, rng)
    write_histories(climbers, school, rng)
    return climbers


def _climber(person: Person, school: School, rng: Random, number: int) -> Climber:
    how = habit(person, rng, since=school.since, today=school.today)
    student = Student(
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone=person.phone,
        birth_date=person.birth_date,
        gender=person.gender,
        status=how.status(school.today),
        joined_on=how.joined_on,
        external_id=external_id(number),
        check_in_id=secrets.token_bytes(16),
    )
    student.set_search_name()
    ahead = rungs(
        school.rules.definition,
        birth_date=person.birth_date,
        began_on=how.began_on,
        until=how.left_on or school.today,
        usual_months=school.usual_months,
        rng=rng,
    )
    return Climber(student, how, list(ahead))


def external_id(number: int) -> str:
    """Return the member number of a demo student; all have one length, so their order as text is by number."""
    return f"M-{number:07}"


def _write_guardians(people: Sequence[Person], climbers: Sequence[Climber]) -> None:
    guardians: dict[Parent, Guardian] = {}
    links = []
    for person, climber in zip(people, climbers, strict=True):
        for parent in person.parents:
            if parent not in guardians:
                guardians[parent] = Guardian(name=parent.name, email=parent.email, phone=parent.phone)
                guardians[parent].set_search_name()
            link = StudentGuardian(
                student=climber.student, guardian=guardians[parent], relation=parent.relation
            )
            links.append(link)
    Guardian.objects.bulk_create(guardians.values())
    StudentGuardian.objects.bulk_create(links)


def _enrol(climbers: Sequence[Climber], weeks: Sequence[Sequence[Slot]]) -> None:
    Enrolment.objects.bulk_create(
        Enrolment(student=climber.student, training_class_id=class_id)
        for climber, slots in zip(climbers, weeks, strict=True)
        for class_id in dict.fromkeys(slot.class_id for slot in slots)
    )
