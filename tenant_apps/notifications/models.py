"""E-mail notifications: the dojo's templates, each notification with its deliveries, and the state of addresses."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from shared_apps.accounts.models import User
from tatami import clock
from tatami.languages import available_languages
from tatami.smtp import SendState
from tatami.tenancy.models import TenantModel, count_by_state
from tatami.tenancy.scope import current_tenant


class NotificationKind(models.TextChoices):
    """What a notification is about. The values are stored in rows and used in the API: do not change them."""

    PROMOTION = "promotion"
    EXAM_INVITATION = "exam_invitation"
    ABSENCE = "absence"
    CLASS_CANCELLED = "class_cancelled"
    CLASS_MOVED = "class_moved"
    CLOSURE = "closure"
    EXAM_MOVED = "exam_moved"
    FREE = "free"


class NotificationTemplate(TenantModel):
    """A dojo's own text for one kind and language. Without a row, the default text of the app is used."""

    name = models.CharField(max_length=32, choices=NotificationKind)
    language = models.CharField(max_length=8, choices=available_languages)
    subject = models.CharField(max_length=200)
    body = models.TextField(max_length=10_000)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "language"], name="notification_template_once")
        ]


class Notification(TenantModel):
    """A message to several people, with the text as it was when it was queued. Each e-mail of it is a `Delivery`."""

    kind = models.CharField(max_length=32, choices=NotificationKind)
    is_bulk = models.BooleanField()
    """Sent to an audience or to absent students, not because of an event. Recipients can unsubscribe from these."""
    is_test = models.BooleanField(default=False)
    language = models.CharField(max_length=8, choices=available_languages)
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField(max_length=10_000, blank=True)
    audience = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    """The audience as requested through the API; null where an event or an absence selected the students."""
    requested_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    cancelled_at = models.DateTimeField(null=True)

    mails: dict[str, int]
    """State → number of deliveries. Set by `count_deliveries`."""
    recipients: "list[Delivery]"
    """The first deliveries. Set by the detail view."""

    class Meta:
        ordering = ("-created_at", "-id")

    @property
    def total(self) -> int:
        """Return the number of deliveries."""
        return sum(self.mails.values())

    @property
    def status(self) -> str:
        """Return the progress: `queued`, `running`, `paused`, `done`, `failed` or `cancelled`."""
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
    """Deliveries of the tenant in scope."""

    def queued(self) -> Self:
        """Return the deliveries that are still to be sent."""
        return self.filter(state=Delivery.State.QUEUED)


class Delivery(TenantModel):
    """One e-mail to one address about one or more students (siblings): a row of the outbox, later of the log.

    Students and guardians are referenced by id without a foreign key, so that the log never blocks their deletion.
    """

    State = SendState

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    student_ids = ArrayField(models.UUIDField(), default=list)
    guardian_id = models.UUIDField(null=True)
    address = models.CharField(max_length=254, blank=True)
    address_key = models.BinaryField(max_length=32, null=True)
    values = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    """The recipient's name and the template variables of each student; `{}` after the retention time."""
    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    reason = models.CharField(max_length=500, blank=True)
    """Why it was not sent, or not yet: one of our codes, or the reply of the mail server."""
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)

    students: list[dict[str, Any]]
    """`id` and `name` of each student. Set by `attach_students`."""

    objects: ClassVar[DeliveryQuerySet] = DeliveryQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ("notification_id", "id")
        indexes = [
            models.Index(fields=["notification", "id"], name="delivery_of_notification"),
            models.Index(fields=["next_try_at", "id"], condition=Q(state="queued"), name="delivery_queued"),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="delivery_sent_lately"),
        ]


class Address(TenantModel):
    """Whether an e-mail address is unsubscribed or has bounced. Only a hash of the address is stored."""

    key = models.BinaryField(max_length=32)
    unsubscribed_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="mail_address_once")]


def count_deliveries(notifications: Iterable[Notification]) -> None:
    """Set `mails` on each notification. One statement; the numbers are counted, so they always add up."""
    rows = list(notifications)
    numbers = count_by_state(Delivery.objects.all(), "notification", rows, Delivery.State)
    for row in rows:
        row.mails = numbers[row.pk]
