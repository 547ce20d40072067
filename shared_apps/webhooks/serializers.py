"""Requests and responses of webhooks."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from shared_apps.webhooks.events import subscriptions
from shared_apps.webhooks.models import Webhook, WebhookDelivery
from tatami.api.fields import PublicUrlField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer


class EventField(serializers.CharField):
    """A type of event, `student.*` for a group of types, or `*`."""

    default_error_messages = {"unknown": gettext_lazy("There is no such event here. Accepted are: {values}.")}

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        accepted = subscriptions()
        if not isinstance(data, str) or value not in accepted:
            self.fail("unknown", values=", ".join(accepted))
        return value


class WebhookSerializer(StrictModelSerializer):
    """A webhook. It never shows the signing secret."""

    url = PublicUrlField(max_length=2000)
    events = serializers.ListField(child=EventField(max_length=40), min_length=1, max_length=50)
    description = SingleLineField(max_length=200, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)
    disabled_because = serializers.ChoiceField(
        choices=Webhook.DisabledBecause.choices, source="disabled_reason", allow_null=True, read_only=True
    )

    class Meta:
        model = Webhook
        fields: tuple[str, ...] = (
            "url",
            "events",
            "description",
            "is_active",
            "disabled_at",
            "disabled_because",
            "failing_since",
        )
        read_only_fields = ("disabled_at", "failing_since")

    def validate_events(self, value: list[str]) -> list[str]:
        return sorted(set(value))


class NewWebhookSerializer(StrictSerializer):
    """The body that creates a webhook."""

    url = PublicUrlField(max_length=2000)
    events = serializers.ListField(child=EventField(max_length=40), min_length=1, max_length=50)
    description = SingleLineField(max_length=200, required=False, allow_blank=True)

    validate_events = WebhookSerializer.validate_events


class CreatedWebhookSerializer(WebhookSerializer):
    """A webhook that was just created. `secret` is shown this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")


class WebhookDeliverySerializer(StrictModelSerializer):
    """One event for one webhook, and its result. `event` is the id that the receiver gets."""

    data = serializers.DictField(child=serializers.CharField(allow_null=True), read_only=True)  # type: ignore[assignment]

    class Meta:
        model = WebhookDelivery
        fields = (
            "event",
            "type",
            "data",
            "occurred_at",
            "state",
            "attempts",
            "next_try_at",
            "response_status",
            "error",
            "delivered_at",
        )
        read_only_fields = fields
