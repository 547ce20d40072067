"""Whose turn it is: which dojos wait for which jobs, and giving turns to those that have waited longest.

One row for each dojo and job that has work (`PendingJob`). Its `next_at` is at once its place in the queue and its
lease: whoever takes it moves it into the future, and back to now when a piece is done and more is left. A worker that
is killed in between leaves the row there, and the turn is given again when that moment has come.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from shared_apps.tenants.models import PendingJob, Tenant
from tatami import clock
from tatami.observability import bound_task
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tatami.work import DONE, Turn, job_named

LEASE: Final = timedelta(seconds=10)
"""How long a piece may take before its turn is given to another worker."""

PATIENT_ATTEMPTS: Final = 3
"""So often a turn is given again after the lease; then each time after twice as long."""

LONGEST_WAIT: Final = timedelta(minutes=5)

UNTIL_MIGRATED: Final = timedelta(seconds=30)
"""After this it is asked again whether a dojo that was too far behind this code has been migrated."""

PATIENCE: Final = timedelta(seconds=1)
"""Whoever waits longer than this for a first attempt was not heard."""

_REQUEST: Final = """
INSERT INTO tenants_pendingjob (tenant_id, job, next_at, marks, turns, attempts, cursor, request_id, created_at)
VALUES (%(tenant)s, %(job)s, %(now)s, 1, 0, 0, '', %(request_id)s, %(now)s)
ON CONFLICT (tenant_id, job) DO UPDATE
SET marks = tenants_pendingjob.marks + 1,
    next_at = LEAST(tenants_pendingjob.next_at, EXCLUDED.next_at
                    + CASE WHEN tenants_pendingjob.attempts = 0 THEN '0' ELSE %(lease)s::interval END),
    request_id = EXCLUDED.request_id
"""


_LET_WAIT: Final = """
UPDATE tenants_pendingjob SET next_at = %(until)s
WHERE (tenant_id, job) IN (
    SELECT p.tenant_id, p.job FROM tenants_pendingjob p JOIN tenants_tenant t ON t.id = p.tenant_id
    WHERE p.next_at <= %(now)s AND t.status = 'active' AND t.schema_version = %(version)s
    FOR UPDATE OF p SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn that was taken. `turns` and `marks` are the row's at that moment: what came later is not ours."""

    tenant: TenantScope
    job: str
    turns: int
    marks: int
    turn: Turn
    request_id: str


def request_turn(tenant: UUID, job: str, *, now: datetime, request_id: str = "") -> None:
    """Note that a dojo has work for a job; it takes its place behind those that wait. One statement.

    A turn that is being taken, or was cut off, keeps its lease: what was asked for meanwhile comes after it. But it
    need not wait for the longer leases of a turn that was cut off again and again.
    """
    given: dict[str, Any] = {
        "tenant": tenant,
        "job": job,
        "now": now,
        "request_id": request_id,
        "lease": LEASE,
    }
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_REQUEST, given)


def number_unheard(*, now: datetime) -> int:
    """Return how many turns nobody seems to take, in dojos that serve: due for a while, or cut off. One statement."""
    with platform_scope():
        return _waiting(now).filter(Q(next_at__lte=now - PATIENCE) | Q(attempts__gt=0)).count()


def take_turns(*, seconds: float, task_id: str | None = None) -> bool:
    """Give turns until nobody waits or `seconds` have passed; return whether somebody may be waiting still."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not take_turn(now=clock.now(), task_id=task_id):
            return False
    return True


def take_turn(*, now: datetime, task_id: str | None = None) -> bool:
    """Give a turn to whoever has waited longest; return False when nobody waits.

    What the job raises passes through: the row then waits until its lease is over, and is tried again.
    """
    claim = _claim(now)
    if claim is None:
        return False
    told = bound_task(claim.job, task_id, claim.tenant.tenant_id, claim.request_id)
    with told, tenant_scope(claim.tenant):
        cursor = job_named(claim.job)(claim.turn)
    _settle(claim, cursor, now=clock.now())
    return True


def _waiting(at: datetime) -> QuerySet[PendingJob]:
    return PendingJob.objects.filter(next_at__lte=at, tenant__status=Tenant.Status.ACTIVE)


def _claim(now: datetime) -> Claim | None:
    """Take the turn of whoever has waited longest. Two at once take two. Whom this code cannot serve waits longer."""
    with platform_scope(), transaction.atomic():
        waiting = _waiting(now).order_by("next_at").select_for_update(of=("self",), skip_locked=True)
        while (row := waiting.first()) is not None:
            found = Tenant.objects.with_primary_domain().get(pk=row.tenant_id)
            tenant = found.scope
            if not tenant.is_behind:
                break
            _let_wait(found.schema_version, now)
        else:
            return None
        row.turns += 1
        row.attempts += 1
        row.next_at = now + _lease(row.attempts)
        row.save(update_fields=["turns", "attempts", "next_at"])
        turn = Turn(now=now, attempt=row.attempts, cursor=row.cursor)
        return Claim(tenant, row.job, row.turns, row.marks, turn, row.request_id)


def _let_wait(version: str, now: datetime) -> None:
    """Have all dojos of a version that this code cannot serve wait until they may have been migrated. One statement."""
    given: dict[str, Any] = {"version": version, "now": now, "until": now + UNTIL_MIGRATED}
    with connection.cursor() as cursor:
        cursor.execute(_LET_WAIT, given)


def _lease(attempt: int) -> timedelta:
    lease = LEASE
    for _ in range(PATIENT_ATTEMPTS, attempt):
        lease = min(lease * 2, LONGEST_WAIT)
    return lease


def _settle(claim: Claim, cursor: str | None, *, now: datetime) -> None:
    """Put the row back in the queue, or away if all is done and nothing was asked for meanwhile.

    A row whose turn was given to another since is the other's to settle.
    """
    with platform_scope():
        ours = PendingJob.objects.filter(tenant=claim.tenant.tenant_id, job=claim.job, turns=claim.turns)
        if cursor is DONE and ours.filter(marks=claim.marks).delete()[0]:
            return
        ours.update(next_at=now, attempts=0, cursor=cursor or "")
