"""Which sessions a closure cancels: applied to sessions that are made, moved or reopened, before they are saved.

Sessions that were cancelled individually stay cancelled; those that were reinstated individually take place.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tenant_apps.classes.models import ClassSession, Closure
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.dojo.services import get_or_create_settings

CANCELLATION_FIELDS: Final = ("status", "cancelled_at", "cancelled_by", "cancel_reason", "closure")
"""The fields of a session that `apply_closures` sets."""
STATUS: Final = "status"
"""In `ClassSession.set_by_hand`: the session takes place although a closure covers it."""


def lock_closures() -> None:
    """Wait for concurrent closures, and for sessions without a class that are made or moved. Take it first."""
    get_or_create_settings()
    list(DojoSettings.objects.select_for_update(no_key=True).values_list("pk"))


def apply_closures(sessions: Sequence[ClassSession], *, without: Closure | None = None) -> None:
    """Cancel the sessions that a closure covers, and reinstate those that their closure no longer covers, unsaved.

    Sessions that were cancelled or reinstated individually stay as they are. A closure given as `without` does not
    count. Two statements if there are sessions and closures.
    """
    concerned = [
        one
        for one in sessions
        if STATUS not in one.set_by_hand and (not one.is_cancelled or one.closure_id is not None)
    ]
    if not concerned:
        return
    days = [one.local_date for one in concerned]
    found = Closure.objects.overlapping(min(days), max(days)).prefetch_related("class_links").order_by("pk")
    closures = list(found.exclude(pk=without.pk) if without else found)
    for one in concerned:
        covering = [closure for closure in closures if _covers(closure, one)]
        if one.closure_id not in {closure.pk for closure in covering}:
            _set_closure(one, covering[0] if covering else None)


def save_cancellations(sessions: Sequence[ClassSession], *, now: datetime) -> None:
    """Save what `apply_closures` has set. One statement, whatever the number of sessions."""
    for one in sessions:
        one.updated_at = now
    if sessions:
        ClassSession.objects.bulk_create(
            sessions,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[*CANCELLATION_FIELDS, "updated_at"],
        )


def _covers(closure: Closure, session: ClassSession) -> bool:
    closed = {link.training_class_id for link in closure.class_links.all()}
    is_that_day = closure.starts_on <= session.local_date <= closure.until
    return is_that_day and (not closed or session.training_class_id in closed)


def _set_closure(session: ClassSession, closure: Closure | None) -> None:
    if closure is None:
        session.reinstate()
    else:
        session.status = ClassSession.Status.CANCELLED
        session.cancelled_at, session.cancelled_by_id = closure.created_at, closure.closed_by_id
        session.cancel_reason, session.closure = closure.reason, closure
