"""Making sessions from classes, and changing a class for the days to come."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from shared_apps.accounts.models import User
from tatami import clock
from tatami.errors import DomainError, Invalid
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.models import ClassInstructor, ClassSession, Enrolment, TrainingClass
from tenant_apps.classes.schedule import occurrences, read_recurrence
from tenant_apps.students.models import Student

HORIZON: Final = timedelta(days=56)
"""How far ahead sessions are made without being asked for."""
FURTHEST: Final = timedelta(days=400)
"""How far ahead sessions are made on demand."""

COPIED_TO_SESSIONS: Final = (
    "name",
    "class_type",
    "discipline_id",
    "location",
    "capacity",
    "min_rank_id",
    "counts_toward_promotion",
    "opens_minutes_before",
    "closes_minutes_after",
    "late_after_minutes",
)


class SessionExists(DomainError):
    """The class has a session at this time already."""


@transaction.atomic
def create_class(*, values: Mapping[str, Any], instructors: Iterable[User], now: datetime) -> TrainingClass:
    """Create a class and its sessions from the recurrence's first day to the horizon."""
    training_class = TrainingClass.objects.create(**values)
    _set_instructors(training_class, instructors)
    materialise(until=_horizon(now), only=[training_class])
    return training_class


@transaction.atomic
def change_class(
    *,
    training_class: TrainingClass,
    changes: Mapping[str, Any],
    instructors: Iterable[User] | None,
    apply_from: date | None,
    now: datetime,
) -> TrainingClass:
    """Change a class. Sessions before `apply_from` (default: today there), or with attendance, stay as they are."""
    training_class = TrainingClass.objects.select_for_update().get(pk=training_class.pk)
    for field, value in changes.items():
        setattr(training_class, field, value)
    training_class.save()
    if instructors is not None:
        _set_instructors(training_class, instructors)
    _remake_sessions(training_class, first=apply_from or _local(now))
    return training_class


@transaction.atomic
def archive_class(*, training_class: TrainingClass, now: datetime) -> None:
    """Put a class away: sessions to come go with it unless somebody attended them."""
    training_class.archive(now=now)
    _untouched(training_class).filter(starts_at__gt=now).delete()


@transaction.atomic
def restore_class(*, training_class: TrainingClass, now: datetime) -> None:
    """Bring a class back, with its sessions to come."""
    training_class.restore()
    _remake_sessions(training_class, first=_local(now))


@transaction.atomic
def materialise(*, until: date, only: Sequence[TrainingClass] | None = None) -> int:
    """Make the sessions that are missing up to the local date `until`; return for how many classes any were due.

    Three statements whatever the number of classes. Running it twice, or at once, makes no second session: a class and
    a start are unique together.
    """
    due = TrainingClass.objects.live().filter(
        Q(materialised_until__isnull=True) | Q(materialised_until__lt=until)
    )
    classes = list(due.filter(pk__in=[c.pk for c in only]) if only is not None else due)
    timezone = current_tenant().timezone
    rows = [
        session
        for training_class in classes
        for session in _sessions(training_class, timezone, _first_missing(training_class), until)
    ]
    if rows:
        ClassSession.objects.bulk_create(rows, ignore_conflicts=True)
    if classes:
        TrainingClass.objects.filter(pk__in=[c.pk for c in classes]).update(materialised_until=until)
    return len(classes)


def materialise_ahead(*, now: datetime) -> int:
    """Make the sessions up to the horizon; the worker does so every hour."""
    return materialise(until=_horizon(now))


def ensure_sessions_until(last: date, *, now: datetime) -> None:
    """Make sessions up to the local date `last`, as far ahead as that is sensible. Raises `Invalid` beyond."""
    if last > _local(now) + FURTHEST:
        raise Invalid.field("to", f"Sessions are planned {FURTHEST.days} days ahead at most.")
    if last > _horizon(now):
        materialise(until=last)


@transaction.atomic
def create_session(*, values: Mapping[str, Any], training_class: TrainingClass | None) -> ClassSession:
    """Create a session that no recurrence made; what is not given comes from `training_class`, if any.

    Raises `SessionExists` if the class has one at that time.
    """
    inherited = (
        {field: getattr(training_class, field) for field in COPIED_TO_SESSIONS} if training_class else {}
    )
    minutes = values["duration_minutes"]
    given = {field: value for field, value in values.items() if field != "duration_minutes"}
    session = ClassSession(**{**inherited, **given}, training_class=training_class)
    session.ends_at = session.starts_at + timedelta(minutes=minutes)
    session.local_date = _local(session.starts_at)
    try:
        with transaction.atomic():
            session.save()
    except IntegrityError as violation:
        if "class_session_once" in str(violation):
            raise SessionExists from None
        raise
    return session


def enrol(*, training_class: TrainingClass, student: Student) -> tuple[Enrolment, bool]:
    """Expect a student at a class; say whether that is new. Twice changes nothing."""
    return Enrolment.objects.get_or_create(training_class=training_class, student=student)


def last_day(text: str) -> date:
    """Return the dojo's day that a query's `to` reaches into. Raises `Invalid`."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.date() if moment.tzinfo is None else _local(moment)
    except (ValueError, OverflowError):
        raise Invalid.field("to", "This must be a date (YYYY-MM-DD) or an instant with its zone.") from None


def _local(instant: datetime) -> date:
    return clock.local_date(instant, current_tenant().timezone)


def _horizon(now: datetime) -> date:
    return _local(now) + HORIZON


def _first_missing(training_class: TrainingClass) -> date:
    if training_class.materialised_until is None:
        return read_recurrence(training_class.recurrence).first
    return training_class.materialised_until + timedelta(days=1)


def _sessions(
    training_class: TrainingClass, timezone: str, first: date, last: date
) -> Iterable[ClassSession]:
    copied = {field: getattr(training_class, field) for field in COPIED_TO_SESSIONS}
    for occurrence in occurrences(
        read_recurrence(training_class.recurrence), timezone=timezone, first=first, last=last
    ):
        yield ClassSession(
            training_class=training_class,
            starts_at=occurrence.starts_at,
            ends_at=occurrence.ends_at,
            local_date=occurrence.local_date,
            **copied,
        )


def _untouched(training_class: TrainingClass) -> Any:
    # `attendances` is the name by which attendance, which we may not import, refers to sessions.
    attended = ClassSession.objects.filter(pk=OuterRef("pk"), attendances__isnull=False)
    sessions = ClassSession.objects.filter(
        training_class=training_class, status=ClassSession.Status.SCHEDULED
    )
    return sessions.filter(~Exists(attended))


def _remake_sessions(training_class: TrainingClass, *, first: date) -> None:
    _untouched(training_class).filter(local_date__gte=first).delete()
    until = training_class.materialised_until
    if until is None or until < first:
        return
    rows = list(_sessions(training_class, current_tenant().timezone, first, until))
    ClassSession.objects.bulk_create(rows, ignore_conflicts=True)


def _set_instructors(training_class: TrainingClass, instructors: Iterable[User]) -> None:
    ClassInstructor.objects.filter(training_class=training_class).delete()
    ClassInstructor.objects.bulk_create(
        [ClassInstructor(training_class=training_class, user=user) for user in instructors]
    )
