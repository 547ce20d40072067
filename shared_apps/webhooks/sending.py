"""Sending deliveries: in order for each webhook, at least once, with back-off over three days.

One request at a time goes to a webhook: the worker that sends claims the webhook for a moment. If it is killed, the
claim ends by itself and the delivery is sent again, with the same id.

What a failure means depends on its kind. If the receiver is unavailable (no connection, a timeout, 5xx, 429, 408), all
its deliveries wait, so the order is kept, and a dead receiver costs one attempt for each delay, however many events
there are. If it refuses one message (another status), only this delivery is tried again later, and those behind it go
ahead. 410 disables the webhook at once; three days without a success disable it, and the admins get a mail.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from secrets import token_bytes
from time import monotonic
from typing import Final

import orjson
import structlog
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest, NullIf
from django.utils.translation import gettext
from prometheus_client import Histogram
from rest_framework.status import is_server_error
from rest_framework.status import is_success as is_successful

from shared_apps.accounts.models import User
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from tatami import clock
from tatami.metrics import counter_of
from tatami.outgoing import RequestFailed, post
from tatami.smtp import loggable_reason, result_of_error
from tatami.tenancy.scope import TenantScope, required_scope

RUN_SECONDS: Final = 1.0
"""A run begins no request after this time. With the longest request it ends before the lease of its job."""
CLAIM: Final = timedelta(seconds=15)
"""Longer than the longest request."""
RETRY_DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=20),
)
GIVE_UP_AFTER: Final = sum(RETRY_DELAYS, timedelta())
"""71 hours and 36 minutes: after this time without a success, a failure disables the webhook."""
GONE: Final = 410
UNAVAILABLE: Final = frozenset({408, 425, 429})
"""With 5xx: the receiver cannot take any message now."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that Standard Webhooks gives to secrets
DISABLED: Final = "the webhook was disabled"

ATTEMPTS: Final = counter_of(
    "tatami_webhook_attempts",
    "Attempts to deliver a webhook, by outcome.",
    outcome=("delivered", "refused", "unavailable"),
)
WAIT: Final = Histogram(
    "tatami_webhook_wait_seconds",
    "How long deliveries waited from their event until the receiver accepted them.",
    buckets=(1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400),
)

State = WebhookDelivery.State
logger: Final = structlog.get_logger(__name__)


def new_secret() -> str:
    """Return a new signing secret in the form of Standard Webhooks: 32 random bytes in base64."""
    return SECRET_PREFIX + b64encode(token_bytes(32)).decode()


