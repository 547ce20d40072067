"""Single sessions: made by hand, moved or changed for themselves, cancelled and uncancelled."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from shared_apps.accounts.models import User
from tatami.errors import DomainError, NotFound
from tatami.tenancy.scope import current_tenant
from tenant_apps.classes.from_class import copied, local, teachers_of
from tenant_apps.classes.models import ClassSession, Enrolment, TrainingClass
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.words import written_date
from tenant_apps.students.notices import Notice, give_notice


class SessionExists(DomainError):
    """The class has a session at this time already."""


@transaction.atomic
def create_session(*, values: Mapping[str, Any], training_class: TrainingClass | None) -> ClassSession:
    """Create a session that no recurrence made; what is not given comes from `training_class`, if any.

    Raises `SessionExists` if the class has one at that time, also when two are made at once.
    """
    given = dict(values)
    minutes, instructors = given.pop("duration_minutes"), given.pop("instructors", None)
    inherited = {}
    if training_class:
        _refuse_second(training_class.pk, given["starts_at"])
        inherited = copied(training_class, teachers_of([training_class]))
    session = ClassSession(**{**inherited, **given}, training_class=training_class)
    if instructors is not None:
        session.instructor_ids = [user.pk for user in instructors]
    session.ends_at = session.starts_at + timedelta(minutes=minutes)
    session.local_date = local(session.starts_at)
    session.save()
    return session


@transaction.atomic
def change_session(*, session_id: UUID, changes: Mapping[str, Any]) -> ClassSession:
    """Change one session for itself; a later change of its class does not reach what was changed here.

    `starts_at` moves it: it keeps its length and its slot, so the rule makes no other in its place. Two changes of
    different fields at once both last. Raises `NotFound`; `SessionExists` if the class has a session at that time.
    """
    session = _locked(session_id)
    given = dict(changes)
    if "instructors" in given:
        given["instructor_ids"] = [user.pk for user in given.pop("instructors")]
    starts_at = given.get("starts_at", session.starts_at)
    minutes = given.pop("duration_minutes", None)
    length = session.duration if minutes is None else timedelta(minutes=minutes)
    if starts_at != session.starts_at and session.training_class_id:
        _refuse_second(session.training_class_id, starts_at)
    changed = {field for field, value in given.items() if value != getattr(session, field)}
    if length != session.duration:
        changed.add("duration_minutes")
    if not changed:
        return session
    for field, value in given.items():
        setattr(session, field, value)
    session.ends_at, session.local_date = starts_at + length, local(starts_at)
    session.set_by_hand = sorted({*session.set_by_hand, *changed})
    session.save()
    return session


@transaction.atomic
def cancel(*, session_id: UUID, reason: str, by: User, now: datetime) -> tuple[ClassSession, bool]:
    """Cancel a session and say whether that is new: twice, the first cancellation stands. Attendance is kept."""
    session = _locked(session_id)
    if session.is_cancelled:
        return session, False
    session.status = ClassSession.Status.CANCELLED
    session.cancelled_at, session.cancelled_by, session.cancel_reason = now, by, reason
    session.save()
    if session.starts_at > now:
        _give_notice(session, on=local(now))
    return session, True


@transaction.atomic
def uncancel(*, session_id: UUID) -> ClassSession:
    """Take a cancellation back; where there is none nothing changes."""
    session = _locked(session_id)
    if session.is_cancelled:
        session.status = ClassSession.Status.SCHEDULED
        session.cancelled_at, session.cancelled_by, session.cancel_reason = None, None, ""
        session.save()
    return session


def attach_instructors(sessions: Iterable[ClassSession]) -> None:
    """Give each session its instructors as `taught_by`, by name. One statement, whatever their number."""
    rows = list(sessions)
    wanted = {key for row in rows for key in row.instructor_ids}
    users = list(User.objects.filter(pk__in=wanted).order_by("name", "pk")) if wanted else []
    for row in rows:
        row.taught_by = [user for user in users if user.pk in row.instructor_ids]  # type: ignore[attr-defined]


def _give_notice(session: ClassSession, *, on: date) -> None:
    """Tell those who are expected that a session does not take place. Two statements, and what is made of it."""
    enrolled = Enrolment.objects.expected(on=on).filter(training_class=session.training_class_id)
    values = {
        "class": session.name,
        "date": written_date(session.local_date, DojoSettings.current().tongue),
        "time": f"{session.starts_at.astimezone(ZoneInfo(current_tenant().timezone)):%H:%M}",
        "reason": session.cancel_reason,
    }
    give_notice(
        "class_cancelled", [Notice(one, values) for one in enrolled.values_list("student", flat=True)]
    )


def _locked(session_id: UUID) -> ClassSession:
    """Return the session, locked after its class, as whoever makes sessions does. Raises `NotFound`."""
    classes = TrainingClass.objects.filter(sessions=session_id)
    list(classes.select_for_update(no_key=True, of=("self",)).values_list("pk"))
    found = (
        ClassSession.objects.select_for_update(of=("self",), no_key=True)
        .select_related("training_class", "discipline", "min_rank", "cancelled_by")
        .filter(pk=session_id)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def _refuse_second(class_id: UUID, starts_at: datetime) -> None:
    list(TrainingClass.objects.filter(pk=class_id).select_for_update(no_key=True).values_list("pk"))
    if ClassSession.objects.filter(training_class=class_id, starts_at=starts_at).exists():
        raise SessionExists
