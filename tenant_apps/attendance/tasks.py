"""Sweeping what check-in keeps for a while only. Runs twice, or at once, without harm."""

from datetime import timedelta

from django.conf import settings

from tatami.work import DONE, Turn, job
from tenant_apps.attendance.models import Refusal, ScanAnswer


@job("attendance.sweep")
def sweep(turn: Turn) -> str | None:
    """Delete what is too old in one dojo: two statements."""
    answers_until = turn.now - timedelta(days=settings.TATAMI_SCAN_ANSWER_DAYS)
    refusals_until = turn.now - timedelta(days=settings.TATAMI_REFUSAL_DAYS)
    ScanAnswer.objects.filter(created_at__lt=answers_until).delete()
    Refusal.objects.filter(scanned_at__lt=refusals_until).delete()
    return DONE
