"""Requests and responses of the settings."""

import re
from typing import Any, Final

from django.utils.translation import gettext
from rest_framework import serializers

from tatami.api.fields import MultiLineField, SingleLineField, validate_timezone
from tatami.api.serializers import StrictModelSerializer, StrictSerializer
from tenant_apps.dojo.award_policies import AwardPolicies
from tenant_apps.dojo.certificate_numbers import BadNumberFormat, NumberFormat
from tenant_apps.dojo.models import LONGEST_ABSENCE_DAYS, LONGEST_WINDOW_MINUTES, DojoSettings

COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}\Z")
MOST_EXAMINERS: Final = 6
"""A certificate has room for so many signatures."""


class AwardPolicySerializer(StrictSerializer):
    """What follows from an award of one kind of rank. A field that is left out has its default."""

    mail = serializers.BooleanField(required=False)
    certificate = serializers.BooleanField(required=False)
    needs_exam = serializers.BooleanField(required=False)


class AwardPoliciesSerializer(StrictSerializer):
    """The policy of each kind of rank: belts and grades, stripes and other sub-ranks, titles."""

    rank = AwardPolicySerializer(required=False)
    sub_rank = AwardPolicySerializer(required=False)
    title = AwardPolicySerializer(required=False)

    def to_representation(self, instance: Any) -> Any:
        return AwardPolicies(instance).as_data()


class DojoSettingsSerializer(StrictModelSerializer):
    """Settings of this dojo. The platform stores `name` and `timezone`."""

    name = SingleLineField(max_length=200, required=False, source="tenant_name")
    timezone = SingleLineField(
        max_length=64, required=False, validators=[validate_timezone], source="tenant_timezone"
    )
    terms = MultiLineField(max_length=20_000, required=False, allow_blank=True)
    award_policies = AwardPoliciesSerializer(required=False)
    accent_color = SingleLineField(max_length=7, required=False, allow_blank=True)

    certificate_number = SingleLineField(max_length=60, required=False, allow_blank=True)
    certificate_title = SingleLineField(max_length=80, required=False, allow_blank=True)
    certificate_before_name = SingleLineField(max_length=120, required=False, allow_blank=True)
    certificate_before_rank = SingleLineField(max_length=120, required=False, allow_blank=True)
    certificate_closing = SingleLineField(max_length=200, required=False, allow_blank=True)
    certificate_examiners = serializers.ListField(
        child=SingleLineField(max_length=120), required=False, max_length=MOST_EXAMINERS
    )

    class Meta:
        model = DojoSettings
        fields = (
            "name",
            "timezone",
            "language",
            "chinese_characters",
            "name_order",
            "leap_day_birthday",
            "card_policy",
            "enrolment_policy",
            "rank_policy",
            "capacity_policy",
            "opens_minutes_before",
            "closes_minutes_after",
            "late_after_minutes",
            "terms",
            "notify_promotion",
            "notify_exam_invitation",
            "notify_class_cancelled",
            "award_policies",
            "accent_color",
            "absence_after_days",
            "reply_to",
            "certificate_number",
            "certificate_title",
            "certificate_before_name",
            "certificate_before_rank",
            "certificate_closing",
            "certificate_second_language",
            "certificate_examiners",
        )
        extra_kwargs = {
            "opens_minutes_before": {"max_value": LONGEST_WINDOW_MINUTES},
            "closes_minutes_after": {"max_value": LONGEST_WINDOW_MINUTES},
            "late_after_minutes": {"max_value": LONGEST_WINDOW_MINUTES},
            "absence_after_days": {"min_value": 1, "max_value": LONGEST_ABSENCE_DAYS},
        }

    def validate_accent_color(self, value: str) -> str:
        """Return the colour in lower case; empty means none."""
        if value and not COLOUR.match(value):
            raise serializers.ValidationError(gettext("Write the colour as #rrggbb, such as #1d5c49."))
        return value.lower()

    def validate_certificate_number(self, value: str) -> str:
        """Return the format; empty means none."""
        try:
            return NumberFormat(value).text if value else ""
        except BadNumberFormat:
            message = gettext(
                "Use {number} once, such as KITA-{year}-{number:4}. Only {number} and {year} are known."
            )
            raise serializers.ValidationError(message) from None


class LogoSerializer(StrictSerializer):
    """The dojo's logo, PNG or JPEG, as a data URI."""

    image = SingleLineField(max_length=4_000_000)
