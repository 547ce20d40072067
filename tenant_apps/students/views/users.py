"""The users of the dojo and the caller: the views of `shared_apps.accounts`, with the linked students."""

from typing import Any

from rest_framework.serializers import BaseSerializer

from shared_apps.accounts import views
from shared_apps.accounts.models import User
from shared_apps.accounts.serializers import MeSerializer, UserSerializer
from tatami.api.fields import ReferenceField
from tenant_apps.students.models import Student
from tenant_apps.students.services import link_user


class DojoUserSerializer(UserSerializer):
    """A user of a dojo, with the linked students."""

    students = ReferenceField(queryset=Student.objects.not_archived(), many=True, required=False)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "students")  # type: ignore[assignment]


class DojoMeSerializer(MeSerializer):
    """The caller in a dojo, with the linked students."""

    def get_students(self, user: Any) -> list[dict[str, Any]]:
        return [
            {"id": s.pk, "name": s.name}
            for s in Student.objects.not_archived().belonging_to(user).order_by("pk")
        ]


class DojoUserCollection(views.UserCollection):
    queryset = User.objects.prefetch_related("students")
    full_serializer_class = DojoUserSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> User:
        students = serializer.validated_data.pop("students", [])
        user = super().perform_create(serializer)
        link_user(user=user, students=students)
        return user


class DojoUserResource(views.UserResource):
    queryset = User.objects.prefetch_related("students")
    full_serializer_class = DojoUserSerializer
    refetch = True

    def perform_update(self, serializer: BaseSerializer[Any]) -> User:
        students = serializer.validated_data.pop("students", None)
        user = super().perform_update(serializer)
        if students is not None:
            link_user(user=user, students=students)
        return user


class DojoMe(views.Me):
    serializer_class = DojoMeSerializer
