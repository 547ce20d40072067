"""Sessions as responses show them: compiled queries, and the shape of `SessionSerializer` without a serializer."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared_apps.accounts.models import User
from tatami.clock import tenant_date
from tatami.errors import NotFound
from tatami.postgresql.compiled import CompiledQuery, many
from tatami.postgresql.statements import Row
from tenant_apps.classes.models import DEVICE_ROLE, ClassSession, TrainingClass
from tenant_apps.students.models import full_name

SESSION_COLUMNS: Final = (
    "id",
    "tenant_id",
    "name",
    "starts_at",
    "ends_at",
    "local_date",
    "status",
    "cancel_reason",
    "cancelled_by_id",
    "cancelled_by__name",
    "cancelled_at",
    "closure_id",
    "class_type",
    "discipline_id",
    "discipline__name",
    "instructor_ids",
    "location",
    "note",
    "capacity",
    "min_rank_id",
    "min_rank__name",
    "counts_toward_promotion",
    "opens_minutes_before",
    "closes_minutes_after",
    "late_after_minutes",
    "created_at",
    "updated_at",
    "training_class_id",
    "training_class__name",
)
INSTRUCTORS: Final = CompiledQuery(
    "classes.instructors",
    lambda users: User.objects.filter(pk__in=users).order_by("name", "pk"),
    columns=("id", "name"),
    users=many(UUID),
)
_SESSION: Final = {
    to_device: CompiledQuery(
        f"classes.session{' of a device' if to_device else ''}",
        lambda session, now, today, to_device=to_device: ClassSession.objects.filter(pk=session).visible_at(
            now, today=today, to_device=to_device
        ),
        columns=SESSION_COLUMNS,
        session=UUID,
        now=datetime,
        today=date,
    )
    for to_device in (False, True)
}


def one_session(session_id: UUID, *, role: str | None, now: datetime) -> dict[str, Any]:
    """Return a session as `SessionSerializer` shows it. Raises `NotFound` if a role may not see it at `now`.

    One statement, and one about the instructors, if there are any.
    """
    rows = _SESSION[role == DEVICE_ROLE].rows(session=session_id, now=now, today=tenant_date(now))
    if not rows:
        raise NotFound
    (found,) = session_data(rows)
    return found


def session_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of `SESSION_COLUMNS` as `SessionSerializer` shows them. One statement, if there are instructors."""
    sessions = [dict(zip(SESSION_COLUMNS, row, strict=True)) for row in rows]
    taught_by = sorted({user for session in sessions for user in session["instructor_ids"]})
    instructors = (
        [{"id": key, "name": name} for key, name in INSTRUCTORS.rows(users=taught_by)] if taught_by else []
    )
    return [_session(session, instructors) for session in sessions]


def _session(session: dict[str, Any], instructors: Sequence[Any]) -> dict[str, Any]:
    cancellation = {
        "reason": session["cancel_reason"],
        "by": _reference(session["cancelled_by_id"], session["cancelled_by__name"]),
        "at": session["cancelled_at"],
    }
    return {
        "id": session["id"],
        "tenant_id": session["tenant_id"],
        "name": session["name"],
        "starts_at": session["starts_at"],
        "ends_at": session["ends_at"],
        "duration_minutes": (session["ends_at"] - session["starts_at"]) // timedelta(minutes=1),
        "local_date": session["local_date"],
        "status": session["status"],
        "cancellation": cancellation if session["status"] == ClassSession.Status.CANCELLED else None,
        "closure": session["closure_id"],
        "class_type": session["class_type"],
        "discipline": _reference(session["discipline_id"], session["discipline__name"]),
        "instructors": [one for one in instructors if one["id"] in session["instructor_ids"]],
        "location": session["location"],
        "note": session["note"],
        "capacity": session["capacity"],
        "min_rank": _reference(session["min_rank_id"], session["min_rank__name"]),
        "counts_toward_promotion": session["counts_toward_promotion"],
        "check_in_window": {
            "opens_minutes_before": session["opens_minutes_before"],
            "closes_minutes_after": session["closes_minutes_after"],
            "late_after_minutes": session["late_after_minutes"],
        },
        "created_at": session["created_at"],
        "updated_at": session["updated_at"],
        "class": _reference(session["training_class_id"], session["training_class__name"]),
    }


# --- enrolments -----------------------------------------------------------------------------------------------------

ENROLMENT_COLUMNS: Final = (
    "id",
    "tenant_id",
    "student_id",
    "student__first_name",
    "student__last_name",
    "student__family_first",
    "student__erased_at",
    "created_at",
    "updated_at",
    "starts_on",
    "training_class_id",
    "training_class__name",
)
_CLASS: Final = CompiledQuery(
    "classes.class", lambda key: TrainingClass.objects.filter(pk=key), columns=("id",), key=UUID
)


def check_class_exists(class_id: UUID) -> None:
    """Raise `NotFound` if there is no such class. One statement."""
    if not _CLASS.rows(key=class_id):
        raise NotFound


def enrolment_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of `ENROLMENT_COLUMNS` as `EnrolmentSerializer` shows them."""
    return [_enrolment(dict(zip(ENROLMENT_COLUMNS, row, strict=True))) for row in rows]


def _enrolment(row: dict[str, Any]) -> dict[str, Any]:
    name = full_name(
        row["student__first_name"],
        row["student__last_name"],
        row["student__family_first"],
        is_erased=row["student__erased_at"] is not None,
    )
    return {
        "id": row["id"],
        "tenant_id": row["tenant_id"],
        "student": {"id": row["student_id"], "name": name},
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "from": row["starts_on"],
        "class": _reference(row["training_class_id"], row["training_class__name"]),
    }


def _reference(key: str | None, name: str | None) -> dict[str, Any] | None:
    return None if key is None else {"id": key, "name": name}
