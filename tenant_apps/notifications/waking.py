"""Being called later, when the outbox must wait: for the rate, for a server that is away, for a mail's next try.

A call can be lost, with Valkey or with a worker: beat asks for every dojo's outbox now and then.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from celery import shared_task

from tatami.tasks import PlatformTask
from tatami.tenancy.directory import directory
from tatami.tenancy.scope import current_tenant_id

OUTBOX: Final = "notifications.outbox"

SOONEST: Final = timedelta(seconds=1)
LATEST: Final = timedelta(minutes=4)
"""Below the broker's visibility timeout, after which a call that still waits would be given to another worker, too."""


@shared_task(base=PlatformTask, name="notifications.wake")
def wake(tenant_id: str) -> None:
    """Ask for a turn of a dojo's outbox."""
    tenant = directory().find_tenant_by_id(UUID(tenant_id))
    if tenant is not None:
        directory().request_turn(tenant, OUTBOX, request_id=None)


def call_again(*, after: timedelta) -> None:
    """Have the outbox of the dojo in force looked at again, about then, and in four minutes at the latest."""
    countdown = min(max(after, SOONEST), LATEST).total_seconds()
    wake.call(str(current_tenant_id()), countdown=countdown)
