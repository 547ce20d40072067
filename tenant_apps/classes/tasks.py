"""Keeping the schedule ahead of the calendar."""

from celery import shared_task

from tatami import clock
from tatami.tasks import PlatformTask, TenantTask
from tatami.tenancy.directory import for_each_active_tenant
from tenant_apps.classes import services


@shared_task(base=TenantTask, name="classes.materialise")
def materialise() -> None:
    """Make the sessions of one dojo up to the horizon."""
    services.materialise_ahead(now=clock.now())


@shared_task(base=PlatformTask, name="classes.materialise_everywhere")
def materialise_everywhere() -> None:
    """Queue `materialise` for every dojo that serves."""
    for_each_active_tenant(materialise.delay)
