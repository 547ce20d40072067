"""Mails: to whom, with which text, and what became of each."""

from typing import Any, Final

from rest_framework import serializers

from config.openapi import values
from config.openapi.accounts import ReferenceSerializer
from config.openapi.frequent import listed
from tatami.api.openapi import Described
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


_NOTIFICATION: Final = values.row(
    values.NOTIFICATION,
    status="queued",
    total=1,
    done=0,
    url=f"/notifications/{values.NOTIFICATION}",
    kind="free",
    language="en",
    subject="Summer school for {{ student }}",
    body="Dear {{ recipient }},\n\nregistration is open.\n\n{{ dojo }}\n",
    audience={"students": [values.STUDENT]},
    test=False,
    queued=1,
    sent=0,
    failed=0,
    skipped=0,
    requested_by=values.HANA,
    cancelled_at=None,
)
_RECIPIENT: Final = {
    "id": values.DELIVERY,
    "recipient": "Hana Sato",
    "address": "parent@example.com",
    "students": [values.MIKA],
    "state": "queued",
    "reason": "",
    "attempts": 0,
    "next_try_at": values.NOW,
    "sent_at": None,
}
KEPT_MAIL_EXAMPLE: Final = {
    "id": values.DELIVERY,
    "kind": "promotion",
    "address": "parent@example.com",
    "state": "sent",
    "reason": "",
    "created_at": values.NOW,
    "sent_at": values.NOW,
}
_NEW: Final = {
    "audience": {"class": values.CLASS},
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
_AT: Final = {"id": values.NOTIFICATION}
_NAMED: Final = {"name": "promotion"}
_TEST_OF: Final = {"kind": "promotion", "audience": None, "test": True, **_LETTER}


def _page(shown: str) -> Described:
    return Described(
        at={"code": values.UNSUBSCRIBE},
        takes=None,
        answer={"type": "string"},
        media_types=("text/html",),
        written={"text/html": shown},
    )


NOTIFICATIONS: Final = {
    "notifications": {
        "GET": listed(_NOTIFICATION, answer=NotificationSerializer),
        "POST": Described(
            takes=NewNotificationSerializer,
            body=_NEW,
            status=202,
            answer=NotificationSerializer,
            shown={**_NOTIFICATION, "audience": _NEW["audience"]},
        ),
    },
    "notification": {
        "GET": Described(
            at=_AT,
            answer=NotificationAnswerSerializer,
            shown={**_NOTIFICATION, "recipients": [_RECIPIENT]},
        )
    },
    "notification-recipients": {
        "GET": listed(_RECIPIENT, at=_AT, answer=RecipientAnswerSerializer),
    },
    "notification-cancel": {
        "POST": Described(
            at=_AT,
            takes=None,
            answer=NotificationSerializer,
            shown={**_NOTIFICATION, "status": "cancelled", "cancelled_at": values.NOW},
        )
    },
    "notification-templates": {
        "GET": Described(query={"language": _LANGUAGE}, answer=TextSerializer(many=True), shown=[_TEXT])
    },
    "notification-template": {
        "GET": Described(at=_NAMED, query={"language": _LANGUAGE}, answer=TextSerializer, shown=_TEXT),
        "PUT": Described(at=_NAMED, body=_LETTER, answer=TextSerializer, shown=_TEXT),
    },
    "notification-template-preview": {
        "POST": Described(
            at=_NAMED,
            body={**_LETTER, "language": "en", "student": values.STUDENT},
            answer=PreviewSerializer,
            shown={
                "subject": "Mika Sato: 4th kyu",
                "body": "Dear Hana Sato,\n\ncongratulations!\n\nSeishin Dojo\n",
                "language": "en",
            },
        )
    },
    "notification-template-test": {
        "POST": Described(
            at=_NAMED,
            body={"email": values.ME},
            status=202,
            answer=NotificationSerializer,
            shown={**_NOTIFICATION, **_TEST_OF},
        )
    },
    "unsubscribe": {"GET": _page(_PAGE), "POST": _page(_PAGE_DONE)},
}
