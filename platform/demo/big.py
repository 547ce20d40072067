"""One dojo of thousands of students and years of attendance, to try the platform under load.

It is filled in chunks. A chunk is one transaction, and its size does not depend on the size of the dojo. The member
numbers tell how far an earlier run came: the next run continues where a killed run stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from django.db import transaction
from django.db.models import Max

from demo.build import add_members, demo_tenant
from demo.dojos import DemoDojo, demo_admin, load_dojo_data
from demo.people import external_id
from shared_apps.tenants.schema import ddl
from shared_apps.tenants.schema.blueprint import tenant_blueprint
from tatami.tenancy.scope import TenantScope, tenant_scope
from tenant_apps.students.models import Student

CHUNK: Final = 250
"""Students in a transaction: with a hundred visits each, 25,000 rows."""
DEFAULT_VISITS: Final = 100
MAX_VISITS: Final = 150
"""Visits per student, on average: the default, and the most that three years of classes give."""


class NotADemo(RuntimeError):
    """The slug belongs to a dojo that no demo command made, or to a dojo that does not serve."""


@dataclass(frozen=True, slots=True)
class BigDojo:
    """The dojo to fill, and the number of students and visits it gets."""

    dojo: DemoDojo
    students: int
    attendances: int

    def visits_before(self, number: int) -> int:
        """Return how many visits belong to the first `number` students."""
        return self.attendances * number // self.students


def find_or_make(wanted: BigDojo, *, now: datetime) -> tuple[TenantScope, int]:
    """Return the dojo, created if it is missing, and the number of its students. Raises `NotADemo`."""
    slug = wanted.dojo.slug
    tenant = demo_tenant(wanted.dojo, now=now)
    if tenant is None:
        raise NotADemo(f"The dojo {slug} exists and does not serve at present: nothing was changed.")
    with tenant_scope(tenant):
        if demo_admin(wanted.dojo) is None:
            raise NotADemo(f"The dojo {slug} is not a demo: nothing was changed. Use another --slug.")
        return tenant, _last_number()


def fill(wanted: BigDojo, tenant: TenantScope, *, now: datetime) -> Iterator[int]:
    """Add the missing students in chunks; yield their number after the commit of each chunk.

    Two runs at once alternate, chunk by chunk.
    """
    number = -1
    while number < wanted.students:
        with tenant_scope(tenant), transaction.atomic():
            admin = demo_admin(wanted.dojo, lock=True)
            assert admin is not None
            number = _last_number()
            size = min(CHUNK, wanted.students - number)
            if size > 0:
                rng = Random(f"{wanted.dojo.slug} {number}")
                add_members(
                    load_dojo_data(wanted.dojo, admin=admin, now=now),
                    size,
                    names=rng,
                    rng=rng,
                    first_number=number + 1,
                    attendances=wanted.visits_before(number + size) - wanted.visits_before(number),
                )
                number += size
        # Without statistics the planner joins visits and sessions row by row, and each exam gets slower.
        analyze(tenant)
        yield number


def analyze(tenant: TenantScope) -> None:
    """Update the statistics of the planner, as autovacuum would later. Only the owner login may run ANALYZE."""
    with ddl.owner_connection(tenant.schema_name) as owner, owner.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(f'"{table}"' for table in tenant_blueprint().tables))


def _last_number() -> int:
    numbered = Student.objects.filter(external_id__gt=external_id(0), external_id__lte=external_id(9_999_999))
    last = numbered.aggregate(last=Max("external_id"))["last"]
    return int(last.removeprefix("M-")) if last else 0
