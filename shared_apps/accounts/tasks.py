"""Sweeping what sign-in leaves behind. Runs twice, or at once, without harm."""

from datetime import timedelta

from celery import shared_task

from shared_apps.accounts.models import AttemptCount, IdempotentAnswer, PasswordLink, Session
from tatami import clock
from tatami.tasks import PlatformTask, TenantTask
from tatami.tenancy.directory import for_each_active_tenant

KEEP_ENDED_SESSIONS = timedelta(days=30)
KEEP_ANSWERS = timedelta(hours=24)
KEEP_COUNTS = timedelta(hours=2)


def sweep_scope() -> None:
    """Delete what is too old in the scope in force: four statements."""
    now = clock.now()
    Session.objects.filter(expires_at__lt=now - KEEP_ENDED_SESSIONS).delete()
    PasswordLink.objects.filter(expires_at__lt=now - KEEP_ENDED_SESSIONS).delete()
    AttemptCount.objects.filter(window_started_at__lt=now - KEEP_COUNTS).delete()
    IdempotentAnswer.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()


@shared_task(base=TenantTask, name="accounts.sweep")
def sweep() -> None:
    """Sweep one dojo."""
    sweep_scope()


@shared_task(base=PlatformTask, name="accounts.sweep_everywhere")
def sweep_everywhere() -> None:
    """Sweep the platform, and queue `sweep` for every dojo that serves."""
    sweep_scope()
    for_each_active_tenant(sweep.delay)
