"""Closures: days on which no session takes place, of the whole dojo or of some classes.

A closure cancels the sessions that exist; those that are made later are cancelled from the start (`closed_sessions`).
Reopening reinstates what the closure cancelled. A session that was cancelled individually stays cancelled; one that was
reinstated individually takes place.

A closure locks the classes that it is about, in key order, as session generation does; and `lock_closures` is the lock
between closures and sessions without a class. So no session is made beside a closure without seeing it. Each operation
is one transaction: if it is killed, nothing has happened.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Func, OuterRef, Value

from shared_apps.accounts.models import User
from shared_apps.webhooks.events import publish
from tatami.errors import NotFound
from tenant_apps.classes.closed_sessions import STATUS, apply_closures, lock_closures, save_cancellations
from tenant_apps.classes.expectations import expected_students
from tenant_apps.classes.models import ClassSession, ClosedClass, Closure, TrainingClass
from tenant_apps.classes.services import ensure_sessions_for
from tenant_apps.dojo.dates import long_date
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.students.events import Notice, publish_notices


@transaction.atomic
def close(
    *,
    starts_on: date,
    until: date,
    reason: str,
    classes: Collection[TrainingClass],
    by: User,
    now: datetime,
) -> Closure:
    """Close the dojo, or only `classes`, from one local date until another, both included; return the closure.

    Sessions are generated up to `until` first, so that a closure far ahead concerns people, too. All scheduled
    sessions of these days are cancelled, except those that are over and that someone attended. Students who were
    expected at a session that has not begun are notified, once for all. A second closure of the same days cancels and
    notifies only what is new. A fixed number of statements, if no sessions are missing.
    """
    lock_closures()
    ensure_sessions_for(until, now=now)
    keys_of_classes = [one.pk for one in classes]
    _lock_classes(keys_of_classes)
    closure = Closure.objects.create(starts_on=starts_on, until=until, reason=reason, closed_by=by)
    ClosedClass.objects.bulk_create(ClosedClass(closure=closure, training_class=one) for one in classes)
    rows = ClassSession.objects.between(starts_on, until).filter(status=ClassSession.Status.SCHEDULED)
    if classes:
        rows = rows.filter(training_class__in=keys_of_classes)
    took_place = ClassSession.objects.that_were_attended().filter(pk=OuterRef("pk"), ends_at__lte=now)
    keys = list(
        rows.exclude(Exists(took_place))
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    ClassSession.objects.filter(pk__in=keys).update(
        status=ClassSession.Status.CANCELLED,
        cancelled_at=now,
        cancelled_by=by,
        cancel_reason=reason,
        closure=closure,
        set_by_hand=Func("set_by_hand", Value(STATUS), function="array_remove"),
        updated_at=now,
    )
    publish("class_session.cancelled", [{"id": key} for key in keys], now=now)
    _notify_students(closure, classes, now=now)
    return closure


@transaction.atomic
def reopen(*, closure_id: UUID, now: datetime) -> None:
    """Delete a closure: its sessions take place again, except those that another closure covers. Raises `NotFound`."""
    lock_closures()
    closure = Closure.objects.filter(pk=closure_id).first()
    if closure is None:
        raise NotFound
    _lock_classes([link.training_class_id for link in closure.class_links.all()])
    rows = list(ClassSession.objects.filter(closure=closure).select_for_update(of=("self",)).order_by("pk"))
    apply_closures(rows, without=closure)
    save_cancellations(rows, now=now)
    closure.delete()


def _lock_classes(keys: Collection[UUID]) -> None:
    """Lock the classes with these keys, or all classes if there are none, in key order."""
    rows = TrainingClass.objects.filter(pk__in=keys) if keys else TrainingClass.objects.all()
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _notify_students(closure: Closure, classes: Iterable[TrainingClass], *, now: datetime) -> None:
    """Notify the students who miss a session that has not begun: once for the closure, whatever the number."""
    language = DojoSettings.current().language_code
    values = {
        "first_day": long_date(closure.starts_on, language),
        "last_day": long_date(closure.until, language),
        "classes": ", ".join(sorted(one.name for one in classes)),
        "reason": closure.reason,
    }
    missing = expected_students(session__closure=closure.pk, session__starts_at__gt=now)
    publish_notices("closure", [Notice(one, values) for one in missing.values_list("pk", flat=True)])
