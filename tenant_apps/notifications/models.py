"""Mail: the dojo's own texts, what was sent and why, each mail of it, and what is known about addresses."""

from collections.abc import Iterable
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami import clock
from tatami.counts import numbers_by_state
from tatami.tenancy.models import TenantModel
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.models import Language
from tenant_apps.notifications.kinds import Kind


class NotificationTemplate(TenantModel):
    """A dojo's own text for a kind of mail in a language. Where there is none, the app's own is used."""

    name = models.CharField(max_length=32, choices=Kind)
    language = models.CharField(max_length=8, choices=Language)
    subject = models.CharField(max_length=200)
    body = models.TextField(max_length=10_000)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "language"], name="notification_template_once")
        ]


class Notification(TenantModel):
    """Word for some people: the text as it was when they were chosen. Each mail of it is a `Delivery`."""

    kind = models.CharField(max_length=32, choices=Kind)
    is_bulk = models.BooleanField()
    """Sent because of what somebody is, not because of a deed: whoever does not want that can unsubscribe."""
    is_test = models.BooleanField(default=False)
    language = models.CharField(max_length=8, choices=Language)
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(max_length=10_000, blank=True)
    audience = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    """Whom somebody asked for; null where a deed, or its absence, chose them."""
    requested_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    cancelled_at = models.DateTimeField(null=True)

    mails: dict[str, int]
    """How many of its mails are in each state; see `count_mails`."""

    class Meta:
        ordering = ("-created_at", "-id")

    @property
    def total(self) -> int:
        """Return the number of its mails."""
        return sum(self.mails.values())

    @property
    def status(self) -> str:
        """Return how far it is, as the contract names it."""
        queued = self.mails[Delivery.State.QUEUED]
        if self.cancelled_at:
            return "cancelled"
        if not queued:
            has_failed = self.total and self.mails[Delivery.State.FAILED] == self.total
            return "failed" if has_failed else "done"
        if current_tenant().status != "active":
            return "paused"
        return "queued" if queued == self.total else "running"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """The mails."""

    def queued(self) -> Self:
        """Return those that wait."""
        return self.filter(state=Delivery.State.QUEUED)


class Delivery(TenantModel):
    """One mail to one address, about one student or several (siblings): a row of the outbox, and then of the log.

    It refers to students and guardian by their ids alone: a guardian who is forgotten must not be held by a log.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"
        SKIPPED = "skipped"

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    student_ids = ArrayField(models.UUIDField(), default=list)
    guardian_id = models.UUIDField(null=True)
    address = models.CharField(max_length=254, blank=True)
    address_key = models.BinaryField(max_length=32, null=True)
    values = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    """Whom it addresses and what its text may name, one object for each student; `{}` after the retention time."""
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    reason = models.CharField(max_length=500, blank=True)
    """Why it was not sent, or not yet: a word of ours, or the mail server's own words."""
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)

    objects: ClassVar[DeliveryQuerySet] = DeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("notification_id", "id")
        indexes = [
            models.Index(fields=["notification", "id"], name="delivery_of_notification"),
            models.Index(fields=["next_try_at", "id"], condition=Q(state="queued"), name="delivery_queued"),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="delivery_sent_lately"),
        ]


class Address(TenantModel):
    """What its owner, or the mail server, said about an address. It is kept as a hash, which names nobody."""

    key = models.BinaryField(max_length=32)
    unsubscribed_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="mail_address_once")]


def count_mails(notifications: Iterable[Notification]) -> None:
    """Give each the numbers of its mails: counted, so that they always add up. One statement."""
    rows = list(notifications)
    numbers = numbers_by_state(Delivery.objects.all(), "notification", rows, Delivery.State)
    for row in rows:
        row.mails = numbers[row.pk]
