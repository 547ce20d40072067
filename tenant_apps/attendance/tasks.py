"""Deleting the rows of check-in that are kept for a limited time. Repeated and concurrent runs are harmless."""

from datetime import datetime

from django.db.models import QuerySet

from tatami import retention
from tatami.jobs import DONE, JobRun, job
from tatami.retention import delete_after
from tenant_apps.attendance.models import Refusal, ScanAnswer

SWEEP = "attendance.sweep"


@delete_after("TATAMI_SCAN_ANSWER_DAYS", job=SWEEP)
def scan_answers(until: datetime) -> QuerySet[ScanAnswer]:
    """Return the stored responses from before `until`."""
    return ScanAnswer.objects.filter(created_at__lt=until)


@delete_after("TATAMI_REFUSAL_DAYS", job=SWEEP)
def refusals(until: datetime) -> QuerySet[Refusal]:
    """Return the refused scans that arrived before `until`, whatever the clock of their device."""
    return Refusal.objects.filter(created_at__lt=until)


@job(SWEEP)
def sweep(run: JobRun) -> str | None:
    """Delete the expired rows of one dojo: two statements."""
    retention.sweep(SWEEP, now=run.now)
    return DONE
