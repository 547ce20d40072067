"""The shape of holds."""

from typing import Any

from rest_framework import serializers

from tatami.api.fields import SingleLineField
from tatami.api.serializers import StrictModelSerializer
from tenant_apps.students.models import StudentHold
from tenant_apps.students.serializers.dates import PlausibleDate


class HoldSerializer(StrictModelSerializer):
    """A break from training: `from` and `until` are local dates, both included; without `until` it lasts."""

    until = PlausibleDate(required=False, allow_null=True)
    reason = SingleLineField(max_length=500, required=False, allow_blank=True)

    class Meta:
        model = StudentHold
        fields = ("from", "until", "reason")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python's: it cannot be declared as an attribute.
        self._declared_fields = {**self._declared_fields, "from": PlausibleDate(source="starts_on")}
        return super().get_fields()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first = attrs.get("starts_on", getattr(self.instance, "starts_on", None))
        last = attrs.get("until", getattr(self.instance, "until", None))
        if first and last and last < first:
            raise serializers.ValidationError({"until": ["This is before the first day."]})
        return attrs
