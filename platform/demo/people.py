"""The students of a demo dojo: families with children, teenagers, adults, seniors; and how often they train.

Two dojos whose students come from equal `names` have students of the same names. A leak from one dojo into the other
then shows in the ids only, as it would with real dojos.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from itertools import count, cycle, islice
from random import Random
from typing import Final

from tatami.text import normalise
from tenant_apps.dojo.models import NameOrder
from tenant_apps.students.models import Guardian, Student

_FEMALE: Final = (
    "Anna Beatriz Charlotte Dilara Elif Fatima Greta Hana Inês Jana Karin Léa Mia Nora Olivia Priya Ruth "
    "Sofía Thảo Ursula Valentina Wanda Xenia Yuki Zoë Agnieszka Björk Camila Dorothea Emma Françoise"
)
_MALE: Final = (
    "André Bruno Cem David Emil François Goran Henrik Ivan João Kenji Łukasz Mateo Noah Ömer Paul Quang "
    "Rafael Søren Tiago Uwe Victor Walter Yannick Zoran Ahmed Björn Carlos Daniel"
)
_FAMILY: Final = (
    "Albrecht Barbosa Çelik Wójcik Evans Ferreira Gärtner Hoffmann Ionescu Jensen Kowalczyk Lindqvist "
    "Müller Nguyễn O'Brien Pereira Quintana Romano Sánchez Tanaka Ünal Vogel Weiß Yamamoto Zimmermann "
    "Almeida Becker Castro Dubois Eriksen Fischer Gomes Hartmann Ibrahim Jovanović Keller Lefèvre Martins "
    "Novák Østergaard Petrov Rodrigues Schröder Takahashi Urban Vieira Wagner Yılmaz Zhang Araújo Brandt"
)
_CALLED: Final = {"Agnieszka": "Aga", "Dorothea": "Thea", "Rafael": "Rafa", "Valentina": "Vale"}
"""First name → what the person is called."""
_FAMILY_FIRST: Final = frozenset({"Kenji", "Quang", "Thảo", "Yuki"})
"""First names of people who write the family name first."""
FIRST_AGE: Final = 5
"""No one begins younger, in years."""
_TRIAL: Final = timedelta(weeks=3)
_INACTIVE_AFTER: Final = timedelta(days=30)


class Group(Enum):
    """An age group, in years: from, up to but not including, and the longest time since joining."""

    KID = (6, 14, 6)
    TEEN = (14, 18, 9)
    ADULT = (18, 60, 13)
    SENIOR = (60, 79, 25)

    @property
    def is_minor(self) -> bool:
        return self in {Group.KID, Group.TEEN}

    @property
    def class_types(self) -> set[str]:
        """The class types that suit the group."""
        return {"kids" if self is Group.KID else "adults", "mixed"}


# The students of one home. Nine of twenty-one students are minors; all minors of a home share their guardians.
_HOMES: Final = (
    *((Group.KID, Group.KID), (Group.ADULT,), (Group.ADULT,), (Group.KID, Group.KID, Group.KID)),
    *((Group.ADULT,), (Group.SENIOR,), (Group.ADULT,), (Group.ADULT,), (Group.KID,), (Group.ADULT,)),
    *(
        (Group.KID, Group.TEEN),
        (Group.ADULT,),
        (Group.SENIOR,),
        (Group.TEEN,),
        (Group.ADULT,),
        (Group.ADULT,),
    ),
)


@dataclass(slots=True)
class Member:
    """An unsaved student with the guardians, and what decides about attendance and ranks."""

    student: Student
    group: Group
    guardians: list[tuple[Guardian, str]]
    """Guardian and relation. Siblings share the `Guardian` objects."""
    birth_date: date
    joined_on: date
    attendance_rate: float
    """The chance of coming to a usual class."""
    left_on: date | None
    rank_since: date | None = None
    """The day of the last rank."""

    def trains_on(self, day: date) -> bool:
        """Return whether the student has joined and has not left."""
        return self.joined_on <= day and not (self.left_on and day > self.left_on)


def create_members(
    size: int, *, first_number: int, names: Random, rng: Random, since: date, today: date
) -> list[Member]:
    """Return `size` members of a dojo that has recorded attendance from `since` to `today`.

    Names depend on `names` only, all the rest on `rng` and the dates. External ids are numbered.
    """
    members = list(islice(_households(names, rng, since, today), size))
    for number, member in zip(count(first_number), members, strict=False):
        member.student.external_id = external_id(number)
    return members


def external_id(number: int) -> str:
    """Return the member number of a demo student. All have one length, so they sort as text by number."""
    return f"M-{number:07}"


def _households(names: Random, rng: Random, since: date, today: date) -> Iterator[Member]:
    females, males, families = (
        cycle(names.sample(pool, len(pool))) for pool in (_FEMALE.split(), _MALE.split(), _FAMILY.split())
    )
    for home in cycle(_HOMES):
        last_name = next(families)
        guardians = []
        if home[0].is_minor:
            guardians.append((_guardian(next(females), last_name, names), "mother"))
            if names.random() < 0.5:  # noqa: PLR2004
                guardians.append((_guardian(next(males), last_name, names), "father"))
        for group in home:
            gender = names.choice(("female", "male"))
            first_name = next(females if gender == "female" else males)
            has_contact = group is not Group.KID
            youngest, oldest = (int(years * 365.25) for years in group.value[:2])
            birth_date = today - timedelta(days=rng.randrange(youngest + 1, oldest))
            student = Student(
                first_name=first_name,
                last_name=last_name,
                email=_email(first_name, last_name) if has_contact else "",
                phone=_phone(names) if has_contact else "",
                gender=gender,
                birth_date=birth_date,
                check_in_id=secrets.token_bytes(16),
                preferred_name=_CALLED.get(first_name, ""),
                licence_number="" if group is Group.KID else f"DAB-{birth_date:%y%j}",
                name_order=NameOrder.FAMILY_FIRST if first_name in _FAMILY_FIRST else None,
            )
            student.set_name_order(NameOrder.GIVEN_FIRST)
            shared = guardians if group.is_minor else []
            yield _member(student, group, shared, birth_date, rng, since, today)


def _member(
    student: Student,
    group: Group,
    guardians: list[tuple[Guardian, str]],
    birth_date: date,
    rng: Random,
    since: date,
    today: date,
) -> Member:
    """Decide when the student joined and left: 48 % train regularly, 20 % rarely, 17 % left, 15 % are new."""
    kind = rng.choices(("regular", "rare", "left", "new"), weights=(48, 20, 17, 15))[0]
    if kind == "new":
        joined_on = today - timedelta(days=rng.randrange(5, (today - since).days * 6 // 10))
    else:
        joined_on = since - timedelta(days=rng.randrange(30, 365 * group.value[2]))
    old_enough_on = birth_date + timedelta(days=int(FIRST_AGE * 365.25) + 1)
    joined_on = min(max(joined_on, old_enough_on), today - timedelta(days=5))
    first = max(joined_on, since)
    left_on = first + (today - first) * rng.uniform(0.25, 0.85) if kind == "left" else None
    student.joined_on, student.status = joined_on, Student.Status.ACTIVE
    if left_on and left_on + _INACTIVE_AFTER < today:
        student.status = Student.Status.INACTIVE
    elif joined_on + _TRIAL > today:
        student.status = Student.Status.TRIAL
    rate = rng.uniform(0.3, 0.5) if kind == "rare" else rng.uniform(0.65, 0.95)
    return Member(student, group, guardians, birth_date, joined_on, rate, left_on)


def _guardian(first_name: str, last_name: str, names: Random) -> Guardian:
    email = _email(first_name, last_name)
    guardian = Guardian(name=f"{first_name} {last_name}", email=email, phone=_phone(names))
    guardian.set_search_name()
    return guardian


def _email(first_name: str, last_name: str) -> str:
    # No mail reaches example.org (RFC 2606), so a demo that sends mail disturbs no one.
    local = normalise(f"{first_name} {last_name}").replace("'", "").replace(" ", ".")
    return f"{local}@example.org"


def _phone(names: Random) -> str:
    return f"+1 202 555 01{names.randrange(100):02}"  # numbers that are reserved for fiction
