"""Webhooks and their deliveries. The tables exist in every dojo and, for events about dojos, on the platform."""

from datetime import datetime
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from tatami import clock
from tatami.encryption import decrypt
from tatami.tenancy.models import TenantModel

SECRET_PURPOSE = "webhook secret"  # noqa: S105 - what the key is derived for


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Webhooks of the dojo, or the platform, in scope."""

    def active(self) -> Self:
        """Return the webhooks that receive events."""
        return self.filter(disabled_at__isnull=True)

    def ready(self, now: datetime) -> Self:
        """Return the active webhooks that do not wait after a failure, and to which no worker is sending."""
        return self.active().filter(
            Q(next_try_at__isnull=True) | Q(next_try_at__lte=now),
            Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        )


class Webhook(TenantModel):
    """An address that receives events by HTTP."""

    class DisabledBecause(models.TextChoices):
        REQUEST = "request"
        """A user disabled it."""
        GONE = "gone"
        """It responded 410."""
        FAILING = "failing"
        """It failed for three days."""

    url = models.CharField(max_length=2000)
    events = ArrayField(models.CharField(max_length=40))
    """Types of events, such as `student.created`; `student.*` and `*` stand for several."""
    description = models.CharField(max_length=200, blank=True)
    secret = models.TextField()
    """The signing secret, encrypted (`tatami.encryption`)."""
    failures = models.PositiveIntegerField(default=0)
    """Failed attempts since the last success, while the receiver was unavailable."""
    failing_since = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    """Set while the receiver is unavailable: no delivery is attempted before."""
    claimed_until = models.DateTimeField(null=True)
    """Until when the worker that is sending to it may take: one request at a time, so that the order is kept."""
    disabled_at = models.DateTimeField(null=True)
    disabled_because = models.CharField(max_length=16, choices=DisabledBecause, blank=True)
    is_mail_due = models.BooleanField(default=False)
    """The admins are still to be told that it was disabled."""

    objects: ClassVar[WebhookQuerySet] = WebhookQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def is_active(self) -> bool:
        return self.disabled_at is None

    @property
    def disabled_reason(self) -> str | None:
        """Return why it is disabled, or `None`."""
        return self.disabled_because or None

    @property
    def signing_secret(self) -> str:
        """Return the secret that the receiver knows."""
        return decrypt(self.secret, purpose=SECRET_PURPOSE)


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    """Deliveries of the dojo, or the platform, in scope."""

    def queued(self) -> Self:
        """Return the deliveries that are still to be sent."""
        return self.filter(state=WebhookDelivery.State.QUEUED)


class WebhookDelivery(TenantModel):
    """One event for one webhook: a row of the outbox, later of the log. It contains ids and no personal data."""

    class State(models.TextChoices):
        QUEUED = "queued"
        DELIVERED = "delivered"
        FAILED = "failed"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.UUIDField()
    """The id of the event: the same for each webhook, each attempt and each redelivery."""
    type = models.CharField(max_length=40)
    data = models.JSONField(encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=clock.now)
    response_status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    """Why the last attempt failed."""
    delivered_at = models.DateTimeField(null=True)

    objects: ClassVar[WebhookDeliveryQuerySet] = WebhookDeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["webhook", "-created_at", "-id"], name="webhook_delivery_log"),
            models.Index(fields=["id"], condition=Q(state="queued"), name="webhook_delivery_queued"),
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]
