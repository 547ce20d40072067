"""Mails: to whom, with which text, and what became of each."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi.accounts import ReferenceSerializer
from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, list_spec
from tenant_apps.dojo.models import Language
from tenant_apps.notifications.kinds import Kind, variables_of
from tenant_apps.notifications.serializers import (
    NewNotificationSerializer,
    NotificationSerializer,
    RecipientSerializer,
)

_LANGUAGE: Final = {"type": "string", "pattern": f"^({'|'.join(Language.values)})$", "example": "en"}


class TextSerializer(serializers.Serializer[Any]):
    """The text in force for a kind of mail, and the variables that it may name."""

    name = serializers.ChoiceField(choices=Kind.choices)
    language = serializers.ChoiceField(choices=Language.choices)
    subject = serializers.CharField()
    body = serializers.CharField()
    is_default = serializers.BooleanField()
    variables = serializers.ListField(child=serializers.CharField())


class PreviewSerializer(serializers.Serializer[Any]):
    """A text with its variables filled in."""

    subject = serializers.CharField()
    body = serializers.CharField()
    language = serializers.ChoiceField(choices=Language.choices)


class RecipientAnswerSerializer(RecipientSerializer):
    """What became of one mail, to whom, and about which students."""

    students = ReferenceSerializer(many=True)  # type: ignore[assignment]


class NotificationAnswerSerializer(NotificationSerializer):
    """How far a notification is, with its first 200 recipients."""

    recipients = RecipientAnswerSerializer(many=True)

    class Meta(NotificationSerializer.Meta):
        fields = (*NotificationSerializer.Meta.fields, "recipients")  # type: ignore[assignment]


_NOTIFICATION: Final = examples.row(
    examples.NOTIFICATION,
    status="queued",
    total=1,
    done=0,
    url=f"/notifications/{examples.NOTIFICATION}",
    kind="free",
    language="en",
    subject="Summer school for {{ student }}",
    body="Dear {{ recipient }},\n\nregistration is open.\n\n{{ dojo }}\n",
    audience={"students": [examples.STUDENT]},
    test=False,
    queued=1,
    sent=0,
    failed=0,
    skipped=0,
    requested_by=examples.HANA,
    cancelled_at=None,
)
_RECIPIENT: Final = {
    "id": examples.DELIVERY,
    "recipient": "Hana Sato",
    "address": "parent@example.com",
    "students": [examples.MIKA],
    "state": "queued",
    "reason": "",
    "attempts": 0,
    "next_try_at": examples.NOW,
    "sent_at": None,
}
KEPT_MAIL_EXAMPLE: Final = {
    "id": examples.DELIVERY,
    "kind": "promotion",
    "address": "parent@example.com",
    "state": "sent",
    "reason": "",
    "created_at": examples.NOW,
    "sent_at": examples.NOW,
}
_NEW: Final = {
    "audience": {"class": examples.CLASS},
    "subject": _NOTIFICATION["subject"],
    "body": _NOTIFICATION["body"],
}
_LETTER: Final = {
    "subject": "{{ student }}: {{ rank }}",
    "body": "Dear {{ recipient }},\n\ncongratulations!\n\n{{ dojo }}\n",
}
_TEXT: Final = {
    "name": "promotion",
    "language": "en",
    **_LETTER,
    "is_default": False,
    "variables": list(variables_of(Kind.PROMOTION)),
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
</head>
<body>
<main>
<h1>Seishin Dojo</h1>
<p>Shall we send no more news to your address? Word of promotions, exams and cancelled classes still reaches you.</p>
<form method="post"><button type="submit">Send me no more news</button></form>
</main>
</body>
</html>
"""
_PAGE_DONE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
</head>
<body>
<main>
<h1>Seishin Dojo</h1>
<p role="status">You will get no more news from us.</p>
</main>
</body>
</html>
"""
_AT: Final = {"id": examples.NOTIFICATION}
_NAMED: Final = {"name": "promotion"}
_TEST_OF: Final = {"kind": "promotion", "audience": None, "test": True, **_LETTER}


def _page(shown: str) -> OperationSpec:
    return OperationSpec(
        path={"code": examples.UNSUBSCRIBE},
        request=None,
        response={"type": "string"},
        media_types=("text/html",),
        text_examples={"text/html": shown},
    )


NOTIFICATIONS: Final = {
    "notifications": {
        "GET": list_spec(_NOTIFICATION, response=NotificationSerializer),
        "POST": OperationSpec(
            request=NewNotificationSerializer,
            request_example=_NEW,
            status=202,
            response=NotificationSerializer,
            response_example={**_NOTIFICATION, "audience": _NEW["audience"]},
        ),
    },
    "notification": {
        "GET": OperationSpec(
            path=_AT,
            response=NotificationAnswerSerializer,
            response_example={**_NOTIFICATION, "recipients": [_RECIPIENT]},
        )
    },
    "notification-recipients": {
        "GET": list_spec(_RECIPIENT, path=_AT, response=RecipientAnswerSerializer),
    },
    "notification-cancel": {
        "POST": OperationSpec(
            path=_AT,
            request=None,
            response=NotificationSerializer,
            response_example={**_NOTIFICATION, "status": "cancelled", "cancelled_at": examples.NOW},
        )
    },
    "notification-templates": {
        "GET": OperationSpec(
            query={"language": _LANGUAGE}, response=TextSerializer(many=True), response_example=[_TEXT]
        )
    },
    "notification-template": {
        "GET": OperationSpec(
            path=_NAMED, query={"language": _LANGUAGE}, response=TextSerializer, response_example=_TEXT
        ),
        "PUT": OperationSpec(
            path=_NAMED, request_example=_LETTER, response=TextSerializer, response_example=_TEXT
        ),
    },
    "notification-template-preview": {
        "POST": OperationSpec(
            path=_NAMED,
            request_example={**_LETTER, "language": "en", "student": examples.STUDENT},
            response=PreviewSerializer,
            response_example={
                "subject": "Mika Sato: 4th kyu",
                "body": "Dear Hana Sato,\n\ncongratulations!\n\nSeishin Dojo\n",
                "language": "en",
            },
        )
    },
    "notification-template-test": {
        "POST": OperationSpec(
            path=_NAMED,
            request_example={"email": examples.ME},
            status=202,
            response=NotificationSerializer,
            response_example={**_NOTIFICATION, **_TEST_OF},
        )
    },
    "unsubscribe": {"GET": _page(_PAGE), "POST": _page(_PAGE_DONE)},
}
