"""The dojo's users and the caller: accounts' own views, with the students a user speaks for."""

from typing import Any

from rest_framework.serializers import BaseSerializer

from shared_apps.accounts import views
from shared_apps.accounts.models import User
from tenant_apps.students.serializers import DojoMeSerializer, DojoUserSerializer
from tenant_apps.students.services import link_user


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
