"""Webhooks: create, change and delete them, read their deliveries, and send again."""

from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from shared_apps.webhooks import openapi, services
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from shared_apps.webhooks.serializers import (
    NewWebhookSerializer,
    WebhookDeliverySerializer,
    WebhookSerializer,
)
from tatami.api.filters import by_text, one_of
from tatami.api.pagination import CursorPages
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Listing, Resource, get_or_404


class WebhookCollection(Collection):
    """The webhooks. POST creates one and shows its signing secret once."""

    operations = openapi.WEBHOOKS
    idempotent = False
    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    detail_route = "webhook"
    ordering_fields = {"created_at": "created_at"}

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = NewWebhookSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        made, secret = services.create_webhook(**serializer.validated_data)
        shown = {**WebhookSerializer(made).data, "secret": secret}
        return created(shown, self.detail_route, id=made.pk)


class WebhookResource(Resource):
    """One webhook. PATCH `is_active` disables and enables it; DELETE removes it with its deliveries."""

    operations = openapi.WEBHOOK
    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> Webhook:
        webhook = cast("Webhook", serializer.instance)
        return services.change_webhook(
            webhook=webhook, changes=serializer.validated_data, now=self.request.now
        )


class WebhookTest(ApiView):
    """Send a test event to a webhook."""

    operations = openapi.TEST
    serializer_class = None

    def post(self, request: Any, id: Any) -> Response:
        webhook = get_or_404(Webhook.objects.all(), pk=id)
        delivery = services.send_test(webhook=webhook, now=request.now)
        return Response(WebhookDeliverySerializer(delivery).data, status=202)


class WebhookDeliveries(Listing):
    """The deliveries of a webhook, newest first. They are kept for 30 days."""

    operations = openapi.DELIVERIES
    queryset = WebhookDelivery.objects.all()
    serializer_class = WebhookDeliverySerializer
    pagination_class = CursorPages
    filters = {"state": one_of("state", WebhookDelivery.State), "type": by_text("type")}

    def get_queryset(self) -> QuerySet[Any]:
        queryset = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return queryset
        return queryset.filter(webhook=get_or_404(Webhook.objects.all(), pk=self.kwargs["id"]))


class Redelivery(ApiView):
    """Send a delivery again, with the same id of the event."""

    operations = openapi.REDELIVERY
    serializer_class = None

    def post(self, request: Any, webhook_id: Any, id: Any) -> Response:
        rows = WebhookDelivery.objects.filter(webhook=webhook_id).select_related("webhook")
        delivery = get_or_404(rows, pk=id)
        services.send_again(delivery=delivery, now=request.now)
        return Response(WebhookDeliverySerializer(delivery).data, status=202)
