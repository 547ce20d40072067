"""What dojos leave behind on the platform and is kept for a while only (`tatami.retention`)."""

from datetime import datetime, timedelta

from shared_apps.tenants import lifecycle, provisioning
from shared_apps.tenants.exports import queueing
from tatami.retention import ON_THE_PLATFORM, swept_by


def abandoned_dojos(*, now: datetime, dry_run: bool = False) -> int:  # noqa: ARG001 - as all sweeps are called
    """Take back dojos whose making or purge was cut off; return how many."""
    return provisioning.clear_abandoned(dry_run=dry_run)


def deleted_dojos(*, now: datetime, dry_run: bool = False) -> int:
    """Purge the dojos whose grace period is over; return how many."""
    return lifecycle.purge_overdue(now=now, dry_run=dry_run)


swept_by(
    abandoned_dojos,
    "abandoned_dojos",
    keep=timedelta(0),
    job="tenants.clear_abandoned",
    scopes=ON_THE_PLATFORM,
)
swept_by(
    deleted_dojos,
    "deleted_dojos",
    keep="TATAMI_DELETION_GRACE_DAYS",
    job="tenants.purge_overdue",
    scopes=ON_THE_PLATFORM,
)
swept_by(
    queueing.sweep,
    "exports",
    keep="TATAMI_EXPORT_DAYS",
    job="tenants.sweep_exports",
    scopes=ON_THE_PLATFORM,
)
