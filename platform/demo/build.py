"""Fill demo dojos: students with guardians, enrolments, attendance, ranks, documents, notes and accounts."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from heapq import nsmallest
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from demo.dojos import (
    DEMO_DOJOS,
    DEMO_PASSWORD,
    STAFF_NAMES,
    DemoDojo,
    DojoData,
    Slot,
    demo_admin,
    demo_password,
    demo_password_hash,
    load_dojo_data,
    sign_in_line,
)
from demo.integrations import DEMO_TOTP_SECRET, TWO_STEPS, add_integrations
from demo.people import Group, Member, create_members
from demo.ranks import add_rank_histories
from shared_apps.accounts.models import Role
from shared_apps.accounts.users import create_user
from shared_apps.tenants.errors import SlugTaken
from shared_apps.tenants.models import Tenant
from shared_apps.tenants.provisioning import FirstAdmin, create_tenant
from tatami.ids import uuid7
from tatami.jobs import DONE, JobRun
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.models import Enrolment
from tenant_apps.promotions.snapshot import take_snapshot
from tenant_apps.students.models import Guardian, Student, StudentFact, StudentGuardian, StudentNote
from tenant_apps.students.services import link_user

STUDENTS: Final = 80
LATE_AFTER: Final = timedelta(minutes=10)
"""The default of `DojoSettings.late_after_minutes`."""
_USUAL_CLASSES: Final = 3
_METHODS: Final = (Attendance.Method.QR_ROTATING, Attendance.Method.QR_CARD, Attendance.Method.MANUAL)
_NAMES_SEED: Final = "the names are the same in every demo dojo"
_NOTES: Final = (
    "Asked about the summer camp; send the dates when they are out.",
    "Helps with the beginners. Good with children.",
    "Shoulder still sore: no high falls until the end of the month.",
    "Late most Thursdays because of work; that is fine.",
    "Wants to sit the next exam. Talk about weapons forms first.",
    "Forgot the card twice; showed how to open the code on the phone.",
)
_MEDICAL_NOTES: Final = (
    "Asthma: the inhaler is in the bag.",
    "Left knee operated on; no kneeling techniques.",
    "Epilepsy.",
)
# Row-level security refuses COPY; this is nearly as fast. Without RETURNING, Citus would run it as COPY. The default of
# the column sets `tenant_id`.
_INSERT_ATTENDANCE: Final = """
INSERT INTO attendance_attendance
    (id, student_id, class_session_id, checked_in_at, method, late, recorded_by_id, void_reason, created_at, updated_at)
SELECT id, student, session, at, method, late, %s::uuid, '', at, at
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[], %s::text[], %s::boolean[])
    AS visit(id, student, session, at, method, late)
