"""Keeping the schedule ahead of the calendar."""

from celery import shared_task

from tatami import clock
from tatami.tasks import PlatformTask, TenantTask
from tatami.tenancy.directory import for_each_active_tenant
from tenant_apps.classes.feed import close_feeds_of_leavers
from tenant_apps.classes.materialise import materialise_ahead


@shared_task(base=TenantTask, name="classes.materialise")
def materialise() -> None:
    """Make the sessions of one dojo up to the horizon, and end the feeds of those who left."""
    materialise_ahead(now=clock.now())
    close_feeds_of_leavers()


@shared_task(base=PlatformTask, name="classes.materialise_everywhere")
def materialise_everywhere() -> None:
    """Queue `materialise` for every dojo that serves."""
    for_each_active_tenant(materialise.delay)
