"""Sweeping what sign-in leaves behind. Runs twice, or at once, without harm."""

from datetime import timedelta

from celery import shared_task

from shared_apps.accounts.models import AttemptCount, IdempotentAnswer, PasswordLink, Session
from tatami import clock
from tatami.tasks import PlatformTask
from tatami.work import DONE, Turn, job

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


@job("accounts.sweep")
def sweep(_: Turn) -> str | None:
    """Sweep one dojo."""
    sweep_scope()
    return DONE


@shared_task(base=PlatformTask, name="accounts.sweep_platform")
def sweep_platform() -> None:
    """Sweep the platform."""
    sweep_scope()
