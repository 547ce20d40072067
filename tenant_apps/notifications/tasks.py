"""The work of notifications that is done in the background; the names are here so that every worker knows them."""

from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from tatami import retention
from tatami.work import DONE, Turn, job
from tenant_apps.notifications.absentees import write_to_absentees
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.notifications.own_data import FORGOTTEN
from tenant_apps.notifications.sending import send_outbox
from tenant_apps.notifications.waking import wake
from tenant_apps.students.guardians import delete_at_once
from tenant_apps.students.models import Guardian

__all__ = ["send_outbox", "sweep", "wake", "write_to_absentees"]

TOO_OLD: Final = "too_old"

KEEP: Final = "TATAMI_MAIL_BODY_DAYS"


SWEEP: Final = "notifications.sweep"


def forget_old_mail(*, now: datetime, dry_run: bool = False) -> int:
    """Keep of old mail only who was written to, when, about what and with what outcome; of trials nothing.

    What could not be sent for so long is not sent any more. The address of a guardian whom the dojo has forgotten
    since goes as well. Returns how many mails still had their values. Eight statements.
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
    still_there = Guardian.objects.filter(pk=OuterRef("guardian_id"))
    forgotten = Delivery.objects.filter(guardian_id__isnull=False).exclude(Exists(still_there))
    forgotten.queued().update(state=Delivery.State.SKIPPED)
    forgotten.update(
        address="", address_key=None, guardian_id=None, values={}, reason=FORGOTTEN, updated_at=now
    )
    return found


retention.swept_by(forget_old_mail, "mail", keep=KEEP, job=SWEEP, scopes=retention.IN_DOJOS)


@job(SWEEP)
def sweep(turn: Turn) -> str | None:
    """Empty old mail."""
    retention.sweep(SWEEP, now=turn.now)
    return DONE
