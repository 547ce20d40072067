"""What a session takes over from its class, and how sessions are added."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from tatami import clock
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.models import ClassInstructor, ClassSession, TrainingClass
from tenant_apps.classes.schedule import Occurrence, occurrences, read_recurrence

COPIED: Final = (
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
Teachers: TypeAlias = Mapping[UUID, list[UUID]]


def local(instant: datetime) -> date:
    """Return the dojo's date of an instant."""
    return clock.local_date(instant, current_tenant().timezone)


def session_of(training_class: TrainingClass, found: Occurrence, teachers: Teachers) -> ClassSession:
    """Return the session of a class at one occurrence of its rule, unsaved."""
    return ClassSession(
        training_class=training_class,
        slot_date=found.slot_date,
        slot_time=found.slot_time,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        local_date=found.local_date,
        **copied(training_class, teachers),
    )


def copied(training_class: TrainingClass, teachers: Teachers) -> dict[str, Any]:
    """Return what a session takes over from its class."""
    own = {field: getattr(training_class, field) for field in COPIED}
    return {**own, "instructor_ids": teachers.get(training_class.pk, [])}


def teachers_of(classes: Iterable[TrainingClass]) -> Teachers:
    """Return the ids of the instructors of each class. One statement."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    links = ClassInstructor.objects.filter(training_class__in=[one.pk for one in classes]).order_by("pk")
    for class_id, user_id in links.values_list("training_class_id", "user_id"):
        found[class_id].append(user_id)
    return found


def slots(training_class: TrainingClass, *, first: date, last: date) -> Iterable[Occurrence]:
    """Return when a class takes place on the local dates from `first` to `last`, both included."""
    rule = read_recurrence(training_class.recurrence)
    return occurrences(rule, timezone=current_tenant().timezone, first=first, last=last)


def insert(sessions: Iterable[ClassSession]) -> None:
    """Add sessions, but none at a moment when the class has another one: one made by hand, or moved there."""
    # The first of two for one moment stays.
    rows = {(one.training_class_id, one.starts_at): one for one in reversed(list(sessions))}
    if not rows:
        return
    moments = [moment for _, moment in rows]
    taken = ClassSession.objects.filter(
        training_class__in={class_id for class_id, _ in rows},
        starts_at__gte=min(moments),
        starts_at__lte=max(moments),
    )
    for class_id, starts_at in taken.values_list("training_class_id", "starts_at"):
        rows.pop((class_id, starts_at), None)
    ClassSession.objects.bulk_create(list(reversed(rows.values())), ignore_conflicts=True)
