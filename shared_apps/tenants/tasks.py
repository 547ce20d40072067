"""Looking after dojos that are half made or on their way out. Runs where an owner login is configured."""

from celery import shared_task

from shared_apps.tenants import lifecycle, provisioning
from tatami import clock
from tatami.tasks import PlatformTask


@shared_task(base=PlatformTask, name="tenants.clear_abandoned")
def clear_abandoned() -> int:
    """Take back dojos whose making was cut off."""
    return provisioning.clear_abandoned()


@shared_task(base=PlatformTask, name="tenants.purge_overdue")
def purge_overdue() -> int:
    """Purge dojos whose grace period is over."""
    return lifecycle.purge_overdue(now=clock.now())
