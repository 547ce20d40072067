"""Who trains in a demo dojo: families with children, teenagers, adults, seniors. Pure.

Two dojos whose people come from equal `names` have people of the same names in them, as two real dojos might: a leak
from one into the other is then seen by ids, and by nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from itertools import cycle, islice
from random import Random
from typing import Final

from config.demo.names import FAMILY, FEMALE, MALE
from tatami.text import normalise

_DAYS_A_YEAR: Final = 365.25


class Group(Enum):
    """How old somebody is, in years: from, up to but not including."""

    KID = (6, 14)
    TEEN = (14, 18)
    ADULT = (18, 60)
    SENIOR = (60, 79)

    @property
    def is_minor(self) -> bool:
        return self in {Group.KID, Group.TEEN}


# Who comes from one home. Of twenty students nine are minors; all minors of a home share their guardians.
_HOMES: Final = (
    (Group.KID, Group.KID),
    (Group.ADULT,),
    (Group.ADULT,),
    (Group.KID, Group.KID, Group.KID),
    (Group.ADULT,),
    (Group.SENIOR,),
    (Group.ADULT,),
    (Group.ADULT,),
    (Group.KID,),
    (Group.ADULT,),
    (Group.KID, Group.TEEN),
    (Group.ADULT,),
    (Group.SENIOR,),
    (Group.TEEN,),
    (Group.ADULT,),
    (Group.ADULT,),
)


@dataclass(frozen=True, slots=True)
class Parent:
    """Who answers for the minors of a home."""

    name: str
    email: str
    phone: str
    relation: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who trains. Siblings have the same `parents`."""

    first_name: str
    last_name: str
    gender: str
    birth_date: date
    group: Group
    email: str
    phone: str
    parents: tuple[Parent, ...]


def people(count: int, *, names: Random, births: Random, today: date) -> list[Person]:
    """Return `count` people: their names depend on `names` alone, their birth dates on `births` and `today`."""
    return list(islice(_households(names, births, today), count))


def _households(names: Random, births: Random, today: date) -> Iterator[Person]:
    females, males = (cycle(names.sample(pool, len(pool))) for pool in (FEMALE, MALE))
    families = cycle(names.sample(FAMILY, len(FAMILY)))
    for home in cycle(_HOMES):
        last_name = next(families)
        parents: tuple[Parent, ...] = ()
        if home[0].is_minor:
            parents = (_parent(next(females), last_name, "mother", names),)
            if names.random() < 0.5:  # noqa: PLR2004
                parents += (_parent(next(males), last_name, "father", names),)
        for group in home:
            gender = names.choice(("female", "male"))
            first_name = next(females if gender == "female" else males)
            yield Person(
                first_name=first_name,
                last_name=last_name,
                gender=gender,
                birth_date=_birth_date(group, births, today),
                group=group,
                email="" if group is Group.KID else _email(first_name, last_name),
                phone="" if group is Group.KID else _phone(names),
                parents=parents,
            )


def _parent(first_name: str, last_name: str, relation: str, names: Random) -> Parent:
    return Parent(f"{first_name} {last_name}", _email(first_name, last_name), _phone(names), relation)


def _birth_date(group: Group, births: Random, today: date) -> date:
    youngest, oldest = (int(years * _DAYS_A_YEAR) for years in group.value)
    return today - timedelta(days=births.randrange(youngest + 1, oldest))


def _email(first_name: str, last_name: str) -> str:
    # example.org is nobody's (RFC 2606): a demo that sends mail reaches nobody.
    local = normalise(f"{first_name} {last_name}").replace("'", "").replace(" ", ".")
    return f"{local}@example.org"


def _phone(names: Random) -> str:
    return f"+1 202 555 01{names.randrange(100):02}"  # kept free for fiction
