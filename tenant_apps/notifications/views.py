"""Notifications: to an audience, how far they are, and what became of each mail."""

from collections.abc import Iterable
from typing import Any

from rest_framework.response import Response

from tatami.api.filters import one_of, yes_or_no
from tatami.api.responses import accepted
from tatami.api.views import ApiView, Detail, Listing, get_or_404
from tenant_apps.dojo.models import DojoSettings
from tenant_apps.notifications import outbox
from tenant_apps.notifications.absentees import notices_about
from tenant_apps.notifications.audiences import students_of
from tenant_apps.notifications.kinds import Kind
from tenant_apps.notifications.letters import Letter, refuse_broken, text_for
from tenant_apps.notifications.models import Delivery, Notification, count_mails
from tenant_apps.notifications.serializers import (
    SHOWN_RECIPIENTS,
    NewNotificationSerializer,
    NotificationSerializer,
    RecipientSerializer,
    attach_names,
)
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.models import Student
from tenant_apps.students.notices import Notice

_NOTIFICATIONS = Notification.objects.select_related("requested_by")


class Notifications(Listing):
    """What was sent, the latest first. A new one is sent by workers: look at it to see how far it is."""

    queryset = _NOTIFICATIONS
    serializer_class = NotificationSerializer
    filters = {"kind": one_of("kind", Kind), "test": yes_or_no("is_test")}

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        count_mails(page or ())
        return page

    def post(self, request: Any) -> Response:
        serializer = NewNotificationSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked, settings = serializer.validated_data, DojoSettings.current()
        kind = Kind(asked.get("template", Kind.FREE))
        if "template" in asked:
            letter = text_for(kind, settings.language).letter
        else:
            letter = Letter(asked["subject"], asked["body"])
            refuse_broken(kind, letter, settings.language)
        if asked["test"]:
            made = outbox.queue_test(kind=kind, letter=letter, language=settings.language, by=request.user)
        else:
            today = dojo_today(request.now)
            students = students_of(asked["audience"], on=today)
            made = outbox.queue(
                kind=kind,
                letter=letter,
                notices=_notices(kind, students, settings),
                settings=settings,
                is_bulk=True,
                audience=request.data["audience"],
                by=request.user,
            )
        return accepted(shown(made), "notification", id=made.pk)


class NotificationResource(Detail):
    """How far a notification is, and its first 200 recipients; all of them are a list of their own."""

    queryset = _NOTIFICATIONS
    serializer_class = NotificationSerializer

    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        notification = self.get_object()
        count_mails([notification])
        recipients = list(Delivery.objects.filter(notification=notification)[:SHOWN_RECIPIENTS])
        attach_names(recipients)
        rows = RecipientSerializer(recipients, many=True).data
        return Response({**self.get_serializer(notification).data, "recipients": rows})


class Recipients(Listing):
    """What became of each mail."""

    queryset = Delivery.objects.all()
    serializer_class = RecipientSerializer
    filters = {"state": one_of("state", Delivery.State)}

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(notification=get_or_404(Notification.objects.all(), pk=self.kwargs["id"]))

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        attach_names(page or ())
        return page


class CancelNotification(ApiView):
    """Leave unsent what is not sent yet."""

    def post(self, request: Any, id: Any) -> Response:
        notification = get_or_404(Notification.objects.all(), pk=id)
        outbox.cancel(notification=notification, now=request.now)
        return Response(shown(notification))


def shown(notification: Notification) -> dict[str, Any]:
    """Return a notification as the API shows it, counted anew."""
    notification = _NOTIFICATIONS.get(pk=notification.pk)
    count_mails([notification])
    data: dict[str, Any] = NotificationSerializer(notification).data
    return data


def _notices(kind: Kind, students: Iterable[Student], settings: DojoSettings) -> list[Notice]:
    """Return what an audience is told: an absence is each student's own."""
    if kind is Kind.ABSENCE:
        return notices_about([one.pk for one in students], settings=settings)
    return [Notice(one.pk) for one in students]