RETURNING id
"""


def make_demo_dojos(*, now: datetime) -> Iterator[str]:
    """Create the demo dojos that are missing or were not completed; yield lines to print about each.

    A dojo that has students is left alone. Call it outside a transaction.
    """
    for dojo in DEMO_DOJOS:
        tenant = demo_tenant(dojo, now=now)
        if tenant is None:
            yield f"dojo  {dojo.slug} exists and does not serve at present; it was left alone"
            continue
        with tenant_scope(tenant), transaction.atomic():
            is_demo = demo_admin(dojo) is not None
            is_new = is_demo and not Student.objects.exists() and _fill(dojo, now=now)
        if not is_demo:
            yield f"dojo  {dojo.slug} is not a demo; it was left alone"
            continue
        yield sign_in_line(dojo, tenant, is_new=is_new)
        if is_new:
            others = ", ".join(f"{user}@" for user in ("instructor", "assistant", "student"))
            yield f"      also {others} and {dojo.address('parent')}, with the same password"
            if demo_password() == DEMO_PASSWORD:
                yield f"      and {dojo.address(TWO_STEPS)}, with the second factor {DEMO_TOTP_SECRET}"


def demo_tenant(dojo: DemoDojo, *, now: datetime) -> TenantScope | None:
    """Return the tenant with the slug of `dojo`, created if it is missing; `None` while it does not serve."""
    with platform_scope():
        tenant = Tenant.objects.with_primary_domain().filter(slug=dojo.slug).first()
        if tenant is None:
            admin = FirstAdmin(
                email=dojo.address("admin"), name=STAFF_NAMES[Role.ADMIN], password_hash=demo_password_hash()
            )
            try:
                tenant, _ = create_tenant(
                    name=dojo.name, slug=dojo.slug, timezone=dojo.timezone, admin=admin, now=now
                )
            except SlugTaken:
                return None  # another process created it in the meantime
        return tenant.scope if tenant.status == Tenant.Status.ACTIVE else None


def _fill(dojo: DemoDojo, *, now: datetime) -> bool:
    """Fill an empty demo dojo, completely or not at all; return whether this process did it."""
    # If two processes start at once, the second waits for this lock, and then finds the students of the first.
    admin = demo_admin(dojo, lock=True)
    if admin is None or Student.objects.exists():
        return False
    # A run that was killed may have created the admin with another random password.
    admin.password = demo_password_hash()
    admin.save(update_fields=["password", "updated_at"])
    data = load_dojo_data(dojo, admin=admin, now=now)
    rng = Random(f"a year of {dojo.name}")
    members = add_members(data, STUDENTS, names=Random(_NAMES_SEED), rng=rng)
    StudentFact.objects.bulk_create(_documents(members, data))
    _add_notes(members, data, rng)
    _create_family_accounts(members, data)
    add_integrations(data, now=now)
    cursor: str | None = ""
    while cursor is not DONE:  # the nightly check, so that the first visitor sees who is due
        cursor = take_snapshot(JobRun(now=now, cursor=cursor))
    return True


def add_members(
    data: DojoData,
    size: int,
    *,
    names: Random,
    rng: Random,
    first_number: int = 1,
    attendances: int | None = None,
) -> list[Member]:
    """Add students with all that they did until now, in some twenty statements. Call it in a transaction.

    With `attendances` there are exactly so many visits, if so many are possible.
    """
    members = create_members(
        size, first_number=first_number, names=names, rng=rng, since=data.since, today=data.today
    )
    Student.objects.bulk_create(member.student for member in members)
    Guardian.objects.bulk_create(
        {id(guardian): guardian for member in members for guardian, _ in member.guardians}.values()
    )
    StudentGuardian.objects.bulk_create(
        StudentGuardian(student=member.student, guardian=guardian, relation=relation)
        for member in members
        for guardian, relation in member.guardians
    )
    weeks = [_usual_slots(member, data.slots, rng) for member in members]
    Enrolment.objects.bulk_create(
        Enrolment(student=member.student, training_class_id=class_id, starts_on=member.joined_on)
        for member, slots in zip(members, weeks, strict=True)
        for class_id in dict.fromkeys(slot.class_id for slot in slots)
    )
    _add_attendance(members, weeks, data, rng, attendances)
    add_rank_histories(members, data, rng)
    return members


def _usual_slots(member: Member, slots: Sequence[Slot], rng: Random) -> list[Slot]:
    suitable = [slot for slot in slots if slot.class_type in member.group.class_types]
    return rng.sample(suitable, min(_USUAL_CLASSES, len(suitable)))


def _add_attendance(
    members: Sequence[Member],
    weeks: Sequence[Sequence[Slot]],
    data: DojoData,
    rng: Random,
    limit: int | None,
) -> None:
    """Insert visits as if the assistant had scanned the students. One statement for tens of thousands."""
    # A visit takes place if its number is below 1. With a limit the lowest numbers are taken.
    possible = (
        (rng.random() / member.attendance_rate, member.student.pk, session, starts_at)
        for member, slots in zip(members, weeks, strict=True)
        for slot in slots
        for session, starts_at, on in slot.sessions
        if member.trains_on(on)
    )
    visits = [one for one in possible if one[0] < 1] if limit is None else nsmallest(limit, possible)
    after_start = [timedelta(minutes=round(rng.triangular(-20, 16, -6))) for _ in visits]
    columns: list[list[Any]] = [
        [uuid7() for _ in visits],
        [student for _, student, _, _ in visits],
        [session for _, _, session, _ in visits],
        [starts_at + after for (*_, starts_at), after in zip(visits, after_start, strict=True)],
        [method.value for method in rng.choices(_METHODS, weights=(75, 15, 10), k=len(visits))],
        [after >= LATE_AFTER for after in after_start],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_ATTENDANCE, [data.assistant.pk, *columns])


def _documents(members: Sequence[Member], data: DojoData) -> Iterator[StudentFact]:
    """Yield medical certificates of seniors, and articles of the members who train longest."""
    on = data.today - timedelta(weeks=10)
    seniors = [one for one in members if one.group is Group.SENIOR and one.joined_on < on]
    adults = [one for one in members if not one.group.is_minor]
    veterans = sorted(adults, key=lambda one: one.joined_on)[:6]
    given = [(one, "medical_certificate", on + timedelta(days=365)) for one in seniors[::2]]
    for member, name, expires_on in (*given, *((one, "article", None) for one in veterans)):
        yield StudentFact(
            student=member.student,
            kind=StudentFact.Kind.DOCUMENT,
            value=name,
            on=on,
            expires_on=expires_on,
            recorded_by=data.instructor,
        )


def _add_notes(members: Sequence[Member], data: DojoData, rng: Random) -> None:
    """Add the notes of the instructor about some students, and medical notes for a few."""
    zone = ZoneInfo(data.dojo.timezone)
    notes = []
    present = [member for member in members if member.trains_on(data.today)]
    for text, member in zip(_NOTES, rng.sample(present, len(_NOTES)), strict=True):
        first = max(member.joined_on, data.today - timedelta(weeks=12))
        day = first + (data.today - first) * rng.random()
        created_at = datetime.combine(day, time(21, 5), tzinfo=zone)
        notes.append(
            StudentNote(student=member.student, author=data.instructor, text=text, created_at=created_at)
        )
    StudentNote.objects.bulk_create(notes)
    chosen = [member.student for member in rng.sample(members, len(_MEDICAL_NOTES))]
    for student, text in zip(chosen, _MEDICAL_NOTES, strict=True):
        student.medical_notes = text
    Student.objects.bulk_update(chosen, ["medical_notes"])


def _create_family_accounts(members: Sequence[Member], data: DojoData) -> None:
    """Create the account of an adult student, and that of a parent of two siblings."""
    active = [one for one in members if one.student.status == Student.Status.ACTIVE]
    adult = next(one.student for one in active if one.group is Group.ADULT)
    families: dict[Guardian, list[Student]] = {}
    for member in active:
        for guardian, _ in member.guardians[:1]:
            families.setdefault(guardian, []).append(member.student)
    parent, children = next(one for one in families.items() if len(one[1]) == 2)  # noqa: PLR2004
    for user, name, students in (("student", adult.name, [adult]), ("parent", parent.name, children)):
        account = create_user(
            email=data.dojo.address(user),
            name=name,
            role=Role.STUDENT,
            password_hash=data.admin.password,
        )
        link_user(user=account, students=students)
