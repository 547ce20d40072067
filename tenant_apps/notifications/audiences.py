"""Whom somebody writes to: students by name, or by what they have in common."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from tatami.api.fields import ReferenceField
from tenant_apps.promotions.choosing import StudentFilterSerializer, chosen
from tenant_apps.promotions.serializers import MOST_STUDENTS
from tenant_apps.students.models import Status, Student, StudentQuerySet

_STATUSES = (Status.ACTIVE, Status.TRIAL, Status.ON_HOLD)


class AudienceSerializer(StudentFilterSerializer):
    """Named students, or those with all of this in common. `{}` is every active student."""

    students = ReferenceField(
        queryset=Student.objects.live(), many=True, required=False, allow_empty=False, most=MOST_STUDENTS
    )
    status = serializers.ChoiceField(choices=[one.value for one in _STATUSES], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "students" in attrs and len(attrs) > 1:
            raise serializers.ValidationError(
                {"students": ["Name students, or say what they have in common."]}
            )
        if attrs.get("status", Status.ACTIVE) != Status.ACTIVE and len(attrs) > 1:
            raise serializers.ValidationError(
                {"status": ["Only active students are found by class, discipline or rank."]}
            )
        return attrs


def students_of(audience: Mapping[str, Any], *, on: date) -> StudentQuerySet | list[Student]:
    """Return the students of an audience as they are on a local date."""
    if "students" in audience:
        return list(audience["students"])
    status = audience.get("status", Status.ACTIVE)
    if status == Status.ACTIVE:
        return chosen(audience, on=on)
    students: StudentQuerySet = Student.objects.live().with_status(on).filter(shown_status=status)
    return students
