"""The dojo's settings, and its users."""

from typing import Any, Final

from config.openapi import values
from config.openapi.accounts import HOME, SIGNED_IN, me, users
from config.openapi.frequent import silent
from tatami.api.openapi import Described

_SETTINGS: Final[dict[str, Any]] = values.row(
    values.SETTINGS,
    name="Seishin Dojo",
    timezone="Europe/Berlin",
    language="en",
    leap_day_birthday="mar1",
    card_policy="allow",
    enrolment_policy="ignore",
    rank_policy="ignore",
    capacity_policy="ignore",
    opens_minutes_before=30,
    closes_minutes_after=60,
    late_after_minutes=10,
    terms="",
    notify_promotion=True,
    notify_exam_invitation=True,
    notify_class_cancelled=True,
    absence_after_days=None,
    reply_to="",
)
_CHANGES: Final = {"enrolment_policy": "enforce", "late_after_minutes": 5}
_USER: Final = values.row(
    values.USER,
    email=values.EMAIL,
    name="Hana Sato",
    role="admin",
    is_active=True,
    archived=False,
    students=[values.MIKA],
)
_NEW: Final = {
    "email": "ren@example.com",
    "name": "Ren Ito",
    "role": "student",
    "students": [values.STUDENT],
}

DOJO: Final = {
    "settings": {
        "GET": Described(shown=_SETTINGS),
        "PATCH": Described(body=_CHANGES, shown={**_SETTINGS, **_CHANGES}),
    },
    "settings-logo": {
        "GET": Described(shown={"image": values.LOGO}),
        "PUT": Described(body={"image": values.LOGO}, shown={"image": values.LOGO}),
        "DELETE": silent(),
    },
    "me": me({**SIGNED_IN, "tenant": HOME, "students": [values.MIKA]}),
    **users(_USER, _NEW),
}
