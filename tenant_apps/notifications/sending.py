"""Sending the outbox. One transaction claims a delivery, sends its e-mail and stores the result.

A delivery is claimed by its row lock (SKIP LOCKED), which lasts until the result is committed. If the worker is killed
between sending and committing, the row stays queued and the e-mail is sent again with the same Message-ID: at most one
duplicate for each killed process. The job queue and the exports claim differently, by a lease: their work takes longer
than a transaction should, so they commit the claim first. There is therefore no claiming code to share with them.

A run of the job sends for about a second over one connection. Then the other tenants get their turn.
"""

from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext_noop

from tatami import clock
from tatami.errors import DomainError
from tatami.jobs import DONE, MORE, JobRun, job
from tatami.smtp import (
    MAIL_WAIT,
    MAX_ATTEMPTS,
    SERVER_RETRY_DELAY,
    MailServerUnavailable,
    SendResult,
    failed,
    mail_connection,
    retry_delay,
    send_message,
    skipped,
)
from tatami.tenancy.tenant_registry import tenant_registry
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.addresses import clear_bounce, has_bounced, save_bounce
from tenant_apps.notifications.email_messages import email_message
from tenant_apps.notifications.liquid import InvalidTemplate
from tenant_apps.notifications.models import Address, Delivery, Notification

OUTBOX_JOB: Final = "notifications.outbox"

RUN_SECONDS: Final = 1.0
MINUTE: Final = timedelta(minutes=1)
LOCKED_RETRY_DELAY: Final = timedelta(seconds=10)

UNLIMITED: Final = 1_000_000

MAX_INTERRUPTED_RUNS: Final = 5
"""After this many interrupted runs, the first delivery is moved behind the others: it may be the cause."""

UNSUBSCRIBED: Final = "unsubscribed"
BOUNCED: Final = "bounced"

State = Delivery.State
logger = structlog.get_logger(__name__)


@job(OUTBOX_JOB)
def send_outbox(run: JobRun) -> str | None:
    """Send the deliveries that are due, within the tenant's rate and the time of one run."""
    cursor = _send_due(run)
    tenant_registry().report_backlog("mail", Delivery.objects.queued().aggregate(at=Min("created_at"))["at"])
    return cursor


def _send_due(run: JobRun) -> str | None:
    if not _due(run.now).exists():
        return _wait_for_next(run.now)
    quota = _remaining_quota(run.now)
    if run.attempt > MAX_INTERRUPTED_RUNS:
        _postpone_first(run.now)
    try:
        with mail_connection() as connection:
            mailer = Mailer(connection)
            until = monotonic() + RUN_SECONDS
            while quota and mailer.send_next():
                quota -= 1
                if monotonic() > until:
                    return MORE
    except MailServerUnavailable as error:
        logger.warning("mail_server_unavailable", reason=str(error))
        send_outbox.request_later(after=SERVER_RETRY_DELAY)
        return DONE
    return _wait_for_next(clock.now())


class Mailer:
    """Sends deliveries over one connection. Caches the notifications, which many deliveries share."""

    def __init__(self, connection: BaseEmailBackend) -> None:
        self.connection = connection
        self.reply_to = DojoSettings.current().reply_to
        self.notifications: dict[UUID, Notification] = {}

    def send_next(self) -> bool:
        """Send the delivery that is due longest and not locked by another worker; return False if there is none.

        Raises `MailServerUnavailable` after the result of the delivery is committed.
        """
        now = clock.now()
        with transaction.atomic():
            delivery = _claimable(now).first()
            if delivery is None:
                return False
            result = self._send(delivery, now)
            _save_result(delivery, result, now)
        if result.is_server_unavailable:
            raise MailServerUnavailable(result.reason)
        return True

    def _send(self, delivery: Delivery, now: datetime) -> SendResult:
        notification = self._notification(delivery.notification_id)
        if not notification.is_test and _has_bounced(delivery, now):
            return skipped(BOUNCED)
        if notification.is_bulk and delivery.is_unsubscribed:  # type: ignore[attr-defined]
            return skipped(UNSUBSCRIBED)
        try:
            message = email_message(
                delivery, notification, reply_to=self.reply_to, now=now, connection=self.connection
            )
        except (InvalidTemplate, DomainError, ValueError) as error:
            return failed(str(error))
        return send_message(message)

    def _notification(self, key: UUID) -> Notification:
        if key not in self.notifications:
            self.notifications[key] = Notification.objects.get(pk=key)
        return self.notifications[key]


def _due(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.queued().filter(next_try_at__lte=now).order_by("next_try_at", "id")


def _claimable(now: datetime) -> QuerySet[Delivery]:
    addresses = Address.objects.filter(key=OuterRef("address_key"))
    return (
        _due(now)
        .annotate(
            is_unsubscribed=Exists(addresses.filter(unsubscribed_at__isnull=False)),
            bounced_at=Subquery(addresses.values("bounced_at")),
        )
        .select_for_update(of=("self",), skip_locked=True, no_key=True)
    )


def _save_result(delivery: Delivery, result: SendResult, now: datetime) -> None:
    delivery.state, delivery.reason, delivery.updated_at = result.state, result.reason, now
    if result.state == State.SENT:
        delivery.sent_at = now
        MAIL_WAIT.observe((now - delivery.created_at).total_seconds())
    if result.is_attempt and result.state != State.SKIPPED:
        delivery.attempts += 1
    if result.state == State.QUEUED:
        if delivery.attempts >= MAX_ATTEMPTS:
            delivery.state = State.FAILED
        else:  # also if the server became unavailable: the delivery then waits behind the others
            delivery.next_try_at = now + retry_delay(delivery.attempts) if result.is_attempt else now
    _update_bounce(delivery, result, now)
    delivery.save(update_fields=["state", "reason", "attempts", "next_try_at", "sent_at", "updated_at"])


def _update_bounce(delivery: Delivery, result: SendResult, now: datetime) -> None:
    if delivery.address_key is None:
        return
    if result.has_bounced:
        save_bounce(address_key=bytes(delivery.address_key), now=now)
    elif result.state == State.SENT and delivery.bounced_at:  # type: ignore[attr-defined]
        clear_bounce(address_key=bytes(delivery.address_key), now=now)


def _has_bounced(delivery: Delivery, now: datetime) -> bool:
    bounced_at: datetime | None = delivery.bounced_at  # type: ignore[attr-defined]
    return has_bounced(bounced_at, students=delivery.student_ids, now=now)


def _remaining_quota(now: datetime) -> int:
    """Return how many e-mails the tenant may still send in this minute."""
    limit: int = settings.TATAMI_MAILS_PER_MINUTE
    return max(limit - _sent_in_last_minute(now).count(), 0) if limit else UNLIMITED


def _wait_for_next(now: datetime) -> str | None:
    """Return `DONE`, and schedule the next run if deliveries are still queued."""
    first = Delivery.objects.queued().order_by("next_try_at").values_list("next_try_at", flat=True).first()
    if first is None:
        return DONE
    after = first - now
    if first <= now:
        oldest = _sent_in_last_minute(now).aggregate(at=Min("sent_at"))["at"]
        after = LOCKED_RETRY_DELAY if _remaining_quota(now) else oldest + MINUTE - now
    send_outbox.request_later(after=after)
    return DONE


def _sent_in_last_minute(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(sent_at__gt=now - MINUTE)


def _postpone_first(now: datetime) -> None:
    with transaction.atomic():
        delivery = _claimable(now).first()
        if delivery is not None:
            _save_result(
                delivery, SendResult(State.QUEUED, gettext_noop("The worker that sent it was killed.")), now
            )
