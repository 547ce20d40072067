"""The texts of mails: the dojo's own or the app's, tried before they are sent."""

from typing import Any

from rest_framework.response import Response

from tatami.api.responses import accepted
from tatami.api.views import ApiView
from tatami.errors import Invalid, NotFound
from tenant_apps.dojo.models import DojoSettings, Language
from tenant_apps.notifications import outbox
from tenant_apps.notifications.addressing import mails_for
from tenant_apps.notifications.kinds import SAMPLES, Kind, variables_of
from tenant_apps.notifications.letters import (
    Letter,
    Text,
    compose,
    keep_text,
    refuse_broken,
    sample_values,
    text_for,
    texts,
)
from tenant_apps.notifications.serializers import NewTextSerializer, TestSerializer, TrialSerializer
from tenant_apps.notifications.views import shown as shown_notification
from tenant_apps.students.dates import dojo_today
from tenant_apps.students.models import Student
from tenant_apps.students.notices import Notice


class Templates(ApiView):
    """The text in force for each kind of mail, and what it may name."""

    def get(self, request: Any) -> Response:
        return Response([_shown(text) for text in texts(_language(request))])


class Template(ApiView):
    """The text in force for a kind of mail. A broken one is refused, with the line; the app's own brings it back."""

    serializer_class = NewTextSerializer

    def get(self, request: Any, name: str) -> Response:
        return Response(_shown(text_for(_kind(name), _language(request))))

    def put(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        serializer = NewTextSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        letter = Letter(given["subject"], given["body"])
        return Response(_shown(keep_text(kind=kind, language=given.get("language"), letter=letter)))


class Preview(ApiView):
    """A text with its variables filled in, by example. Nothing is kept, and nothing sent."""

    serializer_class = TrialSerializer
    audited = False

    def post(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        serializer = TrialSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        tried = serializer.validated_data
        text = text_for(kind, tried.get("language"))
        source = Letter(tried.get("subject", text.letter.subject), tried.get("body", text.letter.body))
        refuse_broken(kind, source, text.language)
        values = _values(kind, tried.get("student"), request)
        letter = compose(source, values, language=text.language, kind=kind)
        return Response({"subject": letter.subject, "body": letter.body, "language": text.language})


class Test(ApiView):
    """Send the text in force to the caller."""

    serializer_class = TestSerializer

    def post(self, request: Any, name: str) -> Response:
        kind = _kind(name)
        TestSerializer(data=request.data, context={"request": request}).is_valid(raise_exception=True)
        text = text_for(kind)
        made = outbox.queue_test(kind=kind, letter=text.letter, language=text.language, by=request.user)
        return accepted(shown_notification(made), "notification", id=made.pk)


def _kind(name: str) -> Kind:
    if name not in Kind.values:
        raise NotFound
    return Kind(name)


def _language(request: Any) -> str | None:
    language: str | None = request.query_params.get("language")
    if language is not None and language not in Language.values:
        raise Invalid.field("language", f"This must be one of: {', '.join(Language.values)}.")
    return language


def _values(kind: Kind, student: Student | None, request: Any) -> dict[str, Any]:
    """Return what a mail about a student, or about somebody made up, might say."""
    if student is None:
        return sample_values(kind, ["Mika Sato"])
    notice = Notice(student.pk, SAMPLES[kind])
    (mail, *_) = mails_for([notice], settings=DojoSettings.current(), on=dojo_today(request.now))
    return {"recipient": mail.recipient, "students": mail.students}


def _shown(text: Text) -> dict[str, Any]:
    return {
        "name": text.kind,
        "language": text.language,
        "subject": text.letter.subject,
        "body": text.letter.body,
        "is_default": text.is_default,
        "variables": variables_of(text.kind),
    }
