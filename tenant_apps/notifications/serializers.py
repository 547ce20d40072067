"""Requests and responses: audiences, templates, notifications and their deliveries."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from tatami.api.fields import MultiLineField, ReferenceField, SingleLineField
from tatami.api.serializers import ReferenceSerializer, StrictModelSerializer, StrictSerializer
from tatami.languages import available_languages
from tatami.text import email_key
from tenant_apps.classes.models import ClassSession
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications.models import Address, Delivery, Notification, NotificationKind
from tenant_apps.notifications.outbox import is_sent
from tenant_apps.notifications.recipients import AUDIENCE_STATUSES
from tenant_apps.notifications.templates import MAX_SUBJECT_LENGTH
from tenant_apps.promotions.models import Exam
from tenant_apps.promotions.student_filters import MOST_STUDENTS, StudentFilterSerializer
from tenant_apps.students.models import ERASED_NAME, Student

AUDIENCE_KINDS: Final = (NotificationKind.FREE, NotificationKind.ABSENCE)
"""Kinds that can be sent to an audience. The others are sent with the event they are about."""

STATUSES: Final = ("queued", "running", "paused", "done", "failed", "cancelled")


class Body(MultiLineField):
    """Text of several lines; leading and trailing whitespace is kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


# --- templates --------------------------------------------------------------------------------------------------------


class LanguageSerializer(StrictSerializer):
    """The language; defaults to the dojo's."""

    language = serializers.ChoiceField(choices=available_languages(), required=False)


class NewTextSerializer(LanguageSerializer):
    """A template for a kind of notification."""

    subject = SingleLineField(max_length=MAX_SUBJECT_LENGTH)
    body = Body()


@extend_schema_serializer(component_name="Trial")
class PreviewRequestSerializer(LanguageSerializer):
    """A template to preview. Omitted parts are taken from the effective template; `student` sets the recipient."""

    subject = SingleLineField(max_length=MAX_SUBJECT_LENGTH, required=False)
    body = Body(required=False)
    student = ReferenceField(queryset=Student.objects.not_archived(), required=False)


class TestSerializer(StrictSerializer):
    """The recipient of a test mail: the caller's own address."""

    email = serializers.EmailField(max_length=254, required=False)

    def validate_email(self, value: str) -> str:
        if email_key(value) != email_key(self.context["request"].user.email):
            raise serializers.ValidationError(gettext("A test mail can only be sent to your own address."))
        return value


@extend_schema_serializer(component_name="Text")
class TemplateSerializer(serializers.Serializer[Any]):
    """The effective template of a kind of notification, and the variables it may use."""

    name = serializers.ChoiceField(source="kind", choices=NotificationKind.choices)
    language = serializers.ChoiceField(choices=available_languages())
    subject = serializers.CharField(source="text.subject")
    body = serializers.CharField(source="text.body")
    is_default = serializers.BooleanField()
    variables = serializers.ListField(child=serializers.CharField())


class PreviewSerializer(serializers.Serializer[Any]):
    """A template with its variables filled in."""

    subject = serializers.CharField()
    body = serializers.CharField()
    language = serializers.ChoiceField(choices=available_languages())


# --- notifications ----------------------------------------------------------------------------------------------------


class AudienceSerializer(StudentFilterSerializer):
    """Students by id, or all students that match every given condition. `{}` means every active student.

    `exam`: its candidates; `class_session`: who is expected or present there. Both include students on trial or on
    hold; so does `status`, alone or with other conditions. With `guardians_only`, adult students are left out, and
    minors get no mail of their own.
    """

    students = ReferenceField(
        queryset=Student.objects.not_archived(),
        many=True,
        required=False,
        allow_empty=False,
        most=MOST_STUDENTS,
    )
    status = serializers.ChoiceField(choices=[one.value for one in AUDIENCE_STATUSES], required=False)
    exam = ReferenceField(queryset=Exam.objects.all(), required=False)
    class_session = ReferenceField(queryset=ClassSession.objects.all(), required=False)
    guardians_only = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "students" in attrs and attrs.keys() - {"students", "guardians_only"}:
            raise serializers.ValidationError(
                {"students": [gettext("Give either student ids or conditions, not both.")]}
            )
        return attrs


