"""Notifications and their deliveries, templates, and the unsubscribe page."""

from collections.abc import Iterable
from typing import Any, Final

from django.http import HttpResponse
from django.template.loader import render_to_string
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.response import Response

from tatami.api.filters import Filter, one_of, read_bool, read_one_of, read_parameter, yes_or_no
from tatami.api.parsers import StrictJSONParser
from tatami.api.renderers import HtmlRenderer
from tatami.api.responses import accepted
from tatami.api.views import ApiView, Detail, Listing, get_or_404
from tatami.clock import tenant_date
from tatami.errors import NotFound
from tatami.languages import available_languages
from tatami.tenancy.scope import current_tenant
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications import openapi, outbox
from tenant_apps.notifications.absentees import absence_notices
from tenant_apps.notifications.addresses import (
    address_hash,
    address_key_in,
    address_state,
    resubscribe,
    unsubscribe,
)
from tenant_apps.notifications.models import Delivery, Notification, NotificationKind, count_deliveries
from tenant_apps.notifications.recipients import deliveries_for, students_in
from tenant_apps.notifications.serializers import (
    NewNotificationSerializer,
    NewTextSerializer,
    NotificationDetailSerializer,
    NotificationSerializer,
    OwnNotificationsSerializer,
    PreviewRequestSerializer,
    PreviewSerializer,
    RecipientSerializer,
    TemplateSerializer,
    TestSerializer,
    attach_students,
    own_notifications,
)
from tenant_apps.notifications.templates import (
    SAMPLE_STUDENT,
    MessageText,
    all_templates,
    render_message,
    sample_fields,
    sample_values,
    save_template,
    template_for,
    validate_text,
)
from tenant_apps.students.events import Notice
from tenant_apps.students.models import Student

RECIPIENTS_IN_DETAIL: Final = 200

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_NOTIFICATIONS = Notification.objects.select_related("requested_by")


# --- notifications ----------------------------------------------------------------------------------------------------


class Notifications(Listing):
    """Notifications, newest first. A new one is sent in the background: read it to see its progress."""

    queryset = _NOTIFICATIONS
    serializer_class = NotificationSerializer
    filters = {"kind": one_of("kind", NotificationKind), "test": yes_or_no("is_test")}
    operations = openapi.NOTIFICATIONS

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        count_deliveries(page or ())
        return page

    def post(self, request: Any) -> Response:
        serializer = NewNotificationSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        new, settings = serializer.validated_data, DojoSettings.current()
        kind = NotificationKind(new.get("template", NotificationKind.FREE))
        if "template" in new:
            text = template_for(kind, settings.language).text
        else:
            text = MessageText(new["subject"], new["body"])
            validate_text(kind, text, settings.language)
        if new["test"]:
            notification = outbox.queue_test(
                kind=kind, text=text, language=settings.language, by=request.user
            )
        else:
            students = students_in(new["audience"], on=tenant_date(request.now))
            notification = outbox.queue_notification(
                kind=kind,
                text=text,
                notices=_notices(kind, students, settings),
                settings=settings,
                is_bulk=True,
                audience=request.data["audience"],
                guardians_only=new["audience"].get("guardians_only", False),
                by=request.user,
            )
        return accepted(_notification_data(notification), "notification", id=notification.pk)


class NotificationResource(Detail):
    """One notification with its first 200 recipients. All of them are a list of their own."""

    queryset = _NOTIFICATIONS
    serializer_class = NotificationDetailSerializer
    operations = openapi.NOTIFICATION

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        notification = self.get_object()
        count_deliveries([notification])
        notification.recipients = list(
            Delivery.objects.filter(notification=notification)[:RECIPIENTS_IN_DETAIL]
        )
        attach_students(notification.recipients)
        return Response(self.get_serializer(notification).data)


def _read_sent(text: str) -> list[str]:
    """Return the states of the mails that `sent=true` or `sent=false` selects."""
    is_sent = read_bool(text)
    return [state.value for state in Delivery.State if (state is Delivery.State.SENT) is is_sent]


_SENT: Final = Filter("state__in", _read_sent, {"type": "boolean"})
"""Mails that were sent; or those that were not: waiting, failed or left out."""


class Recipients(Listing):
    """The recipients of a notification, with the result of each mail."""

    queryset = Delivery.objects.all()
    serializer_class = RecipientSerializer
    filters = {"state": one_of("state", Delivery.State), "sent": _SENT}
    operations = openapi.RECIPIENTS

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(notification=get_or_404(Notification.objects.all(), pk=self.kwargs["id"]))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        attach_students(page or ())
        return page


class CancelNotification(ApiView):
    """Do not send the mails that are still queued."""

    operations = openapi.CANCEL_NOTIFICATION

    def post(self, request: Any, id: Any) -> Response:
        notification = get_or_404(Notification.objects.all(), pk=id)
        outbox.cancel(notification=notification, now=request.now)
        return Response(_notification_data(notification))


def _notification_data(notification: Notification) -> dict[str, Any]:
    """Return the response for a notification, read and counted again."""
    notification = _NOTIFICATIONS.get(pk=notification.pk)
    count_deliveries([notification])
    data: dict[str, Any] = NotificationSerializer(notification).data
    return data


