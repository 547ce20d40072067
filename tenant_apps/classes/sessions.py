"""Single sessions: created by hand, moved or changed, cancelled and reinstated."""

import copy
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.clock import tenant_time
from tatami.errors import DomainError, NotFound
from tenant_apps.classes.closed_sessions import STATUS, apply_closures, lock_closures
from tenant_apps.classes.expectations import expected_students
from tenant_apps.classes.models import ClassSession, TrainingClass
from tenant_apps.classes.session_generation import inherited_values, instructor_ids_of
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.events import Notice, publish_notices


@transaction.atomic
def create_session(*, values: Mapping[str, Any], training_class: TrainingClass | None) -> ClassSession:
    """Create a session that no recurrence generates. Values that are not given are those of `training_class`, if any.

    `values` has the fields of `ClassSession` and `duration_minutes`. On the days of a closure the session is made as
    cancelled; `reinstate_session` lets it take place. Raises `SessionExists` if the class has a session
    at that time, also for the second of two concurrent calls.
    """
    given = dict(values)
    minutes, instructors = given.pop("duration_minutes"), given.pop("instructors", None)
    inherited = {}
    if training_class is None:
        lock_closures()
    else:
        _check_no_session_at(training_class.pk, given["starts_at"])
        inherited = inherited_values(training_class, instructor_ids_of([training_class]))
    session = ClassSession(**{**inherited, **given}, training_class=training_class)
    if instructors is not None:
        session.instructor_ids = [user.pk for user in instructors]
    session.set_times(session.starts_at, timedelta(minutes=minutes))
    apply_closures([session])
    session.save()
    return session


@transaction.atomic
def change_session(
    *, session_id: UUID, changes: Mapping[str, Any], notify: bool, now: datetime
) -> ClassSession:
    """Change one session. A later change of its class does not overwrite what was changed here.

    A new `starts_at` moves the session. It keeps its duration and its slot, so that the recurrence generates no other
    session in its place. Moved out of a closure it takes place; moved into one it is cancelled. With `notify`, the
    students who were expected are told a new time or place of a session that has not begun; a repeated call changes
    nothing and tells no one. Concurrent changes of different fields are all kept. Raises `NotFound`; `SessionExists` if
    the class has a session at the new time.
    """
    if "starts_at" in changes:
        lock_closures()
    session = _locked(session_id)
    before = copy.copy(session)
    given = dict(changes)
    if "instructors" in given:
        given["instructor_ids"] = [user.pk for user in given.pop("instructors")]
    starts_at = given.get("starts_at", session.starts_at)
    minutes = given.pop("duration_minutes", None)
    duration = session.duration if minutes is None else timedelta(minutes=minutes)
    if starts_at != session.starts_at and session.training_class_id:
        _check_no_session_at(session.training_class_id, starts_at)
    changed = {field for field, value in given.items() if value != getattr(session, field)}
    if duration != session.duration:
        changed.add("duration_minutes")
    if not changed:
        return session
    for field, value in given.items():
        setattr(session, field, value)
    session.set_times(starts_at, duration)
    session.set_by_hand = sorted({*session.set_by_hand, *changed})
    expected = expected_students(session=session.pk) if notify else ()
    # Read before the session is saved: those who were expected at the old time are the ones to tell.
    to_tell = [student.pk for student in expected]
    if session.local_date != before.local_date:
        apply_closures([session])
    session.save()
    if session.is_cancelled and not before.is_cancelled:
        publish("class_session.cancelled", [{"id": session.pk}], now=now)
    is_moved = bool(changed & {"starts_at", "location"})
    if to_tell and is_moved and not session.is_cancelled and max(before.starts_at, session.starts_at) > now:
        _publish_move(before, session, to_tell)
    return session


@transaction.atomic
def cancel_session(*, session_id: UUID, reason: str, by: User, now: datetime) -> tuple[ClassSession, bool]:
    """Cancel a session; return it, and whether it was scheduled before. A second call keeps the first cancellation.

    Attendance is kept. If the session has not begun, the students who are expected are notified. Raises `NotFound`.
    """
    session = _locked(session_id)
    if session.is_cancelled:
        return session, False
    session.status = ClassSession.Status.CANCELLED
    session.cancelled_at, session.cancelled_by, session.cancel_reason = now, by, reason
    session.save()
    publish("class_session.cancelled", [{"id": session.pk}], now=now)
    if session.starts_at > now:
        _notify_students(session)
    return session, True


@transaction.atomic
def reinstate_session(*, session_id: UUID) -> ClassSession:
    """Undo the cancellation of a session; return it. It then takes place also during a closure.

    Does nothing if it is not cancelled. Raises `NotFound`.
    """
    session = _locked(session_id)
    if session.is_cancelled:
        if session.closure_id is not None:
            session.set_by_hand = sorted({*session.set_by_hand, STATUS})
        session.reinstate()
        session.save()
    return session


def attach_instructors(sessions: Iterable[ClassSession]) -> None:
    """Set `taught_by` of each session: its instructors, ordered by name. One statement, whatever their number."""
    rows = list(sessions)
    ids = {key for row in rows for key in row.instructor_ids}
    users = list(User.objects.filter(pk__in=ids).order_by("name", "pk")) if ids else []
    for row in rows:
        row.taught_by = [user for user in users if user.pk in row.instructor_ids]  # type: ignore[attr-defined]


def _notify_students(session: ClassSession) -> None:
    """Notify the students who are expected that a session is cancelled. Two statements, and those of the receivers."""
    values = {
        "class": session.name,
        "date": long_date(session.local_date, DojoSettings.current().language_code),
        "time": tenant_time(session.starts_at),
        "reason": session.cancel_reason,
    }
    expected = expected_students(session=session.pk).values_list("pk", flat=True)
    publish_notices("class_cancelled", [Notice(one, values) for one in expected])


def _publish_move(before: ClassSession, session: ClassSession, students: Iterable[UUID]) -> None:
    """Notify students that a session has another time or place."""
    language = DojoSettings.current().language_code
    values = {
        "class": session.name,
        "old_date": long_date(before.local_date, language),
        "old_time": tenant_time(before.starts_at),
        "date": long_date(session.local_date, language),
        "time": tenant_time(session.starts_at),
        "location": session.location,
    }
    publish_notices("class_moved", [Notice(one, values) for one in students])


def _locked(session_id: UUID) -> ClassSession:
    """Return the session, locked after its class: the lock order of session generation. Raises `NotFound`."""
    classes = TrainingClass.objects.filter(sessions=session_id)
    list(classes.select_for_update(no_key=True, of=("self",)).values_list("pk"))
    found = (
        ClassSession.objects.select_for_update(of=("self",), no_key=True)
        .select_related("training_class", "discipline", "min_rank", "cancelled_by", "closure")
        .filter(pk=session_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def _check_no_session_at(class_id: UUID, starts_at: datetime) -> None:
    """Lock the class and raise `SessionExists` if it has a session at `starts_at`."""
    list(TrainingClass.objects.filter(pk=class_id).select_for_update(no_key=True).values_list("pk"))
    if ClassSession.objects.filter(training_class=class_id, starts_at=starts_at).exists():
        raise SessionExists


class SessionExists(DomainError):
    """The class has a session at this time already."""
