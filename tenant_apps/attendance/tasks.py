"""Sweeping what check-in keeps for a while only. Runs twice, or at once, without harm."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from tatami import clock
from tatami.tasks import PlatformTask, TenantTask
from tatami.tenancy.directory import for_each_active_tenant
from tenant_apps.attendance.models import Refusal, ScanAnswer


def sweep_scope() -> None:
    """Delete what is too old in the dojo in force: two statements."""
    now = clock.now()
    ScanAnswer.objects.filter(created_at__lt=now - timedelta(days=settings.TATAMI_SCAN_ANSWER_DAYS)).delete()
    Refusal.objects.filter(scanned_at__lt=now - timedelta(days=settings.TATAMI_REFUSAL_DAYS)).delete()


@shared_task(base=TenantTask, name="attendance.sweep")
def sweep() -> None:
    """Sweep one dojo."""
    sweep_scope()


@shared_task(base=PlatformTask, name="attendance.sweep_everywhere")
def sweep_everywhere() -> None:
    """Queue `sweep` for every dojo that serves."""
    for_each_active_tenant(sweep.delay)