def _notices(kind: NotificationKind, students: Iterable[Student], settings: DojoSettings) -> list[Notice]:
    """Return the notices for an audience: an absence has values of its own for each student."""
    if kind is NotificationKind.ABSENCE:
        return absence_notices([one.pk for one in students], settings=settings)
    return [Notice(one.pk) for one in students]


# --- templates --------------------------------------------------------------------------------------------------------


class Templates(ApiView):
    """The effective template of each kind of notification, and the variables it may use."""

    operations = openapi.TEMPLATES

    def get(self, request: Any) -> Response:
        return Response(TemplateSerializer(all_templates(_language(request)), many=True).data)


class Template(ApiView):
    """The effective template of a kind. An invalid text is refused with the line; the default text restores it."""

    serializer_class = NewTextSerializer
    operations = openapi.TEMPLATE

    def get(self, request: Any, name: str) -> Response:
        return Response(TemplateSerializer(template_for(_kind(name), _language(request))).data)

    def put(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        serializer = NewTextSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        new = serializer.validated_data
        text = MessageText(new["subject"], new["body"])
        saved = save_template(kind=kind, language=new.get("language"), text=text)
        return Response(TemplateSerializer(saved).data)


class TemplatePreview(ApiView):
    """A template with example values. Nothing is saved and nothing is sent."""

    serializer_class = PreviewRequestSerializer
    audited = False
    idempotent = False  # it writes nothing, and its response names a student without their id
    operations = openapi.TEMPLATE_PREVIEW

    def post(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        serializer = PreviewRequestSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        new = serializer.validated_data
        template = template_for(kind, new.get("language"))
        text = MessageText(new.get("subject", template.text.subject), new.get("body", template.text.body))
        validate_text(kind, text, template.language)
        values = _preview_values(kind, new.get("student"), template.language, request)
        preview = render_message(text, values, language=template.language, kind=kind)
        shown = {"subject": preview.subject, "body": preview.body, "language": template.language}
        return Response(PreviewSerializer(shown).data)


class TemplateTest(ApiView):
    """Send the effective template to the caller."""

    serializer_class = TestSerializer
    operations = openapi.TEMPLATE_TEST

    def post(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        TestSerializer(data=request.data, context={"request": request}).is_valid(raise_exception=True)
        template = template_for(kind)
        notification = outbox.queue_test(
            kind=kind, text=template.text, language=template.language, by=request.user
        )
        return accepted(_notification_data(notification), "notification", id=notification.pk)


def _kind(name: str) -> NotificationKind:
    if name not in NotificationKind.values:
        raise NotFound
    return NotificationKind(name)


def _language(request: Any) -> str | None:
    known = read_one_of(code for code, _ in available_languages())
    return read_parameter(request.query_params, "language", known, default=None)


def _preview_values(
    kind: NotificationKind, student: Student | None, language: str, request: Any
) -> dict[str, Any]:
    """Return the example values of a mail about a student, or about a made-up one."""
    if student is None:
        return sample_values(kind, [SAMPLE_STUDENT], language)
    notice = Notice(student.pk, sample_fields(kind, language))
    (delivery, *_) = deliveries_for([notice], settings=DojoSettings.current(), on=tenant_date(request.now))
    return {"recipient": delivery.recipient, "students": delivery.students}


# --- one's own mail -------------------------------------------------------------------------------------------------


class OwnNotifications(ApiView):
    """Which mail the caller's own address gets. PATCH turns news on or off; mail about events is always sent.

    Only the owner of an address turns news on again. PATCH may be repeated; of concurrent requests the last one counts.
    """

    serializer_class = OwnNotificationsSerializer
    operations = openapi.OWN_NOTIFICATIONS

    def get(self, request: Any) -> Response:
        email = request.user.email
        return Response(own_notifications(email, address_state(email), DojoSettings.current()))

    def patch(self, request: Any) -> Response:
        serializer = OwnNotificationsSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "news" in serializer.validated_data:
            change = resubscribe if serializer.validated_data["news"] else unsubscribe
            change(address_key=address_hash(request.user.email), now=request.now)
        return self.get(request)


# --- unsubscribing ----------------------------------------------------------------------------------------------------


class Unsubscribe(ApiView):
    """The page behind the link in bulk mail: GET asks for confirmation, POST unsubscribes the address.

    GET changes nothing, because mail scanners open every link. A mail program posts `List-Unsubscribe=One-Click` (RFC
    8058); the body is ignored. Repeating a request is harmless. An invalid code, or one of another dojo, is 404.
    """

    renderer_classes = [HtmlRenderer]
    parser_classes = [FormParser, MultiPartParser, StrictJSONParser]
    idempotent = False
    operations = openapi.UNSUBSCRIBE

    def get(self, request: Any, code: str) -> HttpResponse:
        address_key_in(code)
        return _page(is_done=False)

    def post(self, request: Any, code: str) -> HttpResponse:
        unsubscribe(address_key=address_key_in(code), now=request.now)
        return _page(is_done=True)


def _page(*, is_done: bool) -> HttpResponse:
    context = {"dojo": current_tenant().name, "is_done": is_done}
    response = HttpResponse(render_to_string("notifications/unsubscribe.html", context))
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Referrer-Policy"] = "no-referrer"  # the URL of this page contains the code
    return response
