"""The events, and storing them for the webhooks that asked for them.

    publish("student.created", [{"id": student.pk}], now=now)

Call it in the transaction of the change: the deliveries commit with it, or not at all. An event has ids only. The
receiver reads what it needs through the API, with its own rights.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from shared_apps.webhooks.models import WebhookDelivery
from shared_apps.webhooks.tasks import deliver, wake_platform
from tatami import clock
from tatami.ids import uuid7
from tatami.postgresql.statements import Statement
from tatami.tenancy.scope import TenantScope, required_scope

TEST: Final = "webhook.test"
"""Sent on request, to the webhook that the request names. It cannot be subscribed to."""

DOJO_EVENTS: Final[Mapping[str, str]] = {
    "student.created": "A student was created, imported or taken in from another dojo.",
    "student.updated": "A student was changed, also by an import.",
    "student.archived": "A student was archived.",
    "student.restored": "An archived student was restored.",
    "student.merged": "A record was merged into another (`into`), which has all its records now; its id is gone.",
    "student.erased": "All data about a student were erased.",
    "attendance.recorded": "An attendance was recorded: by a scan, by hand or by an import.",
    "attendance.updated": "An attendance was marked as late, or as not late.",
    "attendance.voided": "An attendance was voided.",
    "rank_event.created": "A rank was awarded, converted, imported or taken away.",
    "rank_event.voided": "A rank event was voided.",
    "exam.created": "An exam was created.",
    "exam.updated": "An exam, its candidates or its results were changed.",
    "exam.deleted": "An exam was deleted.",
    "exam.finished": "An exam was finished: its ranks are awarded.",
    "exam.reopened": "An exam was reopened: its awards are voided.",
    "class_session.cancelled": "A session was cancelled: individually, or by a closure.",
    "export.done": "An archive of the dojo is ready.",
}
PLATFORM_EVENTS: Final[Mapping[str, str]] = {
    "tenant.created": "A dojo was created, or restored from an archive.",
    "tenant.updated": "The name, time zone or slug of a dojo was changed.",
    "tenant.suspended": "A dojo was suspended.",
    "tenant.resumed": "A dojo is active again, after a suspension or a deletion.",
    "tenant.deleted": "A dojo was deleted; it can be restored for some time.",
    "tenant.purged": "A dojo and all its data were removed.",
    "export.done": "An archive of a dojo is ready.",
}

# The lock keeps a webhook from being deleted before its deliveries are stored; it does not block a change of it.
_SUBSCRIBERS: Final = Statement(
    "webhooks of events",
    "SELECT id, events FROM webhooks_webhook WHERE disabled_at IS NULL AND events::text[] && $1::text[]"
    " ORDER BY id FOR KEY SHARE",
)
_BATCH: Final = 5_000


def subscribed_sql(type_: str) -> str:
    """Return an SQL condition for statements that find out by themselves whether `publish` is needed."""
    names = ", ".join(f"'{name}'" for name in matching(type_))
    return (
        "EXISTS (SELECT FROM webhooks_webhook h WHERE h.disabled_at IS NULL"
        f" AND h.events::text[] && ARRAY[{names}])"
    )


def event_types() -> Mapping[str, str]:
    """Return the types of events in the current scope, each with its description."""
    return DOJO_EVENTS if isinstance(required_scope(), TenantScope) else PLATFORM_EVENTS


def subscriptions() -> list[str]:
    """Return what a webhook of the current scope may ask for: types, `student.*` for a group, and `*`."""
    types = event_types()
    return ["*", *dict.fromkeys(f"{name.partition('.')[0]}.*" for name in types), *types]


def matching(type_: str) -> list[str]:
    """Return the subscriptions that include a type of event."""
    return ["*", f"{type_.partition('.')[0]}.*", type_]


def publish(type_: str, objects: Iterable[Mapping[str, Any]], *, now: datetime | None = None) -> None:
    """Store one event of a type for each of `objects` (its `data`, ids only). Call it in the transaction of the change.

    One statement if no webhook asked for it, otherwise one more for every few thousand deliveries.
    """
    events = [dict(data) for data in objects]
    if events:
        subscribers(type_).publish(type_, events, now=now)


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The webhooks that asked for some types of events, locked until the transaction ends."""

    webhooks: Mapping[UUID, frozenset[str]]
    """Id → what it asked for."""

    def want(self, type_: str) -> bool:
        """Return whether a webhook asked for this type: only then read what `publish` needs."""
        return bool(self._of(type_))

    def publish(
        self, type_: str, objects: Iterable[Mapping[str, Any]], *, now: datetime | None = None
    ) -> None:
        """Store one event for each of `objects`. No statement if no webhook asked for this type."""
        webhooks = self._of(type_)
        events = [(uuid7(), data) for data in objects] if webhooks else []
        if events:
            store(webhooks, type_, events, now=now or clock.now())

    def _of(self, type_: str) -> list[UUID]:
        names = matching(type_)
        return [key for key, asked in self.webhooks.items() if not asked.isdisjoint(names)]


def subscribers(*types: str) -> Subscribers:
    """Return the webhooks that asked for one of these types. One statement. For code that publishes several types."""
    names = ",".join(f'"{name}"' for type_ in types for name in matching(type_))
    rows = _SUBSCRIBERS.rows(f"{{{names}}}")
    return Subscribers({UUID(key): frozenset(events) for key, events in rows})


def store(
    webhooks: Sequence[UUID], type_: str, events: Collection[tuple[UUID, Mapping[str, Any]]], *, now: datetime
) -> list[WebhookDelivery]:
    """Store deliveries of events to these webhooks, and have them sent when the transaction commits."""
    deliveries = [
        WebhookDelivery(
            webhook_id=webhook,
            event=event,
            type=type_,
            data=data,
            occurred_at=now,
            created_at=now,
            updated_at=now,
            next_try_at=now,
        )
        for event, data in events
        for webhook in webhooks
    ]
    WebhookDelivery.objects.bulk_create(deliveries, batch_size=_BATCH)
    request_delivery()
    return deliveries


def request_delivery() -> None:
    """Have workers send what is queued in the current scope when the transaction commits."""
    if isinstance(required_scope(), TenantScope):
        deliver.request()
    else:
        transaction.on_commit(wake_platform, robust=True)
