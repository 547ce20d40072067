"""Examples of the settings routes for the OpenAPI document."""

from typing import Any, Final

from tatami.api.openapi import examples
from tatami.api.openapi.spec import OperationSpec, no_content_spec

_SETTINGS: Final[dict[str, Any]] = examples.row(
    examples.SETTINGS,
    name="Seishin Dojo",
    timezone="Europe/Berlin",
    language="en",
    chinese_characters="",
    name_order="given_first",
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
    award_policies={
        "rank": {"mail": True, "certificate": True, "needs_exam": False},
        "sub_rank": {"mail": False, "certificate": False, "needs_exam": False},
        "title": {"mail": True, "certificate": True, "needs_exam": False},
    },
    accent_color="",
    absence_after_days=None,
    reply_to="",
    certificate_number="KITA-{year}-{number:4}",
    certificate_title="",
    certificate_before_name="",
    certificate_before_rank="",
    certificate_closing="",
    certificate_second_language="pt-br",
    certificate_examiners=["Hana Mori Sensei"],
)
_CHANGES: Final = {"enrolment_policy": "enforce", "late_after_minutes": 5}
_LOGO: Final = {"image": examples.LOGO}

SETTINGS: Final = {
    "GET": OperationSpec(response_example=_SETTINGS),
    "PATCH": OperationSpec(request_example=_CHANGES, response_example={**_SETTINGS, **_CHANGES}),
}
LOGO: Final = {
    "GET": OperationSpec(response_example=_LOGO),
    "PUT": OperationSpec(request_example=_LOGO, response_example=_LOGO),
    "DELETE": no_content_spec(),
}
