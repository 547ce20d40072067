"""The rows of the list of sessions: compiled queries, and the response of `SessionSerializer` without a serializer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from shared_apps.accounts.models import User
from tatami.postgresql.compiled import CompiledQuery, many
from tatami.postgresql.statements import Row
from tenant_apps.classes.models import ClassSession

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


def _reference(key: str | None, name: str | None) -> dict[str, Any] | None:
    return None if key is None else {"id": key, "name": name}
