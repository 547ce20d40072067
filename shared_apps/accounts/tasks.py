"""Sweeping what sign-in leaves behind. Runs twice, or at once, without harm."""

from datetime import datetime, timedelta

from celery import shared_task
from django.db.models import QuerySet

from shared_apps.accounts.models import AttemptCount, IdempotentAnswer, PasswordLink, Session
from tatami import clock, retention
from tatami.retention import EVERYWHERE, kept_for
from tatami.tasks import PlatformTask
from tatami.work import DONE, Turn, job

SWEEP = "accounts.sweep"
KEEP_COUNTS = timedelta(hours=2)
"""Longer than any window of a throttle."""


@kept_for("TATAMI_SESSION_DAYS", job=SWEEP, scopes=EVERYWHERE)
def sessions(until: datetime) -> QuerySet[Session]:
    """Return the sessions that ended before a moment."""
    return Session.objects.filter(expires_at__lt=until)


@kept_for("TATAMI_SESSION_DAYS", job=SWEEP, scopes=EVERYWHERE)
def password_links(until: datetime) -> QuerySet[PasswordLink]:
    """Return the links that ended before a moment."""
    return PasswordLink.objects.filter(expires_at__lt=until)


@kept_for(KEEP_COUNTS, job=SWEEP, scopes=EVERYWHERE)
def attempt_counts(until: datetime) -> QuerySet[AttemptCount]:
    """Return the counts of attempts whose window began before a moment."""
    return AttemptCount.objects.filter(window_started_at__lt=until)


@kept_for("TATAMI_IDEMPOTENCY_DAYS", job=SWEEP, scopes=EVERYWHERE)
def idempotent_answers(until: datetime) -> QuerySet[IdempotentAnswer]:
    """Return the answers under an idempotency key from before a moment."""
    return IdempotentAnswer.objects.filter(created_at__lt=until)


def sweep_scope() -> None:
    """Delete what is too old in the scope in force: four statements."""
    retention.sweep(SWEEP, now=clock.now())


@job(SWEEP)
def sweep(_: Turn) -> str | None:
    """Sweep one dojo."""
    sweep_scope()
    return DONE


@shared_task(base=PlatformTask, name="accounts.sweep_platform")
def sweep_platform() -> None:
    """Sweep the platform."""
    sweep_scope()
