"""What the pages of the schedule show and the API does not offer."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max
from django.utils.translation import gettext

from shared_apps.accounts.models import User
from tenant_apps.attendance.models import Attendance, Device
from tenant_apps.classes.check_in_window import check_in_window
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.dojo.models import DojoSettings


def planned_times(first: date, last: date) -> dict[str, datetime]:
    """Return, for each session of these local dates that was moved, when its class had planned it.

    The keys are ids as text, the values local times without a zone. One statement.
    """
    return _planned(ClassSession.objects.between(first, last).values_list("pk", flat=True))


def planned_time(session: UUID | str) -> datetime | None:
    """Return when a session had been planned, if it was moved, else `None`. One statement."""
    return _planned([session]).get(str(session))


def _planned(sessions: Any) -> dict[str, datetime]:
    rows = ClassSession.objects.filter(
        pk__in=sessions, set_by_hand__contains=["starts_at"], slot_date__isnull=False
    ).order_by()
    return {
        str(key): datetime.combine(day, at)
        for key, day, at in rows.values_list("pk", "slot_date", "slot_time")
        if day is not None and at is not None
    }


def marking_opens_at(session: UUID | str) -> datetime | None:
    """Return from when on staff may mark the roster of a session; `None` if there is no such session.

    Two statements.
    """
    found = ClassSession.objects.filter(pk=session).first()
    if found is None:
        return None
    return check_in_window(found, DojoSettings.current()).by_hand_from


def roster_fingerprint(session: UUID, *, now: datetime) -> str:
    """Return a text that changes whenever the roster of a session does. Three small statements."""
    row = ClassSession.objects.filter(pk=session).values_list("updated_at", "ends_at", "training_class")
    updated_at, ends_at, training_class = row.first() or (None, None, None)
    visits = Attendance.objects.filter(class_session=session).aggregate(
        changed=Max("updated_at"), n=Count("pk")
    )
    enrolled = Enrolment.objects.filter(training_class=training_class).aggregate(
        changed=Max("updated_at"), n=Count("pk")
    )
    is_over = ends_at is not None and ends_at <= now
    parts = [updated_at, visits["changed"], visits["n"], enrolled["changed"], enrolled["n"], int(is_over)]
    return "-".join(f"{part:%d%H%M%S%f}" if isinstance(part, datetime) else str(part or 0) for part in parts)


def instructors() -> list[tuple[str, str]]:
    """Return the users who can teach and examine, as choices: id and name. One statement.

    The API lists users of one role only, and a page at a time, parents among them.
    """
    rows = User.objects.people().active().staff().order_by("name", "pk").values_list("pk", "name")
    return [(str(key), name or gettext("without a name")) for key, name in rows]


def sessions_to_close(
    first: date, last: date, classes: Sequence[UUID], *, most: int
) -> tuple[int, list[Any]]:
    """Return how many sessions of some classes a closure of these local dates would cancel, and the first `most`.

    Each with `local_date`, `starts_at` and `name`. Two statements.
    """
    rows = ClassSession.objects.between(first, last).filter(
        status=ClassSession.Status.SCHEDULED, training_class__in=classes
    )
    shown = rows.order_by("starts_at", "pk").values("local_date", "starts_at", "name")
    return rows.count(), list(shown[:most])


def kinds() -> list[str]:
    """Return the kinds of the classes that are not archived (`class_type`), in their order. One statement."""
    found = TrainingClass.objects.not_archived().order_by("class_type").values_list("class_type", flat=True)
    return list(found.distinct())


def places() -> list[str]:
    """Return the places of classes and devices, for people to choose from as they type: both must be spelled alike,
    because a device checks in at the sessions of its place. One statement.
    """
    of_classes = TrainingClass.objects.not_archived().order_by().values_list("location", flat=True)
    of_devices = Device.objects.filter(revoked_at__isnull=True).order_by().values_list("location", flat=True)
    return sorted({place for place in of_classes.union(of_devices) if place})


def enrolled_among(training_class: UUID, students: Sequence[UUID]) -> set[str]:
    """Return those of the students who are enrolled in a class. One statement."""
    rows = Enrolment.objects.filter(training_class=training_class, student__in=students).order_by()
    return {str(key) for key in rows.values_list("student", flat=True)}
