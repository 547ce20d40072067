"""Sending the outbox: one mail is one transaction, which claims its row, sends the mail and marks the row.

A worker that is killed between the last two leaves the row queued, and the mail is sent once more: at most one for each
killed process, under the same Message-ID. A turn sends for about a second over one connection; the dojo then waits
behind all others.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery

from tatami import clock
from tatami.errors import DomainError
from tatami.work import DONE, MORE, Turn, job
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.bounces import forget_bounce, has_bounced, note_bounce
from tenant_apps.notifications.mails import mail_of
from tenant_apps.notifications.models import Address, Delivery, Notification
from tenant_apps.notifications.outcomes import (
    MOST_ATTEMPTS,
    SENT,
    Outcome,
    failed,
    outcome_of,
    skipped,
    wait_after,
)
from tenant_apps.notifications.waking import OUTBOX, call_again
from tenant_apps.notifications.writing import BrokenText

AT_IT_FOR_SECONDS: Final = 1.0
MINUTE: Final = timedelta(minutes=1)
WHILE_AWAY: Final = timedelta(seconds=30)
WHILE_ANOTHER_SENDS: Final = timedelta(seconds=10)

WITHOUT_LIMIT: Final = 1_000_000

PATIENT_ATTEMPTS: Final = 5
"""After so many turns that were cut off, the mail they began with waits behind the others: it may be its fault."""

UNSUBSCRIBED: Final = "unsubscribed"
BOUNCED: Final = "bounced"

State = Delivery.State
logger = structlog.get_logger(__name__)


class ServerAway(Exception):
    """The mail server takes nothing for now."""


@job(OUTBOX)
def send_outbox(turn: Turn) -> str | None:
    """Send what is due, as long as the dojo's rate and this turn last."""
    if not _due(turn.now).exists():
        return _wait_for_the_next(turn.now)
    room = _room(turn.now)
    if turn.attempt > PATIENT_ATTEMPTS:
        _set_first_aside(turn.now)
    try:
        with _server() as connection:
            postman = Postman(connection)
            until = monotonic() + AT_IT_FOR_SECONDS
            while room and postman.send_next():
                room -= 1
                if monotonic() > until:
                    return MORE
    except ServerAway as away:
        logger.warning("mail_server_away", reason=str(away))
        call_again(after=WHILE_AWAY)
        return DONE
    return _wait_for_the_next(clock.now())


class Postman:
    """Sends over one connection. Remembers the texts, which many mails share."""

    def __init__(self, connection: BaseEmailBackend) -> None:
        self.connection = connection
        self.reply_to = DojoSettings.current().reply_to
        self.notifications: dict[UUID, Notification] = {}

    def send_next(self) -> bool:
        """Send the mail that has waited longest and that nobody else is at; return False if there is none.

        Raises `ServerAway`, when what is to be remembered of the mail is committed.
        """
        now = clock.now()
        with transaction.atomic():
            delivery = _claimable(now).first()
            if delivery is None:
                return False
            outcome = self._outcome(delivery, now)
            _mark(delivery, outcome, now)
        if outcome.is_server_away:
            raise ServerAway(outcome.reason)
        return True

    def _outcome(self, delivery: Delivery, now: datetime) -> Outcome:
        notification = self._notification(delivery.notification_id)
        if not notification.is_test and _has_bounced(delivery, now):
            return skipped(BOUNCED)
        if notification.is_bulk and delivery.is_unsubscribed:  # type: ignore[attr-defined]
            return skipped(UNSUBSCRIBED)
        try:
            mail = mail_of(
                delivery, notification, reply_to=self.reply_to, now=now, connection=self.connection
            )
        except (BrokenText, DomainError, ValueError) as fault:
            return failed(str(fault))
        try:
            mail.send()
        except OSError as fault:
            return outcome_of(fault)
        return SENT

    def _notification(self, key: UUID) -> Notification:
        if key not in self.notifications:
            self.notifications[key] = Notification.objects.get(pk=key)
        return self.notifications[key]


@contextmanager
def _server() -> Iterator[BaseEmailBackend]:
    """Connect to the mail server. Raises `ServerAway`; no mail was touched then."""
    connection = get_connection()
    try:
        connection.open()
    except OSError as fault:
        raise ServerAway(str(fault)) from fault
    try:
        yield connection
    finally:
        with suppress(OSError):
            connection.close()


def _due(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.queued().filter(next_try_at__lte=now).order_by("next_try_at", "id")


def _claimable(now: datetime) -> QuerySet[Delivery]:
    said = Address.objects.filter(key=OuterRef("address_key"))
    return (
        _due(now)
        .annotate(
            is_unsubscribed=Exists(said.filter(unsubscribed_at__isnull=False)),
            bounced_at=Subquery(said.values("bounced_at")),
        )
        .select_for_update(of=("self",), skip_locked=True, no_key=True)
    )


def _mark(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    delivery.state, delivery.reason, delivery.updated_at = outcome.state, outcome.reason, now
    if outcome.state == State.SENT:
        delivery.sent_at = now
    if outcome.counts and outcome.state != State.SKIPPED:
        delivery.attempts += 1
    if outcome.state == State.QUEUED:
        if delivery.attempts >= MOST_ATTEMPTS:
            delivery.state = State.FAILED
        else:  # a mail with which the server went away waits behind the others, too
            delivery.next_try_at = now + wait_after(delivery.attempts) if outcome.counts else now
    _note_what_is_known(delivery, outcome, now)
    delivery.save(update_fields=["state", "reason", "attempts", "next_try_at", "sent_at", "updated_at"])


def _note_what_is_known(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    if delivery.address_key is None:
        return
    if outcome.has_bounced:
        note_bounce(address_key=bytes(delivery.address_key), now=now)
    elif outcome.state == State.SENT and delivery.bounced_at:  # type: ignore[attr-defined]
        forget_bounce(address_key=bytes(delivery.address_key), now=now)


def _has_bounced(delivery: Delivery, now: datetime) -> bool:
    bounced_at: datetime | None = delivery.bounced_at  # type: ignore[attr-defined]
    return has_bounced(bounced_at, students=delivery.student_ids, now=now)


def _room(now: datetime) -> int:
    """Return how many mails the dojo may send now."""
    limit: int = settings.TATAMI_MAILS_PER_MINUTE
    return max(limit - _sent_lately(now).count(), 0) if limit else WITHOUT_LIMIT


def _wait_for_the_next(now: datetime) -> str | None:
    """Return that all is done for now; what waits is looked at again when its time has come."""
    first = Delivery.objects.queued().order_by("next_try_at").values_list("next_try_at", flat=True).first()
    if first is None:
        return DONE
    after = first - now
    if first <= now:
        oldest = _sent_lately(now).aggregate(at=Min("sent_at"))["at"]
        after = WHILE_ANOTHER_SENDS if _room(now) else oldest + MINUTE - now
    call_again(after=after)
    return DONE


def _sent_lately(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(sent_at__gt=now - MINUTE)


def _set_first_aside(now: datetime) -> None:
    with transaction.atomic():
        delivery = _claimable(now).first()
        if delivery is not None:
            _mark(delivery, Outcome(State.QUEUED, "The worker that sent it was killed."), now)
