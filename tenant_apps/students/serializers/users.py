"""The shape of a dojo's users: with the students they speak for."""

from typing import Any

from shared_apps.accounts.serializers import MeSerializer, UserSerializer
from tatami.api.fields import ReferenceField
from tenant_apps.students.models import Student


class DojoUserSerializer(UserSerializer):
    """A user of a dojo: with the students he speaks for."""

    students = ReferenceField(queryset=Student.objects.live(), many=True, required=False)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "students")  # type: ignore[assignment]


class DojoMeSerializer(MeSerializer):
    """The caller in a dojo: with the students he speaks for."""

    def get_students(self, user: Any) -> list[dict[str, Any]]:
        return [
            {"id": s.pk, "name": s.name} for s in Student.objects.live().belonging_to(user).order_by("pk")
        ]
