"""Creating and changing webhooks, and sending to one of them on request."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from shared_apps.webhooks.errors import TooManyWebhooks, WebhookDisabled
from shared_apps.webhooks.events import TEST, request_delivery, store
from shared_apps.webhooks.models import SECRET_PURPOSE, Webhook, WebhookDelivery
from shared_apps.webhooks.sending import disable, enable, new_secret, redeliver
from tatami.encryption import encrypt
from tatami.ids import uuid7

MAX_WEBHOOKS: Final = 20
"""Each event is stored once for each webhook that asked for it."""


@transaction.atomic
def create_webhook(*, url: str, events: Sequence[str], description: str = "") -> tuple[Webhook, str]:
    """Create a webhook; return it and its signing secret, which is shown this once. Raises `TooManyWebhooks`.

    Calling it twice makes two webhooks, which both receive the events.
    """
    # The lock makes concurrent calls count each other.
    others = list(Webhook.objects.select_for_update(no_key=True).order_by("id").values_list("id"))
    if len(others) >= MAX_WEBHOOKS:
        raise TooManyWebhooks
    secret = new_secret()
    made = Webhook.objects.create(
        url=url,
        events=list(events),
        description=description,
        secret=encrypt(secret, purpose=SECRET_PURPOSE),
    )
    return made, secret


@transaction.atomic
def change_webhook(*, webhook: Webhook, changes: Mapping[str, Any], now: datetime) -> Webhook:
    """Change `url`, `events`, `description` or `is_active`. Call it with the row locked.

    A new URL is tried at once, also if the old one was failing. Deliveries that wait go to the new URL.
    """
    values = dict(changes)
    is_active = values.pop("is_active", None)
    if values.get("url", webhook.url) != webhook.url:
        webhook.failures, webhook.failing_since, webhook.next_try_at = 0, None, None
        request_delivery()
    for field, value in values.items():
        setattr(webhook, field, value)
    webhook.save()
    if is_active is True:
        enable(webhook, now=now)
    elif is_active is False:
        disable(webhook, because=Webhook.DisabledBecause.REQUEST, now=now)
    return webhook


@transaction.atomic
def send_test(*, webhook: Webhook, now: datetime) -> WebhookDelivery:
    """Queue a test event for a webhook. Raises `WebhookDisabled`."""
    if not webhook.is_active:
        raise WebhookDisabled
    (delivery,) = store([webhook.pk], TEST, [(uuid7(), {"id": webhook.pk})], now=now)
    return delivery


@transaction.atomic
def send_again(*, delivery: WebhookDelivery, now: datetime) -> None:
    """Queue a delivery again, whatever its result. The id of the event stays. Raises `WebhookDisabled`."""
    if not delivery.webhook.is_active:
        raise WebhookDisabled
    redeliver(delivery, now=now)
    request_delivery()
