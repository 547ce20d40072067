"""Two dojos that look as if they had been used for a year.

Everything depends on a seed and on `now`, so that a demo is never stale: classes begin half a year before the day on
which it is made, and go on. Ids and codes alone are random, as they must be.
"""

from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Final

from django.db import transaction

from config.demo import extras
from config.demo.accounts import address, demo_admin, demo_password_hash, sign_in_line, staff_name
from config.demo.dojos import SEISHIN, TORA, DemoDojo
from config.demo.intake import take_in
from config.demo.people import people
from config.demo.school import open_school
from shared_apps.accounts.models import Role
from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.work import DONE, Turn
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.students.models import Student, StudentFact, StudentNote

DEMO_DOJOS: Final = (SEISHIN, TORA)
STUDENTS: Final = 80
_NAMES: Final = "the names are the same in every demo dojo"


def make_demo_dojos(*, now: datetime) -> Iterator[str]:
    """Make the demo dojos that are missing, or were cut off in the making; yield what to print about each.

    A dojo that has students is left alone. Call it outside a transaction.
    """
    for dojo in DEMO_DOJOS:
        yield from _make(dojo, now=now)


def demo_tenant(dojo: DemoDojo, *, now: datetime) -> TenantScope | None:
    """Return the dojo of this slug, which is made if there is none; None while it does not serve."""
    with platform_scope():
        tenant = Tenant.objects.with_primary_domain().filter(slug=dojo.slug).first()
        if tenant is None:
            admin = FirstAdmin(
                email=address(dojo.slug, "admin"),
                name=staff_name(Role.ADMIN),
                password_hash=demo_password_hash(),
            )
            try:
                tenant, _ = create_tenant(
                    name=dojo.name, slug=dojo.slug, timezone=dojo.timezone, admin=admin, now=now
                )
            except SlugTaken:
                return None  # another process was a moment faster
        return tenant.scope if tenant.status == Tenant.Status.ACTIVE else None


def _make(dojo: DemoDojo, *, now: datetime) -> Iterator[str]:
    tenant = demo_tenant(dojo, now=now)
    if tenant is None:
        yield f"dojo  {dojo.slug} exists and does not serve at present; it was left alone"
        return
    with tenant_scope(tenant), transaction.atomic():
        is_ours = demo_admin(dojo.slug) is not None
        is_new = is_ours and not Student.objects.exists() and _fill(dojo, now=now)
    if not is_ours:
        yield f"dojo  {dojo.slug} is not a demo; it was left alone"
        return
    yield sign_in_line(tenant, is_new=is_new)
    if is_new:
        others = ", ".join(f"{who}@" for who in ("instructor", "assistant", "student"))
        yield f"      also {others} and parent@{dojo.slug}.example, with the same password"


def _fill(dojo: DemoDojo, *, now: datetime) -> bool:
    """Fill an empty demo dojo, all or nothing; say whether it was this process that did."""
    admin = demo_admin(dojo.slug, lock=True)
    # Of two processes that start at once one waits here, and then finds the students of the other.
    if admin is None or Student.objects.exists():
        return False
    # Where the password is random, the one printed now must be good though an earlier, killed run made the admin.
    admin.password = demo_password_hash()
    admin.save(update_fields=["password", "updated_at"])
    school = open_school(dojo, admin=admin, now=now)
    rng = Random(f"a year of {dojo.name}")
    members = people(STUDENTS, names=Random(_NAMES), births=rng, today=school.today)
    climbers = take_in(members, school, rng, numbered_from=1)
    StudentFact.objects.bulk_create(extras.documents(members, climbers, school))
    StudentNote.objects.bulk_create(extras.notes(climbers, school, rng))
    extras.write_medical_notes(climbers, rng)
    extras.create_family_accounts(members, climbers, school, dojo.slug)
    _check_who_is_due(now)
    return True


def _check_who_is_due(now: datetime) -> None:
    """Do what is done each night, so that nobody has to wait for one."""
    cursor: str | None = ""
    while cursor is not DONE:
        cursor = take_snapshot(Turn(now=now, cursor=cursor))
