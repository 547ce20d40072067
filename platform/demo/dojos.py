"""The demo dojos: name, time zone, rank rules, timetable, and the accounts that sign in to them."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from django.conf import settings

from shared_apps.accounts.models import Role, User
from shared_apps.accounts.users import create_user, hash_password
from tatami import clock
from tatami.tenancy.hosts import origin
from tatami.tenancy.scope import TenantScope, tenant_scope
from tatami.text import email_key
from tenant_apps.classes.closures import close
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.services import create_class
from tenant_apps.ranks import services
from tenant_apps.ranks.models import Discipline

DEMO_PASSWORD: Final = "demo-dojo-2026!"  # noqa: S105
STAFF_NAMES: Final = {
    Role.ADMIN: "Akiko Albers",
    Role.INSTRUCTOR: "Ingo Ishikawa",
    Role.ASSISTANT: "Aline Assunção",
}
_WORKDAYS: Final = ("mo", "tu", "we", "th", "fr")
_WEEKS_UNTIL_BREAK: Final = timedelta(weeks=5)
_CLASSES_BEFORE: Final = timedelta(weeks=4)
"""The timetable is older than the first recorded attendance: the dojo changed over with opening balances."""


@dataclass(frozen=True, slots=True)
class WeeklyClass:
    """A class of the timetable, in local time. `class_type` is its age group: kids, adults or mixed."""

    name: str
    class_type: str
    weekdays: tuple[str, ...]
    start_time: str
    duration_minutes: int
    location: str = "Main mat"


@dataclass(frozen=True, slots=True)
class DemoDojo:
    """A demo dojo. It has recorded attendance for `weeks` weeks; a rank is held for at least `months_in_rank`."""

    slug: str
    name: str
    timezone: str
    preset: str
    months_in_rank: int
    weeks: int
    timetable: tuple[WeeklyClass, ...]

    def address(self, user: str) -> str:
        """Return the e-mail address of a demo user. No mail reaches the domain `.example` (RFC 2606)."""
        return f"{user}@{self.slug}.example"


SEISHIN: Final = DemoDojo(
    slug="seishin",
    name="Seishin Aikido",
    timezone="Europe/Berlin",
    preset="aikikai",
    months_in_rank=6,
    weeks=26,
    timetable=(
        WeeklyClass("Kids", "kids", ("tu",), "17:00", 60),
        WeeklyClass("Adults", "adults", ("th",), "19:30", 90),
        WeeklyClass("All together", "mixed", ("sa",), "10:30", 120),
    ),
)
TORA: Final = DemoDojo(
    slug="tora",
    name="Tora Jiu-Jitsu",
    timezone="America/Sao_Paulo",
    preset="ibjjf-adult",
    months_in_rank=20,
    weeks=26,
    timetable=(
        WeeklyClass("Kids", "kids", ("mo",), "17:30", 60),
        WeeklyClass("Adults", "adults", ("we",), "19:00", 90),
        WeeklyClass("Open mat", "mixed", ("sa",), "11:00", 120),
    ),
)
BIG: Final = DemoDojo(
    slug="big",
    name="Big Dojo",
    timezone="Europe/Berlin",
    preset="aikikai",
    months_in_rank=6,
    weeks=156,
    timetable=(
        WeeklyClass("Early birds", "adults", _WORKDAYS, "06:30", 60),
        WeeklyClass("Lunch", "adults", _WORKDAYS, "12:15", 60),
        WeeklyClass("Kids, first", "kids", _WORKDAYS, "15:30", 60),
        WeeklyClass("Kids, second", "kids", _WORKDAYS, "16:45", 60, "Small mat"),
        WeeklyClass("Families", "mixed", _WORKDAYS, "17:00", 60),
        WeeklyClass("Basics", "adults", _WORKDAYS, "18:15", 75),
        WeeklyClass("All grades", "adults", _WORKDAYS, "18:30", 90, "Small mat"),
        WeeklyClass("Weapons", "adults", ("mo", "we", "fr"), "20:00", 60),
        WeeklyClass("Free practice", "mixed", ("tu", "th"), "20:00", 90),
        WeeklyClass("Weekend kids", "kids", ("sa", "su"), "09:30", 60),
        WeeklyClass("Weekend", "mixed", ("sa", "su"), "11:00", 120),
    ),
)
DEMO_DOJOS: Final = (SEISHIN, TORA)


@cache
def demo_password() -> str:
    """Return the password of all demo users: the documented one on localhost, else a random one.

    A password that is printed in the source must not open a dojo that other people can reach.
    """
    domain = settings.TATAMI_BASE_DOMAIN
    is_local = domain == "localhost" or domain.endswith(".localhost")
    return DEMO_PASSWORD if is_local else secrets.token_urlsafe(12)


@cache
def demo_password_hash() -> str:
    """Return the hash of the demo password. It is made once, because Argon2 is slow on purpose."""
    return hash_password(demo_password())


def demo_admin(dojo: DemoDojo, *, lock: bool = False) -> User | None:
    """Return the admin that was created with a demo dojo. `None` means that the dojo is not a demo."""
    users = User.objects.select_for_update() if lock else User.objects.all()
    return users.filter(email_key=email_key(dojo.address("admin"))).first()


def sign_in_line(dojo: DemoDojo, tenant: TenantScope, *, is_new: bool) -> str:
    """Return a line with the address of the dojo, and with the login of its admin."""
    with tenant_scope(tenant):
        url = origin()
    is_known = is_new or demo_password() == DEMO_PASSWORD
    password = demo_password() if is_known else "(the password printed when it was made)"
    return f"dojo  {url}  admin {dojo.address('admin')} / {password}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A class on one weekday, with its past sessions as (id, start, local date), the oldest first."""

    class_id: UUID
    class_type: str
    sessions: Sequence[tuple[UUID, datetime, date]]


