"""OpenAPI operations and examples of webhooks. The events differ by kind of host, so `events` is an example of both."""

from typing import Any, Final

from shared_apps.webhooks.serializers import (
    CreatedWebhookSerializer,
    NewWebhookSerializer,
    WebhookDeliverySerializer,
)
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, create_spec, list_spec, resource_specs

_NEW: Final = {
    "url": "https://hooks.example.com/tatami",
    "events": ["export.*"],
    "description": "Accounting",
}
_WEBHOOK: Final = {
    "id": examples.WEBHOOK,
    "tenant_id": examples.TENANT,
    **_NEW,
    "is_active": True,
    "disabled_at": None,
    "disabled_because": None,
    "failing_since": None,
    **examples.STAMPS,
}
_DELIVERY: Final = {
    "id": examples.WEBHOOK_DELIVERY,
    "tenant_id": examples.TENANT,
    "event": examples.WEBHOOK_EVENT,
    "type": "student.created",
    "data": {"id": examples.STUDENT},
    "occurred_at": examples.NOW,
    "state": "delivered",
    "attempts": 1,
    "next_try_at": examples.NOW,
    "response_status": 204,
    "error": "",
    "delivered_at": examples.NOW,
    **examples.STAMPS,
}
_QUEUED: Final = {
    **_DELIVERY,
    "state": "queued",
    "attempts": 0,
    "response_status": None,
    "delivered_at": None,
}
_TEST: Final = {**_QUEUED, "type": "webhook.test", "data": {"id": examples.WEBHOOK}}
_PATH: Final = {"id": examples.WEBHOOK}

WEBHOOKS: Final = {
    "GET": list_spec(_WEBHOOK),
    "POST": create_spec(
        _NEW,
        {**_WEBHOOK, "secret": examples.WEBHOOK_SECRET},
        request=NewWebhookSerializer,
        response=CreatedWebhookSerializer,
    ),
}
WEBHOOK: Final = resource_specs(_PATH, _WEBHOOK, {"description": "Payroll"})
_accepted: Final[dict[str, Any]] = {"request": None, "status": 202, "response": WebhookDeliverySerializer}
TEST: Final = {"POST": OperationSpec(path=_PATH, response_example=_TEST, **_accepted)}
DELIVERIES: Final = {"GET": list_spec(_DELIVERY, path=_PATH)}
REDELIVERY: Final = {
    "POST": OperationSpec(
        path={"webhook_id": examples.WEBHOOK, "id": examples.WEBHOOK_DELIVERY},
        response_example=_QUEUED,
        **_accepted,
    )
}