def message_of(delivery: WebhookDelivery) -> bytes:
    """Return the body of a delivery: the same bytes at each attempt."""
    scope = required_scope()
    return orjson.dumps(
        {
            "type": delivery.type,
            "timestamp": delivery.occurred_at,
            **({"tenant_id": scope.tenant_id} if isinstance(scope, TenantScope) else {}),
            "data": delivery.data,
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS,
    )


def headers_of(delivery: WebhookDelivery, body: bytes, *, secret: str, now: datetime) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks: id, timestamp (of this attempt) and signature."""
    timestamp = str(int(now.timestamp()))
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{delivery.event}.{timestamp}.".encode() + body
    signature = b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tatami-Webhooks/1",
        "webhook-id": str(delivery.event),
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def send_due() -> bool:
    """Send what is due in the current scope for about a second; return whether more may be due."""
    until = monotonic() + RUN_SECONDS
    while monotonic() < until:
        if not send_next():
            tell_admins()
            return False
    return True


def send_next() -> bool:
    """Send the oldest delivery that is due and whose webhook is ready; return False if there is none.

    No transaction is open during the request.
    """
    now = clock.now()
    delivery = _due(now).select_related("webhook").order_by("id").first()
    if delivery is None:
        return False
    if not Webhook.objects.ready(now).filter(pk=delivery.webhook_id).update(claimed_until=now + CLAIM):
        return True  # another worker was faster
    webhook = delivery.webhook
    body = message_of(delivery)
    status, error = None, ""
    try:
        headers = headers_of(delivery, body, secret=webhook.signing_secret, now=now)
        status = post(webhook.url, body, headers)
    except (RequestFailed, ValueError) as failure:
        error = str(failure)
    save_result(delivery, status=status, error=error, now=clock.now())
    return True


@transaction.atomic
def save_result(delivery: WebhookDelivery, *, status: int | None, error: str, now: datetime) -> None:
    """Store how an attempt ended, and end the claim. A webhook that was deleted meanwhile is ignored."""
    webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=delivery.webhook_id).first()
    if webhook is None:
        return
    is_success = status is not None and is_successful(status)
    is_away = status is None or is_server_error(status) or status in UNAVAILABLE
    ATTEMPTS.labels("delivered" if is_success else "unavailable" if is_away else "refused").inc()
    delivery.attempts = min(delivery.attempts + 1, 32_000)
    delivery.response_status, delivery.updated_at = status, now
    delivery.error = "" if is_success else (error or f"status {status}")[:200]
    webhook.claimed_until = None
    if is_success:
        delivery.state, delivery.delivered_at = State.DELIVERED, now
        WAIT.observe((now - delivery.created_at).total_seconds())
        webhook.failures, webhook.failing_since, webhook.next_try_at = 0, None, None
    else:
        _note_failure(webhook, delivery, now, is_away=is_away)
    delivery.save(
        update_fields=[
            "state", "attempts", "next_try_at", "response_status", "error", "delivered_at", "updated_at"
        ]
    )  # fmt: skip
    webhook.save(update_fields=["failures", "failing_since", "next_try_at", "claimed_until", "updated_at"])
    if not is_success and webhook.is_active:
        _disable_if_hopeless(webhook, status, now)


def _note_failure(webhook: Webhook, delivery: WebhookDelivery, now: datetime, *, is_away: bool) -> None:
    webhook.failing_since = webhook.failing_since or now
    if is_away:
        delay = RETRY_DELAYS[min(webhook.failures, len(RETRY_DELAYS) - 1)]
        webhook.failures += 1
        webhook.next_try_at = now + delay
    elif delivery.attempts > len(RETRY_DELAYS):
        delivery.state = State.FAILED
    else:
        delivery.next_try_at = now + RETRY_DELAYS[delivery.attempts - 1]


def _disable_if_hopeless(webhook: Webhook, status: int | None, now: datetime) -> None:
    if status == GONE:
        disable(webhook, because=Webhook.DisabledBecause.GONE, now=now)
    elif webhook.failing_since and now - webhook.failing_since >= GIVE_UP_AFTER:
        disable(webhook, because=Webhook.DisabledBecause.FAILING, now=now)


def disable(webhook: Webhook, *, because: Webhook.DisabledBecause, now: datetime) -> None:
    """Disable a webhook; what waits for it fails, and can be delivered again later. Call it with the row locked.

    The admins get a mail, unless a user disabled it. Disabling again changes nothing.
    """
    if not webhook.is_active:
        return
    webhook.disabled_at, webhook.disabled_because, webhook.updated_at = now, because, now
    webhook.is_mail_due = because != Webhook.DisabledBecause.REQUEST
    webhook.save(update_fields=["disabled_at", "disabled_because", "is_mail_due", "updated_at"])
    queued = WebhookDelivery.objects.queued().filter(webhook=webhook)
    queued.update(
        state=State.FAILED, error=Coalesce(NullIf("error", Value("")), Value(DISABLED)), updated_at=now
    )


def enable(webhook: Webhook, *, now: datetime) -> None:
    """Enable a webhook: it receives events from now on. Call it with the row locked. Repeating changes nothing."""
    if webhook.is_active:
        return
    webhook.disabled_at, webhook.disabled_because, webhook.is_mail_due = None, "", False
    webhook.failures, webhook.failing_since, webhook.next_try_at = 0, None, None
    webhook.updated_at = now
    webhook.save()


def tell_admins() -> None:
    """Mail the admins about webhooks that were disabled. If the mail server is away, the next run tries again."""
    for webhook in Webhook.objects.filter(is_mail_due=True).order_by("id"):
        admins = User.objects.people().active_admins().order_by("pk").values_list("email", flat=True)
        try:
            for address in admins:
                send_mail(*_mail_about(webhook), from_email=None, recipient_list=[address])
        except OSError as error:
            reason = loggable_reason(result_of_error(error).reason)
            logger.warning("webhook_mail_not_sent", webhook=str(webhook.pk), reason=reason)
            return
        Webhook.objects.filter(pk=webhook.pk).update(is_mail_due=False)


def oldest_waiting() -> datetime | None:
    """Return when the oldest delivery that still waits was queued, or `None` if none waits. One statement."""
    waiting = WebhookDelivery.objects.queued().filter(webhook__disabled_at__isnull=True)
    found: datetime | None = waiting.aggregate(at=Min("created_at"))["at"]
    return found


def next_due(now: datetime) -> datetime | None:
    """Return when the next delivery is due, or `None` if none waits. One statement."""
    waiting = WebhookDelivery.objects.queued().filter(webhook__disabled_at__isnull=True)
    due = waiting.annotate(
        due_at=Greatest(
            "next_try_at",
            Coalesce("webhook__next_try_at", Value(now)),
            Coalesce("webhook__claimed_until", Value(now)),
        )
    )
    found: datetime | None = due.order_by("due_at").values_list("due_at", flat=True).first()
    return found


def redeliver(delivery: WebhookDelivery, *, now: datetime) -> None:
    """Queue a delivery again, with the id of its event. It is sent at once, also if the webhook waits."""
    # The webhook first, as in `save_result`.
    Webhook.objects.filter(pk=delivery.webhook_id).update(next_try_at=None, updated_at=now)
    delivery.state, delivery.attempts, delivery.error = State.QUEUED, 0, ""
    delivery.next_try_at = delivery.updated_at = now
    delivery.delivered_at = delivery.response_status = None
    delivery.save()


def _due(now: datetime) -> QuerySet[WebhookDelivery]:
    ready = Webhook.objects.ready(now).filter(pk=OuterRef("webhook_id"))
    return WebhookDelivery.objects.queued().filter(Exists(ready), next_try_at__lte=now)


def _mail_about(webhook: Webhook) -> tuple[str, str]:
    reason = (
        gettext("The webhook for {url} was disabled, because its address responded that it is gone (410).")
        if webhook.disabled_because == Webhook.DisabledBecause.GONE
        else gettext("The webhook for {url} was disabled, because no message was accepted for three days.")
    )
    what_to_do = gettext(
        "Events are not sent to it any more. Enable the webhook when the receiver works again "
        "(PATCH /webhooks/{id} sets is_active). The log of its deliveries shows what was missed."
    )
    text = f"{reason.format(url=webhook.url)}\n\n{what_to_do.format(id=webhook.pk)}\n"
    return gettext("A webhook was disabled"), text