class NewNotificationSerializer(StrictSerializer):
    """The audience, and the text: the effective template of `template`, or a subject and a body."""

    audience = AudienceSerializer()
    template = serializers.CharField(required=False)
    subject = SingleLineField(max_length=MAX_SUBJECT_LENGTH, required=False)
    body = Body(required=False)
    channel = serializers.ChoiceField(choices=["email"], default="email")
    test = serializers.BooleanField(default=False)

    def validate_template(self, value: str) -> str:
        if value not in AUDIENCE_KINDS:
            known = ", ".join(AUDIENCE_KINDS)
            raise serializers.ValidationError(
                gettext(
                    "Only these templates can be sent to an audience: {known}. "
                    "The others are sent with the event they are about."
                ).format(known=known)
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        own = {"subject", "body"} & attrs.keys()
        if ("template" in attrs) == bool(own):
            raise serializers.ValidationError(
                {"template": [gettext("Give either a template, or a subject and a body.")]}
            )
        if own and (missing := {"subject", "body"} - own):
            raise serializers.ValidationError(
                {name: [self.fields[name].error_messages["required"]] for name in missing}
            )
        return attrs


@extend_schema_field({"$ref": "#/components/schemas/AudienceRequest"})
class SentAudienceField(serializers.DictField):
    """The audience as it was requested; null for an event."""


class NotificationSerializer(StrictModelSerializer):
    """A notification and its progress. The numbers count mails; with no recipient it is done at once."""

    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    total = serializers.IntegerField(read_only=True)
    done = serializers.SerializerMethodField()
    queued = serializers.IntegerField(source="mails.queued", read_only=True)
    sent = serializers.IntegerField(source="mails.sent", read_only=True)
    failed = serializers.IntegerField(source="mails.failed", read_only=True)
    skipped = serializers.IntegerField(source="mails.skipped", read_only=True)
    audience = SentAudienceField(read_only=True, allow_null=True)
    test = serializers.BooleanField(source="is_test", read_only=True)
    requested_by = ReferenceField(read_only=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields: tuple[str, ...] = (
            "status", "total", "done", "url", "kind", "language", "subject", "body", "audience", "test", "queued",
            "sent", "failed", "skipped", "requested_by", "cancelled_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_done(self, notification: Notification) -> int:
        """The number of mails that are not queued any more."""
        return notification.total - notification.mails[Delivery.State.QUEUED]

    def get_url(self, notification: Notification) -> str:
        return reverse("notification", kwargs={"id": notification.pk})


@extend_schema_serializer(component_name="RecipientAnswer")
class RecipientSerializer(StrictModelSerializer):
    """One mail: the recipient, the students it is about, and its result."""

    recipient = serializers.SerializerMethodField()
    students = ReferenceSerializer(many=True)  # set by `attach_students`

    class Meta:
        model = Delivery
        fields = (
            "id", "recipient", "address", "students", "state", "reason", "attempts", "next_try_at", "sent_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_recipient(self, delivery: Delivery) -> str:
        """The name when the mail was queued; empty after the retention time."""
        return str(delivery.values.get("recipient", ""))


@extend_schema_serializer(component_name="NotificationAnswer")
class NotificationDetailSerializer(NotificationSerializer):
    """A notification and its progress, with its first 200 recipients."""

    recipients = RecipientSerializer(many=True)

    class Meta(NotificationSerializer.Meta):
        fields = (*NotificationSerializer.Meta.fields, "recipients")


# --- one's own mail -------------------------------------------------------------------------------------------------


class MailKindSerializer(serializers.Serializer[Any]):
    """A kind of mail: whether the owner of an address can choose not to get it, and whether it is sent to them."""

    kind = serializers.ChoiceField(choices=NotificationKind.choices)
    is_optional = serializers.BooleanField()
    is_on = serializers.BooleanField()


class OwnNotificationsSerializer(StrictSerializer):
    """Which mail the caller's own address gets. `news` turns all optional kinds on or off.

    `bounced_at` is when the mail server last said that it does not know the address; null since it accepted a mail.
    """

    email = serializers.EmailField(read_only=True)
    news = serializers.BooleanField(required=False)
    unsubscribed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    bounced_at = serializers.DateTimeField(read_only=True, allow_null=True)
    kinds = MailKindSerializer(many=True, read_only=True)


def own_notifications(email: str, address: Address, settings: DojoSettings) -> dict[str, Any]:
    """Return the response about the mail that an address of the caller gets."""
    news = address.unsubscribed_at is None
    kinds = [
        {"kind": kind.value, "is_optional": True, "is_on": news}
        if kind in AUDIENCE_KINDS
        else {"kind": kind.value, "is_optional": False, "is_on": is_sent(kind, settings)}
        for kind in NotificationKind
    ]
    shown = {
        "email": email,
        "news": news,
        "unsubscribed_at": address.unsubscribed_at,
        "bounced_at": address.bounced_at,
        "kinds": kinds,
    }
    return dict(OwnNotificationsSerializer(shown).data)


def attach_students(deliveries: Iterable[Delivery]) -> None:
    """Set `students` of each delivery, with the students' present names. One statement."""
    rows = list(deliveries)
    ids: set[UUID] = {student for row in rows for student in row.student_ids}
    names = {one.pk: one.name for one in Student.objects.filter(pk__in=ids)} if ids else {}
    for row in rows:
        row.students = [{"id": pk, "name": names.get(pk) or gettext(ERASED_NAME)} for pk in row.student_ids]
