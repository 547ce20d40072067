"""Background work of webhooks: the job that sends, for each dojo, and the task that sends for the platform."""

from datetime import datetime
from typing import Final

from celery import shared_task
from django.db.models import QuerySet

from shared_apps.webhooks import sending
from shared_apps.webhooks.models import SECRET_PURPOSE, Webhook, WebhookDelivery
from tatami import clock, retention
from tatami.celery_base import PlatformTask
from tatami.encryption import reencrypt
from tatami.jobs import DONE, MORE, JobRun, countdown, job
from tatami.retention import EVERYWHERE, delete_after
from tatami.tenancy.scope import TenantScope, required_scope
from tatami.tenancy.tenant_registry import tenant_registry

DELIVER_JOB: Final = "webhooks.deliver"
SWEEP_JOB: Final = "webhooks.sweep"


@job(DELIVER_JOB)
def deliver(_: JobRun) -> str | None:
    """Send the deliveries of a dojo that are due."""
    may_be_more = sending.send_due()
    tenant_registry().report_backlog("webhook", sending.oldest_waiting())
    if may_be_more:
        return MORE
    wake_later()
    return DONE


@shared_task(base=PlatformTask, name="webhooks.deliver_platform")
def deliver_platform() -> None:
    """Send the platform's deliveries that are due. Beat calls it every minute."""
    if sending.send_due():
        wake_platform()
    else:
        wake_later()


def wake_platform() -> None:
    """Have a worker send what is queued on the platform. Without Valkey nothing is lost: beat calls every minute."""
    deliver_platform.call()


def wake_later() -> None:
    """Have the current scope's deliveries sent when the next one is due, after 1 second to 4 minutes.

    The task can get lost with the broker or a worker. Therefore beat requests the job of every dojo regularly.
    """
    now = clock.now()
    due = sending.next_due(now)
    if due is None:
        return
    if isinstance(required_scope(), TenantScope):
        deliver.request_later(after=due - now)
    else:
        deliver_platform.call(countdown=countdown(due - now))


@delete_after("TATAMI_WEBHOOK_DAYS", job=SWEEP_JOB, scopes=EVERYWHERE)
def webhook_deliveries(until: datetime) -> QuerySet[WebhookDelivery]:
    """Return the deliveries from before `until`, in any state."""
    return WebhookDelivery.objects.filter(created_at__lt=until)


def sweep_scope(now: datetime) -> None:
    """Delete old deliveries in the current scope, and encrypt secrets with the present JWT_SECRET."""
    retention.sweep(SWEEP_JOB, now=now)
    reencrypt(Webhook.objects.all(), "secret", purpose=SECRET_PURPOSE)


@job(SWEEP_JOB)
def sweep(run: JobRun) -> str | None:
    """Delete old deliveries of a dojo."""
    sweep_scope(run.now)
    return DONE


@shared_task(base=PlatformTask, name="webhooks.sweep_platform")
def sweep_platform() -> None:
    """Delete old deliveries of the platform."""
    sweep_scope(clock.now())
