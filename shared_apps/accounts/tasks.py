"""Deleting old sessions, links, counts and idempotency keys. Running it twice or concurrently is harmless."""

from datetime import datetime, timedelta

from celery import shared_task
from django.db.models import QuerySet

from shared_apps.accounts import totp
from shared_apps.accounts.models import (
    AttemptCount,
    IdempotentAnswer,
    PasswordLink,
    Session,
    UsedChallenge,
)
from shared_apps.accounts.oidc import settings as oidc_settings
from shared_apps.accounts.password_mails import send_password_mails, send_platform_password_mails
from tatami import clock, retention
from tatami.celery_base import PlatformTask
from tatami.jobs import DONE, JobRun, job
from tatami.retention import EVERYWHERE, delete_after

__all__ = ["send_password_mails", "send_platform_password_mails", "sweep", "sweep_platform"]

SWEEP_JOB = "accounts.sweep"
KEEP_ATTEMPT_COUNTS = timedelta(hours=2)
"""Longer than the window of any limit."""
KEEP_USED_CHALLENGES = timedelta(hours=1)
"""How long they are kept after they expired, so that a process whose clock is slow does not accept one again."""


@delete_after("TATAMI_SESSION_DAYS", job=SWEEP_JOB, scopes=EVERYWHERE)
def sessions(until: datetime) -> QuerySet[Session]:
    """Return the sessions that expired before `until`."""
    return Session.objects.filter(expires_at__lt=until)


@delete_after("TATAMI_SESSION_DAYS", job=SWEEP_JOB, scopes=EVERYWHERE)
def password_links(until: datetime) -> QuerySet[PasswordLink]:
    """Return the links that expired before `until`."""
    return PasswordLink.objects.filter(expires_at__lt=until)


@delete_after(KEEP_ATTEMPT_COUNTS, job=SWEEP_JOB, scopes=EVERYWHERE)
def attempt_counts(until: datetime) -> QuerySet[AttemptCount]:
    """Return the counts whose window began before `until`."""
    return AttemptCount.objects.filter(window_started_at__lt=until)


@delete_after("TATAMI_IDEMPOTENCY_DAYS", job=SWEEP_JOB, scopes=EVERYWHERE)
def idempotent_answers(until: datetime) -> QuerySet[IdempotentAnswer]:
    """Return the stored responses from before `until`."""
    return IdempotentAnswer.objects.filter(created_at__lt=until)


@delete_after(KEEP_USED_CHALLENGES, job=SWEEP_JOB, scopes=EVERYWHERE)
def used_challenges(until: datetime) -> QuerySet[UsedChallenge]:
    """Return the used challenges that expired before `until`."""
    return UsedChallenge.objects.filter(expires_at__lt=until)


def sweep_scope() -> None:
    """Delete old rows in the current scope, and encrypt secrets with the present JWT_SECRET. Seven statements."""
    retention.sweep(SWEEP_JOB, now=clock.now())
    totp.reencrypt_secrets()
    oidc_settings.reencrypt_client_secret()


@job(SWEEP_JOB)
def sweep(_: JobRun) -> str | None:
    """Delete old rows of one tenant."""
    sweep_scope()
    return DONE


@shared_task(base=PlatformTask, name="accounts.sweep_platform")
def sweep_platform() -> None:
    """Delete old rows of the platform."""
    sweep_scope()