@dataclass(frozen=True, slots=True)
class DojoData:
    """What a demo dojo has before its students. Attendance is recorded from `since` to `today`, local dates."""

    dojo: DemoDojo
    rules: services.RulesInForce
    admin: User
    instructor: User
    assistant: User
    slots: Sequence[Slot]
    since: date
    today: date
    now: datetime


def load_dojo_data(dojo: DemoDojo, *, admin: User, now: datetime) -> DojoData:
    """Return the staff, rules and timetable of the dojo in scope, and create what is missing. In a transaction."""
    if not TrainingClass.objects.exists():
        _create_dojo_data(dojo, admin=admin, now=now)
    staff = {user.email_key: user for user in User.objects.staff()}
    first_class = TrainingClass.objects.order_by("created_at", "pk")[0]
    since = date.fromisoformat(first_class.recurrence["from"]) + _CLASSES_BEFORE
    today = clock.local_date(now, dojo.timezone)
    return DojoData(
        dojo=dojo,
        rules=services.rules_in_force(on=today)[0],
        admin=admin,
        instructor=staff[email_key(dojo.address("instructor"))],
        assistant=staff[email_key(dojo.address("assistant"))],
        slots=_past_slots(since, now),
        since=since,
        today=today,
        now=now,
    )


def _create_dojo_data(dojo: DemoDojo, *, admin: User, now: datetime) -> None:
    # The hash is that of the admin, so a dojo that is completed later has one password.
    instructor, _ = (
        create_user(email=dojo.address(role), name=STAFF_NAMES[role], role=role, password_hash=admin.password)
        for role in (Role.INSTRUCTOR, Role.ASSISTANT)
    )
    definition = services.read_preset(dojo.preset)
    discipline = services.save_named(Discipline(name=definition.art))
    services.create_rank_system(definition=definition, discipline=discipline, preset_key=dojo.preset)
    first = clock.local_date(now, dojo.timezone) - timedelta(weeks=dojo.weeks) - _CLASSES_BEFORE
    for weekly in dojo.timetable:
        recurrence = {
            "weekdays": list(weekly.weekdays),
            "start_time": weekly.start_time,
            "duration_minutes": weekly.duration_minutes,
            "from": first.isoformat(),
        }
        create_class(
            values={
                "name": weekly.name,
                "class_type": weekly.class_type,
                "discipline": discipline,
                "location": weekly.location,
                "recurrence": recurrence,
            },
            instructors=[instructor],
            now=now,
        )
    # No student is enrolled yet, so this sends no mail.
    break_starts = clock.local_date(now, dojo.timezone) + _WEEKS_UNTIL_BREAK
    close(
        starts_on=break_starts,
        until=break_starts + timedelta(days=6),
        reason="Holidays",
        classes=(),
        by=admin,
        now=now,
    )


def _past_slots(since: date, now: datetime) -> list[Slot]:
    found: dict[tuple[UUID, str, int], list[tuple[UUID, datetime, date]]] = defaultdict(list)
    past = ClassSession.objects.filter(local_date__gte=since, ends_at__lte=now, training_class__isnull=False)
    rows = past.filter(status=ClassSession.Status.SCHEDULED).order_by("starts_at", "class_type", "name")
    for pk, starts_at, on, class_id, class_type in rows.values_list(
        "pk", "starts_at", "local_date", "training_class", "class_type"
    ):
        found[class_id, class_type, on.weekday()].append((pk, starts_at, on))
    return [Slot(class_id, class_type, sessions) for (class_id, class_type, _), sessions in found.items()]
