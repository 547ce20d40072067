"""Sweeping what check-in keeps for a while only. Runs twice, or at once, without harm."""

from datetime import datetime

from django.db.models import QuerySet

from tatami import retention
from tatami.retention import kept_for
from tatami.work import DONE, Turn, job
from tenant_apps.attendance.models import Refusal, ScanAnswer

SWEEP = "attendance.sweep"


@kept_for("TATAMI_SCAN_ANSWER_DAYS", job=SWEEP)
def scan_answers(until: datetime) -> QuerySet[ScanAnswer]:
    """Return the answers to scans from before a moment."""
    return ScanAnswer.objects.filter(created_at__lt=until)


@kept_for("TATAMI_REFUSAL_DAYS", job=SWEEP)
def refusals(until: datetime) -> QuerySet[Refusal]:
    """Return the refused scans that reached us before a moment, whatever their devices say."""
    return Refusal.objects.filter(created_at__lt=until)


@job(SWEEP)
def sweep(turn: Turn) -> str | None:
    """Delete what is too old in one dojo: two statements."""
    retention.sweep(SWEEP, now=turn.now)
    return DONE
