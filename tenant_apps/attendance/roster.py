"""The roster of a session: the students who are expected and those who came; staff save it as one document."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_noop

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import Subscribers, subscribers
from tatami.errors import DomainError
from tatami.postgresql.compiled import CompiledQuery
from tenant_apps.attendance.check_in.types import RECORDED, Method, attendance_event
from tenant_apps.attendance.corrections import VOIDED, default_check_in_time
from tenant_apps.attendance.errors import NotRecordedByYou, SessionCancelled, SessionNotBegun
from tenant_apps.attendance.models import Attendance
from tenant_apps.classes.check_in_window import check_in_window
from tenant_apps.classes.expectations import expected_students
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.models import Student, full_name

PRESENT: Final = "present"
LATE: Final = "late"
ABSENT: Final = "absent"
EXPECTED: Final = "expected"
UPDATED: Final = "attendance.updated"
MARKED_ABSENT: Final = gettext_noop("Marked absent on the roster.")
"""The reason of a void if the roster gives none."""


def _attendances(session: Any, students: Iterable[UUID] | None = None) -> Any:
    """Return the attendances of a session, or of some students there, that are not voided."""
    rows = Attendance.objects.not_voided().filter(class_session=session)
    return rows if students is None else rows.filter(student__in=students)


# --- reading --------------------------------------------------------------------------------------------------------

_STUDENT: Final = ("id", "first_name", "last_name", "family_first", "erased_at", "status", "search_name")
_EXPECTED: Final = CompiledQuery(
    "attendance.expected", lambda session: expected_students(session=session), columns=_STUDENT, session=UUID
)
_CAME: Final = CompiledQuery(
    "attendance.came",
    _attendances,
    columns=(*(f"student__{name}" for name in _STUDENT), "id", "checked_in_at", "method", "late"),
    session=UUID,
)


def roster_of(session: Mapping[str, Any], *, now: datetime) -> list[dict[str, Any]]:
    """Return the roster in the shape of `RosterEntrySerializer`, ordered by name: who is expected, and who came.

    `session` is what `classes.queries` returns. A student who is expected and has no attendance is `expected` until the
    session is over, and `absent` then. Who is expected on the day of the session is the answer of
    `expectations.expected_students`. No one is expected at a cancelled session. Two prepared statements.
    """
    key = UUID(session["id"])
    has_class = session["class"] and session["status"] != ClassSession.Status.CANCELLED
    expected = {row[0]: row for row in _EXPECTED.rows(session=key)} if has_class else {}
    rows = _CAME.rows(session=key)
    came = {row[0]: row[len(_STUDENT) :] for row in rows}
    students = {**expected, **{row[0]: row[: len(_STUDENT)] for row in rows}}
    otherwise = (None, None, None, ABSENT if session["ends_at"] <= now else EXPECTED)
    return [
        _entry(row, row[0] in expected, *came.get(row[0], otherwise))
        for row in sorted(students.values(), key=itemgetter(-1, 0))
    ]


def _entry(
    student: Any,
    is_expected: bool,
    attendance: str | None,
    at: datetime | None,
    method: str | None,
    state: Any,
) -> dict[str, Any]:
    """Return one student. `state` is whether an attendance is late, or the state without an attendance."""
    key, first_name, last_name, family_first, erased_at, status, _ = student
    name = full_name(first_name, last_name, family_first, is_erased=erased_at is not None)
    return {
        "student": {"id": key, "name": name},
        "state": state if attendance is None else LATE if state else PRESENT,
        "enrolled": is_expected,
        "trial": status == Student.Status.TRIAL,
        "attendance": attendance,
        "checked_in_at": at,
        "method": method,
    }


# --- saving ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def save_roster(
    *,
    session_id: UUID,
    states: Mapping[UUID, str],
    reason: str,
    by: User,
    only_recorded_today: bool,
    now: datetime,
) -> None:
    """Set the attendance of a session to `states` (student id → present, late or absent). Other students keep theirs.

    `absent` voids with `reason`. Ignores window, capacity, enrolment and rank, as `record_by_hand` does. Saving the
    same again changes nothing. Concurrent saves wait for each other (the session is locked); beside concurrent scans,
    the constraint `attendance_once` lets one attendance exist, which then takes the state given here. Call it with the
    students locked. At most six statements, whatever the number of students, and two more if the session is cancelled
    or has not begun, and two for each kind of event that a webhook asked for.

    Raises `NotRecordedByYou` if `only_recorded_today` is true and an attendance to void was not recorded by `by` today;
    `SessionCancelled` or `SessionNotBegun` if a student would be added to a session that is cancelled or has not begun,
    whose roster may still be corrected. Then nothing is saved.
    """
    session = ClassSession.objects.select_for_update(no_key=True, of=("self",)).get(pk=session_id)
    came = sorted(key for key, state in states.items() if state != ABSENT)
    if session.is_cancelled:
        _check_no_additions(session, came, SessionCancelled)
    elif session.starts_at > now:
        window = check_in_window(session, DojoSettings.current())
        if not window.accepts_by_hand(now):
            _check_no_additions(session, came, SessionNotBegun)
    late = [key for key in came if states[key] == LATE]
    absent = [key for key, state in states.items() if state == ABSENT]
    webhooks = subscribers(RECORDED, UPDATED, VOIDED)
    if absent:
        _void_absent(
            session,
            absent,
            reason=reason or MARKED_ABSENT,
            by=by,
            only_recorded_today=only_recorded_today,
            now=now,
            webhooks=webhooks,
        )
    values: dict[str, Any] = {
        "class_session": session,
        "checked_in_at": default_check_in_time(session, now),
        "recorded_by": by,
        "method": Method.MANUAL,
        "created_at": now,
    }
    rows = [Attendance(student_id=key, late=key in late, **values) for key in came]
    Attendance.objects.bulk_create(rows, ignore_conflicts=True)
    if webhooks.want(RECORDED):
        _publish(webhooks, RECORDED, Attendance.objects.filter(pk__in=[row.pk for row in rows]), now)
    on_time = [key for key in came if states[key] == PRESENT]
    _set_late(session, late, late=True, now=now, webhooks=webhooks)
    _set_late(session, on_time, late=False, now=now, webhooks=webhooks)


def _check_no_additions(session: ClassSession, students: list[UUID], error: type[DomainError]) -> None:
    """Raise `error`, naming those of `students` who have no attendance at the session."""
    added = set(students) - set(_attendances(session, students).values_list("student", flat=True))
    if added:
        raise error(details={"students": sorted(map(str, added))})


def _set_late(
    session: ClassSession, students: list[UUID], *, late: bool, now: datetime, webhooks: Subscribers
) -> None:
    if students:
        rows = _attendances(session, students).exclude(late=late)
        if webhooks.want(UPDATED):
            _publish(webhooks, UPDATED, rows, now)
        rows.update(late=late, updated_at=now)


def _publish(webhooks: Subscribers, type_: str, rows: Any, now: datetime) -> None:
    """Tell webhooks about attendances. Two statements."""
    found = rows.order_by("pk").values_list("pk", "student", "class_session")
    webhooks.publish(type_, [attendance_event(*row) for row in found], now=now)


def _void_absent(
    session: ClassSession,
    students: list[UUID],
    *,
    reason: str,
    by: User,
    only_recorded_today: bool,
    now: datetime,
    webhooks: Subscribers,
) -> None:
    """Void the attendances of `students`. Raises `NotRecordedByYou`, naming the students, as `save_roster` says."""
    rows = _attendances(session, students)
    if only_recorded_today:
        own = rows.recorded_by(by, now)
        others = sorted(map(str, rows.exclude(pk__in=own.values("pk")).values_list("student", flat=True)))
        if others:
            raise NotRecordedByYou(details={"students": others})
    if webhooks.want(VOIDED):
        _publish(webhooks, VOIDED, rows, now)
    rows.void(reason=reason, by=by, now=now)
