"""OpenAPI operations and examples of the notification views."""

from typing import Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, OperationSpecs, list_spec
from tatami.languages import available_languages
from tenant_apps.notifications.models import NotificationKind
from tenant_apps.notifications.serializers import (
    AUDIENCE_KINDS,
    NewNotificationSerializer,
    NotificationSerializer,
    OwnNotificationsSerializer,
    PreviewSerializer,
    TemplateSerializer,
)
from tenant_apps.notifications.templates import variable_names

_LANGUAGES: Final = [code for code, _ in available_languages()]
_LANGUAGE: Final = {"type": "string", "pattern": f"^({'|'.join(_LANGUAGES)})$", "example": "en"}


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
EXPORTED_MAIL_EXAMPLE: Final = {
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
_MESSAGE_TEXT: Final = {
    "subject": "{{ student }}: {{ rank }}",
    "body": "Dear {{ recipient }},\n\ncongratulations!\n\n{{ dojo }}\n",
}
_TEMPLATE: Final = {
    "name": "promotion",
    "language": "en",
    **_MESSAGE_TEXT,
    "is_default": False,
    "variables": list(variable_names(NotificationKind.PROMOTION)),
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
<p>Do you want to unsubscribe from our news? You will still get mails about promotions, exams and cancelled classes.</p>
<form method="post"><button type="submit">Unsubscribe</button></form>
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
<p><a href="/desk/account">Turn news on again in your account</a></p>
</main>
</body>
</html>
"""
_OWN_MAIL: Final = {
    "email": examples.ME,
    "news": True,
    "unsubscribed_at": None,
    "bounced_at": None,
    "kinds": [
        {"kind": kind.value, "is_optional": kind in AUDIENCE_KINDS, "is_on": True}
        for kind in NotificationKind
    ],
}
_PATH: Final = {"id": examples.NOTIFICATION}
_TEMPLATE_PATH: Final = {"name": "promotion"}
_TEST_FIELDS: Final = {"kind": "promotion", "audience": None, "test": True, **_MESSAGE_TEXT}


def _page(html: str) -> OperationSpec:
    return OperationSpec(
        path={"code": examples.UNSUBSCRIBE},
        request=None,
        response={"type": "string"},
        media_types=("text/html",),
        text_examples={"text/html": html},
    )


NOTIFICATIONS: Final[OperationSpecs] = {
    "GET": list_spec(_NOTIFICATION, response=NotificationSerializer),
    "POST": OperationSpec(
        request=NewNotificationSerializer,
        request_example=_NEW,
        status=202,
        response=NotificationSerializer,
        response_example={**_NOTIFICATION, "audience": _NEW["audience"]},
    ),
}
NOTIFICATION: Final[OperationSpecs] = {
    "GET": OperationSpec(path=_PATH, response_example={**_NOTIFICATION, "recipients": [_RECIPIENT]})
}
RECIPIENTS: Final[OperationSpecs] = {"GET": list_spec(_RECIPIENT, path=_PATH)}
CANCEL_NOTIFICATION: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_PATH,
        request=None,
        response=NotificationSerializer,
        response_example={**_NOTIFICATION, "status": "cancelled", "cancelled_at": examples.NOW},
    )
}
TEMPLATES: Final[OperationSpecs] = {
    "GET": OperationSpec(
        query={"language": _LANGUAGE}, response=TemplateSerializer(many=True), response_example=[_TEMPLATE]
    )
}
TEMPLATE: Final[OperationSpecs] = {
    "GET": OperationSpec(
        path=_TEMPLATE_PATH,
        query={"language": _LANGUAGE},
        response=TemplateSerializer,
        response_example=_TEMPLATE,
    ),
    "PUT": OperationSpec(
        path=_TEMPLATE_PATH,
        request_example=_MESSAGE_TEXT,
        response=TemplateSerializer,
        response_example=_TEMPLATE,
    ),
}
TEMPLATE_PREVIEW: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_TEMPLATE_PATH,
        request_example={**_MESSAGE_TEXT, "language": "en", "student": examples.STUDENT},
        response=PreviewSerializer,
        response_example={
            "subject": "Mika Sato: 4th kyu",
            "body": "Dear Hana Sato,\n\ncongratulations!\n\nSeishin Dojo\n",
            "language": "en",
        },
    )
}
TEMPLATE_TEST: Final[OperationSpecs] = {
    "POST": OperationSpec(
        path=_TEMPLATE_PATH,
        request_example={"email": examples.ME},
        status=202,
        response=NotificationSerializer,
        response_example={**_NOTIFICATION, **_TEST_FIELDS},
    )
}
OWN_NOTIFICATIONS: Final[OperationSpecs] = {
    "GET": OperationSpec(response=OwnNotificationsSerializer, response_example=_OWN_MAIL),
    "PATCH": OperationSpec(
        request_example={"news": True}, response=OwnNotificationsSerializer, response_example=_OWN_MAIL
    ),
}
UNSUBSCRIBE: Final[OperationSpecs] = {"GET": _page(_PAGE), "POST": _page(_PAGE_DONE)}
