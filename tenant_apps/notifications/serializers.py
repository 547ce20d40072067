"""The shape of texts, notifications and what became of each mail."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from rest_framework import serializers

from tatami.api.fields import MultiLineField, ReferenceField, SingleLineField
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tatami.text import email_key
from tenant_apps.dojo.models import Language
from tenant_apps.notifications.audiences import AudienceSerializer
from tenant_apps.notifications.kinds import TO_AN_AUDIENCE
from tenant_apps.notifications.models import Delivery, Notification
from tenant_apps.students.models import Student
from tenant_apps.students.models.student import ERASED_NAME

LONGEST_SUBJECT: Final = 200
STATUSES: Final = ("queued", "running", "paused", "done", "failed", "cancelled")
SHOWN_RECIPIENTS: Final = 200


class Body(MultiLineField):
    """A text in which the spaces at both ends are kept as they were written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


class LanguageSerializer(StrictSerializer):
    """In which language; left out, the dojo's."""

    language = serializers.ChoiceField(choices=Language.choices, required=False)


class NewTextSerializer(LanguageSerializer):
    """A text for a kind of mail, with variables in it."""

    subject = SingleLineField(max_length=LONGEST_SUBJECT)
    body = Body()


class TrialSerializer(LanguageSerializer):
    """A text to try; what is left out is the text in force. With `student`, written to whom she has."""

    subject = SingleLineField(max_length=LONGEST_SUBJECT, required=False)
    body = Body(required=False)
    student = ReferenceField(queryset=Student.objects.live(), required=False)


class TestSerializer(StrictSerializer):
    """To whom a trial goes: to the caller's own address."""

    email = serializers.EmailField(max_length=254, required=False)

    def validate_email(self, value: str) -> str:
        if email_key(value) != email_key(self.context["request"].user.email):
            raise serializers.ValidationError("A trial goes to your own address.")
        return value


class NewNotificationSerializer(StrictSerializer):
    """To whom, and what: the text in force for `template`, or a subject and a body."""

    audience = AudienceSerializer()
    template = serializers.CharField(required=False)
    subject = SingleLineField(max_length=LONGEST_SUBJECT, required=False)
    body = Body(required=False)
    channel = serializers.ChoiceField(choices=["email"], default="email")
    test = serializers.BooleanField(default=False)

    def validate_template(self, value: str) -> str:
        if value not in TO_AN_AUDIENCE:
            known = ", ".join(TO_AN_AUDIENCE)
            raise serializers.ValidationError(
                f"What can be sent to an audience: {known}. Other texts go out with the deed they tell of."
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        own = {"subject", "body"} & attrs.keys()
        if ("template" in attrs) == bool(own):
            raise serializers.ValidationError(
                {"template": ["Name a template, or give a subject and a body: one of both."]}
            )
        if own and (missing := {"subject", "body"} - own):
            raise serializers.ValidationError({name: ["This field is required."] for name in missing})
        return attrs


class NotificationSerializer(StrictModelSerializer):
    """How far a notification is. What is counted are mails; with nobody to write to it is done at once."""

    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    total = serializers.IntegerField(read_only=True)
    done = serializers.SerializerMethodField()
    queued = serializers.IntegerField(source="mails.queued", read_only=True)
    sent = serializers.IntegerField(source="mails.sent", read_only=True)
    failed = serializers.IntegerField(source="mails.failed", read_only=True)
    skipped = serializers.IntegerField(source="mails.skipped", read_only=True)
    audience = serializers.DictField(read_only=True, allow_null=True)
    test = serializers.BooleanField(source="is_test", read_only=True)
    requested_by = ReferenceField(read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields = (
            "status", "total", "done", "url", "kind", "language", "subject", "body", "audience", "test", "queued",
            "sent", "failed", "skipped", "requested_by", "cancelled_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_done(self, notification: Notification) -> int:
        """Every mail that waits no more."""
        return notification.total - notification.mails[Delivery.State.QUEUED]

    def get_url(self, notification: Notification) -> str:
        return reverse("notification", kwargs={"id": notification.pk})


class RecipientSerializer(StrictModelSerializer):
    """What became of one mail, to whom, and about which students."""

    recipient = serializers.SerializerMethodField()
    students = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = (
            "id", "recipient", "address", "students", "state", "reason", "attempts", "next_try_at", "sent_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_recipient(self, delivery: Delivery) -> str:
        """The name as it was; empty after the retention time."""
        return str(delivery.values.get("recipient", ""))

    def get_students(self, delivery: Any) -> list[dict[str, Any]]:
        return [{"id": student, "name": delivery.names[student]} for student in delivery.student_ids]


def attach_names(deliveries: Iterable[Delivery]) -> None:
    """Give each mail the names of its students as they are today. One statement."""
    rows = list(deliveries)
    wanted: set[UUID] = {student for row in rows for student in row.student_ids}
    found = {one.pk: one.name for one in Student.objects.filter(pk__in=wanted)} if wanted else {}
    names = {student: found.get(student, ERASED_NAME) for student in wanted}
    for row in rows:
        row.names = names  # type: ignore[attr-defined]
