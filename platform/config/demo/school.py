"""A demo dojo that is ready for its students: staff, rank system, timetable and sessions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from config.demo.accounts import address, create_staff
from config.demo.dojos import DemoDojo
from shared_apps.accounts.models import User
from tatami import clock
from tatami.text import email_key
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.services import create_class
from tenant_apps.ranks import services
from tenant_apps.ranks.models import Discipline

SCHEDULED_BEFORE: Final = timedelta(weeks=4)
"""The timetable is older than the first recorded attendance: the dojo came with it, and with opening balances."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A class on one weekday, with its sessions that are over: (id, start, local date), the oldest first."""

    class_id: UUID
    class_type: str
    sessions: Sequence[tuple[UUID, datetime, date]]


@dataclass(frozen=True, slots=True)
class School:
    """What students are put into. Attendance is recorded from `since` to `today`, local dates."""

    rules: services.RulesInForce
    admin: User
    instructor: User
    assistant: User
    slots: Sequence[Slot]
    usual_months: int
    since: date
    today: date
    now: datetime


def open_school(dojo: DemoDojo, *, admin: User, now: datetime) -> School:
    """Return the school of `dojo`, whose scope is in force; what is missing is made. Call it in a transaction."""
    if not TrainingClass.objects.exists():
        _furnish(dojo, admin=admin, now=now)
    staff = {user.email_key: user for user in User.objects.staff()}
    first_class = TrainingClass.objects.order_by("created_at", "pk")[0]
    since = date.fromisoformat(first_class.recurrence["from"]) + SCHEDULED_BEFORE
    today = clock.local_date(now, dojo.timezone)
    return School(
        rules=services.rules_in_force(on=today)[0],
        admin=admin,
        instructor=staff[email_key(address(dojo.slug, "instructor"))],
        assistant=staff[email_key(address(dojo.slug, "assistant"))],
        slots=_slots(since, now),
        usual_months=dojo.usual_months,
        since=since,
        today=today,
        now=now,
    )


def _furnish(dojo: DemoDojo, *, admin: User, now: datetime) -> None:
    create_staff(dojo.slug, admin)
    instructor = User.objects.get(email_key=email_key(address(dojo.slug, "instructor")))
    definition = services.read_preset(dojo.preset)
    discipline = services.save_named(Discipline(name=definition.art))
    services.create_rank_system(definition=definition, discipline=discipline, preset_key=dojo.preset)
    first = clock.local_date(now, dojo.timezone) - timedelta(weeks=dojo.weeks) - SCHEDULED_BEFORE
    for weekly in dojo.timetable:
        create_class(
            values={
                "name": weekly.name,
                "class_type": weekly.class_type,
                "discipline": discipline,
                "location": weekly.location,
                "recurrence": {**weekly.recurrence, "from": first.isoformat()},
            },
            instructors=[instructor],
            now=now,
        )


def _slots(since: date, now: datetime) -> list[Slot]:
    found: dict[tuple[UUID, str, int], list[tuple[UUID, datetime, date]]] = defaultdict(list)
    over = ClassSession.objects.filter(local_date__gte=since, ends_at__lte=now, training_class__isnull=False)
    rows = over.filter(status=ClassSession.Status.SCHEDULED).order_by("starts_at", "class_type", "name")
    for pk, starts_at, on, class_id, class_type in rows.values_list(
        "pk", "starts_at", "local_date", "training_class", "class_type"
    ):
        found[class_id, class_type, on.weekday()].append((pk, starts_at, on))
    return [Slot(class_id, class_type, sessions) for (class_id, class_type, _), sessions in found.items()]
