"""One dojo of thousands of students and years of attendance, to see what the platform does under load.

It is filled in chunks, each a transaction of its own and as large as memory likes, whatever the whole is. Member
numbers say how far an earlier run got: a run that was killed is continued by the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from django.db import transaction
from django.db.models import Max

from config.demo import demo_tenant
from config.demo.accounts import demo_admin
from config.demo.dojos import DemoDojo
from config.demo.intake import external_id, take_in
from config.demo.people import people
from config.demo.school import open_school
from shared_apps.tenants import schemas
from shared_apps.tenants.blueprint import tenant_blueprint
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.students.models import Student

CHUNK: Final = 250
"""Students a transaction: with a hundred visits each, 25,000 rows."""

VISITS: Final = 100
MOST_VISITS: Final = 150
"""Visits a student, on average: if nothing else is asked for, and at most (three years of habit give more)."""


class NotADemo(RuntimeError):
    """The slug belongs to a dojo that no demo command made, or one that does not serve."""


@dataclass(frozen=True, slots=True)
class BigDojo:
    """What is wanted: a dojo, and how many students and visits are to be in it."""

    dojo: DemoDojo
    students: int
    attendances: int

    def visits_before(self, number: int) -> int:
        """Return how many visits fall to the first `number` students."""
        return self.attendances * number // self.students


def find_or_make(wanted: BigDojo, *, now: datetime) -> tuple[TenantScope, int]:
    """Return the dojo and the number of students in it; make it if there is none. Raises `NotADemo`."""
    tenant = demo_tenant(wanted.dojo, now=now)
    if tenant is None:
        raise NotADemo(
            f"The dojo {wanted.dojo.slug} exists and does not serve at present: nothing was changed."
        )
    with tenant_scope(tenant):
        if demo_admin(wanted.dojo.slug) is None:
            raise NotADemo(
                f"The dojo {wanted.dojo.slug} is not a demo: nothing was changed. Take another --slug."
            )
        return tenant, _numbered_so_far()


def fill(wanted: BigDojo, tenant: TenantScope, *, now: datetime) -> Iterator[int]:
    """Add the students that are missing, chunk by chunk; yield their number after each chunk was committed."""
    there = -1
    while there < wanted.students:
        with tenant_scope(tenant), transaction.atomic():
            # Of two runs at once one waits here, and goes on after the other's chunk.
            admin = demo_admin(wanted.dojo.slug, lock=True)
            assert admin is not None
            there = _numbered_so_far()
            size = min(CHUNK, wanted.students - there)
            if size > 0:
                # The school, with its thousands of sessions, is read once a chunk: a few of its milliseconds each.
                school = open_school(wanted.dojo, admin=admin, now=now)
                rng = Random(f"{wanted.dojo.slug} {there}")
                take_in(
                    people(size, names=rng, births=rng, today=school.today),
                    school,
                    rng,
                    numbered_from=there + 1,
                    attendances=wanted.visits_before(there + size) - wanted.visits_before(there),
                )
                there += size
        # Without counts the planner joins visits and sessions row by row, and each exam takes longer than the last.
        analyze(tenant)
        yield there


def analyze(tenant: TenantScope) -> None:
    """Let the planner count the rows at once. Autovacuum would do so too, if the servers go on running.

    ANALYZE is the owner's right, not the app login's.
    """
    with schemas.owner_in(tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(f'"{table}"' for table in tenant_blueprint().tables))


def _numbered_so_far() -> int:
    highest = Student.objects.filter(external_id__gt=external_id(0), external_id__lte=external_id(9_999_999))
    last = highest.aggregate(last=Max("external_id"))["last"]
    return int(last.removeprefix("M-")) if last else 0
