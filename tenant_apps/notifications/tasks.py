"""The work of notifications that is done in the background; the names are here so that every worker knows them."""

from datetime import datetime
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q

from tatami import retention
from tatami.work import DONE, Turn, job
from tenant_apps.notifications.absentees import write_to_absentees
from tenant_apps.notifications.models import Delivery, DeliveryQuerySet, Notification
from tenant_apps.notifications.own_data import FORGOTTEN
from tenant_apps.notifications.sending import send_outbox
from tenant_apps.notifications.waking import wake
from tenant_apps.students.guardians import delete_at_once
from tenant_apps.students.models import Guardian, Student

__all__ = ["send_outbox", "sweep", "wake", "write_to_absentees"]

TOO_OLD: Final = "too_old"

KEEP: Final = "TATAMI_MAIL_BODY_DAYS"


SWEEP: Final = "notifications.sweep"


def forget_old_mail(*, now: datetime, dry_run: bool = False) -> int:
    """Keep of old mail only who was written to, when, about what and with what outcome; of trials nothing.

    What could not be sent for so long is not sent any more. Mails to guardians whom the dojo has forgotten since, and
    about people who were all erased, are forgotten as well. Returns how many mails still had their values. Eight
    statements.
    """
    until = now - retention.kept_time(KEEP)
    old = Delivery.objects.filter(created_at__lt=until)
    found = old.exclude(values={}).count()
    if dry_run:
        return found
    trials = Notification.objects.filter(is_test=True, created_at__lt=until)
    delete_at_once(Delivery.objects.filter(notification__in=trials))
    delete_at_once(trials)
    old.queued().update(state=Delivery.State.SKIPPED, reason=TOO_OLD, updated_at=now)
    old.exclude(values={}).update(values={}, updated_at=now)
    Notification.objects.filter(created_at__lt=until).exclude(body="").update(
        subject="", body="", audience=None, updated_at=now
    )
    forgotten = _of_nobody()
    forgotten.queued().update(state=Delivery.State.SKIPPED)
    forgotten.update(
        address="", address_key=None, guardian_id=None, values={}, reason=FORGOTTEN, updated_at=now
    )
    return found


def _of_nobody() -> DeliveryQuerySet:
    """Return the mails to guardians who are not there any more, and those about people who were all erased."""
    guardian = Guardian.objects.filter(pk=OuterRef("guardian_id"))
    erased = Student._base_manager.filter(erased_at__isnull=False).values("pk")
    return Delivery.objects.exclude(reason=FORGOTTEN).filter(
        Q(guardian_id__isnull=False) & ~Exists(guardian)
        | Q(student_ids__0__in=erased, student_ids__contained_by=ArraySubquery(erased))
    )


retention.swept_by(forget_old_mail, "mail", keep=KEEP, job=SWEEP, scopes=retention.IN_DOJOS)


@job(SWEEP)
def sweep(turn: Turn) -> str | None:
    """Empty old mail."""
    retention.sweep(SWEEP, now=turn.now)
    return DONE
